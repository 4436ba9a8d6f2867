"""Training, studies, evaluation and prediction on data of one's own, classes and numbers."""

import re
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import r2_score
from studies import SERIAL, lead

from nndl_exp.api import load_config, load_dataset, load_study, run
from nndl_exp.config import DatasetConfig, NetworkConfig, RunConfig
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.run import check, initial_network
from nndl_exp.study.search import Search, table
from nndl_exp.study.study import Study
from nndl_exp.study.winner import not_distinguishable, winner
from nndl_exp.sync import sync_runs
from nndl_exp.training import evaluate
from nndl_exp.training.accuracy import MEASURES


def houses(n: int = 300) -> pd.DataFrame:
    """Prices that follow from size, age and quarter, in a unit far from 1."""
    rng = np.random.default_rng(1)
    size, age = rng.uniform(30, 200, n), rng.integers(0, 100, n)
    quarter = rng.choice(["north", "south"], n)
    price = 3000 * size - 1500 * age + 90_000 * (quarter == "south") + rng.normal(0, 5000, n)
    dear = np.where(price > np.median(price), "dear", "cheap")
    return pd.DataFrame({"size": size, "age": age, "quarter": quarter, "price": price, "is": dear})


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with files of each kind."""
    frame = houses()
    frame.to_csv(tmp_path / "houses.csv", index=False)
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    pictures = (rng.random((200, 5, 5)) * 100 + 100 * y[:, None, None]).astype(np.uint8)
    np.savez(tmp_path / "pictures.npz", x=pictures, y=np.where(y, "bright", "dark"))
    x = rng.normal(size=(800, 3))
    np.savez(tmp_path / "two.npz", x=x, y=np.stack([5 + x[:, 0], 100 * x[:, 1]], axis=1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


PRICE = ("dataset=table", "dataset.path=houses.csv", "dataset.target=price", "dataset.ignore=[is]")
CLASS = ("dataset=table", "dataset.path=houses.csv", "dataset.target=is", "dataset.ignore=[price]")
QUICK = ("network.hidden=[10]", "training.epochs=10")
SEARCH = ("strategy=joint", *SERIAL)


def only(study: Study) -> Search:
    """The search of a study of one stage."""
    (stage,) = study.stages()
    return stage.search


@pytest.mark.parametrize(
    ("words", "at_least"),
    [
        (CLASS, 0.85),
        (PRICE, 0.85),
        (("dataset=npz", "dataset.path=pictures.npz", "training.expansion.name=shifts"), 0.9),
        (("dataset=npz", "dataset.path=two.npz"), 0.85),
        (("dataset=digits_8x8",), 0.9),
    ],
)
def test_every_kind_trains_and_a_study_of_three_trials_too(folder, words, at_least):
    result = run(load_config([*words, *QUICK]), "run")
    assert result.state == "complete"
    assert at_least < result.validation_accuracy <= 1
    study = load_study([*words, *QUICK, *SEARCH, "study.n_trials=3", "tracking=none"])
    trials = [trial for _, trial in study.run()]
    assert len(trials) == 3
    search = only(study)
    best = winner(search, trials)
    assert best.result.validation_accuracy == max(
        t.result.validation_accuracy or -9 for t in trials
    )
    if study.dataset.task == "numbers":
        assert not_distinguishable(search, trials, best) == []
        assert "validation_r2" in table([search]).columns


def test_numbers_need_no_setting_and_the_config_says_all_of_the_run(folder):
    config = load_config(PRICE)
    assert config.dataset.task == "numbers"
    assert (config.network.output, config.network.cost) == ("linear", "quadratic")
    assert config.training.eta == 0.05
    assert load_config([*PRICE, "training.eta=0.5"]).training.eta == 0.5
    relu = load_config([*PRICE, "network=relu", "training=momentum"])
    assert (relu.network.activation, relu.network.output) == ("relu", "linear")
    assert relu.training.momentum > 0
    assert load_config(CLASS).dataset.task == "classes"
    assert load_config(CLASS).network == load_config([]).network
    assert load_config([]).dataset.task == "auto"
    with pytest.raises(UserError, match=r"targets that are numbers need network.output=linear"):
        check(load_config([*PRICE, "network.output=sigmoid"]))
    bare = RunConfig(
        DatasetConfig("table", path="houses.csv", target="price", ignore=("is",)),
        NetworkConfig(hidden=(5,)),
    )
    with pytest.raises(UserError) as error:
        check(bare)
    assert str(error.value) == (
        "targets that are numbers need dataset.task=numbers network.output=linear "
        "network.cost=quadratic"
    )


def test_r2_is_the_part_of_the_squared_deviation_that_is_explained(folder):
    config = load_config([*PRICE, *QUICK])
    data, measure = check(config), MEASURES["numbers"]
    network = initial_network(config, data)
    x, y = data.training.examples(1)
    assert len(x) == 180
    cost, r2 = evaluate(network, (x, y), measure=measure)
    # On the training set, whose mean is the baseline, it is everyone's R².
    assert r2 == pytest.approx(r2_score(y, network.predict(x)), rel=1e-4)
    assert r2 == pytest.approx(1 - 2 * cost, rel=1e-4)
    # To tell the mean of the training targets is the chance level, on any set.
    network.weights[-1][:] = 0
    network.biases[-1][:] = 0
    for part in (data.training, data.validation):
        _, r2 = evaluate(network, part.examples(1), measure=measure)
        assert r2 == pytest.approx(0, abs=1e-6)
    network.biases[-1][:] = 5
    assert evaluate(network, (x, y), measure=measure)[1] == pytest.approx(-25, rel=1e-3)
    assert evaluate(network, (x, np.full_like(y, 5)), measure=measure)[1] == 1
    assert measure.accuracy(-1.0, 0.0) == 0
    # In the unit of the target: the mean alone is off by the deviation of the prices.
    frame = houses()
    validation = data.reading.target.undo(data.validation.y)[:, 0]
    assert set(np.rint(validation)) <= set(np.rint(frame.price))
    spread = np.sqrt(np.mean((validation - data.reading.target.mean) ** 2))
    assert data.root_mean_square_error(data.validation, 0.0) == pytest.approx(spread, rel=1e-6)
    assert check(load_config(CLASS)).root_mean_square_error(data.validation, 0.5) is None


def test_rules_that_speak_of_accuracy_speak_of_r2(folder):
    words = [*PRICE, "network.hidden=[10]", "training.target_accuracy=0.6"]
    result = run(load_config(words), "run")
    assert result.reason == "R² 0.6 reached"
    search = only(load_study([*PRICE, *SEARCH, "study.n_trials=4", "training.epochs=8",
                              "tracking=none", "study.second_objective=parameters"]))  # fmt: skip
    lead(search)
    best = winner(search, search.trials())
    r2 = [trial.result.validation_accuracy for trial in search.trials()]
    most = max(value for value in r2 if value is not None)
    assert 1 - best.result.validation_accuracy <= 1.05 * (1 - most)
    search = only(load_study([*PRICE, *SEARCH, "study.n_trials=2", "training.epochs=3",
                              "tracking=none", "training.judged_by=validation_cost"]))  # fmt: skip
    lead(search)
    costs = [trial.result.validation_cost for trial in search.trials()]
    assert winner(search, search.trials()).result.validation_cost == min(c for c in costs if c)


@pytest.mark.long
def test_numbers_on_the_command_line_from_training_to_prediction(cli, folder):
    printed = cli.ok("nndl_exp.train", *PRICE, *QUICK)
    name = re.search(r"run      (houses-\w{6})", printed)[1]
    assert "180 train · 60 validate · numbers to predict · test set locked" in printed
    assert "linear outputs · quadratic cost" in printed
    assert re.search(r"epoch   training cost +R²   validation cost +R²", printed)
    assert re.search(
        r"best     R² 0\.\d{3} on 60 validation rows · root mean square error \d+", printed
    )
    assert "training R²          identical" in cli.ok("nndl_exp.reproduce", name)
    printed = cli.ok("nndl_exp.evaluate", name)
    look = re.search(
        r"test     R² (0\.\d{4}) on 60 test rows · root mean square error (\S+)", printed
    )
    assert "was looked at before" in cli.ok("nndl_exp.evaluate", name)
    frame = houses()
    frame.head(5).drop(columns=["price", "is"]).to_csv("new.csv", index=False)
    lines = cli.ok("nndl_exp.predict", name, "new.csv").splitlines()
    assert len(lines) == 5
    told = np.array([float(line.split(": ")[1]) for line in lines])
    assert np.abs(told - frame.price[:5]).max() < 0.5 * frame.price.std()
    client = mlflow.MlflowClient(f"sqlite:///{folder}/nndl-output/mlflow.db")
    experiment = client.get_experiment_by_name("houses")
    metrics = client.search_runs([experiment.experiment_id])[0].data.metrics
    assert {"training/r2", "validation/r2", "best/validation_r2", "test/r2"} <= set(metrics)
    assert not [key for key in metrics if "accuracy" in key]
    assert f"{metrics['test/r2']:.4f}" == look[1]
    assert metrics["test/root_mean_square_error"] == pytest.approx(float(look[2]), rel=1e-3)


@pytest.mark.long
def test_a_study_of_numbers_and_its_model(cli, folder):
    printed = cli.ok("nndl_exp.sweep", *PRICE, *QUICK, "study.n_trials=3", "study.name=s", *SEARCH)
    assert re.search(r"#  R² +best", printed)
    assert re.search(
        r"^→ best of the search: R² 0\.\d{3} by trial \d of 3: eta ", printed, re.MULTILINE
    )
    assert re.search(r"^winner   hidden .* · linear outputs · quadratic cost$", printed, re.M)
    assert "95 % interval" not in printed
    best = yaml.safe_load(Path("nndl-output/studies/s/best.yaml").read_text())
    assert best["training"]["eta"] != 0.05
    again = load_config(["from=nndl-output/studies/s/best.yaml", "training.epochs=3"])
    assert again.training.eta == best["training"]["eta"]
    assert "3 of 3 trials identical" in cli.ok("nndl_exp.reproduce", "s")
    data = load_dataset(**vars(again.dataset))
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/nndl-output/mlflow.db")
    try:
        client = mlflow.MlflowClient()
        runs = client.search_runs([client.get_experiment_by_name("houses").experiment_id])
        child = next(r for r in runs if r.data.tags["nndl.run"] == best["origin"]["run"])
        model = mlflow.pyfunc.load_model(f"models:/{child.outputs.model_outputs[0].model_id}")
    finally:
        mlflow.set_tracking_uri(before)
    told = model.predict(data.validation.x)
    assert list(told.columns) == ["y0"]
    prices = data.reading.target.undo(data.validation.y)[:, 0]
    error = np.sqrt(np.mean((told["y0"] - prices) ** 2))
    r2 = best["origin"]["validation_r2"]
    assert error == pytest.approx(data.root_mean_square_error(data.validation, r2), rel=1e-3)


def test_classes_of_a_table_are_told_by_name(cli, folder):
    name = re.search(r"run      (\S+)", cli.ok("nndl_exp.train", *CLASS, *QUICK, "tracking=none"))[
        1
    ]
    assert "of 60 test rows · 95 % interval" in cli.ok("nndl_exp.evaluate", name)
    frame = houses().sort_values("price")
    pd.concat([frame.head(1), frame.tail(1)]).to_csv("new.csv", index=False)
    (folder / "houses.csv").unlink()  # what is needed to predict is in the record
    lines = cli.ok("nndl_exp.predict", name, "new.csv").splitlines()
    assert [re.search(r": (\w+)   \(", line)[1] for line in lines] == ["cheap", "dear"]
    assert "must end in .csv or .parquet" in cli.refused("nndl_exp.predict", name, "digit.png")
    assert "no such file: none.csv" in cli.refused("nndl_exp.predict", name, "none.csv")


@pytest.mark.long
def test_data_that_have_changed_or_gone_are_refused_in_one_line(cli, folder):
    words = [*PRICE, *QUICK, "tracking=none"]
    name = re.search(r"run      (\S+)", cli.ok("nndl_exp.train", *words))[1]
    cli.ok("nndl_exp.sweep", *words, *SEARCH, "study.n_trials=2", "study.name=s")
    original = (folder / "houses.csv").read_bytes()
    (folder / "houses.csv").write_bytes(original.replace(b"north", b"North", 1))
    changed = "the data that it was begun with (sha256 "
    assert changed in cli.refused("nndl_exp.reproduce", name)
    assert changed in cli.refused("nndl_exp.evaluate", name)
    assert changed in cli.refused("nndl_exp.reproduce", "s/0")
    assert changed in cli.refused("nndl_exp.reproduce", "s")
    assert changed in cli.refused(
        "nndl_exp.sweep", *words, *SEARCH, "study.n_trials=3", "study.name=s"
    )
    (folder / "houses.csv").unlink()
    gone = "dataset.path must be a file: there is none at houses.csv"
    for command, reference in (("reproduce", name), ("reproduce", "s"), ("evaluate", name)):
        assert gone in cli.refused(f"nndl_exp.{command}", reference)
    assert gone in cli.refused("nndl_exp.train", *words)
    (folder / "houses.csv").write_bytes(original)
    assert cli.ok("nndl_exp.reproduce", name).endswith("IDENTICAL\n")


def test_a_run_that_was_begun_is_not_ended_on_other_data(folder):
    config = load_config([*CLASS, *QUICK])
    directory = RunDirectory(folder / "run")
    directory.create(config, check(config))
    frame = pd.read_csv("houses.csv")
    frame.loc[0, "age"] += 1
    frame.to_csv("houses.csv", index=False)
    with pytest.raises(UserError, match="must have the data that it was begun with"):
        run(config, folder / "run")


def test_a_file_that_changes_during_a_study_ends_it(folder):
    study = load_study([*CLASS, *QUICK, *SEARCH, "study.n_trials=3", "tracking=none"])
    trials = study.run()
    next(trials)
    with Path("houses.csv").open("a") as opened:
        opened.write("50,10,north,100000,cheap\n")
    with pytest.raises(UserError, match="the dataset must stay as it is while a study runs"):
        list(trials)
    assert len(only(study).trials()) < 3
    other = Study(replace(study.config))
    assert other.name != study.name, "another file is another study"


@pytest.mark.long
def test_a_mistake_in_a_file_leaves_nothing(cli, folder):
    files = set(folder.iterdir())
    for words, message in (
        (("dataset=table", "dataset.path=houses.csv"), "dataset.target must be a column of houses"),
        (("dataset=table", "dataset.target=x"), "dataset=table needs dataset.path"),
        (("dataset.path=houses.csv",), "dataset.path goes with dataset=table and dataset=npz"),
        ((*PRICE, "dataset.fractions=[0.5,0.2,0.2]"), "with the sum 0.9"),
        ((*PRICE, "dataset.fractions=[0.5,0.5]"), "dataset.fractions must be three numbers"),
        (
            (*PRICE, "dataset.task=regression"),
            "dataset.task must be 'auto', 'classes' or 'numbers'",
        ),
        ((*PRICE, "training.expansion.name=shifts"), "examples that are not pictures"),
        ((*PRICE, "dataset.training_size=181"), "dataset.training_size must lie between 1 and 180"),
    ):
        assert message in cli.refused("nndl_exp.train", *words)
    assert "there is none at" in cli.refused("nndl_exp.sweep", *PRICE, "dataset.path=no.csv")
    assert set(folder.iterdir()) == files


def test_single_runs_are_shown_again(folder):
    from nndl_exp.config import TrackingConfig

    run(load_config([*PRICE, *QUICK]), folder / "nndl-output/runs/mine")
    output = folder / "nndl-output"
    assert sync_runs(output, TrackingConfig()) == 1
    client = mlflow.MlflowClient(f"sqlite:///{output}/mlflow.db")
    experiment = client.get_experiment_by_name("houses")
    found = client.search_runs([experiment.experiment_id])[0]
    assert found.data.metrics["best/validation_r2"] > 0.8
    assert found.inputs.dataset_inputs[0].dataset.name == "houses"
