"""End to end through the real command line, with the real Optuna, MLflow and SQLite."""

import html
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from conftest import CommandLine
from PIL import Image

from nndl_exp.datasets import load_dataset
from nndl_exp.records import RunDirectory

SWEEP = (
    "strategy=joint", "study.n_trials=10", "study.name=demo", "study.lag=4", "training.epochs=5",
    "dataset.training_size=600", "dataset.validation_size=200",
    "pruner.n_startup_trials=2", "pruner.n_warmup_steps=2",
)  # fmt: skip


@pytest.fixture(scope="module")
def swept(tmp_path_factory) -> tuple[CommandLine, str]:
    """A folder in which a sweep has been run, and what it printed."""
    cli = CommandLine(tmp_path_factory.mktemp("swept"))
    return cli, cli.ok("nndl_exp.sweep", *SWEEP)


@pytest.fixture
def client(swept) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(f"sqlite:///{swept[0].folder}/nndl-output/mlflow.db")


def runs_of(client: mlflow.MlflowClient) -> list:
    experiment = client.get_experiment_by_name("mnist_5k")
    return client.search_runs([experiment.experiment_id], max_results=1000)


def ends_of_trials(client: mlflow.MlflowClient) -> dict[str, int]:
    runs = (run for run in runs_of(client) if "nndl.study" in run.data.tags)
    return {run.info.run_id: run.info.end_time for run in runs}


def test_a_sweep_shows_plan_trials_winner_and_what_to_type(swept):
    folder, printed = swept[0].folder, swept[1]
    assert "\x1b" not in printed, "no control characters when it is not a terminal"
    lines = printed.splitlines()
    assert re.match(r"study    demo +new · seed 0 · output nndl-output/studies/demo", lines[0])
    assert "600 train · 200 validate · test set locked until `evaluate`" in lines[1]
    assert re.fullmatch(
        r" +always naming the commonest class: [\d.]+ % of the validation images", lines[2]
    )
    assert "200 validation examples tell two networks of 95 % apart from" in lines[3]
    assert "eta 0.001..10 log" in lines[4]
    assert lines[5].strip() == "TPE, lag 4 · median pruner"
    assert re.match(r"plan     joint · 10 trials · \d+ workers? · up to about \d+ s", lines[6])
    assert "[1/1] joint search" in lines
    rows = [line for line in lines if re.match(r" *\d+  (\d|diverged)", line)]
    assert [int(row.split()[0]) for row in rows] == list(range(10))
    assert "← best" in rows[0] or "pruned" in rows[0]
    best = yaml.safe_load((folder / "nndl-output/studies/demo/best.yaml").read_text())
    origin = best["origin"]
    name, number = origin["run"], origin["run"].split("/")[-1]
    accuracy = f"{100 * origin['validation_accuracy']:.1f}"
    assert re.search(
        rf"^→ best of the search: {accuracy} % by trial {number} of 10: eta ", printed, re.M
    )
    assert "search space" in printed.split("\n→ ")[1]
    assert re.search(r"^winner   hidden [\d-]+ · sigmoid · .* cost\n +eta [\d.]+ · ", printed, re.M)
    assert "saved    nndl-output/studies/demo/best.yaml" in lines
    assert (
        "look       mlflow ui --workers 1 --backend-store-uri sqlite:///nndl-output/mlflow.db"
        in (lines)
    )
    assert f"reproduce  python -m nndl_exp.reproduce {name}" in lines
    assert f"evaluate   python -m nndl_exp.evaluate {name}" in lines
    (race,) = (line.split() for line in lines if line.startswith("race  "))
    assert race[-3:] == ["strategy=race", "study.warm_start=demo", "study.name=demo-race"]
    kept = [word for word in SWEEP if not word.startswith(("strategy", "study", "pruner"))]
    assert race[1:-3] == ["python", "-m", "nndl_exp.sweep", *kept]
    assert sorted(path.name for path in folder.iterdir()) == ["nndl-output"], "no stray outputs"


def test_the_report_that_a_sweep_leaves_is_that_of_a_study_that_has_ended(swept):
    """It is written while the sweep still holds the study."""
    cli = swept[0]
    left = html.unescape((cli.folder / "nndl-output/studies/demo/report.html").read_text())
    assert "The study is running" not in left
    assert ">complete, 10 trials" in left
    assert "nndl_exp.evaluate" in left, "what to type next, which a running study does not offer"


def test_mlflow_has_the_study_and_every_trial(swept, client):
    runs = runs_of(client)
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert [run.data.tags["nndl.run"] for run in parents] == ["demo"]
    assert parents[0].info.status == "FINISHED"
    below = [run for run in runs if run not in parents]
    (stage,) = (run for run in below if run.data.tags["nndl.run"] == "demo/joint")
    assert stage.data.tags["mlflow.parentRunId"] == parents[0].info.run_id
    assert stage.info.status == "FINISHED"
    assert parents[0].data.tags["nndl.winner"].startswith("demo/joint/")
    children = {run.data.tags["nndl.run"]: run for run in below if run is not stage}
    assert sorted(children) == [f"demo/joint/{i}" for i in range(10)]
    for name, run in children.items():
        record = RunDirectory(
            swept[0].folder / "nndl-output/studies/demo/stages/joint/trials" / name.split("/")[2]
        )
        result = record.result()
        assert run.data.tags["mlflow.parentRunId"] == stage.info.run_id
        expected = {"complete": "FINISHED", "pruned": "KILLED", "diverged": "FAILED"}
        assert run.info.status == expected[result.state]
        assert run.data.tags["state"] == result.state
        assert run.data.tags["ended_by"] == result.reason
        assert run.data.params["training.eta"] == str(record.config().training.eta)
        assert run.data.params["seed"] == "0"
        assert len(run.data.params) == 55, "nothing is dropped"
        assert run.inputs.dataset_inputs[0].dataset.name == "mnist_5k"
        for metric in ("training_cost", "validation_cost", "training_accuracy",
                       "validation_accuracy", "eta", "seconds"):  # fmt: skip
            shown = metric.replace("_", "/") if "_" in metric else f"training/{metric}"
            logged = client.get_metric_history(run.info.run_id, shown)
            assert [m.step for m in logged] == list(range(1, result.epochs + 1))
            assert [m.value for m in logged] == [getattr(e, metric) for e in record.epochs()]


def test_the_artifacts_are_the_record_with_a_picture(swept, client, tmp_path):
    run = next(run for run in runs_of(client) if "champion" in run.data.tags)
    names = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert {"config.yaml", "weights.npz", "epochs.jsonl", "result.json", "provenance.json",
            "learning_curves.png"} <= names  # fmt: skip
    weights = client.download_artifacts(run.info.run_id, "weights.npz", str(tmp_path))
    with np.load(weights, allow_pickle=False) as file:
        assert file["w1"].shape[1] == 784
    picture = client.download_artifacts(run.info.run_id, "learning_curves.png", str(tmp_path))
    with Image.open(picture) as image:
        assert image.size == (900, 390)
        assert len(image.convert("RGB").getcolors(maxcolors=100_000)) > 20, "it is not blank"


TABLES = {"trials.csv", "trials.parquet", "report.html"}
FIGURES = {"figures/learning_curves.png", "figures/weights.png"}


def artifacts_of(client: mlflow.MlflowClient, name: str) -> set[str]:
    run = next(run for run in runs_of(client) if run.data.tags["nndl.run"] == name)
    top = client.list_artifacts(run.info.run_id)
    folders = [file.path for file in top if file.is_dir]
    inside = [file for path in folders for file in client.list_artifacts(run.info.run_id, path)]
    return {file.path for file in [*top, *inside]}


def test_a_sweep_leaves_its_report_in_its_folder_and_in_mlflow(swept, client):
    folder = swept[0].folder / "nndl-output/studies/demo"
    assert {name for name in TABLES if (folder / name).is_file()} == TABLES
    assert {name for name in FIGURES if (folder / name).is_file()} == FIGURES
    assert artifacts_of(client, "demo") >= {*TABLES, "study.yaml", "best.yaml"}
    assert artifacts_of(client, "demo/joint") >= {"decision.yaml"}
    assert re.search(r"^decides  (eta|lmbda|.*PED-ANOVA|unknown: needs 10)", swept[1], re.MULTILINE)
    assert "report     python -m nndl_exp.report demo" in swept[1].splitlines()
    assert "report.html" in artifacts_of(client, "demo")
    assert "10 trials (10 complete)" in (folder / "report.html").read_text()
    printed = swept[0].ok("nndl_exp.report", "demo")
    assert printed == f"{Path('nndl-output/studies/demo/report.html')}\n"


def test_a_sweep_without_tracking_leaves_its_report_too(cli):
    printed = cli.ok("nndl_exp.sweep", *SWEEP, "tracking=none", "study.n_trials=4")
    folder = cli.folder / "nndl-output/studies/demo"
    assert {name for name in TABLES if (folder / name).is_file()} == TABLES
    assert {name for name in FIGURES if (folder / name).is_file()} == FIGURES
    assert "decides  unknown: needs 10 completed trials" in printed
    assert not (cli.folder / "nndl-output/mlflow.db").exists()


def test_the_winner_is_a_pyfunc_model(swept, client):
    folder = swept[0].folder
    origin = yaml.safe_load((folder / "nndl-output/studies/demo/best.yaml").read_text())["origin"]
    run = next(r for r in runs_of(client) if r.data.tags["nndl.run"] == origin["run"])
    model_id = run.outputs.model_outputs[0].model_id
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/nndl-output/mlflow.db")
    try:
        model = mlflow.pyfunc.load_model(f"models:/{model_id}")
    finally:
        mlflow.set_tracking_uri(before)
    data = load_dataset("mnist_5k", validation_size=200)
    table = model.predict(data.validation.x)
    assert list(table.columns) == ["label", *(f"p{i}" for i in range(10))]
    accuracy = (table["label"].to_numpy() == data.validation.labels).mean()
    assert accuracy == origin["validation_accuracy"]
    np.testing.assert_allclose(table.drop(columns="label").sum(axis=1), 1)


def test_the_same_command_again_trains_nothing_and_adds_nothing(swept, client):
    before = ends_of_trials(client)
    printed = swept[0].ok("nndl_exp.sweep", *SWEEP)
    assert "resumed · 10 trials finished" in printed
    assert ends_of_trials(client) == before
    assert printed.split("winner")[1] == swept[1].split("winner")[1]


def test_reproduce_the_winner_a_trial_an_mlflow_run_and_the_study(swept, client):
    cli = swept[0]
    printed = cli.ok("nndl_exp.reproduce", "nndl-output/studies/demo/best.yaml")
    assert printed.endswith("IDENTICAL\n")
    assert re.search(r"validation accuracy  identical \(\d of \d epochs\)", printed)
    assert re.search(r"weights, best        identical \(sha256 \w{12}", printed)
    assert cli.ok("nndl_exp.reproduce", "demo/1").endswith("IDENTICAL\n")
    names = {r.data.tags["nndl.run"]: r.info.run_id for r in runs_of(client)}
    printed = cli.ok("nndl_exp.reproduce", names["demo/joint/3"])
    assert printed.startswith("demo/joint/3 on mnist_5k")
    printed = cli.ok("nndl_exp.reproduce", "demo")
    decided = re.search(r"^→ (.*)$", swept[1], re.MULTILINE)[1]
    assert f"joint search: 10 of 10 trials identical · decided again: {decided}\n" in printed
    assert printed.endswith("IDENTICAL\n")


def test_a_record_without_its_weights_is_reproduced_as_well(swept, tmp_path):
    """So records can be kept where weights are too large, in a repository or an e-mail."""
    cli = swept[0]
    record = tmp_path / "record"
    record.mkdir()
    for name in ("config.yaml", "epochs.jsonl", "result.json", "provenance.json"):
        shutil.copy(cli.folder / "nndl-output/studies/demo/stages/joint/trials/2" / name, record)
    printed = cli.ok("nndl_exp.reproduce", str(record))
    assert "weights, best        identical (sha256 " in printed
    assert printed.endswith("IDENTICAL\n")
    shutil.copy(cli.folder / "nndl-output/studies/demo/stages/joint/trials/3/epochs.jsonl", record)
    assert cli.run("nndl_exp.reproduce", str(record)).returncode == 1


def test_reproduce_says_what_differs(swept, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(swept[0].folder / "nndl-output/studies/demo/stages/joint/trials/0", copy)
    lines = (copy / "epochs.jsonl").read_text().splitlines()
    epoch = json.loads(lines[1])
    epoch["validation_cost"] += 1e-9
    lines[1] = json.dumps(epoch)
    (copy / "epochs.jsonl").write_text("\n".join(lines) + "\n")
    provenance = json.loads((copy / "provenance.json").read_text())
    provenance["packages"]["numpy"] = "1.0.0"
    (copy / "provenance.json").write_text(json.dumps(provenance))
    done = swept[0].run("nndl_exp.reproduce", str(copy))
    assert done.returncode == 1
    assert "validation cost      different from epoch 2 on, by up to 1e-09" in done.stdout
    assert "training cost        identical" in done.stdout
    assert f"packages numpy: 1.0.0 then, {np.__version__} now" in done.stdout
    assert done.stdout.endswith("DIFFERENT\n")


def test_the_test_set_is_looked_at_once(swept, client):
    cli = swept[0]
    winner = re.search(r"evaluate (demo/joint/\d+)", swept[1])[1]
    other = "demo/joint/0" if winner != "demo/joint/0" else "demo/joint/1"
    printed = cli.ok("nndl_exp.evaluate", winner)
    look = re.search(r"test +([\d.]+) % of 1,000 test images · 95 % interval ([\d.]+) to", printed)
    assert 20 < float(look[2]) < float(look[1])
    again = cli.ok("nndl_exp.evaluate", "nndl-output/studies/demo/best.yaml")
    assert "was looked at before" in again
    assert look[0] in again
    refused = cli.refused("nndl_exp.evaluate", other)
    assert "the test set was looked at on 20" in refused
    assert f"at {winner} ({look[1]} %)" in refused
    assert "look number 2" in cli.ok("nndl_exp.evaluate", other, "--again")
    run = next(r for r in runs_of(client) if r.data.tags["nndl.run"] == winner)
    assert f"{100 * run.data.metrics['test/accuracy']:.2f}" == look[1]


def test_the_output_folder_can_be_moved(swept, tmp_path):
    shutil.copytree(swept[0].folder / "nndl-output", tmp_path / "moved")
    cli = CommandLine(tmp_path)
    assert "IDENTICAL" in cli.ok("nndl_exp.reproduce", "demo/2", "--output", "moved")
    advice = "python -m nndl_exp.sync --output moved brings it up to date"
    assert advice in cli.refused("nndl_exp.sweep", *SWEEP, "output=moved")
    cli.ok("nndl_exp.sync", "--output", "moved")
    assert "10 trials finished" in cli.ok("nndl_exp.sweep", *SWEEP, "output=moved")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/moved/mlflow.db")
    for run in runs_of(client):
        assert str(tmp_path) in run.info.artifact_uri
        assert client.list_artifacts(run.info.run_id)


def test_predict_reads_pictures_and_rows(swept, tmp_path):
    data = load_dataset("mnist_5k", validation_size=200)
    one = int(np.flatnonzero(data.validation.labels == 1)[0])
    digit = (data.validation.x[one].reshape(28, 28) * 255).astype(np.uint8)
    big = Image.fromarray(digit).resize((300, 300))
    canvas = Image.new("L", (420, 500), 255)
    canvas.paste(Image.eval(big, lambda v: 255 - v), (90, 60))
    canvas.save(tmp_path / "dark_on_light.png")
    big.save(tmp_path / "light_on_dark.jpg")
    np.savez(tmp_path / "rows.npz", x=data.validation.x[:3])
    best = "nndl-output/studies/demo/best.yaml"
    files = [
        str(tmp_path / name) for name in ("dark_on_light.png", "light_on_dark.jpg", "rows.npz")
    ]
    lines = swept[0].ok("nndl_exp.predict", best, *files).splitlines()
    assert len(lines) == 5
    for line in lines[:2]:
        assert re.search(r": 1   \(1 [\d.]+ % · \d [\d.]+ % · \d [\d.]+ %\)", line), line


def test_predict_refuses_what_it_cannot_read(swept, tmp_path):
    cli, best = swept[0], "nndl-output/studies/demo/best.yaml"
    (tmp_path / "text.png").write_text("hello")
    Image.new("L", (30, 30), 255).save(tmp_path / "blank.png")
    np.savez(tmp_path / "small.npz", x=np.zeros((2, 7)))
    np.savez(tmp_path / "grey.npz", x=np.full((2, 784), 200.0))
    np.savez(tmp_path / "other.npz", y=np.zeros(3))
    for name, message in (
        ("text.png", "is not a picture that can be read"),
        ("blank.png", "shows nothing"),
        ("small.npz", r"must be numbers of shape (n, 784): got (2, 7)"),
        ("grey.npz", "scaled as the training pictures were: got 200 to 200"),
        ("other.npz", "must hold an array named x"),
        ("none.png", "no such file"),
    ):
        assert message in cli.refused("nndl_exp.predict", best, str(tmp_path / name))


def test_predict_goes_on_after_a_file_that_it_can_not_read(swept, tmp_path):
    good, bad = tmp_path / "good.npz", tmp_path / "bad.png"
    np.savez(good, x=load_dataset("mnist_5k", validation_size=200).validation.x[:1])
    bad.write_text("hello")
    (tmp_path / "folder.npz").mkdir()
    files = map(str, (good, bad, tmp_path / "folder.npz", tmp_path / "none.png", good))
    done = swept[0].run("nndl_exp.predict", "demo", *files)
    assert done.returncode == 2
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [f"{good}[0]"] * 2
    lines = done.stderr.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error"] * 3
    for line, name in zip(lines, ("bad.png", "folder.npz", "none.png"), strict=True):
        assert name in line


def test_sync_gives_a_lost_mlflow_database_back(swept, tmp_path):
    shutil.copytree(swept[0].folder / "nndl-output", tmp_path / "nndl-output")
    for path in (tmp_path / "nndl-output").glob("mlflow*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    cli = CommandLine(tmp_path)
    cli.ok("nndl_exp.evaluate", "demo/4", "--again")
    for _ in range(2):  # any number of times
        assert "MLflow shows 1 studies and 0 single runs" in cli.ok("nndl_exp.sync")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/nndl-output/mlflow.db")
    runs = {run.data.tags["nndl.run"]: run.info.run_id for run in runs_of(client)}
    assert len(runs) == len(runs_of(client)) == 12
    for name, metric in (
        ("demo/joint/4", "test/accuracy"),
        ("demo", "summary/validation_accuracy"),
    ):
        assert len(client.get_metric_history(runs[name], metric)) == 1, "it is there once"
    runs = runs_of(client)
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED", "FAILED"}
    assert artifacts_of(client, "demo") >= TABLES


def test_train_runs_one_and_multirun_several(cli):
    words = ("training.epochs=2", "dataset.training_size=200", "network.hidden=[8]")
    printed = cli.ok("nndl_exp.train", *words)
    name = re.search(r"run      (\S+)", printed)[1]
    assert "complete all 2 epochs" in printed
    assert cli.ok("nndl_exp.reproduce", name).endswith("IDENTICAL\n")
    assert "test images" in cli.ok("nndl_exp.evaluate", name)
    assert f"run      {name}-2" in cli.ok("nndl_exp.train", *words), "again is another run"
    cli.ok("nndl_exp.train", "--multirun", *words, "training.eta=0.25,2.5")
    client = mlflow.MlflowClient(f"sqlite:///{cli.folder}/nndl-output/mlflow.db")
    etas = sorted(float(run.data.params["training.eta"]) for run in runs_of(client))
    assert etas == [0.25, 0.5, 0.5, 2.5]
    assert sorted(path.name for path in cli.folder.iterdir()) == ["nndl-output"]


@pytest.mark.long
def test_a_killed_multirun_that_is_repeated_trains_what_is_missing(cli):
    words = ("--multirun", "dataset=digits_8x8", "network.hidden=[8]", "training.epochs=2,3,2000",
             "training.stopping.name=none", "seed=0,1")  # fmt: skip
    runs = cli.folder / "nndl-output/runs"
    process = cli.start("nndl_exp.train", *words)
    while process.poll() is None and len(list(runs.glob("*/config.yaml"))) < 5:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    ended = {path: path.read_bytes() for path in runs.glob("*/result.json")}
    assert len(ended) == 4, "the fifth was being trained"
    few = [word.replace("2000", "4") for word in words]
    printed = cli.ok("nndl_exp.train", *few)
    assert printed.count("trained before") == 4
    assert {path: path.read_bytes() for path in ended} == ended
    assert len(list(runs.glob("*/result.json"))) == 6
    assert cli.ok("nndl_exp.train", *few, "tracking=none").count("trained before") == 6
    client = mlflow.MlflowClient(f"sqlite:///{cli.folder}/nndl-output/mlflow.db")
    experiment = client.get_experiment_by_name("digits_8x8")
    shown = [run.data.tags["nndl.run"] for run in client.search_runs([experiment.experiment_id])]
    assert sorted(shown) == sorted({*shown, *(path.parent.name for path in ended)})
    assert len(shown) == 6


def test_train_takes_a_sweeps_winner_as_its_base(swept):
    cli = swept[0]
    best = "nndl-output/studies/demo/best.yaml"
    printed = cli.ok("nndl_exp.train", f"from={best}", "training.epochs=7", "tracking=none",
                     "training.stopping.name=none", "output=from")  # fmt: skip
    shutil.rmtree(cli.folder / "from")
    eta = yaml.safe_load((cli.folder / best).read_text())["training"]["eta"]
    assert f"eta {eta:.2g}" in printed
    assert "complete all 7 epochs" in printed


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        ("sweep", ["training.etaa=0.5"], "no such setting: training.etaa (did you mean training."),
        ("sweep", ["training.mini_batch_size=5000"],
         "training.mini_batch_size must lie between 1 and the size of the training set (3000)"),
        ("sweep", ["study.n_trials=0"], "study.n_trials must be greater than or equal to 1: got 0"),
        ("sweep", ["workers=0"], "workers must be greater than or equal to 1 or be 'auto': got 0"),
        ("sweep", ["workers=-1"], "workers must be greater than or equal to 1 or be 'auto': got -"),
        ("sweep", ["workers=1.5"], "workers must be a valid integer or be 'auto': got 1.5"),
        ("sweep", ["workers=abc"], "workers must be a valid integer or be 'auto': got 'abc'"),
        ("sweep", ["workers=100000"], "on this machine (8 for each processor, or 64): got 100000"),
        ("sweep", ["study.budget=10"], "study.budget must be a duration such as 60s"),
        ("sweep", ["sampler=cmaes"], "cmaes searches ranges of numbers only"),
        ("sweep", ["sampler=grid"], "sampler=grid needs search_space.network.hidden as"),
        ("sweep", ["--multirun", "training.eta=1,2"], "a sweep is one study"),
        ("sweep", ["tracking.uri=http://127.0.0.1:9"], "tracking.uri http://127.0.0.1:9 does not"),
        ("sweep", ["training=null"], "training is a group, training=OPTION chooses"),
        ("sweep", ["~search_space"], "search_space must name at least one setting"),
        ("sweep", ["search_space.training.eta.log=foo"], "log must be true or false: got 'foo'"),
        ("sweep", ["sampler.n_startup_trials=abc"], "must be of the kind of 10: got 'abc'"),
        ("sweep", ["pruner=hyperband", "pruner.reduction_factor=1"], "does not take these options"),
        ("train", ["--foo"], "unrecognized arguments: --foo"),
        ("train", ["training.eta=1", "--multirun", "seed=-1"], "seed must be greater than or"),
        ("train", ["output={}/\n"], "output must be text without control characters: got"),
        ("train", ["from=[1]"], "from=[1] can't be read: No such file or directory"),
        ("train", ["--config-dir", "nope"], "Additional config directory"),
        ("sweep", ["--config-dir=nope", "seed=1"], "Additional config directory"),
        ("train", ["network=relu", "training.dropout=[0.1,0.2]"], "training.dropout must be one"),
        ("evaluate", [], "Missing argument 'RUN'"),
        ("train", ["network.cost=log_likelihood"], "the cost log_likelihood does not go with"),
        ("train", ["--multirun", "training.eta=0.5,-1"], "training.eta must be greater than 0"),
        ("train", ["dataset.classes=[0]"], "dataset.classes must be at least two different ones"),
        ("train", ["dataset=cifar"], "no such dataset: cifar (there are default, digits_8x8,"),
        ("sweep", ["executor.address=tcp://h:1"], "executor.address goes with executor=dask: got"),
        ("reproduce", ["nope/3"], "no such run: nope/3"),
        ("evaluate", ["../../etc"], "no such run: ../../etc"),
        ("predict", ["nope", "x.png"], "no such run: nope"),
        ("sync", ["--output", "nowhere"], "no such folder: nowhere"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_leaves_nothing(cli, module, words, message):
    assert message in cli.refused(f"nndl_exp.{module}", *words)
    if not any("tracking.uri" in word for word in words):
        assert list(cli.folder.iterdir()) == []


@pytest.mark.parametrize("module", ["train", "sweep", "reproduce", "evaluate", "predict", "sync"])
def test_help_and_the_console_script(cli, module):
    printed = cli.ok(f"nndl_exp.{module}", "--help")
    assert module in printed
    done = cli.run("nndl_exp", module, "--help")
    assert done.returncode == 0
    lines = [line for line in printed.splitlines() if not line.startswith("Usage")]
    assert [line for line in done.stdout.splitlines() if not line.startswith("Usage")] == lines
    assert "nndl" in (Path(sys.executable).parent / "nndl").read_text()


def test_cfg_and_tab_completion_answer(cli, monkeypatch):
    assert "mini_batch_size: ${fitted:10}" in cli.ok("nndl_exp.train", "--cfg", "job")
    assert "mini_batch_size: 10" in cli.ok("nndl_exp.train", "--cfg", "job", "--resolve")
    monkeypatch.setenv("COMP_LINE", "nndl-train dataset=mn")
    assert "hydra_bash_completion" in cli.ok("nndl_exp.train", "-sc", "install=bash")
    printed = cli.ok("nndl_exp.train", "-sc", "query=bash")
    assert set(printed.split()) == {"dataset=mnist", "dataset=mnist_5k"}


MISSING = [
    (("executor=dask",), "distributed", "python -m pip install 'nndl_exp[dask]'"),
    (("storage=postgresql", "storage.url=postgresql://u@127.0.0.1:9/x"), "psycopg",
     "python -m pip install 'nndl_exp[postgres]'"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "package", "message"), MISSING)
def test_an_extra_that_is_not_installed_is_asked_for_before_a_folder_is_made(
    cli, tmp_path_factory, monkeypatch, words, package, message
):
    missing = tmp_path_factory.mktemp("missing")
    (missing / f"{package}.py").write_text(f"raise ImportError('{package}')")
    monkeypatch.setenv("PYTHONPATH", f"{missing}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    assert cli.refused("nndl_exp.sweep", *words).endswith(message)
    assert not list(cli.folder.iterdir())


def test_a_password_in_a_wrong_uri_is_not_shown(cli):
    done = cli.run("nndl_exp.sweep", "tracking.uri=sqlite://me:s3cret@/other.db")
    assert done.returncode == 2
    assert "tracking.uri sqlite://me:***@/other.db does not answer" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_an_output_that_is_no_folder_is_refused(cli):
    (cli.folder / "file").touch()
    for module in ("train", "sweep"):
        message = cli.refused(f"nndl_exp.{module}", "output=file/x")
        assert message == "output must be a folder: got file/x (Not a directory)"


def test_damaged_files_are_refused_in_one_line(swept, tmp_path):
    shutil.copytree(swept[0].folder / "nndl-output", tmp_path / "nndl-output")
    cli, output = CommandLine(tmp_path), tmp_path / "nndl-output"
    trials = output / "studies/demo/stages/joint/trials"
    shutil.copy(trials / "0/weights.npz", trials / "3/weights.npz")
    for words in (("evaluate", "demo/3", "--again"), ("reproduce", "demo/3")):
        message = cli.refused(f"nndl_exp.{words[0]}", *words[1:])
        assert "must be the network that the run left" in message
    config = trials / "2/config.yaml"
    content = config.read_text()
    config.write_text("training: {eta: -1}")
    assert "2/config.yaml is not a run's config" in cli.refused("nndl_exp.reproduce", "demo/2")
    config.write_text(content)
    (output / "mlflow.db").write_text("junk")
    assert "is not a database that MLflow can use" in cli.refused("nndl_exp.sync")
    assert "is not a database that MLflow can use" in cli.refused("nndl_exp.sweep", *SWEEP)
    shown = cli.ok("nndl_exp.evaluate", "demo/4", "--again")
    assert "% of 1,000 test images" in shown
    assert "MLflow does not show it" in shown
    (output / "studies/demo/test_set.json").write_text("{")
    assert "test_set.json, which says when" in cli.refused("nndl_exp.evaluate", "demo/4")
