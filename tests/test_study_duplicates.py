"""A configuration that was trained is not trained again; the table stays a function of the study.

The search space has six points, so that trials repeat each other often.
"""

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from studies import SERIAL, SMALL, lead, run_small, search_of, study_of, table

from benchmarks import strategy
from nndl_exp.display.findings import climb, stage_findings
from nndl_exp.errors import UserError
from nndl_exp.evaluate import main as evaluate
from nndl_exp.predict import main as predict
from nndl_exp.records import RunDirectory
from nndl_exp.reproduce import main as reproduce
from nndl_exp.weights import digest

LAG = 4  # that of SMALL
SIX_POINTS = (
    "search_space=grid", "search_space.training.lmbda=null", "search_space.network.hidden=null",
    "sampler=random", "pruner.n_startup_trials=2", "pruner.n_warmup_steps=1",
    "training.epochs=6",
)  # fmt: skip


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A study led by this process alone."""
    study = search_of(tmp_path_factory.mktemp("alone"), *SIX_POINTS, *SERIAL)
    lead(study)
    return study


def test_only_what_completed_beyond_the_lag_is_taken_over(alone):
    trials, copies = alone.trials(), 0
    for trial in trials:
        earlier = [
            other.number
            for other in trials[: max(0, trial.number - LAG + 1)]
            if other.config == trial.config and other.result.state == "complete"
        ]
        if earlier:
            assert trial.result.reason == f"same as trial {earlier[0]}"
            assert trial.result.seconds == 0
            copies += 1
        else:
            assert not trial.result.reason.startswith("same as")
            assert trial.result.seconds > 0
    repeated = len(trials) - len({trial.config for trial in trials})
    assert 0 < copies < repeated, "some repeat a trial that they may not look at"


def test_a_copy_is_a_whole_record(alone):
    for trial in alone.trials():
        if trial.result.reason.startswith("same as trial "):
            original = int(trial.result.reason.rpartition(" ")[2])
            here, there = (alone.run_directory(n) for n in (trial.number, original))
            assert names_in(here.path) == names_in(there.path)
            for name in names_in(there.path) - {"result.json", "proposal.json"}:
                assert (here.path / name).read_bytes() == (there.path / name).read_bytes()
            assert digest(here.network()) == trial.result.weights["best"]
            assert trial.result.weights == there.result().weights
            assert trial.result.epochs == len(here.epochs())


def test_a_trial_whose_clock_measured_nothing_is_no_copy(alone):
    """A coarse clock says 0 s of a short trial; what was trained counts all the same."""
    trained = [trial for trial in alone.trials() if not trial.result.is_copy]
    copies = [trial for trial in alone.trials() if trial.result.is_copy]
    instant = [replace(t, result=replace(t.result, seconds=0.0)) for t in trained]
    (stage,) = study_of(Path(alone.config.output), *SIX_POINTS, *SERIAL).stages()
    rise = climb([replace(stage_findings(stage, trained), trials=(*copies[:1], *instant))])
    assert rise.steps[-1].accuracy == max(t.result.validation_accuracy for t in trained)
    epochs = [e for t in trained for e in alone.run_directory(t.number).epochs()]
    assert rise.seconds == pytest.approx(sum(epoch.seconds for epoch in epochs))
    found = list(strategy.epochs(alone.directory))
    assert len(found) == len(epochs)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_copy_predicts_what_its_original_predicts(tmp_path, alone, capsys):
    copy = next(t for t in alone.trials() if t.result.reason.startswith("same as trial "))
    np.savez(tmp_path / "rows.npz", x=np.linspace(0, 1, 2 * 784).reshape(2, 784))
    answers = []
    for number in (copy.number, copy.result.reason.rpartition(" ")[2]):
        run = f"{alone.name}/{number}"
        predict([run, str(tmp_path / "rows.npz"), "--output", alone.config.output])
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]
    assert answers[0].count(" %") == 6


def test_a_copy_is_evaluated(tmp_path, alone, capsys):
    shutil.copytree(alone.config.output, tmp_path / "out")
    copy = next(t for t in alone.trials() if t.result.reason.startswith("same as trial "))
    evaluate([f"{alone.name}/{copy.number}", "--unfinished", "--output", str(tmp_path / "out")])
    assert f"run      {alone.name}/{copy.number}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["dataset.json", "weights.npz", "weights_last.npz", "epochs.jsonl"]
)
def test_an_incomplete_original_is_refused_in_one_line(tmp_path, alone, name):
    """Nothing of the copy is written: a record that lacks a file must not look complete."""
    whole = next(
        alone.run_directory(trial.number).path
        for trial in alone.trials()
        if (alone.run_directory(trial.number).path / name).exists()
    )
    shutil.copytree(whole, tmp_path / "original")
    (tmp_path / "original" / name).unlink()
    with pytest.raises(UserError, match=f"original/{name}"):
        RunDirectory(tmp_path / "copy").copy(RunDirectory(tmp_path / "original"), "same")
    assert not (tmp_path / "copy").exists()


def test_a_copy_reproduces_and_so_does_its_study(alone, capsys):
    copy = next(t for t in alone.trials() if t.result.reason.startswith("same as"))
    for name in (f"{alone.name}/{copy.number}", alone.name.partition("/")[0]):
        with pytest.raises(SystemExit) as ended:
            reproduce([name, "--output", alone.config.output])
        assert ended.value.code == 0
        assert capsys.readouterr().out.endswith("IDENTICAL\n")


@pytest.mark.parametrize("workers", [2, 4])
def test_any_number_of_workers_takes_over_the_same(tmp_path, alone, workers):
    assert run_small(tmp_path, *SIX_POINTS, f"workers={workers}").equals(table(alone))


@pytest.mark.parametrize("trials", range(4, 14, 3))
def test_a_study_in_two_parts_takes_over_the_same(tmp_path, alone, trials):
    run_small(tmp_path, *SIX_POINTS, *SERIAL, f"study.n_trials={trials}")
    assert run_small(tmp_path, *SIX_POINTS, *SERIAL).equals(table(alone))


def test_a_copy_that_was_cut_short_is_made_again(tmp_path, alone):
    shutil.copytree(alone.config.output, tmp_path / "cut")
    study = search_of(tmp_path / "cut", *SIX_POINTS, *SERIAL)
    for trial in study.trials():
        if trial.result.reason.startswith("same as"):
            folder = study.run_directory(trial.number).path
            (folder / "result.json").unlink()
            (folder / "weights.npz").write_bytes(b"half of a fi")
    lead(study)
    assert table(study).equals(table(alone))
    assert all(study.run_directory(trial.number).network() for trial in study.trials())


def test_a_damaged_original_is_refused_in_one_line(tmp_path, alone):
    shutil.copytree(alone.config.output, tmp_path / "damaged")
    study = search_of(tmp_path / "damaged", *SIX_POINTS, *SERIAL)
    copy = next(t for t in study.trials() if t.result.reason.startswith("same as"))
    original = study.run_directory(int(copy.result.reason.rpartition(" ")[2]))
    shutil.rmtree(study.run_directory(copy.number).path)
    original.weights_path.write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"weights\.npz"):
        lead(study)


@pytest.mark.long
def test_a_killed_study_takes_over_the_same(tmp_path, alone):
    command = [sys.executable, "-m", "nndl_exp.sweep", *SMALL, *SIX_POINTS, "workers=2",
               f"output={tmp_path}"]  # fmt: skip
    study = search_of(tmp_path, *SIX_POINTS)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(study.directory.glob("trials/*/result.json"))) < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert " same as trial " in done.stdout
    assert table(study).equals(table(alone))
