"""A study without a usable winner says so: no winner, no best.yaml, status 1, and why, last."""

from pathlib import Path

import numpy as np
import pytest

from nndl_exp.cli.hydra_config import compose
from nndl_exp.study.stages.chapter3 import STAGES
from nndl_exp.study.study import Study
from nndl_exp.study.summary import summary
from nndl_exp.sweep import main, sweep_config

SMALL = (
    "dataset=digits_8x8",
    "dataset.training_size=100",
    "dataset.validation_size=50",
    "network.hidden=[5]",
    "training.epochs=2",
    "study.name=small",
    "study.n_trials=12",
    "tracking=none",
    "executor=serial",
    "workers=1",
)
DIVERGING = (
    *SMALL,
    "network=relu",
    "network.output=linear",
    "network.cost=quadratic",
    "training.eta=1e30",
)


def sweep(output: Path, capsys, *words: str) -> tuple[int, list[str]]:
    """The exit status of a sweep in this process, and the lines that it prints."""
    with pytest.raises(SystemExit) as ended:
        main([*words, f"output={output}"])
    return ended.value.code, capsys.readouterr().out.splitlines()


def check_none(output: Path, status: int, lines: list[str]) -> None:
    assert status == 1
    assert not [line for line in lines if line.startswith(("winner  ", "saved  ", "evaluate  "))]
    assert not list(output.glob("**/best.yaml"))
    assert lines[-1].startswith("no winner  "), lines[-3:]
    assert summary(output, "small").best is None


@pytest.mark.parametrize("key", [*STAGES, "joint"])
def test_a_stage_in_which_everything_diverges_finds_no_winner(tmp_path, capsys, key):
    status, lines = sweep(tmp_path, capsys, *DIVERGING, f"strategy.stages=[{key}]")
    check_none(tmp_path, status, lines)
    assert "diverge" in lines[-1] or "failed" in lines[-1]


@pytest.mark.parametrize("stages", ["regularization,joint,winner", "epochs,joint", "joint,winner"])
def test_where_everything_diverges_no_later_stage_finds_a_winner(tmp_path, capsys, stages):
    words = ("study.give_up_after=0", "study.n_trials=3", f"strategy.stages=[{stages}]")
    status, lines = sweep(tmp_path, capsys, *DIVERGING, *words)
    check_none(tmp_path, status, lines)


def test_a_stage_that_gives_up_leaves_no_winner_of_the_one_before(tmp_path, capsys):
    words = ("strategy.stages=[regularization,joint]",)
    status, lines = sweep(tmp_path, capsys, *DIVERGING, *words)
    check_none(tmp_path, status, lines)
    assert "the first 10 trials all failed" in lines[-1]


def test_a_search_in_which_no_trial_completes_has_status_1(tmp_path, capsys):
    words = ("strategy=joint", "study.n_trials=2")
    status, lines = sweep(tmp_path, capsys, *DIVERGING, *words)
    check_none(tmp_path, status, lines)
    assert "no trial trained to its end" in lines[-1]


@pytest.mark.parametrize("strategy", ["joint", "chapter3"])
def test_a_clock_that_runs_out_before_there_is_a_winner_has_status_1(tmp_path, capsys, strategy):
    words = (f"strategy={strategy}", "study.budget=0.5s", "training.epochs=1000000",
             "strategy.options.any_learning.epochs=1000000", "training.stopping.name=none",
             "pruner=none")  # fmt: skip
    if strategy == "joint":
        words = tuple(word for word in words if "any_learning" not in word)
    status, lines = sweep(tmp_path, capsys, *SMALL, *words)
    check_none(tmp_path, status, lines)
    assert "the time is up" in lines[-1]


def test_the_winner_is_judged_with_seeds_that_no_search_used(tmp_path):
    """Whatever seed the run has, and whatever the earlier stages counted on from it."""
    for seed in (998, 1000, 1003):
        words = (*SMALL, f"seed={seed}", "strategy.stages=[learning_rate,joint,winner]",
                 "study.n_trials=4", f"study.name=seed{seed}", "strategy.epochs=100",
                 f"output={tmp_path}")  # fmt: skip
        study = Study(sweep_config(compose("sweep", words)))
        list(study.run())
        *searches, winner = study.stages()
        used = {trial.config.seed for stage in searches for trial in stage.search.trials()}
        new = {trial.config.seed for trial in winner.search.trials()}
        assert used == {seed, seed + 1, seed + 2}
        assert len(new) >= 2
        assert not used & new
        assert all(not t.result.reason.startswith("same as") for t in winner.search.trials())


@pytest.mark.parametrize("stage", ["learning_rate", "epochs", "winner"])
def test_a_large_seed_is_taken_or_refused(tmp_path, capsys, stage):
    words = (*SMALL, "seed=3000000000", f"strategy.stages=[{stage}]")
    status, lines = sweep(tmp_path, capsys, *words)
    assert status == 0, lines
    with pytest.raises(SystemExit) as ended:
        main([*SMALL, f"seed={2**60}", f"output={tmp_path}"])
    assert ended.value.code == 2
    assert "seed must be less than or equal to" in capsys.readouterr().err


def test_numpy_takes_the_largest_seed():
    assert np.random.SeedSequence(2**52).generate_state(1).size == 1
