"""The benchmark of scaling, run tiny: what it computes, not how long it takes."""

from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="needs the repository's benchmarks/")

from benchmarks.readme import table
from benchmarks.scaling import overhead, proposals, sleeping, workers
from benchmarks.scaling.__main__ import PARTS
from benchmarks.scaling.bare import train_again
from benchmarks.scaling.counted import Counted
from benchmarks.scaling.sweeps import Sweep
from nndl_exp.api import load_study
from nndl_exp.weights import digest

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
        train_again(directory)
        assert digest(networks.pop()) == result.weights["last"]


def test_overhead_is_what_is_not_training(led):
    tracked = overhead.Led(led, Counted(2, 4.0, 8.0), reports=0.2, mlflow=0.1)
    alone = Sweep(9.0, 6.0, led.folder)
    untracked = overhead.Led(alone, Counted(2, 3.0, 6.0), reports=0.3, mlflow=0.0)
    found = overhead.compare(tracked, untracked, starting=0.5, workers=2)
    assert (found.trainings, found.training) == (2, 4.0)
    assert found.whole == pytest.approx(8 / 4 - 1)
    assert found.tracking == pytest.approx((4.0 - 0.2 - 0.1 - (3.0 - 0.3)) / 4)
    assert (found.starting, found.reports) == pytest.approx((0.6 / 4, 0.2 / 4))
    assert found.together == pytest.approx(1 - 0.15 - 0.05)
    assert found.search == pytest.approx(found.together - found.tracking)
    assert found.clock == pytest.approx(2 * 10 / 8 - 1)
    assert found.clock_untracked == pytest.approx(2 * 9 / 6 - 1)


@pytest.mark.long
def test_trainings_are_counted_where_they_are_trained(tmp_path):
    words = (*TINY[:3], "strategy.stages=[epochs]", "strategy.epochs=4", "workers=1")
    led = overhead.lead(words, tmp_path / "output")
    trained = led.sweep.trained()
    assert led.training.times == len(trained) > 0
    seconds = sum(result.seconds for _, result in trained)
    assert seconds < led.training.clock < led.sweep.clock, "measuring counts too"
    assert 0 < led.training.processor + led.reports + led.mlflow < led.sweep.processor
    assert led.reports > 0
    assert led.mlflow > 0
    assert overhead.import_worker() > 0


def test_proposals_are_timed_at_their_size():
    search = next(load_study(["strategy=joint", "tracking=none"]).stages()).search
    past = proposals.Past.of(search, 12)
    assert len(past.proposals) == len(past.settled) == 12
    assert past.proposals == proposals.Past.of(search, 12).proposals
    frozen = past.frozen(search)
    assert [trial.params for trial in frozen] == [p.params for p in past.proposals]
    assert [trial.value for trial in frozen] == [s.values[0] for s in past.settled]
    times = proposals.measure(12, 1)
    assert min(times.optunas, times.view, times.recorded) > 0


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
    assert len(list(Path(tmp_path).glob("asleep/studies/*/stages/joint/trials/*/weights.npz"))) == 8


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
