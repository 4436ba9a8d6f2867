"""Showing a study in MLflow: while it runs, when it ends, and again at any time."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from nndl_exp.cli.tracker import make_tracker
from nndl_exp.config import flatten, to_mapping
from nndl_exp.records import RunDirectory
from nndl_exp.report.analysis import Analysis, analyse
from nndl_exp.report.curves import draw
from nndl_exp.report.study_files import report_stage, start_drawing, write_tables
from nndl_exp.run import measure_of
from nndl_exp.study import executors
from nndl_exp.study.script import Decision
from nndl_exp.study.strategy import Stage, StagedStudy, ending
from nndl_exp.study.study import Study, Trial
from nndl_exp.tracking.client import check_database
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
    for changing in ("n_trials", "budget", "max_retries", "give_up_after", "dry_run"):
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


class SharedView:
    """A study in MLflow and as a report, shown by one of the processes that run it.

    The process that leads shows every trial as it settles. If it has gone when the study is
    complete, the first of the others shows the whole study. As a context it stops leading at the
    end. MLflow is opened when the first trial has settled, unless it is at an address of its own.

    Raises:
        UserError: MLflow does not answer.
    """

    def __init__(self, study: Study) -> None:
        self._study, self._leadership = study, study.leadership
        self._view: StudyView | None = None
        self._leads = self._leadership.take()
        if self._leads and study.config.tracking.uri:
            self._view = open_view(study)  # a server is asked at once whether it is there
        elif self._leads and study.config.tracking.name == "mlflow":
            check_database(study.config.output)

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
            # Our own database is opened here: MLflow takes seconds to start, and workers had better
            # use them to train.
            self._view = self._view or open_view(self._study)
            directory = self._study.run_directory(trial.number)
            self._view.log(trial.number, directory, self._study.dataset)

    def end(self, trials: Sequence[Trial], best: Trial | None, *, complete: bool) -> Analysis:
        """Show the study, which has ended or was stopped, unless another process does."""
        if not self._leads:
            if not complete or not self._leadership.succeeds(len(trials)):
                return analyse(self._study, trials)
            self._leads = True
            for trial in trials:
                self.log(trial)
        self._view, analysis = finish(self._study, self._view, trials, best, complete=complete)
        if complete:
            self._leadership.shown(len(trials))
        return analysis


class StagedViews:
    """A study in stages in MLflow: its run, below it one for each stage, below that the trials.

    MLflow is opened when the first trial has settled, since it takes seconds to start. ``pool``
    draws, between the stages, when it has nothing to train. Where another process ``leads`` nothing
    is shown, unless that one has gone when the study is complete.
    """

    def __init__(self, study: StagedStudy, pool: executors.Pool, *, leads: bool = True) -> None:
        self._study, self._pool, self._leads = study, pool, leads
        self._root: StudyView | None = None
        self._views: dict[str, StudyView] = {}
        self._story: list[str] = []
        self._tracked = study.config.tracking.name != "none" and leads
        if not leads:
            return
        if study.config.tracking.uri:
            self._open()  # a server is asked at once whether it is there
        elif self._tracked:
            check_database(study.config.output)

    @property
    def page(self) -> str:
        """The part of the UI's address that shows the study; empty before it was opened."""
        return self._root.page if self._root else ""

    @property
    def outage(self) -> str | None:
        """Why MLflow does not show all of the study, if so."""
        return next((view.outage for view in self._all() if view.outage), None)

    def log(self, stage: Stage, trial: Trial) -> None:
        """Show a settled trial of the stage."""
        if self._tracked:
            directory = stage.run_directory(trial.number)
            self._stage(stage).log(trial.number, directory, stage.dataset)

    def end(self, stage: Stage, trials: Sequence[Trial], decision: Decision | None) -> None:
        """A stage has ended, or was stopped: write its tables and pictures, and show them."""
        if not self._leads:
            return
        if not self._tracked:
            report_stage(stage, trials)
            return
        executor = self._pool.open()
        curves = [executor.submit(draw, *_curves_of(stage, trial)) for trial in trials]
        files = report_stage(stage, trials, executor=executor)
        if decision is not None:
            stage.conclude(decision)  # also where the study was killed before it was written down
            files.append(stage.directory / "decision.yaml")
        view = self._stage(stage)
        for trial, curve in zip(trials, curves, strict=True):
            view.log_figure(trial.number, curve.result())
        view.log_study(stage.directory, files, None)
        tags = {"nndl.trials": str(len(trials)), "nndl.complete": str(decision is not None).lower()}
        if decision is not None:
            tags["nndl.decided"] = "; ".join(decision.words)[:5000]
            tags["mlflow.note.content"] = "\n\n".join(decision.words)
            self._story.append(f"**{stage.title}**: {'; '.join(decision.words)}")
        view.close(complete=decision is not None, tags=tags, metrics={})

    def close(self, ended: tuple[Stage, Trial] | None, *, complete: bool) -> None:
        """The study has ended, or was stopped; ``ended`` is the trial that it ended with."""
        if self._root is None:
            return
        directory, tags, metrics = self._study.directory, {}, {}
        if ended is not None:
            stage, trial = ended
            tags = {"nndl.winner": f"{stage.name}/{trial.number}"}
            metrics = _metrics(trial)
            self._stage(stage).log_study(stage.directory, [], _winner(stage, trial))
        settings = [directory / name for name in ("study.yaml", "best.yaml")]
        self._root.log_study(directory, [path for path in settings if path.exists()], None)
        tags["nndl.complete"] = str(complete).lower()
        tags["mlflow.note.content"] = "\n\n".join([self._text(), *self._story])
        self._root.close(complete=complete, tags=tags, metrics=metrics)

    def succeed(self, trials: int) -> None:
        """The study is complete with so many trials: show it if the process that led has not."""
        leadership = self._study.leadership
        if not self._leads and leadership.succeeds(trials):
            self._leads = True
            self._tracked = self._study.config.tracking.name != "none"
            self.show_all()
        if self._leads:
            leadership.shown(trials)

    def show_all(self) -> None:
        """Show what has been recorded of all stages."""
        shown: list[Stage] = []
        decision = None
        for stage in self._study.stages():
            shown.append(stage)
            trials = stage.trials()
            for trial in trials:
                self.log(stage, trial)
            decision = stage.decision()
            self.end(stage, trials, decision)
        ended = decision is not None and not decision.stop
        self.close(ending(decision.config, shown) if decision and ended else None, complete=ended)

    def _text(self) -> str:
        name, stages = self._study.name, ", ".join(self._study.config.strategy.stages)
        return (
            f"Study **{name}** in stages: {stages}\n\n"
            f"Reproduce it: `python -m nndl_exp.reproduce {name}`"
        )

    def _all(self) -> list[StudyView]:
        return [*self._views.values(), *([self._root] if self._root else [])]

    def _stage(self, stage: Stage) -> StudyView:
        if stage.key not in self._views:
            root = self._open()
            self._views[stage.key] = StudyView(
                self._tracker, stage.name, {"stage": stage.title}, stage.title, time.time(),
                root.run_id,
            )  # fmt: skip
        return self._views[stage.key]

    def _open(self) -> StudyView:
        if self._root is None:
            config, name = self._study.config, self._study.name
            self._tracker = make_tracker(config.output, config.tracking, config.run.dataset.title)
            settings = dict(flatten(to_mapping(config.run)))
            settings |= {"strategy": config.strategy.name}
            self._root = StudyView(self._tracker, name, settings, self._text(), time.time())
        return self._root


@contextmanager
def _pool(study: Study) -> Iterator[Executor]:
    pool = executors.pool_of(study.config)
    try:
        yield pool.open()
    finally:
        pool.close()


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
        measure_of(best.config).renamed("best_validation_accuracy"): (
            best.result.validation_accuracy or 0.0
        ),
        "best_validation_cost": best.result.validation_cost or 0.0,
    }
