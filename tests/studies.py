"""Small studies of one stage for tests, run in this process or by the real command line."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import seconds
from nndl_exp.study import search as searches
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.study import Study
from nndl_exp.sweep import sweep_config

SMALL = (
    "tracking=none",
    "training.epochs=4",
    "dataset.training_size=300",
    "dataset.validation_size=100",
    "study.lag=4",
    "study.n_trials=14",
    "strategy=joint",
)
SERIAL = ("workers=1", "executor=serial")


def study_of(output: Path, *words: str) -> Study:
    study = Study(sweep_config(compose("sweep", [*SMALL, *words, f"output={output}"])))
    study.check()
    return study


def search_of(output: Path, *words: str) -> Search:
    """The only search of a study."""
    (stage,) = study_of(output, *words).stages()
    return stage.search


def lead(search: Search) -> Coordinator:
    """Run a search to its end in this process."""
    Study(search.config).create()
    budget = search.config.study.budget
    coordinator = Coordinator(search, budget=seconds(budget) if budget else None)
    numbers = [trial.number for trial in coordinator]
    assert numbers == sorted(numbers), "trials are told in the order of their numbers"
    return coordinator


def table(search: Search) -> pd.DataFrame:
    """All of a search's table that must not depend on timing."""
    return searches.table([search]).drop(columns="seconds")


def run_small(output: Path, *words: str) -> pd.DataFrame:
    search = search_of(output, *words)
    lead(search)
    return table(search)


def show_in_optuna(search: Search, trials: Iterable[Trial]) -> str | None:
    """Show trials in Optuna's database; returns a line if it does not take them."""
    from nndl_exp.tracking.optuna_view import OptunaView

    view = OptunaView(search)
    for trial in trials:
        view.log(trial)
    return view.close()
