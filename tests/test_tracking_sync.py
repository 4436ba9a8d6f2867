"""``sync``: what users wrote in MLflow stays, runs keep their times, and a moved folder works."""

import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities import Run

from nndl_exp.cli.errors import UserError
from nndl_exp.config import TrackingConfig
from nndl_exp.evaluate import command as evaluate
from nndl_exp.report import command as report
from nndl_exp.study.running.members import Leadership
from nndl_exp.study.study import Study
from nndl_exp.sweep import main as sweep
from nndl_exp.sync import command as sync
from nndl_exp.tracking.client import connect
from nndl_exp.tracking.study import StudyTracker

SWEEP = ("strategy=joint", "dataset=digits_8x8", "training.epochs=2", "study.n_trials=4",
         "study.name=s", "executor=serial", "pruner=none", "dataset.training_size=300",
         "search_space.network.hidden=null", "network.hidden=[9]")  # fmt: skip


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> Path:
    """An output folder with a study of four trials, to be copied, made with umask 077."""
    output = tmp_path_factory.mktemp("swept") / "output"
    with umask(0o077), pytest.raises(SystemExit, match="0"):
        sweep([*SWEEP, f"output={output}"])
    return output


@pytest.fixture
def output(swept, tmp_path) -> Path:
    """Its records, shown in MLflow anew."""
    shutil.copytree(swept / "studies", tmp_path / "output/studies")
    synced(tmp_path / "output")
    return tmp_path / "output"


def synced(output: Path) -> str:
    return ran(sync, "--output", str(output))


def ran(command, *words: str) -> str:
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def client_of(output: Path) -> MlflowClient:
    return MlflowClient(f"sqlite:///{output}/mlflow.db", f"sqlite:///{output}/mlflow.db")


def runs_of(output: Path) -> dict[str, Run]:
    client = client_of(output)
    experiment = client.get_experiment_by_name("digits_8x8")
    runs = client.search_runs([experiment.experiment_id])
    return {run.data.tags["nndl.run"]: run for run in runs}


def test_a_duration_is_that_of_the_training_whatever_comes_after(output):
    study = Study.open(output, "s")
    (stage,) = study.stages()
    results = [trial.result for trial in stage.search.trials()]
    first, last = int(results[0].started * 1000), int(max(r.ended for r in results) * 1000)
    spans = {f"s/joint/{i}": (int(r.started * 1000), int(r.ended * 1000))
             for i, r in enumerate(results)}  # fmt: skip
    spans |= {"s": (first, last), "s/joint": (first, last)}
    for command, words in ((sync, ()), (report, ("s",)), (evaluate, ("s",)), (sync, ())):
        ran(command, *words, "--output", str(output))
        runs = runs_of(output)
        assert {name: (run.info.start_time, run.info.end_time) for name, run in runs.items()} == (
            spans
        )
        assert {run.info.status for run in runs.values()} == {"FINISHED"}


def test_a_sweep_leaves_the_same_times(swept):
    run, (stage,) = runs_of(swept)["s"], Study.open(swept, "s").stages()
    trials = stage.search.trials()
    assert run.info.start_time == int(trials[0].result.started * 1000)
    assert run.info.end_time == int(max(trial.result.ended for trial in trials) * 1000)


def test_what_a_user_wrote_stays(output):
    client, runs = client_of(output), runs_of(output)
    for name in ("s", "s/joint", "s/joint/1"):
        client.update_run(runs[name].info.run_id, name=f"my {name}")
        client.set_tag(runs[name].info.run_id, "mlflow.note.content", f"note of {name}")
    client.set_tag(runs["s/joint/2"].info.run_id, "mlflow.note.content", "a note, not the name")
    client.update_registered_model("s", "my model")
    client.set_experiment_tag(runs["s"].info.experiment_id, "mlflow.note.content", "mine")
    for run in runs.values():  # so that all is written again
        client.set_tag(run.info.run_id, "nndl.logged", "by an older version")
    synced(output)
    again = runs_of(output)
    for name in ("s", "s/joint", "s/joint/1"):
        assert again[name].info.run_name == f"my {name}"
        assert again[name].data.tags["mlflow.note.content"] == f"note of {name}"
    assert again["s/joint/2"].info.run_name == runs["s/joint/2"].info.run_name
    assert again["s/joint/2"].data.tags["mlflow.note.content"] == "a note, not the name"
    assert again["s/joint/3"].data.tags == runs["s/joint/3"].data.tags
    assert client.get_registered_model("s").description == "my model"
    experiment = client.get_experiment(runs["s"].info.experiment_id)
    assert experiment.tags["mlflow.note.content"] == "mine"


def test_what_we_wrote_is_brought_up_to_date(output):
    client, before = client_of(output), runs_of(output)["s"]
    study = Study.open(output, "s")
    (stage,) = study.stages()
    tracker = StudyTracker(study)
    for trial in stage.search.trials():
        tracker.log(stage, trial)
    tracker.close(None, complete=False)
    tracker.end(stage, stage.search.trials(), None)
    tracker.close(None, complete=False)
    there = client.get_run(before.info.run_id)
    assert there.info.status == "KILLED"
    assert "It ended with" not in there.data.tags["mlflow.note.content"]
    assert not [run for run in runs_of(output).values() if "champion" in run.data.tags]
    synced(output)
    assert runs_of(output)["s"].data.tags == before.data.tags
    assert "It ended with" in before.data.tags["mlflow.note.content"]


def test_a_study_that_is_running_is_left_alone(output):
    client, run = client_of(output), runs_of(output)["s"]
    folder = output / "studies/s"
    decided = folder / "stages/joint/decision.yaml"
    client.update_run(run.info.run_id, status="RUNNING")
    decided.unlink()
    leadership = Leadership(folder)
    assert leadership.take()
    try:
        said = synced(output)
    finally:
        leadership.release()
    assert "left out s: it is running" in said
    assert "MLflow shows 0 studies" in said
    assert client.get_run(run.info.run_id).info.status == "RUNNING"
    assert not decided.exists()
    assert "MLflow shows 1 studies" in synced(output)
    assert client.get_run(run.info.run_id).info.status == "FINISHED"
    assert decided.exists()


def test_a_moved_folder_gets_its_database_from_sync(output, tmp_path):
    client, runs = client_of(output), runs_of(output)
    client.update_run(runs["s/joint/1"].info.run_id, name="mine")
    client.set_tag(runs["s"].info.run_id, "mlflow.note.content", "my note")
    client.set_tag(runs["s"].info.run_id, "lesson", "3")
    moved = output.rename(tmp_path / "moved")
    with pytest.raises(
        UserError, match=r"was before it was moved; python -m nndl_exp\.sync --outp"
    ):
        connect(moved, TrackingConfig())
    assert not output.exists()
    for _ in range(2):
        assert "MLflow shows 1 studies" in synced(moved)
        client, again = client_of(moved), runs_of(moved)
        assert again.keys() == runs.keys()
        for run in again.values():
            assert str(moved) in run.info.artifact_uri
            assert client.list_artifacts(run.info.run_id)
        assert again["s/joint/1"].info.run_name == "mine"
        assert again["s"].data.tags["mlflow.note.content"] == "my note"
        assert again["s"].data.tags["lesson"] == "3"
        assert again["s/joint/2"].info.run_name == runs["s/joint/2"].info.run_name
        names = {experiment.name for experiment in client.search_experiments()}
        assert names == {"Default", "digits_8x8"}
        (version,) = client.search_model_versions("name = 's'")
        assert str(moved) in version.source
    assert not output.exists()


def test_weights_lie_on_the_disk_once(swept):
    client, runs = client_of(swept), runs_of(swept)
    for name, run in runs.items():
        if name.startswith("s/joint/"):
            files = {file.path for file in client.list_artifacts(run.info.run_id)}
            assert {"weights.npz", "config.yaml", "epochs.jsonl", "result.json"} <= files
            kept = Path(run.info.artifact_uri.removeprefix("file://")) / "weights.npz"
            number = name.rpartition("/")[2]
            assert kept.samefile(swept / "studies/s/stages/joint/trials" / number / "weights.npz")


def test_files_have_the_permissions_of_the_umask(swept, tmp_path):
    for path in swept.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    with umask(0o002), pytest.raises(SystemExit, match="0"):
        sweep([*SWEEP, f"output={tmp_path}"])
    for path in tmp_path.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode & stat.S_IWGRP or path.suffix == ".lock" or ".lock" in path.name, path


def test_processes_that_start_on_an_empty_folder_make_one_database(cli):
    started = [cli.start("nndl_exp.train", "dataset=digits_8x8", "training.epochs=1", f"seed={i}")
               for i in range(3)]  # fmt: skip
    for process in started:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, out + err
        assert "did not answer" not in out
        assert "then open http://127.0.0.1:5000/#/experiments/1/runs?" in out
    assert len(runs_of(cli.folder / "nndl-output")) == 3
    with closing(sqlite3.connect(cli.folder / "nndl-output/mlflow.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_database_that_does_not_answer_is_told_soon(tmp_path):
    start = time.monotonic()
    with pytest.raises(UserError, match="must answer: got connection failed"):
        connect(tmp_path, TrackingConfig(uri="postgresql://me@127.0.0.1:9/x"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="does not answer"):
        connect(tmp_path, TrackingConfig(uri=f"sqlite:///{tmp_path}/folder"))
    assert time.monotonic() - start < 20
