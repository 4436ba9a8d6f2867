"""Studies of the format before: refused in one line, which says what reads them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from studies import SERIAL, SMALL, study_of

from nndl_exp import evaluate, predict, report, reproduce, studies, sweep, sync, train
from nndl_exp.config import run_config
from nndl_exp.demo import __main__ as demo
from nndl_exp.yaml_file import read_yaml, to_yaml

WORDS = (*SMALL, *SERIAL, "study.n_trials=2", "training.epochs=1")
BEST = "studies/old/best.yaml"


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """A study of today, and one as version 0.1 left it: without stages and without a format."""
    output = tmp_path_factory.mktemp("format")
    list(study_of(output, *WORDS, "study.name=new").run())
    old = shutil.copytree(output / "studies/new", output / "studies/old")
    shutil.move(old / "stages/joint/trials", old / "trials")
    shutil.rmtree(old / "stages")
    settings = read_yaml(old / "study.yaml")
    settings.pop("format")
    settings["study"]["name"] = "old"
    (old / "study.yaml").write_text(to_yaml(settings))
    best = read_yaml(old / "best.yaml")
    best["origin"] = {"study": "old", "trial": 0, "trials": 2, "ended_by": "all trials"}
    (old / "best.yaml").write_text(to_yaml(best))
    np.savez(output / "x.npz", x=np.zeros((1, 784)))
    return output


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (sweep, [*WORDS, "study.name=old", "output={}"]),
        (evaluate, ["old", "--output", "{}"]),
        (evaluate, ["old/0", "--output", "{}"]),
        (evaluate, ["{}/studies/old/trials/0"]),
        (evaluate, ["{}/" + BEST]),
        (predict, ["old", "{}/x.npz", "--output", "{}"]),
        (demo, ["old", "--output", "{}"]),
        (sync, ["--output", "{}"]),
        (report, ["old", "--output", "{}"]),
        (reproduce, ["old", "--output", "{}"]),
        (reproduce, ["{}/studies/old"]),
        (studies, ["--output", "{}", "show", "old"]),
        (studies, ["--output", "{}", "compare", "new", "old"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value.__name__,
)
def test_an_older_study_is_refused_in_one_line(output, command, words, capsys):
    before = sorted(output.rglob("*"))
    with pytest.raises(SystemExit) as end:
        command.main([word.format(output) for word in words])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert error == (
        "error: the study old must have the format 2: got an older one, which nndl_exp 0.1 reads; "
        "train from=best.yaml still takes its result\n"
    )
    assert [p for p in output.rglob("*") if p not in before and p.name != ".lock"] == []


def test_a_format_that_is_still_to_come_is_refused(output, tmp_path, capsys):
    later = shutil.copytree(output / "studies/new", tmp_path / "studies/new")
    settings = read_yaml(later / "study.yaml") | {"format": 3}
    (later / "study.yaml").write_text(to_yaml(settings))
    with pytest.raises(SystemExit):
        studies.main(["--output", str(tmp_path), "show", "new"])
    assert capsys.readouterr().err == "error: the study new must have the format 2: got 3\n"


def test_the_list_has_the_other_studies_and_says_which_it_leaves_out(output, capsys):
    studies.main(["--output", str(output)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["study", "new", "left"]
    assert lines[-1].startswith("left out  the study old must have the format 2: got an older one")


def test_training_from_the_winner_of_an_older_study_works(output, tmp_path, capsys):
    shutil.copytree(output, tmp_path / "out")
    best = tmp_path / "out" / BEST
    train.main([f"from={best}", "tracking=none", f"output={tmp_path}/out", "seed=5"])
    (config,) = tmp_path.glob("out/runs/*/config.yaml")
    assert run_config(read_yaml(config)) == replace(run_config(read_yaml(best)), seed=5)
    evaluate.main([str(config.parent), "--output", f"{tmp_path}/out"])
    assert (best.parent / "test_set.json").is_file(), "it counts for the older study"
    # Which other studies of the folder do not mind.
    with pytest.raises(SystemExit, match="0"):
        sweep.main([*WORDS, "study.name=new", f"output={tmp_path}/out"])


def test_an_older_study_warms_a_new_one_up(output):
    study = study_of(output, *WORDS, "study.name=warm", "study.warm_start=old")
    assert [row.name for row in study.rows] == ["0", "1"]
