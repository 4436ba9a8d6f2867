"""Names and paths of every kind: none leads out of the output folder, none ends in a traceback."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mlflow.utils.file_utils import local_file_uri_to_path
from studies import SERIAL, SMALL, study_of

from nndl_exp.cli import errors
from nndl_exp.cli.hydra_config import compose
from nndl_exp.cli.runs import find_run, find_study, new_run_directory
from nndl_exp.config import RunConfig, SweepConfig, TrackingConfig, parse, run_config, to_mapping
from nndl_exp.datasets import load_dataset
from nndl_exp.datasets.file import title
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.run import check, run
from nndl_exp.study.study import Study
from nndl_exp.sweep import sweep_config
from nndl_exp.tracking.client import artifact_location
from nndl_exp.tracking.runs import download_record, name_of_run
from nndl_exp.tracking.tracker import Tracker

BAD = [
    "", ".", "..", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "~", "~root", "-rf",
    ".hidden", "a b", "a\nb", "a\0b", "\x1b[2J", "x" * 101, "x" * 300, "münchen", "数据", "ａ",
    "a\u202eb", "a;b", "$(touch x)", "`x`", "%2e%2e", "a'b", "*", "CON:", "nul\0",
]  # fmt: skip
GOOD = ["a", "A", "0", "CON", "nul.txt", "aux", "x" * 100, "a..b", "a.", "auto-1"]


@pytest.fixture(scope="module")
def sweep() -> dict:
    """The settings of a small study."""
    return to_mapping(sweep_config(compose("sweep", SMALL)))


def outside(folder: Path) -> set[Path]:
    """What lies beside the output folder."""
    return set(folder.rglob("*")) - set((folder / "output").rglob("*"))


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_a_study_has_no_such_name(tmp_path, sweep, name):
    with pytest.raises(UserError, match=r"study\.name must be 1 to 100 letters") as error:
        Study(parse(SweepConfig, sweep | {"study": sweep["study"] | {"name": name}}))
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="no such study"):
        Study.open(tmp_path, name)
    with pytest.raises((UserError, OSError)):
        find_run(name, str(tmp_path / "output"), TrackingConfig())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", GOOD)
def test_a_study_may_be_called(tmp_path, name):
    study = study_of(tmp_path / "output", f"study.name='{name}'", *SERIAL)
    study.create()
    assert study.directory == tmp_path / "output/studies" / name
    assert Study.open(tmp_path / "output", name).name == name
    assert outside(tmp_path) == {tmp_path / "output"}


def test_names_that_differ_in_case_are_two_studies(tmp_path):
    for name, seed in (("Demo", 1), ("demo", 2), ("DEMO", 3)):
        study_of(tmp_path, f"study.name={name}", f"study.seed={seed}").create()
    for name, seed in (("Demo", 1), ("demo", 2), ("DEMO", 3)):
        assert Study.open(tmp_path, name).config.study.seed == seed


@pytest.mark.parametrize("name", [n for n in BAD if n], ids=ascii)
def test_a_warm_start_names_a_study_and_nothing_else(tmp_path, sweep, name):
    study = sweep["study"] | {"warm_start": name}
    config = parse(SweepConfig, sweep | {"study": study, "output": str(tmp_path)})
    (tmp_path / "study.yaml").write_text("{}")
    with pytest.raises(UserError, match="no such study"):
        Study(config)


FILES = [*(f"{name}.csv" for name in BAD if "\0" not in name), "....csv", ".csv", "-.csv", "%s.csv"]


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_what_is_called_after_a_file_stays_inside(tmp_path, name):
    stem = title("table", name)
    assert 0 < len(stem) <= 60
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert stem[0] not in "._-"
    plain = to_mapping(RunConfig())
    plain["dataset"] |= {"name": "table", "path": name.replace("\n", "").replace("\x1b", "")}
    directory = new_run_directory(tmp_path / "output", run_config(plain))
    assert directory.path.resolve().parent == tmp_path / "output/runs"


@pytest.mark.parametrize("path", ["a\0.csv", "a\n.csv", "\x1b]0;x\x07.csv"], ids=ascii)
def test_paths_have_no_control_characters(path):
    for group, setting in (("dataset", "path"), ("tracking", "uri"), ("tracking", "experiment")):
        config = compose("train").settings
        config[group][setting] = path
        with pytest.raises(UserError, match=f"{setting} must be text without control characters"):
            parse(
                {"dataset": RunConfig, "tracking": TrackingConfig}[group],
                {"dataset": config["dataset"]} if group == "dataset" else config["tracking"],
            )


@pytest.mark.parametrize("name", ["none.csv", "../none.csv", "/none.csv", "~nobody/x.csv"])
def test_a_dataset_that_is_not_there_is_one_line(name):
    with pytest.raises(UserError, match=r"dataset\.path must be a file: there is none"):
        load_dataset("table", path=name, target="t")


EXPERIMENTS = [
    "../../../escaped", "..", ".", "/absolute", "a/b", "%2e%2e/%2e%2e/x", "a b", "数据",
    "a#b?c", "file:///etc", "x" * 250, "it's", 'say "x"', "CON", "-", "~",
]  # fmt: skip


@pytest.mark.parametrize("name", EXPERIMENTS, ids=ascii)
def test_artifacts_of_any_experiment_lie_below_the_output(tmp_path, name):
    where = artifact_location(tmp_path, name)
    local = local_file_uri_to_path(where)
    path = Path(os.path.normpath(local))
    assert path.parent == tmp_path / "mlflow-artifacts"
    assert not urlsplit(where).query
    assert not urlsplit(where).fragment
    assert artifact_location(tmp_path, name) != artifact_location(tmp_path, name + "x")


def small() -> RunConfig:
    plain = to_mapping(RunConfig())
    plain["dataset"] |= {"training_size": 60, "validation_size": 20}
    plain["network"]["hidden"] = [5]
    plain["training"] |= {"epochs": 2}
    return run_config(plain)


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """An output folder with one run and MLflow's database."""
    folder = tmp_path_factory.mktemp("names") / "output"
    run(small(), folder / "runs" / "one")
    Tracker(folder, TrackingConfig(), "mnist_5k")
    return folder


@pytest.mark.parametrize("name", ["../../../escaped", 'say "数据"'], ids=ascii)
def test_a_run_in_any_experiment_is_logged_below_the_output(output, name):
    directory = RunDirectory(output / "runs" / "one")
    view = Tracker(output, TrackingConfig(experiment=name), "unused")
    run_id = view.log_run("one", directory, check(small()))
    assert view.find("one").info.run_id == run_id
    assert outside(output.parent) == {output}
    with pytest.raises(UserError, match="experiment must have at"):
        parse(TrackingConfig, {"experiment": ""})
    with pytest.raises(UserError, match="experiment must have at most 250 characters"):
        parse(TrackingConfig, {"experiment": "x" * 300})


HOSTILE = ["..", "../../..", "", "a'b\"c", "x" * 300, "\x1b[2J"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_name_that_a_server_gives_makes_no_folder_elsewhere(output, name, tmp_path, monkeypatch):
    view = Tracker(output, TrackingConfig(), "mnist_5k")
    client = view._client
    run_id = client.create_run(view._experiment, tags={"nndl.run": name}).info.run_id
    (tmp_path / "stray.sh").write_text("exit")
    client.log_artifact(run_id, str(output / "runs" / "one" / "config.yaml"))
    client.log_artifact(run_id, str(tmp_path / "stray.sh"))
    assert name_of_run(output, TrackingConfig(), run_id) == name
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = find_run(run_id, str(output), TrackingConfig())
    assert tmp_path in found.directory.path.resolve().parents
    assert found.directory.config() == small()
    assert not (found.directory.path / "stray.sh").exists()
    view.find(name)


def test_a_record_that_mlflow_does_not_have_is_one_line(output, tmp_path):
    with pytest.raises(UserError, match="MLflow does not give the record"):
        download_record(output, TrackingConfig(), "0" * 32, tmp_path / "x")


@pytest.mark.parametrize("origin", ["{trial: ../../runs/one}", "{trial: 3}", "{run: 3}",
                                    "{run: demo/3}", "{run: [a, b, c]}", "{run: a/b/c/d}",
                                    "{run: a/../..}", "{run: a/../../b}", "[1]", "{}"])  # fmt: skip
def test_a_best_yaml_leads_to_its_own_trials_only(output, origin):
    folder = output / "studies" / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trials").mkdir(exist_ok=True)
    (folder / "best.yaml").write_text(f"origin: {origin}\n")
    with pytest.raises(UserError, match="does not say which run it is from"):
        find_run(str(folder / "best.yaml"), str(output), TrackingConfig())


@pytest.mark.parametrize("name", ["..", ".", "", "../runs", "demo/..", "a\nb"], ids=ascii)
def test_no_study_is_found_by_a_name_that_leads_away(output, name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert find_study(name, str(output)) is None


@pytest.mark.parametrize(
    ("module", "words", "message"),
    [
        ("sweep", ["study.name=../x"], "study.name must be 1 to 100 letters"),
        ("sweep", ["output=" + "x" * 300, "strategy=joint"], "can't be used: File name too long"),
        ("train", ["from=" + "x" * 300], "can't be read: File name too long"),
        ("evaluate", ["x" * 300], "can't be used: File name too long"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_the_command_line_answers_in_one_printable_line(cli, module, words, message):
    line = cli.refused(f"nndl_exp.{module}", *words)
    assert message in line
    assert line.isprintable()
    assert list(cli.folder.iterdir()) == []


def test_error_lines_have_nothing_that_a_terminal_obeys(capsys):
    @errors.one_line_errors
    def command() -> None:
        raise UserError("no such run: \x1b[2J\x07\u202e\udc80 数据 é\r\nx")

    with pytest.raises(SystemExit) as end:
        command()
    assert end.value.code == 2
    expected = "error: no such run: \\x1b[2J\\x07\\u202e\\udc80 数据 é x\n"
    assert capsys.readouterr().err == expected


def staged(output: Path, **trials: list[int]) -> None:
    """The folders of a study whose stages have trials of these numbers."""
    for key, numbers in trials.items():
        for number in numbers:
            folder = output / "studies" / "s" / "stages" / key / "trials" / str(number)
            RunDirectory(folder).create(small(), check(small()))
    (output / "studies" / "s" / "study.yaml").write_text("format: 2\n")


@pytest.mark.parametrize(
    ("trials", "found"),
    [
        ({"joint": [17]}, "s/joint/17"),
        ({"learning_rate": [17], "joint": [17], "winner": [17]}, "s/joint/17"),
        ({"learning_rate": [17], "joint": [3]}, "s/learning_rate/17"),
        ({"winner": [17]}, "s/winner/17"),
    ],
)
def test_a_number_alone_is_a_trial_of_the_joint_search(tmp_path, trials, found):
    staged(tmp_path, **trials)
    assert find_run("s/17", str(tmp_path), TrackingConfig()).name == found
    assert find_run(found, str(tmp_path), TrackingConfig()).name == found


def test_a_number_that_several_stages_have_is_refused_with_the_candidates(tmp_path):
    staged(tmp_path, learning_rate=[17], winner=[17], joint=[3])
    with pytest.raises(UserError) as error:
        find_run("s/17", str(tmp_path), TrackingConfig())
    assert str(error.value) == (
        "s/17 must name one trial: there are s/learning_rate/17, s/winner/17"
    )
    with pytest.raises(UserError, match=r"no such run: s/18 \(give a name such as STUDY/17"):
        find_run("s/18", str(tmp_path), TrackingConfig())


@pytest.mark.parametrize("path", ["/trials/7", "/a/trials/7", "trials/7"])
def test_a_run_in_a_folder_called_trials_need_not_be_a_studys(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunDirectory(Path(path)).name == "7"


def test_an_error_about_many_other_settings_is_short(tmp_path):
    name = f"study.name={'x' * 100}"
    deep = ["search_space.network.hidden=null", f"network.hidden={[10] * 30}".replace(" ", "")]
    study_of(tmp_path, name, *deep, f"training.dropout={[0.1] * 30}".replace(" ", "")).create()
    words = ["search_space.network.hidden=null", f"network.hidden={[11] * 30}".replace(" ", ""),
             f"training.dropout={[0.2] * 30}".replace(" ", ""), "sampler=random", "seed=1",
             "study.seed=2", "training.epochs=9", "training.stopping.name=none"]  # fmt: skip
    with pytest.raises(UserError) as error:
        study_of(tmp_path, name, *words)
    said = str(error.value)
    assert "exists with other settings (run.network.hidden was (10, 10, 1...0, 10, 10), now" in said
    assert re.search(r"; and \d+ more\); give them again, or another study.name$", said)
    assert len(said) < 500
