"""Showing a study in MLflow: while it runs, when it ends, and again at any time."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nndl_exp.cli.tracker import make_tracker
from nndl_exp.config import flatten, to_mapping
from nndl_exp.report.curves import draw
from nndl_exp.run import measure_of
from nndl_exp.study import executors
from nndl_exp.study.study import Study, Trial
from nndl_exp.tracking.study_view import StudyView


def open_view(study: Study) -> StudyView:
    """The view of a study, with its parent run.

    Raises:
        UserError: MLflow does not answer.
    """
    config = study.config
    tracker = make_tracker(config.output, config.tracking, config.run.dataset.title)
    text = (
        f"Study **{study.name}**: {study.space.describe()}\n\n"
        f"Reproduce it: `python -m nndl_exp.reproduce {study.directory}`"
    )
    first = study.run_directory(0).result()
    started = first.started if first else time.time()
    return StudyView(tracker, study.name, _params(study), text, started)


def _params(study: Study) -> dict[str, object]:
    """What is the same for all trials, under the names it has there, and how they are searched."""
    settings = to_mapping(study.config)
    fixed = dict(flatten(settings["run"]))
    for name in study.space.settings:
        del fixed[name]
    how = {key: settings[key] for key in ("search_space", "sampler", "pruner", "study")}
    how["study"] = {**how["study"], "name": study.name}
    for changing in ("n_trials", "budget", "max_retries"):
        del how["study"][changing]  # MLflow's params can't change, these may
    return fixed | dict(flatten(how))


def finish(
    study: Study,
    view: StudyView | None,
    trials: Sequence[Trial],
    best: Trial | None,
    *,
    complete: bool,
) -> StudyView | None:
    """Draw and keep the curves, the study's files and the winner's model; None without tracking."""
    if study.config.tracking.name == "none":
        return None
    view = view or open_view(study)
    tags = {"nndl.trials": str(len(trials)), "nndl.complete": str(complete).lower()}
    metrics: dict[str, float] = {}
    winner = None
    if best is not None:
        winner = best.number, study.run_directory(best.number)
        tags["nndl.winner"] = f"{study.name}/{best.number}"
        accuracy = measure_of(best.config).renamed("best_validation_accuracy")
        metrics[accuracy] = best.result.validation_accuracy or 0.0
        metrics["best_validation_cost"] = best.result.validation_cost or 0.0
    files = [study.directory / name for name in ("study.yaml", "best.yaml", "trials.csv")]
    present = [path for path in files if path.exists()]
    with _draw_all(study, trials) as paths:
        view.log_study(present, winner)
        for trial, path in zip(trials, paths, strict=True):
            view.log_figure(trial.number, path)
    view.close(complete=complete, tags=tags, metrics=metrics)
    return view


@contextmanager
def _draw_all(study: Study, trials: Sequence[Trial]) -> Iterator[Iterator[Path]]:
    """Draw the learning curves of all trials, on all processors now that training is over."""
    workers = executors.count(study.config.workers, study.config.executor.name)
    names = [f"{study.name}/{trial.number}" for trial in trials]
    directories = [study.run_directory(trial.number) for trial in trials]
    with executors.EXECUTORS[study.config.executor.name](workers) as executor:
        yield executor.map(draw, directories, names)
