"""Showing a study in MLflow: while it runs, when it ends, and again at any time."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path

from nndl_exp.cli.tracker import make_tracker
from nndl_exp.config import flatten, to_mapping
from nndl_exp.records import RunDirectory
from nndl_exp.report.analysis import Analysis, analyse
from nndl_exp.report.curves import draw
from nndl_exp.report.study_files import start_drawing, write_tables
from nndl_exp.study import executors
from nndl_exp.study.study import Study, Trial
from nndl_exp.tracking.study_view import StudyView


def open_view(study: Study) -> StudyView:
    """The view of a study, with its parent run.

    Raises:
        UserError: MLflow does not answer.
    """
    config = study.config
    tracker = make_tracker(config.output, config.tracking, config.run.dataset.name)
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
) -> tuple[StudyView | None, Analysis]:
    """Write a study's report, and show it with the curves of all trials and the winner's model.

    Workers draw, all processors being free now, while this process writes and logs.

    Returns:
        The view, None without tracking; and what the trials say.
    """
    with _pool(study) as executor:
        tracked = study.config.tracking.name != "none"
        # First: the workers have something to do while this process imports what analyses.
        curves = [executor.submit(draw, *_curves_of(study, trial)) for trial in trials if tracked]
        analysis = analyse(study, trials)
        drawings = start_drawing(executor, analysis, study)
        files = write_tables(study, trials)
        if not tracked:
            _paths(drawings)
            return None, analysis
        view = view or open_view(study)
        settings = [study.directory / name for name in ("study.yaml", "best.yaml")]
        files += [path for path in settings if path.exists()]
        view.log_study(study.directory, files, _winner(study, best))
        for trial, curve in zip(trials, curves, strict=True):
            view.log_figure(trial.number, curve.result())
        view.log_study(study.directory, _paths(drawings), None)
    view.close(complete=complete, tags=_tags(study, trials, best, complete), metrics=_metrics(best))
    return view, analysis


def _paths(drawings: "Sequence[Future[list[Path]]]") -> list[Path]:
    return [path for drawing in drawings for path in drawing.result()]


@contextmanager
def _pool(study: Study) -> Iterator[Executor]:
    workers = executors.count(study.config.workers, study.config.executor.name)
    with executors.EXECUTORS[study.config.executor.name](workers) as executor:
        yield executor


def _curves_of(study: Study, trial: Trial) -> tuple[RunDirectory, str]:
    return study.run_directory(trial.number), f"{study.name}/{trial.number}"


def _winner(study: Study, best: Trial | None) -> tuple[int, RunDirectory] | None:
    return None if best is None else (best.number, study.run_directory(best.number))


def _tags(
    study: Study, trials: Sequence[Trial], best: Trial | None, complete: bool
) -> dict[str, str]:
    tags = {"nndl.trials": str(len(trials)), "nndl.complete": str(complete).lower()}
    return tags if best is None else {**tags, "nndl.winner": f"{study.name}/{best.number}"}


def _metrics(best: Trial | None) -> dict[str, float]:
    if best is None:
        return {}
    return {
        "best_validation_accuracy": best.result.validation_accuracy or 0.0,
        "best_validation_cost": best.result.validation_cost or 0.0,
    }
