"""Showing a study in MLflow: while it runs, when it ends, and again at any time."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from types import TracebackType

from nndl_exp.cli.optuna_tracking import SearchInOptuna
from nndl_exp.cli.tracker import make_tracker
from nndl_exp.config import flatten, to_mapping
from nndl_exp.report.analysis import Analysis, analyse
from nndl_exp.report.captions import (
    champion_caption,
    search_caption,
    trial_caption,
)
from nndl_exp.report.curves import draw
from nndl_exp.report.study_files import start_drawing, write_tables
from nndl_exp.report.weights import draw_weights
from nndl_exp.run import measure_of
from nndl_exp.study import executors
from nndl_exp.study.study import Study, Trial
from nndl_exp.tracking.entities import BEST
from nndl_exp.tracking.study_view import StudyView

_FILES = ("study.yaml", "best.yaml", "report.html")
"""What is kept with a study's run, where it is there, beside tables and figures."""


def open_view(study: Study) -> StudyView:
    """The view of a study, with its parent run.

    Raises:
        UserError: MLflow does not answer.
    """
    config, measure = study.config, measure_of(study.config.run)
    tracker = make_tracker(config.output, config.tracking, config.run.dataset.title, measure)
    caption = search_caption(study, [], None)
    first = study.run_directory(0).result()
    started = first.started if first else time.time()
    return StudyView(tracker, study.name, _params(study), caption, started)


def show(view: StudyView, study: Study, trial: Trial) -> None:
    """Show a settled trial of a study, or of a stage."""
    directory = study.run_directory(trial.number)
    view.log(trial.number, directory, study.dataset, trial_caption(study, trial))


def _params(study: Study) -> dict[str, object]:
    """What is the same for all trials, under the names it has there, and how they are searched."""
    settings = to_mapping(study.config)
    fixed = dict(flatten(settings["run"]))
    for name in study.space.settings:
        del fixed[name]
    how = {key: settings[key] for key in ("search_space", "sampler", "pruner", "study")}
    how["study"] = {**how["study"], "name": study.name}
    for changing in ("n_trials", "budget", "max_retries", "give_up_after", "dry_run"):
        del how["study"][changing]  # MLflow's params can't change, these may
    return fixed | dict(flatten(how))


def finish(
    study: Study,
    view: StudyView | None,
    trials: Sequence[Trial],
    best: Trial | None,
    executor: Executor,
    *,
    complete: bool,
) -> tuple[StudyView | None, Analysis]:
    """Write a study's report, and show it with the winner's pictures and model.

    ``executor``'s workers draw, all processors being free now, while this process writes and logs.

    Returns:
        The view, None without tracking; and what the trials say.
    """
    tracked = study.config.tracking.name != "none"
    # First: the workers have something to do while this process imports what analyses.
    pictures = draw_best(executor, study, best) if tracked else []
    analysis = analyse(study, trials)
    drawings = start_drawing(executor, analysis, study)
    files = write_tables(study, trials)
    if not tracked:
        _paths(drawings)
        return None, analysis
    view = view or open_view(study)
    view.log_files(study.directory, files + own_files(study.directory))
    if best is not None:
        show_best(view, best, pictures)
        name = f"{study.name}/{best.number}"
        directory = study.run_directory(best.number)
        view.log_model(best.number, directory, champion_caption(study, name, best))
    view.mark_best(best.number if best else None)
    view.log_files(study.directory, _paths(drawings))
    caption = search_caption(study, trials, best)
    view.close(complete=complete, caption=caption, metrics=best_metrics(best))
    return view, analysis


def own_files(folder: Path) -> list[Path]:
    """The files of a study's folder that are kept with its run."""
    return [path for name in _FILES if (path := folder / name).is_file()]


def draw_best(executor: Executor, study: Study, best: Trial | None) -> "list[Future[Path]]":
    """Have the pictures of the best trial drawn: of the others the UI draws curves by itself."""
    if best is None:
        return []
    directory, name = study.run_directory(best.number), f"{study.name}/{best.number}"
    pictures = [executor.submit(draw, directory, name)]
    if study.dataset.shape is not None:
        pictures.append(executor.submit(draw_weights, directory))
    return pictures


def show_best(view: StudyView, best: Trial, pictures: "Sequence[Future[Path]]") -> None:
    """Keep the pictures of the best trial with it, once they are drawn."""
    view.log_pictures(best.number, [picture.result() for picture in pictures])


def _paths(drawings: "Sequence[Future[list[Path]]]") -> list[Path]:
    return [path for drawing in drawings for path in drawing.result()]


class SharedView:
    """A study in MLflow and as a report, shown by one of the processes that run it.

    The process that leads shows every trial as it settles. If it has gone when the study is
    complete, the first of the others shows the whole study. As a context it stops leading at the
    end. MLflow is opened when the first trial has settled, unless it is at an address of its own.
    ``pool`` draws when it has nothing to train any more. ``missed`` says in the end what Optuna's
    database does not show.

    Raises:
        UserError: MLflow does not answer.
    """

    def __init__(self, study: Study, pool: executors.Pool) -> None:
        self._study, self._leadership, self._pool = study, study.leadership, pool
        self._view: StudyView | None = None
        self._optuna = SearchInOptuna(study)
        self.missed: str | None = None
        self._leads = self._leadership.take()
        if self._leads and study.config.tracking.uri:
            self._view = open_view(study)  # a server is asked at once whether it is there

    def __enter__(self) -> "SharedView":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        try:
            if self._view:
                self._view.wait()
            self.missed = self._optuna.close()
        finally:
            self._leadership.release()

    @property
    def page(self) -> str:
        """The part of the UI's address that shows the study; empty where another shows it."""
        return self._view.page if self._view else ""

    @property
    def outage(self) -> str | None:
        """Why MLflow does not show all of the study, if so."""
        return self._view.outage if self._view else None

    def log(self, trial: Trial) -> None:
        """Show a settled trial."""
        if self._leads:
            self._optuna.log(trial)
            # Our own database is opened here: MLflow takes seconds to start, and workers had better
            # use them to train.
            self._view = self._view or open_view(self._study)
            show(self._view, self._study, trial)

    def end(self, trials: Sequence[Trial], best: Trial | None, *, complete: bool) -> Analysis:
        """Show the study, which has ended or was stopped, unless another process does."""
        if not self._leads:
            if not complete or not self._leadership.succeeds(len(trials)):
                return analyse(self._study, trials)
            self._leads = True
            for trial in trials:
                self.log(trial)
        self._view, analysis = finish(
            self._study, self._view, trials, best, self._pool.open(), complete=complete
        )
        if complete:
            self._leadership.shown(len(trials))
        return analysis


def best_metrics(best: Trial | None) -> dict[str, float]:
    """What a study's own run is sorted by: what its best trial reached."""
    if best is None:
        return {}
    shown = measure_of(best.config).renamed(BEST)
    return {
        shown: best.result.validation_accuracy or 0.0,
        "best/validation_cost": best.result.validation_cost or 0.0,
    }
