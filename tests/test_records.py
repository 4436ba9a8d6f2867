"""The run directory as the record, exact checkpoints, and what a crash can leave."""

import errno
import json
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nndl_exp.run
from nndl_exp.config import RunConfig, run_config, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory, atomic
from nndl_exp.records.provenance import differences, provenance
from nndl_exp.run import Run, check, run
from nndl_exp.weights import digest


def small(**training: object) -> RunConfig:
    settings = to_mapping(RunConfig())
    settings["dataset"] |= {"training_size": 200, "validation_size": 50}
    settings["network"]["hidden"] = [12]
    settings["training"] |= {"epochs": 6, **training}
    return run_config(settings)


def results(directory: RunDirectory) -> list[dict]:
    return [epoch.results() for epoch in directory.epochs()]


def test_a_run_leaves_its_record(tmp_path):
    result = run(small(), tmp_path / "run")
    directory = RunDirectory(tmp_path / "run")
    names = {path.name for path in directory.path.iterdir()}
    assert {"config.yaml", "provenance.json", "epochs.jsonl", "result.json", "weights.npz"} <= names
    assert "checkpoint.npz" not in names
    assert directory.config() == small()
    assert directory.result() == result
    assert len(directory.epochs()) == result.epochs == 6
    best = max(directory.epochs(), key=lambda e: (e.validation_accuracy, -e.number))
    assert (result.best, result.validation_accuracy) == (best.number, best.validation_accuracy)
    assert digest(directory.network()) == result.weights["best"]
    assert ("weights_last.npz" in names) == (result.weights["best"] != result.weights["last"])


def test_equal_configs_give_equal_bits(tmp_path):
    first, second = (run(small(), tmp_path / name) for name in ("a", "b"))
    assert first.weights == second.weights
    assert results(RunDirectory(tmp_path / "a")) == results(RunDirectory(tmp_path / "b"))
    other = run(small(eta=0.6), tmp_path / "c")
    assert other.weights != first.weights


def test_a_settled_run_is_not_trained_again(tmp_path):
    result = run(small(), tmp_path / "run")
    epochs: list = []
    assert run(small(), tmp_path / "run", on_epoch=epochs.append) == result
    assert epochs == []


def test_a_folder_belongs_to_one_run(tmp_path):
    run(small(), tmp_path / "run")
    with pytest.raises(UserError, match="holds a run of another configuration"):
        run(small(eta=0.1), tmp_path / "run")


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 6), max_size=3),
    dtype=st.sampled_from(["float32", "float64"]),
    network=st.sampled_from(
        [("sigmoid", "sigmoid", "cross_entropy"), ("tanh", "softmax", "log_likelihood"),
         ("relu", "linear", "quadratic")]
    ),
    regularizer=st.sampled_from(["none", "l2", "l1"]),
    stopping=st.sampled_from([{"name": "none"}, {"name": "no_improvement", "n": 2},
                              {"name": "average_gain", "n": 2, "gain": 0.01}]),
    schedule=st.sampled_from([{"name": "constant"}, {"name": "plateau", "n": 1, "end": 4.0},
                              {"name": "step", "n": 2}, {"name": "exponential", "factor": 1.1}]),
    momentum=st.sampled_from([(0.0, False), (0.9, False), (0.9, True)]),
    dropout=st.sampled_from([(0.0, 0.0), (0.3, 0.0), (0.3, 0.2), (0.0, 0.2)]),
    max_norm=st.sampled_from([None, 1.5]),
    judged_by=st.sampled_from(["validation_accuracy", "validation_cost"]),
    expansion=st.sampled_from([{"name": "none"}, {"name": "shifts"}, {"name": "distortions"},
                               {"name": "distortions", "once": True, "copies": 1}]),
    watched=st.sampled_from([(None, False), (70, True)]),
    loses_checkpoint=st.booleans(),
)  # fmt: skip
def test_a_run_cut_between_epochs_ends_like_one_never_cut(
    tmp_path_factory,
    cuts,
    dtype,
    network,
    regularizer,
    stopping,
    schedule,
    momentum,
    dropout,
    max_norm,
    judged_by,
    expansion,
    watched,
    loses_checkpoint,
):
    folder = tmp_path_factory.mktemp("cut")
    config = to_mapping(small(lmbda=0.5, eta=0.1, regularizer=regularizer, stopping=stopping,
                              judged_by=judged_by, schedule=schedule, momentum=momentum[0],
                              nesterov=momentum[1], dropout=dropout[0],
                              input_dropout=dropout[1], max_norm=max_norm,
                              expansion=expansion, monitor_every=watched[0],
                              layer_metrics=watched[1]))  # fmt: skip
    config["network"] |= {"dtype": dtype, **dict(zip(("activation", "output", "cost"), network,
                                                     strict=True))}  # fmt: skip
    whole = run(run_config(config), folder / "whole")
    cut = RunDirectory(folder / "cut")
    for at in cuts:
        with Run(run_config(config), cut, check(run_config(config))) as training:
            for epoch in training:
                if epoch.number >= at:
                    if not loses_checkpoint:
                        training.suspend()
                    break
        assert cut.result() is None or cut.result().weights == whole.weights
    again = run(run_config(config), cut.path)
    assert again.weights == whole.weights
    assert (again.state, again.reason, again.best) == (whole.state, whole.reason, whole.best)
    assert results(cut) == results(RunDirectory(folder / "whole"))


def test_a_line_that_was_cut_short_ends_the_history(tmp_path):
    run(small(), tmp_path / "run")
    path = tmp_path / "run" / "epochs.jsonl"
    path.write_text(path.read_text()[:-30])
    assert len(RunDirectory(tmp_path / "run").epochs()) == 5


def test_a_diverged_run_is_recorded_as_such(tmp_path):
    config = to_mapping(small(eta=1e8))
    config["network"] |= {"activation": "relu", "output": "linear", "cost": "quadratic"}
    result = run(run_config(config), tmp_path / "run")
    assert result.state == "diverged"
    assert result.reason == f"cost is not finite at epoch {result.epochs}"
    assert result.epochs < 6


def test_a_mini_batch_larger_than_the_set_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UserError, match=r"size of the training set \(200\): got 201"):
        run(small(mini_batch_size=201), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_checkpoints_are_written_while_training(tmp_path, monkeypatch):
    monkeypatch.setattr(nndl_exp.run, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    directory = RunDirectory(tmp_path / "run")
    with Run(small(), directory, check(small())) as training:
        for epoch in training:
            if epoch.number == 4:
                break
    checkpoint = directory.load_checkpoint(training.network)
    assert [epoch.number for epoch in checkpoint.history] == [1, 2, 3, 4]


def without_links(new: object, path: object) -> None:
    raise PermissionError(errno.EPERM, "no links here")


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_created_by_one_of_many(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    path = tmp_path / "file"
    with ThreadPoolExecutor(8) as threads:
        contents = [str(n).encode() for n in range(40)]
        created = list(threads.map(lambda data: atomic.create(path, data), contents))
    assert sum(created) == 1
    assert path.read_bytes() == contents[created.index(True)]
    assert not list(atomic.unfinished(tmp_path))


def test_a_file_whose_folder_refuses_it_is_an_error(tmp_path, monkeypatch):
    def full(new: object, path: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(OSError, match="No space left on device"):
        atomic.create(tmp_path / "file", b"content")
    assert not list(tmp_path.iterdir())


def test_an_atomic_write_leaves_the_old_content_when_it_fails(tmp_path):
    path = tmp_path / "file"
    atomic.write(path, b"old")
    with pytest.raises(TypeError):
        atomic.write(path, "not bytes")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    atomic.write(path, b"new", durable=True)
    assert path.read_bytes() == b"new"


def test_provenance_says_what_the_bits_depend_on():
    now = provenance()
    assert now["packages"]["numpy"] == np.__version__
    assert now["blas"]
    assert now["cpu"]
    json.dumps(now)
    then = json.loads(json.dumps(now))
    then["cpu"] = "another"
    then["packages"]["numpy"] = "1.0"
    assert differences(then, now) == [
        f"packages numpy: 1.0 then, {np.__version__} now",
        f"cpu: another then, {now['cpu']} now",
    ]
