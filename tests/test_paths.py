"""Where everything is kept: one output folder in all commands, any path, commands to be pasted."""

import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from composing import composed_all
from mlflow import MlflowClient
from typed import command, printed_commands

from nndl_exp.cli.hydra_config import compose
from nndl_exp.database import file_url, url_below
from nndl_exp.display.commands import path_setting
from nndl_exp.display.report.verdict import commands as page_commands
from nndl_exp.study.summary import summary
from nndl_exp.tracking.client import connect, tracking_uri
from nndl_exp.tracking.optuna_view import create_tables

RUN = ("dataset=digits_8x8", "dataset.training_size=100", "dataset.validation_size=50",
       "training.epochs=2")  # fmt: skip
SWEEP = (*RUN, "strategy=joint", "study.n_trials=2", "study.name=s", "executor=serial",
         "search_space.network.hidden=null")  # fmt: skip
STAGED = (*RUN, "strategy.stages=[joint]", "strategy.name=mine", "study.name=s", "workers=1",
          "strategy.epochs=20", "executor=serial", "strategy.stages=[joint,winner]",
          "study.n_trials=2", "strategy.options.winner.seeds=3")  # fmt: skip
ODD = """x%20y?{cur} #;é,=$H/o'u"t"""
PATHS = [
    "x%20y", "q?uery", "{cur}", "a b", "h#ash", "se;mi", "münchen", "数据", "d$x", "quo'te", 'd"q',
    "eq=ual", "com,ma", "am&p", "pl+us", "at@x", "co:lon", "b\\s", "[br]", "~", "ti`ck", "(par)",
    "100%", "%00", "?", "#", "1e3", "true", " x ", "*", "{a: b}", "?a=b&c=d",
]  # fmt: skip


pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize(
    ("module", "words", "count"),
    [("train", RUN, 2), ("sweep", SWEEP, 4), ("sweep", STAGED, 3)],
    ids=["train", "search", "stages"],
)
def test_the_variable_names_the_folder_of_all_commands(
    folder, typed, monkeypatch, module, words, count
):
    monkeypatch.setenv("NNDL_OUTPUT", str(folder / "e"))
    said = typed(command(module, *words, "tracking=none"))
    assert [path.name for path in folder.iterdir()] == ["e"]
    typed("python -m nndl_exp.studies")
    lines = printed_commands(said)
    assert len(lines) == count
    for elsewhere in (None, str(folder / "e"), str(folder / "other")):
        if elsewhere is None:
            monkeypatch.delenv("NNDL_OUTPUT")
        else:
            monkeypatch.setenv("NNDL_OUTPUT", elsewhere)
        for line in lines:
            typed(line)
    assert [path.name for path in folder.iterdir()] == ["e"]


def test_an_unfinished_study_is_resumed_where_it_is(folder, typed, monkeypatch):
    monkeypatch.setenv("NNDL_OUTPUT", ODD)
    said = typed(command("sweep", *SWEEP, "tracking=none", "study.budget=0.001s"), status=1)
    (again,) = (line for line in printed_commands(said) if "sweep" in line)
    monkeypatch.delenv("NNDL_OUTPUT")
    assert "resumed" in typed(again, status=1)
    assert [path.name for path in folder.iterdir()] == [Path(ODD).parts[0]]


def test_what_is_typed_comes_before_the_variable(folder, typed, monkeypatch):
    monkeypatch.setenv("NNDL_OUTPUT", "e")
    said = typed(command("train", *RUN, "tracking=none", "output=nndl-output"))
    for line in printed_commands(said):
        assert line.endswith("--output nndl-output")
    monkeypatch.setenv("NNDL_OUTPUT", "")  # as good as none
    for words in ([], ["output=null"]):
        assert compose("sweep", words).settings["output"] == "nndl-output"


def test_the_variable_names_the_server_of_all_commands(folder, typed, monkeypatch):
    uri = f"sqlite:///{folder}/there.db"
    monkeypatch.setenv("NNDL_TRACKING_URI", uri)
    said = typed(command("train", *RUN))
    typed(next(line for line in printed_commands(said) if "evaluate" in line))
    assert not (folder / "nndl-output/mlflow.db").exists()
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("digits_8x8")
    (run,) = client.search_runs([experiment.experiment_id])
    assert "test/accuracy" in run.data.metrics


@pytest.mark.parametrize("path", PATHS)
def test_hydra_takes_any_path_as_it_is_typed(path, capsys):
    words = shlex.split(path_setting("output", path))
    assert compose("train", words).settings["output"] == path
    (composed,) = composed_all("sweep", words)
    assert composed.settings["output"] == path
    several = composed_all("train", ["--multirun", "seed=1,2", f"output='{path}'"] if (
        "'" not in path and "\\" not in path) else ["--multirun", "seed=1,2"])  # fmt: skip
    assert [one.settings["seed"] for one in several] == [1, 2]


def test_the_words_of_hydra_still_work_in_paths(monkeypatch):
    monkeypatch.setenv("HERE", "/h")
    for typed, output in (("'a,b'", "a,b"), ('"{a}"', "{a}"), (r"a\,b", "a,b"),
                          ("${oc.env:HERE}/x", "/h/x"), ("null", "nndl-output")):  # fmt: skip
        assert compose("train", [f"output={typed}"]).settings["output"] == output
    several = composed_all("train", ["--multirun", "dataset.path=a.csv,b{c}.csv"])
    assert [one.settings["dataset"]["path"] for one in several] in (
        ["a.csv,b{c}.csv"], ["a.csv", "b{c}.csv"]
    )  # fmt: skip
    several = composed_all("train", ["--multirun", "dataset.path=a.csv,b.csv"])
    assert [one.settings["dataset"]["path"] for one in several] == ["a.csv", "b.csv"]


@pytest.mark.parametrize("path", PATHS)
def test_databases_are_where_they_belong(folder, path):
    storage = create_tables(url_below(folder / path, "optuna"))
    optuna.create_study(storage=storage)
    storage.engine.dispose()
    assert {file.name for file in (folder / path).iterdir()} <= {"optuna.db", "optuna.db.lock"}
    output = folder / path
    from nndl_exp.config import TrackingConfig

    client = connect(output, TrackingConfig())
    client.create_experiment("e")
    with closing(sqlite3.connect(output / "mlflow.db")) as connection:
        assert connection.execute("SELECT count(*) FROM experiments").fetchone() == (2,)
    assert [file.name for file in folder.iterdir()] == [path]
    assert MlflowClient(tracking_uri(output, TrackingConfig())).get_experiment_by_name("e")
    assert [file.name for file in folder.iterdir()] == [path], "MLflow has made no folder"
    assert file_url("nndl-output/mlflow.db") == "sqlite:///nndl-output/mlflow.db"


def test_a_sweep_into_an_odd_folder_prints_commands_to_be_pasted(folder, typed):
    said = typed(command("sweep", *SWEEP, f"output={ODD}"))
    assert [path.name for path in folder.iterdir()] == [Path(ODD).parts[0]]
    output = folder / ODD
    assert {"optuna.db", "mlflow.db", "studies"} <= {path.name for path in output.iterdir()}
    for line in printed_commands(said):
        typed(line)
    for heading in ("look", "dashboard"):
        words = shlex.split(re.search(rf"^{heading} +(.+)$", said, re.M)[1], comments=True)
        engine = words[-1]
        assert "sqlite" in engine
        file = optuna.storages.RDBStorage(engine).engine if heading == "dashboard" else None
        if file is not None:
            assert sorted(optuna.get_all_study_names(engine)) == ["s-race/winner", "s/joint"]
            file.dispose()
        else:
            assert MlflowClient(engine).search_registered_models()[0].name == "s"
    found = summary(ODD, "s")
    for one in page_commands(found, "s/joint/0", None):
        if "reproduce s " in one.line or "train" in one.line:
            typed(one.line.replace("training.epochs=", "tracking=none training.epochs="))
    for file in output.glob("mlflow.db*"):
        file.unlink()
    typed(command("sync", "--output", ODD))
    assert [path.name for path in folder.iterdir()] == [Path(ODD).parts[0]]
