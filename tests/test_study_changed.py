"""A study whose data or settings changed under its name is refused before anything is written."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nndl_exp.cli.hydra_config import compose
from nndl_exp.errors import UserError
from nndl_exp.evaluate import main as evaluate
from nndl_exp.reproduce import main as reproduce
from nndl_exp.study.study import Study
from nndl_exp.sweep import main as sweep
from nndl_exp.sweep import sweep_config
from nndl_exp.train import main as train

TABLE = ("dataset=table", "dataset.path=rows.csv", "dataset.target=is", "tracking=none",
         "network.hidden=[6]", "training.epochs=3", "training.mini_batch_size=10")  # fmt: skip
STAGES = ("strategy.stages=[learning_rate,joint]", "strategy.epochs=300", "training.eta=0.5",
          "strategy.options.learning_rate.epochs=2", "study.n_trials=3", "study.name=named",
          "search_space.training.mini_batch_size.high=40", "executor=serial")  # fmt: skip
ONE_SEARCH = (*STAGES[4:], "strategy=joint")


def write_rows(path: Path, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(300, 2))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "is": np.where(x.sum(1) > 0, "up", "down")})
    frame.to_csv(path, index=False)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "rows.csv", 0)
    return tmp_path


def staged(*words: str) -> Study:
    return Study(sweep_config(compose("sweep", [*TABLE, *STAGES, *words])))


def begin(trials: int) -> None:
    """Lead the study in stages until so many trials have settled."""
    led = staged().run()
    for _ in range(trials):
        next(led)
    led.close()


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and "lock" not in p.name
    }


def refused(capsys, command, *words: str) -> str:
    """The one line with which a command refuses."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        command(list(words))
    error = capsys.readouterr().err
    assert ended.value.code == 2, error
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("words", [STAGES, ONE_SEARCH], ids=["stages", "one search"])
def test_changed_data_are_refused_before_anything_is_written(folder, capsys, words):
    if words == STAGES:
        begin(trials=2)
    else:
        with pytest.raises(SystemExit):
            sweep([*TABLE, *words])
    write_rows(folder / "rows.csv", 1)
    before = content(folder / "nndl-output")
    error = refused(capsys, sweep, *TABLE, *words)
    assert "the study named must have the data that it was begun with (sha256" in error
    assert content(folder / "nndl-output") == before


def test_commands_that_read_a_study_refuse_changed_data(folder, capsys):
    begin(trials=4)
    write_rows(folder / "rows.csv", 1)
    before = content(folder / "nndl-output")
    assert "the dataset has changed" in refused(capsys, reproduce, "named")
    assert "the dataset has changed" in refused(capsys, reproduce, "named/learning_rate/0")
    assert "the dataset has changed" in refused(
        capsys, evaluate, "named/learning_rate/0", "--unfinished"
    )
    assert content(folder / "nndl-output") == before


def test_data_that_change_between_two_stages_end_the_study(folder):
    """The stages before were led on other rows: no trial of a later one is proposed."""
    trials, joint = 0, folder / "nndl-output/studies/named/stages/joint"
    with pytest.raises(UserError, match="the study named must have the data that it was begun"):
        for stage, _ in staged().run():
            trials += 1
            if stage.key == "learning_rate" and stage.decision() is not None:
                write_rows(folder / "rows.csv", 1)
    assert trials
    assert not joint.exists()
    records = list((folder / "nndl-output").glob("studies/*/**/provenance.json"))
    assert len({json.loads(path.read_bytes())["data"] for path in records}) == 1


def test_a_training_that_goes_on_refuses_changed_data(folder, capsys):
    train([*TABLE, "training.epochs=2"])
    (run,) = (folder / "nndl-output/runs").glob("*/result.json")
    run.unlink()  # as if it had been killed before
    write_rows(folder / "rows.csv", 1)
    assert "the dataset has changed" in refused(capsys, train, *TABLE, "training.epochs=2")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("study.seed=7", "study.seed was 0, now 7"),
        ("study.enqueue=[{training.eta: 0.7}]", "study.enqueue was"),
        ("search_space.training.eta.high=2", "search_space.training.eta.high was"),
        ("seed=3", "run.seed was 0, now 3"),
        ("strategy.epochs=400", "strategy.epochs was 300, now 400"),
        ("pruner=none", "pruner.name was"),
    ],
)
def test_other_settings_under_the_name_of_a_study_in_stages_are_refused(folder, word, said, capsys):
    staged().create()
    before = content(folder / "nndl-output")
    error = refused(capsys, sweep, *TABLE, *STAGES, word)
    assert "the study named exists with other settings" in error
    assert said in error
    assert content(folder / "nndl-output") == before
