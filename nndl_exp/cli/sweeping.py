"""Running a study in the terminal: the plan, its stages as they are run, and how it ends."""

import gc
import logging
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial

from nndl_exp.cli.output import check_resources
from nndl_exp.config import SweepConfig, seconds
from nndl_exp.display.commands import command_of
from nndl_exp.display.terminal.live import StudyRegion
from nndl_exp.display.terminal.pace import Pace
from nndl_exp.display.terminal.screen import WARNING, Screen
from nndl_exp.display.terminal.study import Presentation
from nndl_exp.study import executors
from nndl_exp.study.forecast import forecast
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.running.members import Leadership
from nndl_exp.study.running.stop import Ended, Report
from nndl_exp.study.search import Trial
from nndl_exp.study.settings import keep_command
from nndl_exp.study.stages.stage import Decision, Stage
from nndl_exp.study.study import Study, expected_trials
from nndl_exp.study.summary import conclude, ending
from nndl_exp.tracking import outage_line
from nndl_exp.tracking.optuna_view import check_storage
from nndl_exp.tracking.study import StudyTracker

_log = logging.getLogger(__name__)


def sweep(config: SweepConfig, screen: Screen, words: Sequence[str] = ()) -> int:
    """Run a study and show it.

    Returns:
        The exit status: 0 if it has a winner, 130 or 143 if a signal stopped it, else 1.
    """
    study = Study(config)
    study.check()
    workers = executors.workers_of(config)
    if not config.study.dry_run:
        check_storage(config)
        finished = sum(1 for _ in study.directory.glob("stages/*/trials/*/result.json"))
        left = max(0, expected_trials(study) - finished)
        check_resources(config, study.tracking, study.dataset, runs=left, at_once=workers)
    expected = forecast(study, workers)
    show = Presentation(study, screen, expected)
    show.plan(workers)
    if config.study.dry_run:
        return 0
    gc.freeze()  # what has been imported stays: to look through it takes a quarter of a second
    pace = Pace(expected.speed, seconds(config.study.budget) if config.study.budget else None)
    start = Start(study, show, screen, StudyRegion(pace))
    page = start.lead(words)
    show.commands(words, page, start.ended, complete=start.complete)
    if not start.has_winner:
        show.no_winner(start.stopped, start.decision)
    if start.signal is not None:
        return 128 + start.signal
    return 0 if start.has_winner else 1


class Start:
    """One start of a study, shown while it is led to its end or to where it is stopped.

    ``decision`` is the last one; ``complete`` says that it ends the study, which has a winner only
    if it is a run. ``ended`` is the trial that trained the winner. ``stopped`` says why the study
    stopped early, ``signal`` is the one that stopped it.
    """

    def __init__(
        self, study: Study, show: Presentation, screen: Screen, region: StudyRegion
    ) -> None:
        self._study, self._show, self._screen, self._region = study, show, screen, region
        self._decided: list[Stage] = []
        self._trials, self._busy, self._idle = 0, 0.0, 0.0
        self.decision: Decision | None = None
        self.complete = self.has_winner = False
        self.ended: tuple[Stage, Trial] | None = None
        self.stopped: str | None = None
        self.signal: int | None = None

    def lead(self, words: Sequence[str]) -> str:
        """Run all stages, and return where the UI shows the study."""
        study, start = self._study, time.monotonic()
        leadership = Leadership(study.directory)
        try:
            with closing(executors.pool_of(study.config)) as pool:
                tracker = StudyTracker(study, leads=leadership.take())
                keep_command(study.directory, command_of(words))
                with self._screen.live(self._region):
                    for stage, coordinator in study.lead(pool):
                        if not self._lead_stage(stage, coordinator, tracker):
                            break
                    self._conclude(time.monotonic() - start)
                    tracker.close(self.ended, complete=self.has_winner)
                    if self.complete:
                        tracker.succeed(leadership, self._trials)
        finally:
            leadership.release()
        if tracker.outage:
            line = outage_line(tracker.outage, study.config.output, study.tracking)
            self._screen.tell(line, style=WARNING)
        if tracker.missed:
            self._screen.tell(tracker.missed, style=WARNING)
        return tracker.page

    def _lead_stage(self, stage: Stage, coordinator: Coordinator, tracker: StudyTracker) -> bool:
        """Run one stage to its decision; False where the study ends with it."""
        show, screen, region, start = self._show, self._screen, self._region, time.monotonic()
        position = len(self._decided) + 1
        trials: list[Trial] = []
        show.begin(position, stage)
        screen.change(partial(region.begin, show.watched(position, stage, coordinator.slots)))
        coordinator.say = partial(self._say, coordinator)
        for trial in coordinator:
            result = trial.result
            _log.debug("trial %d: %s after %.2f s", trial.number, result.state, result.seconds)
            screen.change(partial(region.add, trial))
            trials.append(trial)
            show.trial(trial)
            tracker.log(stage, trial)
        self._trials += len(trials)
        decision = self._decide(stage, coordinator.report)
        if decision is not None:
            show.decided(stage, decision, ends=self.complete or not stage.facts.later)
        _log.debug("%s took %.1f s", stage.search.name, time.monotonic() - start)
        screen.change(partial(region.doing, "drawing what it found"))
        found = tracker.end(stage, trials, decision)
        if stage.search.is_sampled:
            show.importances(found)
        return decision is not None and not self.stopped

    def _say(self, coordinator: Coordinator, line: str) -> None:
        if coordinator.report.signal is not None:
            self._screen.calm()
        self._screen.tell(line, style=WARNING)

    def _decide(self, stage: Stage, report: Report) -> Decision | None:
        """What a stage decides by all of its trials or, as the time was up, by those there are."""
        self._busy, self._idle = self._busy + report.busy, self._idle + report.idle
        whole = stage.decision()
        decision = whole or stage.decision(time_is_up=report.ended is Ended.TIME_IS_UP)
        self.complete = whole is not None and (whole.stop or not stage.facts.later)
        self.stopped = report.why
        if report.signal is not None and not self.complete:  # perhaps as the last trial ended
            self.stopped, self.signal = Ended.STOPPED.value, report.signal
        if decision is not None:
            self.decision = decision
            self._decided.append(stage)
        return decision

    def _conclude(self, seconds: float) -> None:
        """Write the winner down if there is one, and show how the study ended."""
        decision = self.decision
        waited = self._idle / (self._busy + self._idle) if self._busy else 0.0
        if decision is not None:
            self.has_winner = conclude(self._study.directory, self._decided, decision)
        if decision is not None and self.has_winner:
            self.ended = ending(decision.config, self._decided)
        self._show.end(self._trials, seconds, waited, self.stopped)
        if decision is not None and not decision.stop:
            self._show.result(decision.config, is_winner=self.has_winner)
