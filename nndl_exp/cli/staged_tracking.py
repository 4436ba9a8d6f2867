"""Showing a study in stages in MLflow: while it runs, when it ends, and again at any time."""

import time
from collections.abc import Sequence

from nndl_exp.cli.optuna_tracking import SearchInOptuna
from nndl_exp.cli.study_tracking import best_metrics, draw_best, own_files, show, show_best
from nndl_exp.cli.tracker import make_tracker
from nndl_exp.config import flatten, to_mapping
from nndl_exp.report.captions import champion_caption, stage_caption, staged_caption, table, told
from nndl_exp.report.study_files import report_stage
from nndl_exp.run import measure_of
from nndl_exp.study.executors import SerialExecutor
from nndl_exp.study.stages.script import Decision
from nndl_exp.study.strategy import Stage, StagedStudy, ending
from nndl_exp.study.study import Trial
from nndl_exp.study.winner import winner
from nndl_exp.tracking.study_view import StudyView


class StagedViews:
    """A study in stages in MLflow: its run, below it one for each stage, below that the trials.

    MLflow is opened when the first trial has settled, since it takes seconds to start. This process
    draws: until a worker has imported what draws it is done. Where another process ``leads``
    nothing is shown, unless that one has gone when the study is complete. ``missed`` says what
    Optuna's database does not show.
    """

    def __init__(self, study: StagedStudy, *, leads: bool = True) -> None:
        self._study, self._leads = study, leads
        self._root: StudyView | None = None
        self._views: dict[str, StudyView] = {}
        self._optuna: dict[str, SearchInOptuna] = {}
        self.missed: str | None = None
        self._story: list[str] = []
        self._table = ""
        self._tracked = study.config.tracking.name != "none" and leads
        if not leads:
            return
        if study.config.tracking.uri:
            self._open()  # a server is asked at once whether it is there

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
        if self._leads:
            self._optuna.setdefault(stage.key, SearchInOptuna(stage)).log(trial)
        if self._tracked:
            show(self._stage(stage), stage, trial)

    def end(self, stage: Stage, trials: Sequence[Trial], decision: Decision | None) -> None:
        """A stage has ended, or was stopped: write its tables and pictures, and show them."""
        if not self._leads:
            return
        if stage.key in self._optuna:
            self.missed = self._optuna[stage.key].close() or self.missed
        if not self._tracked:
            report_stage(stage, trials)
            return
        best, files = winner(stage, trials), report_stage(stage, trials)
        if decision is not None:
            stage.conclude(decision)  # also where the study was killed before it was written down
            files.append(stage.directory / "decision.yaml")
            self._story.append(told(stage, decision))
        view = self._stage(stage)
        view.log_files(stage.directory, files)
        caption = stage_caption(stage, trials, decision)
        view.close(complete=decision is not None, caption=caption, metrics=best_metrics(best))
        if stage.is_search or not self._table:
            self._table = table(stage, trials)

    def close(self, ended: tuple[Stage, Trial] | None, *, complete: bool) -> None:
        """The study has ended, or was stopped; ``ended`` is the trial that it ended with."""
        if self._root is None:
            return
        if ended is not None:
            self._crown(*ended)
        for key, view in self._views.items():
            view.mark_best(ended[1].number if ended and key == ended[0].key else None)
            view.wait()
        self._root.log_files(self._study.directory, own_files(self._study.directory))
        caption = staged_caption(self._study, self._story, self._table, ended)
        metrics = best_metrics(ended[1] if ended else None)
        self._root.close(complete=complete, caption=caption, metrics=metrics)

    def _crown(self, stage: Stage, trial: Trial) -> None:
        view, name = self._stage(stage), f"{stage.name}/{trial.number}"
        show_best(view, trial, draw_best(SerialExecutor(), stage, trial))
        caption = champion_caption(self._study, name, trial)
        view.log_model(trial.number, stage.run_directory(trial.number), caption)

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

    def _all(self) -> list[StudyView]:
        return [*self._views.values(), *([self._root] if self._root else [])]

    def _stage(self, stage: Stage) -> StudyView:
        if stage.key not in self._views:
            root, caption = self._open(), stage_caption(stage)
            self._views[stage.key] = StudyView(
                self._tracker, stage.name, {"stage": stage.title}, caption, time.time(),
                root.run_id,
            )  # fmt: skip
        return self._views[stage.key]

    def _open(self) -> StudyView:
        if self._root is None:
            config, name = self._study.config, self._study.name
            title, measure = config.run.dataset.title, measure_of(config.run)
            self._tracker = make_tracker(config.output, config.tracking, title, measure)
            settings = dict(flatten(to_mapping(config.run)))
            settings |= {"strategy": config.strategy.name}
            caption = staged_caption(self._study)
            self._root = StudyView(self._tracker, name, settings, caption, time.time())
        return self._root
