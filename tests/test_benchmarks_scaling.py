"""The benchmark of scaling, run tiny: what it computes, not how long it takes."""

from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="needs the repository's benchmarks/")

from benchmarks.scaling import overhead, proposals, sleeping, workers
from benchmarks.scaling.__main__ import PARTS
from benchmarks.scaling.bare import Bare, train_again
from benchmarks.scaling.sweeps import Sweep, table
from nndl_exp.api import load_study

TINY = ("training.epochs=2", "dataset.training_size=200", "dataset.validation_size=100",
        "tracking=none", "executor=serial", "strategy=joint")  # fmt: skip


@pytest.fixture(scope="module")
def led(tmp_path_factory):
    """A sweep of three trials, one of which is taken over from an equal one."""
    output = tmp_path_factory.mktemp("led")
    enqueue = "study.enqueue=[{training.eta: 0.5}, {training.eta: 0.5}]"
    fixed = ("network.hidden=[10]", "training.lmbda=0.1", "training.mini_batch_size=10")
    words = [*TINY, *fixed, enqueue, "study.n_trials=3", "study.lag=1", f"output={output}"]
    study = load_study([*words, "study.name=s"])
    list(study.run())
    return Sweep(10.0, 8.0, study.directory)


def test_a_sweep_counts_what_was_trained(led):
    trained = led.trained()
    assert [int(directory.path.name) for directory, _ in trained] == [0, 2]
    assert led.window() == max(r.ended for _, r in trained) - min(r.started for _, r in trained)


def test_trainings_are_the_same_without_a_study(led, monkeypatch):
    """As many epochs, which give the same weights."""
    from benchmarks.scaling import bare

    networks = []
    made = bare.initial_network
    monkeypatch.setattr(
        bare, "initial_network", lambda *args: networks.append(made(*args)) or networks[-1]
    )
    for directory, result in led.trained():
        alone = train_again(directory)
        assert alone.clock > 0 and alone.processor > 0
        assert networks.pop().digest() == result.weights["last"]


def test_overhead_is_what_is_not_training(led):
    around = overhead.Around(starting=0.5, reports=0.2)
    alone = [Bare(6.0, 3.0), Bare(2.0, 1.0)]
    found = overhead.compare(led, Sweep(9.0, 6.0, led.folder), around, alone, workers=2)
    assert (found.trainings, found.training) == (2, 4.0)
    assert found.whole == pytest.approx(8 / 4 - 1)
    assert found.tracking == pytest.approx((8 - 6) / 4)
    assert (found.starting, found.reports) == pytest.approx((0.5 / 4, 0.2 / 4))
    assert found.together == pytest.approx(1 - 0.125 - 0.05)
    assert found.search == pytest.approx(found.together - found.tracking)
    assert found.clock == pytest.approx(2 * 10 / 8 - 1)
    assert found.clock_untracked == pytest.approx(2 * 9 / 8 - 1)


def test_reports_are_made_again(tmp_path):
    words = ("strategy.stages=[epochs]", "strategy.epochs=4", "study.name=s", f"output={tmp_path}")
    study = load_study([*TINY[:-1], *words])
    list(study.run())
    assert overhead.report_again(study.directory) > 0
    assert list(study.directory.glob("stages/epochs/figures/*.png"))
    assert overhead.import_worker() > 0


def test_proposals_are_timed_at_their_size():
    study = load_study(["strategy=joint", "tracking=none"])
    past = proposals.Past.of(study, 12)
    assert len(past.proposals) == len(past.settled) == 12
    assert past.proposals == proposals.Past.of(study, 12).proposals
    frozen = past.frozen(study)
    assert [trial.params for trial in frozen] == [p.params for p in past.proposals]
    assert [trial.value for trial in frozen] == [s.values[0] for s in past.settled]
    times = proposals.measure(12, 1)
    assert min(times.optunas, times.view, times.stored) > 0


def test_workers_that_sleep_write_the_records_of_one_that_does_not(tmp_path, storage):
    awake, case = sleeping.Case(8, 1, 0.0, 4), sleeping.Case(8, 3, 0.05, 4)
    assert case.ideal == pytest.approx(3 * 0.05)
    reference = sleeping.lead(awake, tmp_path / "awake", "tracking=none").table
    words = ("tracking=none", "storage=postgresql", f"storage.url={storage}")
    night = sleeping.lead(case, tmp_path / "asleep", *words)
    cells = sleeping.row("tiny", case, night, reference)
    assert cells[-3:] == ["none", "yes", "yes"]
    assert reference["epochs"].tolist() == [sleeping.EPOCHS] * 8
    assert reference["weights_sha256"].nunique() > 1
    assert len(list(Path(tmp_path).glob("asleep/studies/*/trials/*/weights.npz"))) == 8


@pytest.mark.long
def test_two_workers_train_the_same_as_one_and_are_compared():
    words = (*TINY[:3], "tracking=none", "study.n_trials=4")
    speeds = workers.measure(words)
    assert speeds.ratio == speeds.two / speeds.one > 0
    assert speeds.bare_ratio == speeds.two_bare / speeds.one_bare > 0


def test_every_part_has_its_place_in_the_readme():
    readme = (Path(workers.__file__).parents[1] / "README.md").read_text()
    for part in PARTS:
        assert f"<!-- scaling: {part} -->\n" in readme
        assert f"<!-- end scaling: {part} -->" in readme
    assert table(["", "a"], [["b", "c"]]) == "| | a |\n| --- | --- |\n| b | c |"
