"""Small studies for tests, run in this process or by the real command line."""

from pathlib import Path

import pandas as pd

from nndl_exp.cli.hydra_config import compose
from nndl_exp.study.running.coordinator import Coordinator
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
    return Study(sweep_config(compose("sweep", [*SMALL, *words, f"output={output}"])))


def lead(study: Study) -> Coordinator:
    """Lead a study to its end in this process."""
    coordinator = Coordinator(study)
    numbers = [trial.number for trial in coordinator]
    assert numbers == sorted(numbers), "trials are told in the order of their numbers"
    return coordinator


def table(study: Study) -> pd.DataFrame:
    """All of a study's table that must not depend on timing."""
    return study.table().drop(columns="seconds")


def run_small(output: Path, *words: str) -> pd.DataFrame:
    study = study_of(output, *words)
    lead(study)
    return table(study)
