"""Configurations: what they refuse, and that every YAML that ships composes and runs."""

import json
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import yaml
from composing import composed_all
from hydra.experimental.callback import Callback
from needs import needs

from nndl_exp.api import load_config
from nndl_exp.cli.conf import CONF
from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import RunConfig, StudyConfig, flatten, parse, run_config, seconds, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.run import check
from nndl_exp.sweep import sweep_config
from nndl_exp.train import main as train
from nndl_exp.train import train_config
from nndl_exp.yaml_file import to_yaml


def changed(name: str, value: object) -> dict:
    settings = to_mapping(RunConfig())
    *outer, key = name.split(".")
    inner = settings
    for part in outer:
        inner = inner[part]
    inner[key] = value
    return settings


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("training.etaa", 1, "no such setting: training.etaa (did you mean training.eta?)"),
        ("training.eta", "abc", "training.eta must be a valid number: got 'abc'"),
        ("training.eta", -1, "training.eta must be greater than 0: got -1"),
        ("training.eta", True, "training.eta must be a valid number: got True"),
        ("training.eta", float("inf"), "training.eta must be a finite number: got inf"),
        ("training.mini_batch_size", 2.5, "training.mini_batch_size must be a valid integer"),
        ("training.monitor_size", "some", "training.monitor_size must be a valid integer or"),
        ("training.stopping.n", 0, "training.stopping.n must be greater than or equal to 1: got 0"),
        ("network.hidden", [10, "a"], "network.hidden.1 must be a valid integer: got 'a'"),
        ("network.hidden", 5, "network.hidden must be a list such as [5]: got 5"),
        ("network", None, "network must be an object: got None"),
        ("seed", -1, "seed must be greater than or equal to 0: got -1"),
    ],
)
def test_a_wrong_setting_is_refused_with_name_rule_and_value(name, value, message):
    with pytest.raises(UserError) as error:
        run_config(changed(name, value))
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [("dataset.name", "mnist_5k, mnist"), ("network.activation", "sigmoid, tanh, relu"),
     ("network.output", "sigmoid, tanh, relu"), ("network.cost", "quadratic, cross_entropy"),
     ("network.initializer", "default, large")],
)  # fmt: skip
def test_a_part_that_is_not_there_is_refused_with_those_that_are(name, accepted):
    config = run_config(changed(name, "sigmoyd"))
    with pytest.raises(UserError, match=f"{name} must be one of {accepted}, .*: got sigmoyd"):
        check(config)


def test_a_config_survives_yaml_to_the_bit():
    config = run_config(changed("training.eta", 0.1 + 0.2))
    assert run_config(yaml.safe_load(to_yaml(to_mapping(config)))) == config


def test_no_setting_is_lost_when_flattened():
    flat = dict(flatten(to_mapping(RunConfig())))
    assert flat["seed"] == 0
    assert flat["training.stopping.name"] == "no_improvement"
    assert flat["dataset.classes"] is None
    assert len(flat) == 55


def test_durations():
    assert [seconds(text) for text in ("90s", "1.5m", "2h")] == [90, 90, 7200]
    with pytest.raises(
        UserError, match="budget must be a duration such as 60s, 10m or 2h: got '10'"
    ):
        parse(StudyConfig, {"budget": "10"})


def test_the_defaults_of_code_and_conf_agree():
    assert run_config(compose("train").settings) == RunConfig()
    assert parse(StudyConfig, compose("sweep").settings["study"]) == StudyConfig()


def test_values_typed_by_hand_are_numbers():
    settings = compose("train", ["training.eta=1e-3", "training.lmbda=5"]).settings
    config = run_config(settings)
    assert (config.training.eta, config.training.lmbda) == (0.001, 5.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.etaa=1"], "no such setting: training.etaa (did you mean training.eta?)"),
        (["eta=1"], "no such setting: eta (did you mean training.eta?)"),
        (["datset=mnist"], "no such setting: datset (did you mean dataset?)"),
        (
            ["dataset=cifar"],
            "no such dataset: cifar (there are default, digits_8x8,",
        ),
        (["+experiment=nope"], "no such experiment: nope (there are best_mnist"),
        (["+experiment=best_mnist"], "+experiment=best_mnist is a study: it chooses search_space"),
        (["training.eta=0.1,0.2"], "has several values: give one, or --multirun to run each"),
        (["training.eta=[1"], "training.eta has a bracket that is not closed: got [1"),
        (["study.name=Größe"], "study.name takes such a text in quotes within quotes, "),
        (["network.hidden=[30,", "20]"], "a list is typed without spaces, or in quotes: network."),
        (["training.eta", "=", "0.5"], "a setting is typed without spaces: training.eta=0.5"),
        (["training.eta=", "0.5"], "a setting is typed without spaces: training.eta=0.5"),
        (["training.eta", "=0.5"], "a setting is typed without spaces: training.eta=0.5"),
        (["hidden=30"], "no such setting: hidden (did you mean network.hidden?)"),
        (["seed"], "a setting is typed as NAME=VALUE: got seed"),
        (
            ["strategy=joint"],
            "nndl_exp.train has no strategy: strategy=joint is for",
        ),
        (
            ["experiment=overfitting"],
            "an experiment is added, with a plus: +experiment=",
        ),
        (["training=null"], "training is a group, training=OPTION chooses one of its files: got"),
        (["network=5"], "network is a group, network=OPTION chooses one of its files: got"),
        (["training=[momentum,nope]"], "Could not load 'training/nope'"),
        (["--mutlirun"], "unrecognized arguments: --mutlirun"),
        (["-x"], "unrecognized arguments: -x"),
        (["--config-dir"], "--config-dir needs a value"),
        (["--config-dir", "nope"], "Additional config directory"),
        (["--cfg", "job", "-m", "seed=1,2"], "--cfg and -m can't be given together"),
        (["hydra/launcher=nope"], "no such hydra/launcher: nope (there are basic"),
        (["from=nowhere.yaml"], "from=nowhere.yaml can't be read: No such file or directory"),
    ],
)
def test_a_wrong_word_is_refused_in_one_line(words, message):
    with pytest.raises(UserError) as error:
        composed_all("train", words)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_key_that_was_added_is_refused():
    with pytest.raises(UserError, match=r"no such setting: training\.foo"):
        train_config(compose("train", ["+training.foo=1"]))
    with pytest.raises(UserError, match="no such setting: foo"):
        train_config(compose("train", ["+foo=1"]))


def test_multirun_composes_every_combination():
    composed = composed_all("train", ["--multirun", "training.eta=0.1,0.2", "seed=1,2,3"])
    pairs = [(c.settings["training"]["eta"], c.settings["seed"]) for c in composed]
    assert pairs == [(e, s) for e in (0.1, 0.2) for s in (1, 2, 3)]


def test_a_multirun_takes_globs_and_ranges_and_its_folder_lies_below_the_output(tmp_path):
    words = ["-m", f"output={tmp_path}/o", "network=glob(*, exclude=[default,h*,l*])",
             "seed=range(1,3)"]  # fmt: skip
    composed = composed_all("train", words)
    found = [(c.settings["network"]["activation"], c.settings["seed"]) for c in composed]
    options = [option for option in options_of("network") if option[0] not in "dhl"]
    assert len(found) == 2 * len(options)
    assert all(one.several for one in composed)
    assert {a for a, _ in found} == {"sigmoid", "relu", "tanh"}
    assert [seed for _, seed in found[:2]] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["o"]
    assert [path.name for path in (tmp_path / "o").iterdir()] == ["multirun"]


def test_every_combination_is_checked_before_the_first_is_trained(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["-m", "dataset=digits_8x8", "training.epochs=1", "tracking=none", "seed=1,2,-3"]
    for more in ([], ["network=glob(s*)"]):
        with pytest.raises(SystemExit, match="2"):
            train([*words, *more])
        assert "seed must be greater than or equal to 0: got -3" in capsys.readouterr().err
        assert not list(tmp_path.iterdir())


def test_jobs_run_in_processes_of_a_launcher(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(["-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "dataset=digits_8x8",
           "training.epochs=1", "tracking=none", "seed=1,2", "output=o"])  # fmt: skip
    runs = [RunDirectory(path) for path in (tmp_path / "o/runs").iterdir() if path.is_dir()]
    assert sorted(run.config().seed for run in runs) == [1, 2]
    assert {run.result().state for run in runs} == {"complete"}


def test_a_callback_of_hydra_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    composed_all("train", ["+hydra.callbacks.mine._target_=test_config.Called", "seed=4"])
    assert Called.seeds == [4]


class Called(Callback):
    seeds: ClassVar[list[int]] = []

    def on_run_start(self, config, **kwargs):
        self.seeds.append(config.seed)


def test_what_a_file_sets_is_not_fitted_to_the_data(tmp_path):
    """A default that a user's file sets again is the user's; only what nobody set is fitted."""
    pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0) ** 2}).to_csv(
        tmp_path / "t.csv", index=False
    )
    (tmp_path / "conf/experiment").mkdir(parents=True)
    text = "# @package _global_\ntraining: {eta: 0.5, mini_batch_size: 10}\n"
    (tmp_path / "conf/experiment/mine.yaml").write_text(text)
    words = ["dataset=table", f"dataset.path={tmp_path}/t.csv", "dataset.target=y",
             "dataset.task=numbers"]  # fmt: skip
    assert load_config(words).training.eta == 0.05
    mine = load_config([*words, "+experiment=mine"], config_dir=tmp_path / "conf")
    assert (mine.training.eta, mine.training.mini_batch_size) == (0.5, 10)
    assert load_config([*words, "training.eta=0.5"]).training.eta == 0.5
    assert load_config([*words, "network=relu"]).training.eta == 0.05
    few = ["dataset=digits_8x8", "dataset.training_size=6"]
    assert load_config(few).training.mini_batch_size == 6
    with pytest.raises(UserError, match="must lie between 1 and"):
        check(load_config([*few, "+experiment=mine"], config_dir=tmp_path / "conf"))


def test_from_takes_a_file_as_the_base_and_words_on_top(tmp_path):
    base = changed("training.eta", 0.123)
    base["network"]["hidden"] = [7, 8]
    path = tmp_path / "best.yaml"
    path.write_text(to_yaml({**base, "origin": {"trial": 3}}))
    words = [f"from={path}", "training.epochs=60", "dataset=mnist", "dataset.training_size=100"]
    config = run_config(compose("train", words).settings)
    assert (config.training.eta, config.training.epochs) == (0.123, 60)
    assert config.network.hidden == (7, 8)
    assert (config.dataset.name, config.dataset.training_size) == ("mnist", 100)
    with pytest.raises(UserError, match="both a base to start from"):
        compose("train", [f"from={path}", "+experiment=overfitting"])
    path.write_text("[]")
    with pytest.raises(UserError, match="must hold settings"):
        compose("train", [f"from={path}"])
    path.write_text("{origin: {trial: 3}}")
    with pytest.raises(UserError, match="must be a run's config"):
        compose("train", [f"from={path}"])


def test_what_is_typed_is_not_searched():
    words = ["strategy=joint", "training.eta=0.7", "network.hidden=[30]"]
    config = sweep_config(compose("sweep", words))
    assert "eta" not in config.search_space["training"]
    assert "hidden" not in config.search_space["network"]
    assert config.run.training.eta == 0.7


def test_a_range_of_the_search_space_can_be_typed():
    config = sweep_config(compose("sweep", ["search_space.training.eta.high=5"]))
    assert config.search_space["training"]["eta"] == {"low": 0.001, "high": 5, "log": True}


TRAIN_GROUPS = ("dataset", "network", "training", "tracking")
SWEEP_GROUPS = (
    *TRAIN_GROUPS, "search_space", "sampler", "pruner", "study", "strategy", "executor", "storage",
)  # fmt: skip


def options_of(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def test_every_folder_of_conf_is_tested_here():
    folders = {path.name for path in CONF.iterdir() if path.is_dir()}
    assert folders == {*SWEEP_GROUPS, "experiment"}
    assert all(options_of(group) for group in folders)


def file_of_one_s_own(source: str, folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(400, 3)), np.arange(400) % 2
    if source == "npz":
        np.savez(folder / "mine.npz", x=x, y=y)
        return [f"dataset.path={folder / 'mine.npz'}"]
    pd.DataFrame(x, columns=list("abc")).assign(label=y).to_csv(folder / "mine.csv", index=False)
    return [f"dataset.path={folder / 'mine.csv'}", "dataset.target=label"]


@pytest.mark.parametrize(
    ("group", "option"),
    [
        pytest.param(group, option, marks=needs("digits") if option == "mnist" else ())
        for group in TRAIN_GROUPS
        for option in options_of(group)
        if group != "tracking"
    ],
)
def test_every_option_of_a_run_trains_for_an_epoch(group, option, tmp_path, request):
    from nndl_exp.run import run

    if option == "fashion_mnist":
        request.getfixturevalue("clothes")
    words = [f"{group}={option}", "training.epochs=1", "dataset.training_size=200",
             "dataset.validation_size=50"]  # fmt: skip
    if option in ("table", "npz"):
        words += file_of_one_s_own(option, tmp_path)
    result = run(train_config(compose("train", words)).run, tmp_path / "run")
    assert (result.state, result.epochs) == ("complete", 1)


STUDIES = {"best_mnist", "best_mnist_expanded"}


@pytest.mark.parametrize("option", [o for o in options_of("experiment") if o not in STUDIES])
def test_every_experiment_trains_for_an_epoch(option, tmp_path, data_dir):
    from nndl_exp.run import run

    words = [f"+experiment={option}", "training.epochs=1", "dataset.training_size=500"]
    result = run(train_config(compose("train", words)).run, tmp_path / "run")
    assert (result.state, result.epochs) == ("complete", 1)


@pytest.mark.parametrize("option", sorted(STUDIES))
@pytest.mark.long
def test_every_experiment_that_is_a_study_can_be_led(option, tmp_path, data_dir):
    from nndl_exp.study.study import Study

    words = [f"+experiment={option}", "strategy.stages=[any_learning]", "executor=serial",
             f"output={tmp_path}", "dataset.training_size=500"]  # fmt: skip
    study = Study(sweep_config(compose("sweep", words)))
    trials = [trial for _, trial in study.run()]
    assert max(trial.result.validation_accuracy for trial in trials) > 0.4


def test_every_yaml_says_what_it_is_for():
    for path in CONF.rglob("*.yaml"):
        assert path.read_text().startswith("# "), path


def test_every_group_has_a_default_and_an_option_names_only_what_it_changes():
    for group in SWEEP_GROUPS:
        assert "default" in options_of(group)
    for name, groups in (("train", TRAIN_GROUPS), ("sweep", SWEEP_GROUPS)):
        usual = dict(flatten(compose(name).settings))
        for group in groups:
            for option in options_of(group):
                own = yaml.safe_load((CONF / group / f"{option}.yaml").read_text()) or {}
                own.pop("defaults", None)
                if group in ("search_space", "sampler", "pruner", "strategy") or "name" in own:
                    continue  # a part of its own, called by its name
                same = [key for key, value in flatten(own, f"{group}.") if usual[key] == value]
                assert not same, (group, option)


def test_the_help_explains_every_setting(capsys):
    for name in ("train", "sweep"):
        assert composed_all(name, ["--help"]) == []
        said = capsys.readouterr().out
        for key, _ in flatten(compose(name).settings):
            group = key.partition(".")[0]
            if group not in ("search_space", "sampler", "pruner") and "strategy.s" not in key:
                lines = [line for line in said.splitlines() if line.startswith(f"{key} ")]
                assert key.startswith("strategy.options") or len(lines[0].split()) > 2, key


def test_a_saved_config_names_no_code():
    for group in SWEEP_GROUPS:
        for option in options_of(group):
            assert "_target_" not in (CONF / group / f"{option}.yaml").read_text()


def test_a_config_is_json():
    json.dumps(compose("sweep").settings)


@pytest.mark.parametrize(
    ("study", "at_least"), [("best_mnist", 0.986), ("best_mnist_expanded", 0.992)]
)
def test_the_winner_that_ships_is_the_run_whose_record_ships(study, at_least):
    """The record says what its header says; `reproduce` trains it again, in a minute or some."""
    from nndl_exp.records import RunDirectory

    record = RunDirectory(CONF.parent / "experiments/records" / study)
    composed = run_config(compose("train", [f"+experiment={study}_winner"]).settings)
    assert composed == record.config()
    epochs, result = record.epochs(), record.result()
    assert max(epoch.validation_accuracy for epoch in epochs) == result.validation_accuracy
    header = (CONF / f"experiment/{study}_winner.yaml").read_text()
    (look,) = json.loads((record.path / "test_set.json").read_text())
    for accuracy in (result.validation_accuracy, look["accuracy"]):
        assert f"{100 * accuracy:.2f} %" in header
    assert result.validation_accuracy >= at_least
