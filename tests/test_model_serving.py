"""The champion of a study: served over HTTP, and what sync makes of it from nothing."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from needs import needs
from ui import Shown, request, serving

from nndl_exp.api import load_dataset
from nndl_exp.cli.prediction import answer
from nndl_exp.config import TrackingConfig, setting_text
from nndl_exp.records import RunDirectory
from nndl_exp.study.study import Study
from nndl_exp.sync import command as sync
from nndl_exp.tracking.notes import (
    champion_note,
    stage_note,
    study_note,
    table,
    trial_note,
)
from nndl_exp.tracking.tracker import Tracker

pytestmark = pytest.mark.timeout(600)


def client_of(output: Path) -> MlflowClient:
    uri = f"sqlite:///{output}/mlflow.db"
    return MlflowClient(uri, registry_uri=uri)


@pytest.fixture(scope="module")
def address(shown: Shown) -> Iterator[str]:
    """The champion, served with what the registered model's description tells to type."""
    text = client_of(shown.folder / "nndl-output").get_registered_model("ui").description
    line = re.search(r"^(MLFLOW_TRACKING_URI=\S+) (mlflow models serve .*) --port", text, re.M)
    assert line, text
    name, _, uri = shlex.split(line[1])[0].partition("=")
    with serving(shlex.split(line[2]), shown.folder, "/ping", **{name: uri}) as address:
        yield address


def test_what_is_served_is_what_the_network_says(address, shown):
    x = load_dataset("mnist_5k").validation.x[:50]
    answered = json.loads(request(f"{address}/invocations", {"inputs": x.tolist()}))["predictions"]
    run = RunDirectory(shown.folder / f"nndl-output/studies/ui/stages/joint/trials/{shown.number}")
    network, reading = run.network(), run.reading()
    p = network.probabilities(x)
    assert [one["label"] for one in answered] == p.argmax(axis=1).tolist()
    served = np.array([[one[f"p{i}"] for i in range(10)] for one in answered])
    assert np.allclose(served, p, rtol=1e-5, atol=0)  # the server may use more threads of BLAS
    for i, one in enumerate(answered[:5]):
        assert answer(network, reading, x[i : i + 1]).startswith(f"{one['label']}   (")


@needs("curl")
def test_the_request_of_the_description_is_answered(address, shown):
    text = client_of(shown.folder / "nndl-output").get_registered_model("ui").description
    line = re.search(r"^curl .*$", text, re.M)[0].replace("http://127.0.0.1:5001", address)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", line], env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    (answered,) = json.loads(done.stdout)["predictions"]
    assert sum(answered[f"p{i}"] for i in range(10)) == pytest.approx(1)


@pytest.mark.parametrize("inputs", [[[0.0] * 783], [["a"] * 784], []], ids=["short", "text", "no"])
def test_a_request_that_does_not_fit_is_refused(address, inputs):
    with pytest.raises(OSError, match="400"):
        request(f"{address}/invocations", {"inputs": inputs})


def everything(output: Path) -> dict[str, Any]:
    """All that MLflow shows, but for ids and the times of what was made just now."""
    client, seen = client_of(output), {}
    (experiment,) = [e for e in client.search_experiments() if e.name != "Default"]
    for run in client.search_runs([experiment.experiment_id]):
        tags = {k: v for k, v in run.data.tags.items() if k != "mlflow.parentRunId"}
        name = tags["nndl.run"]
        assert name not in seen, f"{name} is there twice"
        files = sorted(file.path for file in client.list_artifacts(run.info.run_id))
        history = client.get_metric_history(run.info.run_id, "validation/accuracy")
        values = [(one.step, one.value) for one in history]
        models = len(run.outputs.model_outputs) if run.outputs else 0
        seen[name] = (run.info.status, tags, run.data.metrics, run.data.params, files, values,
                      models)  # fmt: skip
    for model in client.search_registered_models():
        seen[f"model {model.name}"] = (model.description, model.tags, model.aliases)
        for version in client.search_model_versions(f"name = '{model.name}'"):
            run = client.get_run(version.run_id)
            assert Path(version.source.removeprefix("file://")).is_relative_to(output)
            seen[f"version {version.version}"] = run.data.tags["nndl.run"], version.status
    tags = client.get_experiment(experiment.experiment_id).tags
    view = json.loads(tags.pop("mlflow.sharedViewState.best-first"))
    return seen | {"tags": tags, "view": (view["name"], view["state"])}


def test_sync_makes_all_of_it_again_any_number_of_times(shown, tmp_path, monkeypatch):
    shutil.copytree(shown.folder / "nndl-output", tmp_path / "nndl-output")
    monkeypatch.chdir(tmp_path)
    output = Path("nndl-output")
    before = everything(shown.folder / "nndl-output")
    assert before["model ui"][2] == {"champion": 1}
    assert before["version 1"] == (shown.winner, "READY")
    assert before[shown.winner][1]["champion"] == "ui"
    assert sum("champion" in run[1] for name, run in before.items() if name.startswith("ui/")) == 1
    for path in (*output.glob("mlflow.db*"), output / "mlflow-artifacts"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for _ in range(2):
        done = CliRunner().invoke(sync, [], catch_exceptions=False)
        assert "MLflow shows 1 studies and 0 single runs" in done.output
        assert everything(output.resolve()) == before


def records_of(shown: Shown, folder: Path) -> Path:
    """A copy of the output folder without MLflow's database."""
    output = folder / "nndl-output"
    shutil.copytree(shown.folder / "nndl-output/studies", output / "studies")
    return output


def test_a_champion_that_is_beaten_passes_its_alias_on(shown, tmp_path):
    output = records_of(shown, tmp_path)
    CliRunner().invoke(sync, ["--output", str(output)], catch_exceptions=False)
    study = Study.open(output, "ui")
    view = Tracker(output, TrackingConfig(), "mnist_5k")
    client, first = client_of(output), shown.number
    second = (first + 1) % 6
    (stage,) = study.stages()
    trials = stage.search.trials()
    view.open("ui", {}, study_note(study), 0.0)
    view.open("ui/joint", {}, stage_note(stage, trials), 0.0, "ui")
    for number, version in ((second, 2), (first, 1), (second, 2)):
        directory, name = stage.search.run_directory(number), f"ui/joint/{number}"
        view.log_model(name, directory, champion_note(study, name, trials[number]))
        view.mark("ui", name)
        champion = client.get_model_version_by_alias("ui", "champion")
        assert (int(champion.version), champion.run_id) == (version, view.find(name).info.run_id)
        runs = client.search_runs([client.get_run(champion.run_id).info.experiment_id])
        assert [r.data.tags["nndl.run"] for r in runs if "champion" in r.data.tags] == [name]
        assert f"`{name}`" in client.get_registered_model("ui").description
    assert len(client.search_model_versions("name = 'ui'")) == 2


def test_what_is_shown_holds_no_password(shown, tmp_path):
    output = records_of(shown, tmp_path)
    study = Study.open(output, "ui")
    address = "http://me:s3cret@host:5000"
    study.config = replace(study.config, tracking=TrackingConfig(uri=address))
    search = next(study.stages()).search
    note = champion_note(study, "ui/joint/0", search.trials()[0])
    assert "MLFLOW_TRACKING_URI='http://me:***@host:5000'" in note.text
    view = Tracker(output, TrackingConfig(), "passwords")
    noted = replace(note, name=address, text=address, tags={"ended_by": address})
    run_id = view.log_run("ui/joint/0", search.run_directory(0), study.dataset, noted)
    run = client_of(output).get_run(run_id)
    assert "s3cret" not in str(run.to_dictionary())
    assert run.info.run_name == "http://me:***@host:5000"
    assert run.data.tags["mlflow.note.content"] == "http://me:***@host:5000"


def test_a_study_is_described_with_its_best_trials_and_what_to_type(shown):
    study = Study.open(shown.folder / "nndl-output", "ui")
    (stage,) = study.stages()
    trials = stage.search.trials()
    best, decision = table(stage.search, trials), stage.decision()
    note = study_note(study, [(stage, decision)], best, (stage, trials[shown.number]))
    rows = [line.split(" | ") for line in note.text.splitlines() if line.startswith("| ")]
    assert rows[0][:3] == ["| trial", "accuracy (%)", "cost"]
    assert [row[0] for row in rows[2:3]] == [f"| {shown.number}"]
    accuracies = [float(row[1]) for row in rows[2:]]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(accuracies) == 5
    assert accuracies[0] == pytest.approx(100 * shown.best["origin"]["validation_accuracy"])
    for command in ("report ui", f"reproduce {shown.winner}", f"evaluate {shown.winner}"):
        assert f"\npython -m nndl_exp.{command} --output " in note.text
    assert "--model-uri models:/ui@champion" in note.text
    assert f"It ended with `{shown.winner}`: " in note.text
    assert f"**joint search**: {decision.words[0]}" in note.text
    assert best in stage_note(stage, trials, stage.decision()).text
    assert f"- {stage.decision().words[0]}" in stage_note(stage, trials, stage.decision()).text
    assert "| trial" not in stage_note(stage).text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("training.eta", 0.3123, "eta 0.31"), ("training.lmbda", 42.0, "lmbda 42"),
        ("network.hidden", [100], "hidden 100"), ("network.hidden", [30, 20], "hidden 30-20"),
        ("network.hidden", [], "hidden none"), ("seed", 1003, "seed 1003"),
        ("training.mini_batch_size", 10, "mini_batch_size 10"),
        ("training.schedule.factor", 0.5, "schedule.factor 0.5"),
        ("training.schedule.name", "step", "schedule step"),
        ("training.schedule.n", 10, "schedule.n 10"), ("training.stopping.n", 5, "stopping.n 5"),
    ],
)  # fmt: skip
def test_a_setting_is_said(name, value, said):
    assert setting_text(name, value) == said


def test_a_long_description_is_cut_to_what_mlflow_takes(shown, tmp_path):
    output = records_of(shown, tmp_path)
    study = Study.open(output, "ui")
    search = next(study.stages()).search
    note = replace(trial_note(search, search.trials()[0]), name="x" * 999, text="y" * 9999)
    view = Tracker(output, TrackingConfig(), "long")
    run_id = view.log_run("ui/joint/0", search.run_directory(0), study.dataset, note)
    run = client_of(output).get_run(run_id)
    assert run.info.run_name == "x" * 249 + "…"
    assert run.data.tags["mlflow.note.content"] == "y" * 7999 + "…"


def test_the_model_brings_its_own_code_and_says_what_it_needs(shown, tmp_path):
    client = client_of(shown.folder / "nndl-output")
    version = client.get_model_version_by_alias("ui", "champion")
    folder = Path(version.source.removeprefix("file://"))
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"MLmodel", "requirements.txt", "python_env.yaml", "artifacts/weights.npz",
            "artifacts/dataset.json", "code/nndl_exp/nn/network.py"} <= names  # fmt: skip
    assert not [name for name in names if "__pycache__" in name]
    assert f"mlflow=={mlflow.__version__}" in (folder / "requirements.txt").read_text().split()
    script = """import importlib.util, multiprocessing, sys, mlflow.pyfunc
model = mlflow.pyfunc.load_model(sys.argv[1])
import nndl_exp
pool = multiprocessing.get_context("spawn").Pool(1)
worker = pool.apply(importlib.util.find_spec, ["nndl_exp.study.trial"]).origin
pool.terminate()
print(nndl_exp.__file__, worker, model.metadata.run_id, model.metadata.model_id)"""
    command = [sys.executable, "-B", "-c", script, str(folder)]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    code, worker, run_id, model_id = done.stdout.split()
    (model,) = client.get_run(version.run_id).outputs.model_outputs
    assert Path(code) == folder / "code/nndl_exp/__init__.py"
    assert folder not in Path(worker).parents, "workers started later have the whole package"
    assert (run_id, model_id) == (version.run_id, model.model_id)
