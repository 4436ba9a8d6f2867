"""Optuna's database as a view: complete, written once, and of no harm to a study."""

import sqlite3
import time
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import optuna
import pytest
from studies import SERIAL, run_small, search_of, show_in_optuna, study_of, table
from typed import command

from nndl_exp.database import url_below
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.search import Search
from nndl_exp.tracking import optuna_view as module
from nndl_exp.tracking.optuna_view import POINTS, OptunaView

WORDS = (*SERIAL, "study.name=seen", "training.epochs=30", "training.stopping.name=none",
         "study.n_trials=10")  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_small(tmp_path_factory.mktemp("whole"), *WORDS)


@pytest.fixture
def search(tmp_path, monkeypatch) -> Search:
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_BATCHES", 0.0)
    study_of(tmp_path, *WORDS).create()
    found = search_of(tmp_path, *WORDS)
    found.create()
    return found


def shown(search: Search) -> list[optuna.trial.FrozenTrial]:
    url = url_below(search.config.output, "optuna")
    return optuna.load_study(study_name=search.name, storage=url).trials


def check(search: Search, whole) -> None:
    assert table(search).equals(whole)
    trials = shown(search)
    assert [trial.number for trial in trials] == list(range(len(whole)))
    for trial, ours in zip(trials, search.trials(), strict=True):
        assert trial.state.is_finished()
        assert trial.params == search.space.params_of(search.varied(ours.config))
        if ours.result.state == "complete":
            assert trial.values == [ours.result.validation_accuracy]


def test_it_has_values_times_and_learning_curves_of_few_points(search, whole):
    list(Coordinator(search))
    assert show_in_optuna(search, search.trials()) is None
    check(search, whole)
    found = optuna.load_study(
        study_name="seen/joint", storage=url_below(search.config.output, "optuna")
    )
    assert found.metric_names == ["validation_accuracy"]
    assert found.user_attrs == {"id": search.id}
    complete = [t for t in found.trials if t.state == optuna.trial.TrialState.COMPLETE]
    assert complete
    for trial in complete:
        curve, epochs = trial.intermediate_values, search.run_directory(trial.number).epochs()
        assert len(epochs) == 30
        assert len(curve) == POINTS
        assert {min(curve), max(curve)} == {1, 30}
        assert all(value == epochs[n - 1].validation_accuracy for n, value in curve.items())
        result = search.run_directory(trial.number).result()
        assert trial.datetime_start == datetime.fromtimestamp(result.started)
        assert trial.datetime_complete == datetime.fromtimestamp(result.ended)


def ids(search: Search) -> list[int]:
    with closing(sqlite3.connect(Path(search.config.output) / "optuna.db")) as connection:
        rows = connection.execute("SELECT trial_id FROM trials ORDER BY number")
        return [trial_id for (trial_id,) in rows]


def test_what_is_there_is_not_written_again(search):
    list(Coordinator(search))
    trials = search.trials()
    assert show_in_optuna(search, trials[:4]) is None
    first = ids(search)
    assert len(first) == 4
    for _ in range(2):
        assert show_in_optuna(search, trials) is None
    assert ids(search)[:4] == first
    assert len(ids(search)) == 10


def wait_for(search: Search, trials: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(KeyError, sqlite3.Error, optuna.exceptions.StorageInternalError):
            if len(ids(search)) >= trials:
                return
        assert time.monotonic() < deadline
        time.sleep(0.05)


def delete(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


def empty(file: Path) -> None:
    optuna.delete_study(study_name="seen/joint", storage=f"sqlite:///{file}")


def enqueue(file: Path) -> None:
    found = optuna.load_study(study_name="seen/joint", storage=f"sqlite:///{file}")
    found.enqueue_trial({"training.eta": 0.5})


@pytest.mark.parametrize("harm", [delete, empty, enqueue])
def test_what_others_do_to_it_in_mid_study_is_put_right(search, whole, harm):
    view = OptunaView(search)
    for trial in Coordinator(search):
        view.log(trial)
        if trial.number == 5:
            wait_for(search, 1)
            harm(Path(search.config.output) / "optuna.db")
    assert view.close() is None
    check(search, whole)


@pytest.mark.long
def test_a_database_that_is_locked_in_mid_study_is_told_in_one_line(search, whole):
    view = OptunaView(search)
    for trial in Coordinator(search):
        view.log(trial)
        if trial.number == 5:
            wait_for(search, 1)
            connection = sqlite3.connect(Path(search.config.output) / "optuna.db")
            connection.execute("BEGIN EXCLUSIVE")
    line = view.close()
    assert line is not None
    assert "optuna.db must take the trials: got database is locked" in line
    assert f"python -m nndl_exp.sync --output {search.config.output} writes it" in line
    assert table(search).equals(whole)
    connection.close()
    assert show_in_optuna(search, search.trials()) is None
    check(search, whole)


def test_a_sweep_shows_its_trials_without_tracking_and_sync_brings_them_back(folder, typed):
    words = ("dataset=digits_8x8", "dataset.training_size=100", "training.epochs=2",
             "executor=serial", "tracking=none", "study.name=s", "strategy.epochs=20",
             "strategy.stages=[learning_rate,joint]", "study.n_trials=3", "strategy=stages",
             "strategy.options.learning_rate.epochs=2")  # fmt: skip
    typed(command("sweep", *[word for word in words if word != "strategy=stages"]))
    url = f"sqlite:///{folder}/nndl-output/optuna.db"
    counts = {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(url)}
    assert set(counts) == {"s/learning_rate", "s/joint"}
    assert min(counts.values()) > 0
    delete(folder / "nndl-output/optuna.db")
    typed(command("sync"))
    again = {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(url)}
    assert again == counts
    with closing(sqlite3.connect(folder / "nndl-output/optuna.db")) as connection:
        assert connection.execute("SELECT count(*) FROM trial_intermediate_values").fetchone()[0]
