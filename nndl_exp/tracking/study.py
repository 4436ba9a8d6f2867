"""A study in MLflow and in Optuna's database: while it runs, when it ends, and at any time."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from statistics import fmean

from nndl_exp.config import flatten, to_mapping
from nndl_exp.display.commands import Commands
from nndl_exp.display.figures.run import draw_learning_curves, draw_weights
from nndl_exp.display.figures.stages import draw_stage
from nndl_exp.display.files import write_tables
from nndl_exp.display.findings import StageFindings, stage_findings
from nndl_exp.display.report import sources_of, write_report
from nndl_exp.errors import UserError
from nndl_exp.run import measure_of
from nndl_exp.study import settings
from nndl_exp.study.running.members import Leadership
from nndl_exp.study.search import Trial, ranked
from nndl_exp.study.stages.stage import Decision, Stage
from nndl_exp.study.study import Study
from nndl_exp.study.summary import BEST as BEST_FILE
from nndl_exp.study.summary import ending, summary
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking.entities import BEST, SUMMARY
from nndl_exp.tracking.notes import Note, champion_note, stage_note, study_note, table, trial_note
from nndl_exp.tracking.optuna_view import OptunaView
from nndl_exp.tracking.tracker import Tracker

_FILES = (settings.FILE, BEST_FILE)
"""The files that are kept with a study's run, beside its tables, if they are there."""
_log = logging.getLogger(__name__)


class StudyTracker:
    """Shows a study in MLflow, unless that is ``tracking=none``, and its searches in Optuna's
    database; and writes its tables, its figures and its report.

    In MLflow the study is a run, below it are its stages, below those the trials. A thread of its
    own talks to MLflow, first when a trial has finished: training does not wait. Where another
    process ``leads`` nothing is shown, unless that one has gone when the study is complete.

    ``outage`` and ``missed`` say what MLflow and Optuna's database do not show.
    """

    def __init__(self, study: Study, *, leads: bool = True) -> None:
        self._study, self._leads = study, leads
        self._tracks = study.tracking.name != "none"
        self._tracker: Tracker | None = None
        self._outage: str | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tracking")
        self._asked: list[Future[None]] = []
        self._begun: set[str] = set()
        self._ended: dict[str, StageFindings] = {}
        self._optuna: dict[str, OptunaView] = {}
        self._story: list[tuple[Stage, Decision]] = []
        self._table = ""
        self.missed: str | None = None

    @property
    def page(self) -> str:
        """The part of the UI's address that shows the study; empty before it was opened."""
        self._wait()
        return self._tracker.page if self._tracker else ""

    @property
    def outage(self) -> str | None:
        """The reason why MLflow does not show all of the study, None if it does."""
        self._wait()
        return self._outage

    def log(self, stage: Stage, trial: Trial) -> None:
        """Show a finished trial of the stage."""
        if not self._leads:
            return
        search = stage.search
        if stage.key not in self._optuna:
            self._optuna[stage.key] = OptunaView(search)
        self._optuna[stage.key].log(trial)
        self._open(stage, trial)
        name, directory = f"{search.name}/{trial.number}", search.run_directory(trial.number)
        note = partial(trial_note, search, trial)
        self._ask(
            lambda tracker: tracker.log_run(name, directory, search.dataset, note(), search.name)
        )

    def end(
        self, stage: Stage, trials: Sequence[Trial], decision: Decision | None
    ) -> StageFindings:
        """A stage has ended, or was stopped: write its figures, and show them."""
        found = self._ended[stage.key] = stage_findings(stage, trials, decision)
        if not self._leads:
            return found
        if stage.key in self._optuna:
            self.missed = self._optuna[stage.key].close() or self.missed
        drawing = draw_stage(found)
        files = drawing.save(stage.search.directory / "figures", ("png",)) if drawing else []
        if decision is not None:
            # Also where the study was killed before it was written down.
            files.append(stage.conclude(decision))
            self._story.append((stage, decision))
        if stage.search.is_sampled or not self._table:
            self._table = table(stage.search, trials)
        if trials:
            name, note = stage.search.name, stage_note(stage, trials, decision)
            metrics = _summary(ranked(trials)[:1])
            self._ask(lambda tracker: tracker.log_files(name, files, stage.search.directory))
            self._close(name, trials, note, metrics, complete=decision is not None)
        return found

    def close(self, ended: tuple[Stage, Trial] | None, *, complete: bool) -> None:
        """The study has ended with a winner, if ``complete``, or was stopped; ``ended`` is the
        trial that it ended with."""
        if not self._leads or not self._ended:
            return
        study, folder = self._study, self._study.directory
        stages = list(self._ended.values())
        files = write_tables(folder, [stage.search for stage in stages])
        found = summary(study.config.output, study.name, at_end=True)
        try:
            files.append(write_report(sources_of(found, stages, study.tracking)))
        except OSError as e:  # the disk is full, say: what was trained is there all the same
            again = Commands(study.config.output).report(study.name)
            self.missed = f"the report can't be written ({e.strerror}); {again} writes it"
        files += [path for name in _FILES if (path := folder / name).is_file()]
        trials = [trial for stage in stages for trial in stage.trials]
        if not self._tracks or not trials:
            return
        self._crown(ended)
        self._ask(lambda tracker: tracker.log_files(study.name, files, folder))
        note = study_note(study, self._story, self._table, ended)
        metrics = _summary(self._replicates(ended[1]) if ended else [])
        self._close(study.name, trials, note, metrics, complete=complete)
        self._wait()

    def succeed(self, leadership: Leadership, trials: int) -> None:
        """The study is complete with so many trials: show it if the process that led has not."""
        if not self._leads and leadership.succeeds(trials):
            self._leads = True
            self.show_all()
        if self._leads:
            leadership.shown(trials)

    def show_all(self) -> None:
        """Show what has been recorded of all stages."""
        decision, shown = None, list[Stage]()
        for stage in self._study.stages():
            shown.append(stage)
            trials = stage.search.trials()
            for trial in trials:
                self.log(stage, trial)
            decision = stage.decision(time_is_up=(self._study.directory / BEST_FILE).is_file())
            self.end(stage, trials, decision)
        ended, complete = None, False
        if decision is not None and not decision.stop and not shown[-1].facts.later:
            ended, complete = ending(decision.config, shown), True
        self.close(ended, complete=complete)

    def _replicates(self, ended: Trial) -> list[Trial]:
        """The trials of the winner with new seeds, where the study has them; else the winner."""
        trials = self._ended["winner"].trials if "winner" in self._ended else ()
        return [trial for trial in trials if trial.replicates(ended.config)] or [ended]

    def _open(self, stage: Stage, trial: Trial) -> None:
        """Show a stage as running, and before the first one the study, since its first trial."""
        if stage.key in self._begun:
            return
        study, started = self._study, trial.result.started
        if not self._begun:
            values, note = _settings_of_study(study), study_note(study)
            self._ask(lambda tracker: tracker.open(study.name, values, note, started))
        self._begun.add(stage.key)
        values_, note_ = _settings_of_stage(stage), stage_note(stage)
        self._ask(
            lambda tracker: tracker.open(stage.search.name, values_, note_, started, study.name)
        )

    def _close(
        self,
        name: str,
        trials: Sequence[Trial],
        note: Note,
        metrics: Mapping[str, float],
        *,
        complete: bool,
    ) -> None:
        """End the run of the study or a stage when the last of its trials ended."""
        last = max(trial.result.ended for trial in trials)

        def close(tracker: Tracker) -> None:
            tracker.close(name, complete=complete, note=note, metrics=metrics, ended=last)

        self._ask(close)

    def _crown(self, ended: tuple[Stage, Trial] | None) -> None:
        """Mark the winner, and keep its pictures and its model with it."""
        study = self._study
        if ended is None:
            self._ask(lambda tracker: tracker.mark(study.name, None))
            return
        search, trial = ended[0].search, ended[1]
        directory, name = search.run_directory(trial.number), f"{search.name}/{trial.number}"
        pictures = [draw_learning_curves(directory, name)]
        if search.dataset.shape is not None:
            pictures.append(draw_weights(directory))
        note = champion_note(study, name, trial)
        self._ask(lambda tracker: tracker.mark(study.name, name))
        self._ask(lambda tracker: tracker.log_files(name, pictures, directory.path))
        self._ask(lambda tracker: tracker.log_model(name, directory, note))

    def _ask(self, action: Callable[[Tracker], object]) -> None:
        if self._tracks:
            self._asked.append(self._thread.submit(self._do, action))

    def _do(self, action: Callable[[Tracker], object]) -> None:
        if self._outage is not None:
            return
        start = time.monotonic()
        try:
            action(self._connected())
        except TrackingOutage as e:
            _log.debug("%s: MLflow does not answer: %s", self._study.name, e)
            self._outage = str(e)
        _log.debug("MLflow took %.2f s", time.monotonic() - start)

    def _connected(self) -> Tracker:
        if self._tracker is None:
            config, run = self._study.config, self._study.config.run
            title, measure = run.dataset.title, measure_of(run)
            try:
                self._tracker = Tracker(config.output, self._study.tracking, title, measure)
            except UserError as e:
                raise TrackingOutage(str(e)) from None
        return self._tracker

    def _wait(self) -> None:
        """Wait until all that was asked for is shown, or MLflow has stopped answering."""
        asked, self._asked = self._asked, []
        for action in asked:
            action.result()


def _settings_of_study(study: Study) -> Mapping[str, object]:
    """The params of a study's run: the settings that are not searched."""
    first = next(study.stages()).search
    searched = first.declared.settings if first.is_sampled else ()
    flat = flatten(to_mapping(study.config.run))
    values = {name: value for name, value in flat if name not in searched}
    return values | {"strategy": study.config.strategy.name}


def _settings_of_stage(stage: Stage) -> Mapping[str, object]:
    """The params of a stage's run: how its trials are sampled, if they are."""
    if not stage.search.is_sampled:
        return {"stage": stage.title}
    config = to_mapping(stage.search.config)
    how = {key: config[key] for key in ("search_space", "sampler", "pruner")}
    study = {
        key: value
        for key, value in config["study"].items()
        if f"study.{key}" not in settings.EXTENDABLE  # MLflow's params can't change, these may
    }
    return {"stage": stage.title, **dict(flatten({**how, "study": study}))}


def _summary(trials: Sequence[Trial]) -> dict[str, float]:
    """The metrics of a study or a stage: the means of some trials."""
    if not trials:
        return {}
    accuracy = measure_of(trials[0].config).renamed(BEST).replace("best/", SUMMARY)
    return {
        accuracy: fmean(trial.result.validation_accuracy or 0.0 for trial in trials),
        f"{SUMMARY}validation_cost": fmean(t.result.validation_cost or 0.0 for t in trials),
    }
