"""The test set is looked at once a study: what counts as a look, and where it is remembered."""

import gc
import json
import re
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest
import yaml
from conftest import CommandLine
from filelock import FileLock, Timeout

from nndl_exp import evaluate, predict, report, reproduce, studies, sweep, sync, train
from nndl_exp.api import load_study
from nndl_exp.cli import evaluation
from nndl_exp.cli.runs import find_run
from nndl_exp.config import TrackingConfig, run_config
from nndl_exp.demo import __main__ as demo
from nndl_exp.display.report.verdict import commands
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.records.looks import Look, read
from nndl_exp.run import Run, check
from nndl_exp.study.summary import summary
from nndl_exp.tracking.client import connect
from nndl_exp.tracking.looks import MlflowLooks, looks_in

SMALL = (
    "dataset=digits_8x8", "network.hidden=[8]", "training.epochs=2", "workers=1",
    "executor=serial",
)  # fmt: skip
SEARCH = (*SMALL, "strategy=joint", "study.n_trials=4", "pruner=none")


def searched(output: Path, *words: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        sweep.main([*SEARCH, f"output={output}", *words])


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """An output folder with a complete study that MLflow has too; to be copied, not changed."""
    folder = tmp_path_factory.mktemp("finished")
    searched(folder / "out", "study.name=demo")
    return (folder / "out").rename(folder / "moved")  # so that no record leads to it


@pytest.fixture
def output(finished, tmp_path) -> Path:
    output = shutil.copytree(finished, tmp_path / "out")
    sync.main(["--output", str(output)])
    return output


def said(capsys, command, *words) -> str:
    capsys.readouterr()
    command.main([str(word) for word in words])
    return capsys.readouterr().out


def refused(capsys, command, *words) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit, match="2"):
        command.main([str(word) for word in words])
    return capsys.readouterr().err


def looked(capsys, output: Path, run, *words) -> str:
    return said(capsys, evaluate, run, "--output", output, *words)


def not_again(capsys, output: Path, run, first: str) -> None:
    """A look at a run is refused, because of a first one."""
    error = refused(capsys, evaluate, run, "--output", output)
    assert f"at {first} (" in error
    assert "needs --again" in error


def winner(output: Path, study: str = "demo") -> str:
    origin = yaml.safe_load((output / "studies" / study / "best.yaml").read_text())["origin"]
    return str(origin["run"])


def loser(output: Path) -> str:
    return "demo/joint/0" if winner(output) != "demo/joint/0" else "demo/joint/1"


def trained(capsys, output: Path, *words: str) -> str:
    """The name of a run that is trained."""
    capsys.readouterr()
    before = runs_in(output)
    train.main(["tracking=none", f"output={output}", *words])
    (new,) = runs_in(output) - before
    return new


def runs_in(output: Path) -> set[str]:
    return {path.parent.name for path in output.glob("runs/*/config.yaml")}


# An unfinished study


def interrupted(cli: CommandLine, *words: str) -> str:
    """What a sweep prints that is stopped by Ctrl-C after some trials."""
    process = cli.start("nndl_exp.sweep", *words)
    try:
        while not any(cli.folder.glob("nndl-output/studies/*/stages/joint/trials/2/result.json")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        return process.communicate(timeout=120)[0]
    finally:
        process.kill()
        process.wait()


def test_a_study_that_was_interrupted_is_evaluated_by_consent_only(cli, capsys, monkeypatch):
    monkeypatch.chdir(cli.folder)
    words = [*SEARCH, "study.name=demo", "study.n_trials=2000", "tracking=none"]
    printed = interrupted(cli, *words)
    assert "stopped  interrupted" in printed
    assert printed.splitlines()[-1] == "no winner  yet: interrupted"
    assert "winner   " not in printed
    assert "nndl_exp.evaluate" not in printed
    resume = printed.partition("resume     ")[2].splitlines()[0]
    error = refused(capsys, evaluate, "demo")
    assert error == f"error: demo has no winner yet; continue it with: {resume}\n"
    for run in ("demo/0", "nndl-output/studies/demo/stages/joint/trials/1"):
        error = refused(capsys, evaluate, run)
        assert "must have ended before its test set is looked at, or --unfinished" in error
        assert resume in error
    assert "evaluate" not in said(capsys, studies, "show", "demo")
    typed = commands(summary("nndl-output", "demo"), "demo/joint/0", None)
    assert not [command for command in typed if "evaluate" in command.line]
    assert "of 359 test images" in said(capsys, evaluate, "demo/0", "--unfinished")
    assert "it said then" in said(capsys, evaluate, "demo/0"), "that is no new look"
    with pytest.raises(SystemExit, match="0"):
        sweep.main([*words, "study.dry_run=true"])
    plan = capsys.readouterr().out
    assert "test set looked at on 20" in plan
    assert "(demo/joint/0)" in plan
    assert "locked" not in plan


def test_a_search_whose_budget_is_spent_is_evaluated_until_it_goes_on(tmp_path, capsys):
    words = ("study.name=demo", "study.n_trials=2000", "tracking=none", "study.budget=3s")
    searched(tmp_path, *words)
    printed = capsys.readouterr().out
    assert "winner   hidden " in printed
    assert "evaluate   python -m nndl_exp.evaluate demo/joint/" in printed
    trials = load_study([*SEARCH, *words, f"output={tmp_path}"]).run()
    next(trials)
    trials.close()
    error = refused(capsys, evaluate, "demo", "--output", tmp_path)
    assert error.startswith("error: demo has no winner yet"), "it went on"
    error = refused(capsys, evaluate, "demo/0", "--output", tmp_path)
    assert "must have ended" in error
    searched(tmp_path, *words)
    assert "of 359 test images" in looked(capsys, tmp_path, "demo")


def test_a_study_in_stages_without_a_winner_says_how_to_continue(tmp_path, capsys):
    words = [*SMALL, "study.name=st", "study.budget=1s", "tracking=none", f"output={tmp_path}",
             "strategy.stages=[any_learning,regularization,joint]",
             "training.epochs=4000"]  # fmt: skip
    folder = tmp_path / "studies" / "st"
    while not (folder / "stages/any_learning/decision.yaml").exists():
        with pytest.raises(SystemExit, match="1"):
            sweep.main(words)
        printed = capsys.readouterr().out
    assert "no winner  yet: the time is up" in printed
    assert "nndl_exp.evaluate" not in printed
    resume = printed.partition("resume     ")[2].splitlines()[0]
    np_file = tmp_path / "x.npz"
    for command, more in ((evaluate, ()), (demo, ()), (predict, (np_file,))):
        error = refused(capsys, command, "st", *more, "--output", tmp_path)
        assert error == f"error: st has no winner yet; continue it with: {resume}\n"
    assert "nndl_exp.evaluate" not in said(capsys, studies, "--output", tmp_path, "show", "st")
    error = refused(capsys, evaluate, "st/any_learning/0", "--output", tmp_path)
    assert "must have ended" in error


# At the same time


def test_of_five_looks_at_once_one_is_taken(output):
    cli = CommandLine(output.parent)
    words = ("--output", str(output))
    many = [cli.start("nndl_exp.evaluate", f"demo/{i % 4}", *words) for i in range(5)]
    done = [(*process.communicate(timeout=240), process.returncode) for process in many]
    shown = {out for out, _, status in done if status == 0}
    assert len(shown) in (1, 2), done  # two of them are at the same run: it is said again
    kept = read(output / "studies/demo/test_set.json")
    assert len(kept) == 1
    assert all(f"run      {kept[0].run} ·" in out for out in shown)
    assert sum(status == 2 for _, _, status in done) >= 3


def test_nobody_else_looks_meanwhile_and_a_look_is_kept_before_it_is_shown(
    output, capsys, monkeypatch
):
    measure, show, kept = evaluation.measure, evaluation.show, output / "studies/demo/test_set.json"

    def measured(*arguments):
        with pytest.raises(Timeout):
            FileLock(output / ".test_set.lock", timeout=0).acquire()
        return measure(*arguments)

    def shown(look, *arguments):
        assert read(kept) == [look]
        show(look, *arguments)

    monkeypatch.setattr(evaluation, "measure", measured)
    monkeypatch.setattr(evaluation, "show", shown)
    assert "of 359 test images" in looked(capsys, output, "demo")


# Where MLflow is all there is


def client_of(output: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{output}/mlflow.db")


def ids_of(output: Path) -> dict[str, str]:
    client = client_of(output)
    experiments = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(experiments)
    return {run.data.tags["nndl.run"]: run.info.run_id for run in runs}


def test_a_look_by_an_id_is_remembered_in_mlflow(output, tmp_path, capsys, monkeypatch):
    ids, temporary = ids_of(output), tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    options = ("--tracking-uri", f"sqlite:///{output}/mlflow.db", "--output", tmp_path / "empty")
    assert "of 359 test images" in said(capsys, evaluate, ids["demo/joint/2"], *options)
    gc.collect()
    assert not any(temporary.iterdir())
    assert "it said then" in said(capsys, evaluate, ids["demo/joint/2"], *options)
    error = refused(capsys, evaluate, ids["demo/joint/1"], *options)
    assert "at demo/joint/2 (" in error
    assert "needs --again" in error
    assert "look number 2" in said(capsys, evaluate, ids["demo/joint/1"], "--again", *options)
    data = client_of(output).get_run(ids["demo/joint/1"]).data
    assert json.loads(data.tags["nndl.test_set"])["accuracy"] == data.metrics["test/accuracy"]
    assert not (tmp_path / "empty").exists()
    not_again(capsys, output, "demo/3", "demo/joint/1")  # also where the folder is
    assert "look number 3" in looked(capsys, output, "demo/3", "--again")
    assert "nndl.test_set" in client_of(output).get_run(ids["demo/joint/3"]).data.tags


def test_a_look_by_an_id_is_kept_in_the_folder_of_the_study_that_is_elsewhere(tmp_path, capsys):
    output = tmp_path / "out"
    searched(output, "study.name=demo", "study.n_trials=2")
    options = ("--tracking-uri", f"sqlite:///{output}/mlflow.db", "--output", tmp_path / "empty")
    run_id = ids_of(output)["demo/joint/1"]
    assert "of 359 test images" in said(capsys, evaluate, run_id, *options)
    not_again(capsys, output, "demo/0", "demo/joint/1")
    assert "nndl.test_set" in client_of(output).get_run(run_id).data.tags


def test_sync_gives_the_looks_of_a_folder_back_to_mlflow(output, tmp_path, capsys):
    name = winner(output)
    looked(capsys, output, name)
    client, run_id = client_of(output), ids_of(output)[name]
    client.delete_tag(run_id, "nndl.test_set")
    said(capsys, sync, "--output", output)
    options = ("--tracking-uri", f"sqlite:///{output}/mlflow.db", "--output", tmp_path / "empty")
    other = ids_of(output)[loser(output)]
    assert f"at {name} (" in refused(capsys, evaluate, other, *options)


def test_an_unfinished_study_of_mlflow_is_evaluated_by_consent_only(output, tmp_path, capsys):
    ids, options = ids_of(output), ("--tracking-uri", f"sqlite:///{output}/mlflow.db")
    client_of(output).set_tag(ids["demo"], "state", "not complete")
    words = (ids["demo/joint/1"], *options, "--output", tmp_path / "empty")
    assert "--unfinished" in refused(capsys, evaluate, *words)
    assert "of 359 test images" in said(capsys, evaluate, *words, "--unfinished")


def test_a_look_that_comes_in_between_is_seen(output, tmp_path):
    ids, tracking = ids_of(output), TrackingConfig(uri=f"sqlite:///{output}/mlflow.db")
    names = ("demo/joint/0", "demo/joint/1")
    first, second = (find_run(ids[name], str(tmp_path), tracking) for name in names)
    client = connect(tmp_path, tracking)
    keepers = [
        MlflowLooks(client, found.name, found.directory, found.mlflow_id, "")
        for found in (first, second)
    ]
    assert [keeper.looks() for keeper in keepers] == [[], []]
    looks = [Look(f.name, "now", 0.5, 0.4, 0.6, 9, study="demo") for f in (first, second)]
    keepers[0].add(looks[0])
    with pytest.raises(UserError, match="looked at just now, at demo/joint/0; try again"):
        keepers[1].add(looks[1])
    assert looks_in(client) == looks[:1]


def test_a_look_that_mlflow_does_not_keep_is_not_shown(output, tmp_path, capsys):
    ids = ids_of(output)
    words = (ids["demo/joint/1"], "--tracking-uri", f"sqlite:///{output}/mlflow.db")
    with mlflow_that_can_only_be_read(output):
        error = refused(capsys, evaluate, *words, "--output", tmp_path / "empty")
    assert "MLflow must keep the looks at the test set" in error
    assert "nndl.test_set" not in client_of(output).get_run(ids["demo/joint/1"]).data.tags


@contextmanager
def mlflow_that_can_only_be_read(output: Path) -> Iterator[None]:
    """Its database refuses new tags."""
    refuse = "CREATE TRIGGER t BEFORE INSERT ON tags BEGIN SELECT RAISE(ABORT, 'read-only'); END"
    with closing(sqlite3.connect(output / "mlflow.db")) as database:
        database.execute(refuse)
        yield
        database.execute("DROP TRIGGER t")


# The test set after each epoch


def test_a_run_that_measures_the_test_set_says_so_and_has_looked_at_it(output, capsys):
    best = output / "studies/demo/best.yaml"
    train.main(["dataset.monitor=test", f"from={best}", f"output={output}"])
    printed = capsys.readouterr().out
    assert "359 test images measured after each epoch" in printed
    assert "look number 1 at the test set of demo" in printed
    assert "test cost" in printed
    assert re.search(r"best +[\d.]+ ±[\d.]+ % of 359 test images", printed)
    assert not re.search("validat|locked|nndl_exp.evaluate", printed)
    (name,) = runs_in(output)
    run = output / "runs" / name
    not_again(capsys, output, "demo", name)
    data = client_of(output).get_run(ids_of(output)[name]).data
    assert not [name for name in data.metrics if "validation" in name]
    result = RunDirectory(run).result()
    assert data.metrics["best/test_accuracy"] == result.validation_accuracy
    assert "of 359 test images" in data.tags["mlflow.note.content"]
    assert "evaluate" not in data.tags["mlflow.note.content"]
    assert json.loads(data.tags["nndl.test_set"])["study"] == "demo"
    shown = looked(capsys, output, name)
    assert f"{100 * result.validation_accuracy:.2f} % of 359 test images" in shown
    assert "chose its best epoch by the test set" in shown
    (look,) = read(output / "studies/demo/test_set.json")
    assert look.accuracy == result.validation_accuracy
    with pytest.raises(SystemExit, match="0"):
        reproduce.main([str(run)])
    assert "test cost            identical" in capsys.readouterr().out


def test_such_a_look_is_kept_before_the_first_epoch(tmp_path):
    config = run_config({"dataset": {"name": "digits_8x8", "monitor": "test"}})
    directory = RunDirectory(tmp_path / "runs" / "one")
    for _ in range(2):  # once, also where it is gone on with
        with Run(config, directory, check(config)):
            (look,) = read(tmp_path / "runs" / ".one.test_set.json")
    assert (look.run, look.accuracy, look.images) == ("one", None, 359)


# What counts for a study


def test_a_run_that_starts_from_a_study_counts_for_it(output, tmp_path, capsys):
    best = output / "studies/demo/best.yaml"
    first, second = (
        trained(capsys, output, f"from={best}", f"training.epochs={n}") for n in (1, 3)
    )
    looked(capsys, output, first)
    for run in (second, "demo"):
        not_again(capsys, output, run, first)
    mailed = shutil.copy(best, tmp_path / "mailed.yaml")
    third = trained(capsys, output, f"from={mailed}", "training.epochs=4")
    fourth = trained(capsys, output, f"from={output}/runs/{third}/config.yaml", "training.epochs=5")
    there = tmp_path / "elsewhere"
    fifth = trained(capsys, there, f"from={best}", "training.epochs=6")
    for run in (third, fourth):
        not_again(capsys, output, run, first)
    not_again(capsys, there, fifth, first)
    sixth = trained(capsys, there, f"from={mailed}", "training.epochs=7")
    looked(capsys, there, sixth)
    seventh = trained(capsys, there, f"from={mailed}", "training.epochs=8")
    not_again(capsys, there, seventh, sixth)  # the study is not there, but its name is known


def test_the_plan_of_a_run_says_that_its_study_was_looked_at(output, capsys):
    looked(capsys, output, "demo")
    train.main([f"from={output}/studies/demo/best.yaml", f"output={output}", "tracking=none",
                "training.epochs=1"])  # fmt: skip
    assert "test set looked at on 20" in capsys.readouterr().out


def test_a_copied_trial_counts_for_its_study(output, tmp_path, capsys):
    study, stage, number = loser(output).split("/")
    trial = output / "studies" / study / "stages" / stage / "trials" / number
    copies = [tmp_path / "copy", output / "runs" / "copy", tmp_path / "trials" / "7"]
    for copy in copies:
        shutil.copytree(trial, copy)
    looked(capsys, output, "demo")
    for copy in copies:
        not_again(capsys, output, copy, winner(output))
    assert "look number 2" in looked(capsys, output, copies[0], "--again")
    assert "it said then" in looked(capsys, output, loser(output)), "it is the same network"


def test_a_study_under_another_name_is_the_same_study(output, capsys):
    looked(capsys, output, "demo")
    searched(output, "study.name=again", "tracking=none", "study.n_trials=6")
    assert "test set looked at on 20" in capsys.readouterr().out
    not_again(capsys, output, "again/5", winner(output))
    said(capsys, report, "again", "--output", output)
    page = (output / "studies/again/report.html").read_text()
    assert re.search(rf"Test set\W.{{,200}}images, at {winner(output)}, 20", page, re.S)
    searched(output, "study.name=other", "tracking=none", "study.seed=7")
    assert "test set locked" in capsys.readouterr().out
    assert "of 359 test images" in looked(capsys, output, "other")


def test_a_run_that_is_trained_twice_is_one_network(tmp_path, capsys):
    words = ("dataset=digits_8x8", "training.epochs=1", "network.hidden=[8]")
    first, second = (trained(capsys, tmp_path, *words) for _ in range(2))
    looked(capsys, tmp_path, first)
    again = looked(capsys, tmp_path, second)
    assert "it said then" in again
    assert f"run      {first} " in again


def test_another_test_set_is_not_looked_at(output, capsys):
    looked(capsys, output, "demo")
    best = output / "studies/demo/best.yaml"
    run = trained(capsys, output, f"from={best}", "dataset=mnist_5k", "dataset.training_size=200",
                  "training.epochs=1")  # fmt: skip
    assert "of 1,000 test images" in looked(capsys, output, run)


def test_an_exported_configuration_knows_its_study(output, tmp_path, capsys):
    looked(capsys, output, "demo")
    file = tmp_path / "exported.yaml"
    said(capsys, studies, "--output", output, "export", "demo", "--yaml", file)
    run = trained(capsys, output, f"from={file}", "training.epochs=3")
    not_again(capsys, output, run, winner(output))
