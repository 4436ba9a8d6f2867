"""A small study with every stage, for the tests that lead one or look at it."""

from pathlib import Path

from nndl_exp.cli.hydra_config import compose
from nndl_exp.study import executors
from nndl_exp.study.study import Study
from nndl_exp.sweep import sweep_config

STAGES = ("any_learning", "learning_rate", "epochs", "regularization", "mini_batch_size",
          "architecture", "schedule", "joint", "winner")  # fmt: skip
SMALL = (
    "strategy=chapter3",
    f"strategy.stages=[{','.join(STAGES)}]",
    "strategy.epochs=60",
    "strategy.options.any_learning.images=200",
    "strategy.options.learning_rate.epochs=3",
    "strategy.options.epochs.epochs=12",
    "strategy.options.regularization.decades=1",
    "strategy.options.architecture.widest=40",
    "strategy.options.winner.candidates=2",
    "dataset.training_size=300",
    "dataset.validation_size=200",
    "network.hidden=[8]",
    "training.eta=10",
    "training.lmbda=100",
    "study.n_trials=6",
    "study.lag=2",
    "study.name=small",
)
NO_TRACKING, SERIAL = ("tracking=none",), ("executor=serial",)


def study_of(output: Path, *words: str) -> Study:
    study = Study(sweep_config(compose("sweep", [*SMALL, *words, f"output={output}"])))
    study.check()
    return study


def lead(study: Study) -> None:
    kind = study.config.executor.name
    pool = executors.Pool(kind, executors.count(study.config.workers, kind))
    try:
        for stage, coordinator in study.lead(pool):
            list(coordinator)
            decision = stage.decision()
            assert decision is not None
            stage.conclude(decision)
    finally:
        pool.close()


def led(output: Path) -> Study:
    """The study, led to its end."""
    study = study_of(output, *NO_TRACKING, *SERIAL)
    lead(study)
    return study
