"""Settings from files: they name our own parts only; nothing of them is run or looked up."""

from pathlib import Path

import pytest
from composing import composed_all
from studies import SMALL, study_of

from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import RunConfig, TrackingConfig, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.study.study import Study
from nndl_exp.sweep import main as sweep
from nndl_exp.sweep import sweep_config
from nndl_exp.train import main as train
from nndl_exp.train import train_config
from nndl_exp.yaml_file import read_yaml, to_yaml

TARGET = "{_target_: pathlib.Path.touch, _args_: [{_target_: pathlib.Path, _args_: [MARKER]}]}"
"""Hydra would make a file called MARKER of it."""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def base(**changes: object) -> str:
    return to_yaml(to_mapping(RunConfig()) | changes)


def refused(command, words: list[str], capsys) -> str:
    with pytest.raises(SystemExit) as end:
        command(words)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert not Path("MARKER").exists()
    return out + err


def marked(text: str) -> str:
    """Settings of a run that name a target somewhere."""
    return base().replace("activation: sigmoid", f"activation: {text}")


@pytest.mark.parametrize(
    "text",
    [
        base() + f"callbacks: {TARGET}\n",  # what is no setting of a run is left where it is
        marked(TARGET),
        base().replace("seed: 0", f"seed: {TARGET}"),
        base().replace("seed: 0", f"dataset: {TARGET}\nseed: 0"),
        base().replace("seed: 0", "seed: !!python/object/apply:os.mkdir [MARKER]"),
        "defaults: [/experiment: evil]\n" + base().replace("seed: 0", "seed: x"),
    ],
    ids=range(6),
)
@pytest.mark.parametrize("name", ["best.yaml", "config.yaml", "study.yaml"])
def test_a_base_that_names_a_target_makes_nothing(folder, text, name, capsys):
    (folder / name).write_text(text)
    if "callbacks" in text:
        config = train_config(compose("train", [f"from={name}"]))
        assert config.run == RunConfig()
    else:
        refused(train, [f"from={name}"], capsys)
    assert not (folder / "MARKER").exists()


@pytest.mark.parametrize("value", ["${oc.env:HOME}/x.csv", "${output}", "${oc.decode:'1'}"])
def test_a_base_is_not_interpolated(folder, value, monkeypatch, capsys):
    monkeypatch.setenv("HOME", "/home/of-someone")
    settings = to_mapping(RunConfig())
    settings["dataset"] |= {"name": "table", "path": value}
    (folder / "best.yaml").write_text(to_yaml(settings))
    line = refused(train, ["from=best.yaml"], capsys)
    assert f"from=best.yaml must hold plain values: got dataset.path={value}" in line
    assert "of-someone" not in line


def test_what_is_typed_may_be_interpolated_so_that_a_secret_stays_in_the_environment(monkeypatch):
    monkeypatch.setenv("MY_URI", "http://me:s3cret@host")
    composed = compose("train", ["tracking.uri=${oc.env:MY_URI}"])
    assert train_config(composed).tracking == TrackingConfig(uri="http://me:s3cret@host")


@pytest.mark.parametrize("name", ["config.yaml", "study.yaml"])
def test_a_record_that_names_a_target_makes_nothing(folder, name):
    (folder / "studies/s").mkdir(parents=True)
    if name == "config.yaml":
        (folder / name).write_text(marked(TARGET))
        with pytest.raises(UserError, match="is not a run's config"):
            RunDirectory(folder).config()
        return
    study_of(folder, "study.name=s").create()
    path = folder / "studies/s/study.yaml"
    plain = read_yaml(path)
    for group in ("sampler", "pruner", "search_space", "study", "strategy"):
        plain[group] |= {"_target_": "pathlib.Path", "_args_": ["MARKER"]}
        path.write_text(to_yaml(plain))
        with pytest.raises(UserError):
            Study.open(folder, "s").check()
        del plain[group]["_target_"], plain[group]["_args_"]
    path.write_text(to_yaml(plain))
    assert Study.open(folder, "s").name == "s"


@pytest.mark.parametrize("group", ["sampler", "pruner", "search_space.training.eta", "network"])
@pytest.mark.parametrize("key", ["_target_", "name"])
def test_parts_are_chosen_from_our_own_dictionaries(folder, group, key):
    words = [*SMALL, f"++{group}.{key}=optuna.samplers.RandomSampler", f"output={folder}"]
    with pytest.raises(UserError):
        Study(sweep_config(compose("sweep", words))).check()


@pytest.mark.parametrize("name", ["a b", "x,y=z", "{cur}", "x%20y", "#é'\"", "[1]"])
def test_a_folder_of_settings_has_any_name(folder, name):
    (folder / name / "experiment").mkdir(parents=True)
    text = "# @package _global_\nseed: 7\n"
    (folder / name / "experiment/mine.yaml").write_text(text)
    (composed,) = composed_all("train", ["--config-dir", name, "+experiment=mine"])
    assert composed.settings["seed"] == 7


def hostile(folder: Path, text: str, name: str = "experiment/evil.yaml") -> list[str]:
    path = folder / "conf" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("# @package _global_\n" + text)
    return ["--config-dir", str(folder / "conf"), "+experiment=evil"]


def test_a_folder_of_settings_that_names_a_target_makes_nothing(folder, capsys):
    named = (f"network: {TARGET}", f"evil: {TARGET}", f"training: {{eta: {TARGET}}}")  # fmt: skip
    for text in named:
        refused(train, hostile(folder, text), capsys)
    refused(sweep, hostile(folder, f"sampler: {TARGET}\n"), capsys)


def test_a_folder_of_settings_works(folder):
    words = hostile(folder, "training: {eta: 0.125}\nseed: 7\n")
    (composed,) = composed_all("train", words)
    assert composed.settings["training"]["eta"] == 0.125
    assert composed.settings["seed"] == 7
