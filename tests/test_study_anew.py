"""A study that takes the name of one that was deleted: proposals of that one are never used."""

import shutil
from pathlib import Path

import mlflow
import optuna
import pandas as pd
import pytest
from studies import SERIAL, SMALL, lead, search_of, show_in_optuna, study_of, table
from studies import run_small as run_unseen
from test_study_joined import JOINED, ended, join

from nndl_exp.cli.hydra_config import compose
from nndl_exp.database import url_below
from nndl_exp.errors import UserError
from nndl_exp.reproduce import main as reproduce
from nndl_exp.studies import main as studies
from nndl_exp.study.study import Study
from nndl_exp.sweep import main as sweep
from nndl_exp.sweep import sweep_config

QUICK = (*SERIAL, "study.name=foo", "study.n_trials=6", "training.epochs=2")
OTHERS = {
    "seed": ("study.seed=7",),
    "ranges": ("search_space.training.eta.low=4", "search_space.training.eta.high=5"),
    "data": ("dataset=digits_8x8",),
    "direction": ("training.judged_by=validation_cost",),
}


def run_small(folder: Path, *words: str) -> pd.DataFrame:
    """Run a study, and show it in Optuna's database."""
    found, study = run_unseen(folder, *words), search_of(folder, *words)
    assert show_in_optuna(study, study.trials()) is None
    return found


def rows(folder: Path, name: str = "foo/joint") -> int:
    """How many trials Optuna's database has of a study, found by its name as a dashboard does."""
    study = optuna.load_study(study_name=name, storage=f"sqlite:///{folder / 'optuna.db'}")
    return len(study.trials)


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    """An output folder with a study, whose folder was deleted by hand."""
    folder = tmp_path_factory.mktemp("before")
    run_small(folder, *QUICK, "study.n_trials=9")
    shutil.rmtree(folder / "studies/foo")
    assert rows(folder) == 9
    return folder


@pytest.fixture
def deleted(tmp_path, before) -> Path:
    return Path(shutil.copytree(before, tmp_path / "out"))


@pytest.mark.parametrize("words", OTHERS.values(), ids=OTHERS.keys())
def test_another_study_of_that_name_has_its_own_trials(tmp_path, deleted, words, capsys):
    found = run_small(deleted, *QUICK, *words)
    assert found.equals(run_small(tmp_path / "fresh", *QUICK, *words))
    assert rows(deleted) == 6


def test_another_study_of_that_name_is_reproduced(deleted, capsys):
    run_small(deleted, *QUICK, "study.seed=7", "study.n_trials=3")
    with pytest.raises(SystemExit) as end:
        reproduce(["foo", "--output", str(deleted)])
    assert end.value.code == 0
    assert capsys.readouterr().out.endswith("IDENTICAL\n")


def test_the_same_study_begins_anew(tmp_path, deleted):
    study = search_of(deleted, *QUICK)
    lead(study)
    assert show_in_optuna(study, study.trials()) is None
    assert table(study).equals(run_small(tmp_path / "fresh", *QUICK))
    assert rows(deleted) == 6, "and not the nine of the one before"


def test_a_study_that_was_killed_before_it_had_rows(tmp_path, deleted):
    study_of(deleted, *QUICK, "study.seed=7").create()
    found = run_small(deleted, *QUICK, "study.seed=7")
    assert found.equals(run_small(tmp_path / "fresh", *QUICK, "study.seed=7"))


def test_a_study_that_was_killed_while_it_made_its_rows(tmp_path):
    study_of(tmp_path / "out", *QUICK).create()
    made = optuna.create_study(
        study_name="foo/joint", storage=url_below(tmp_path / "out", "optuna")
    )
    made.enqueue_trial({"training.eta": 3.25})
    assert run_small(tmp_path / "out", *QUICK).equals(run_small(tmp_path / "fresh", *QUICK))


def test_its_rows_go_with_a_study_that_is_moved_and_are_made_again_where_they_are_lost(tmp_path):
    whole = run_small(tmp_path / "whole", *QUICK, "study.n_trials=9")
    run_small(tmp_path / "here", *QUICK)
    shutil.move(tmp_path / "here", tmp_path / "there")
    study = optuna.load_study(
        study_name="foo/joint", storage=url_below(tmp_path / "there", "optuna")
    )
    begun = [trial.datetime_start for trial in study.trials]
    assert run_small(tmp_path / "there", *QUICK, "study.n_trials=9").equals(whole)
    study = optuna.load_study(
        study_name="foo/joint", storage=url_below(tmp_path / "there", "optuna")
    )
    assert [trial.datetime_start for trial in study.trials][:6] == begun
    (tmp_path / "there/optuna.db").unlink()
    assert run_small(tmp_path / "there", *QUICK, "study.n_trials=9").equals(whole)


def stages_of(folder: Path, *words: str) -> Study:
    stages = ("strategy.stages=[learning_rate,joint]", "strategy.epochs=60", "training.eta=0.5",
              "strategy.options.learning_rate.epochs=2", "dataset.training_size=300",
              "dataset.validation_size=100", "tracking=none")  # fmt: skip
    words = (*QUICK, *stages, *words, f"output={folder}")
    return Study(sweep_config(compose("sweep", list(words))))


def led(study: Study) -> dict[str, str]:
    list(study.run())
    for stage in study.stages():
        assert show_in_optuna(stage.search, stage.search.trials()) is None
    return {stage.key: table(stage.search).to_csv() for stage in study.stages()}


def test_stages_of_a_deleted_study_are_not_used_either(tmp_path):
    led(stages_of(tmp_path / "out"))
    assert rows(tmp_path / "out", "foo/joint") == 6
    shutil.rmtree(tmp_path / "out/studies/foo")
    words = ("study.seed=7", "study.n_trials=4", "training.eta=0.2")
    assert led(stages_of(tmp_path / "out", *words)) == led(stages_of(tmp_path / "fresh", *words))
    assert rows(tmp_path / "out", "foo/joint") == 4


def test_a_stage_whose_folder_was_deleted_begins_anew(tmp_path):
    whole = led(stages_of(tmp_path / "out"))
    shutil.rmtree(tmp_path / "out/studies/foo/stages/joint")
    url = url_below(tmp_path / "out", "optuna")
    begun = optuna.load_study(study_name="foo/joint", storage=url)
    begun.enqueue_trial({})  # what the study would not propose
    assert led(stages_of(tmp_path / "out")) == whole
    assert rows(tmp_path / "out", "foo/joint") == 6


@pytest.mark.long
def test_two_processes_that_start_at_once_use_the_same_new_rows(tmp_path, deleted):
    words = (*QUICK[2:], "workers=1", "executor=serial", "study.seed=7", "training.epochs=20")
    ended(*(join(deleted, *words) for _ in range(2)))
    fresh = tmp_path / "fresh"
    ended(join(fresh, *words))
    here, there = (table(search_of(folder, *JOINED, *words)) for folder in (deleted, fresh))
    assert here.equals(there)


def test_a_study_deleted_on_postgresql_leaves_nothing_to_the_next(tmp_path, storage):
    words = (*QUICK, "storage=postgresql", f"storage.url={storage}")
    run_small(tmp_path / "out", *words)
    studies(["--output", str(tmp_path / "out"), "delete", "foo", "--yes"])
    found = run_small(tmp_path / "out", *words, "study.seed=7")
    assert found.equals(run_small(tmp_path / "fresh", *QUICK, "study.seed=7"))


def test_a_record_that_is_not_of_its_proposal_is_refused(tmp_path):
    """As when folders are mixed: the trials of one study with the rows of another."""
    run_small(tmp_path / "one", *QUICK)
    run_small(tmp_path / "other", *QUICK, "study.seed=7")
    shutil.rmtree(tmp_path / "one/studies/foo/stages/joint/trials")
    shutil.copytree(
        tmp_path / "other/studies/foo/stages/joint/trials",
        tmp_path / "one/studies/foo/stages/joint/trials",
    )
    with pytest.raises(UserError, match=r"trials/0 must hold the trial that foo/joint proposes"):
        run_small(tmp_path / "one", *QUICK)
    for path in (tmp_path / "one").rglob("proposal.json"):
        path.unlink()
    with pytest.raises(UserError, match=r"trials/0 must hold the trial that foo/joint proposes"):
        run_small(tmp_path / "one", *QUICK)


def test_mlflow_shows_the_runs_of_another_study_of_that_name_beside_those_of_the_first(tmp_path):
    words = [*SMALL, *QUICK, "study.n_trials=2", "tracking=mlflow", f"output={tmp_path}"]
    for seed in (0, 7):
        shutil.rmtree(tmp_path / "studies", ignore_errors=True)
        with pytest.raises(SystemExit, match="0"):
            sweep([*words, f"study.seed={seed}"])
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    (experiment,) = (e for e in client.search_experiments() if e.name == "mnist_5k")
    runs = {
        run.data.tags["nndl.run"]: run for run in client.search_runs([experiment.experiment_id])
    }
    assert len(runs) == 8
    assert {"foo", "foo/joint", "foo/joint/0", "foo/joint/1"} < set(runs)
    (other,) = (name for name in runs if name.startswith("foo~") and "/" not in name)
    assert {f"{other}/joint/0", f"{other}/joint/1"} < set(runs)
    assert runs["foo/joint"].data.tags["mlflow.parentRunId"] == runs["foo"].info.run_id
    eta = table(search_of(tmp_path, *QUICK, "study.n_trials=2", "study.seed=7"))["training.eta"]
    assert float(runs["foo/joint/1"].data.params["training.eta"]) == eta[1]
