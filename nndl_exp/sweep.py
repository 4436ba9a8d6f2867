"""``python -m nndl_exp.sweep``: run a study, or go on with it."""

import gc
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of, space_of
from nndl_exp.cli.hydra_config import Composed, compose_all
from nndl_exp.cli.options import verbosity_of
from nndl_exp.cli.tracker import outage_line
from nndl_exp.config import SweepConfig, command_of, no_such_setting, parse, seconds, to_mapping
from nndl_exp.display.terminal.screen import WARNING, Screen, Verbosity
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from nndl_exp.cli.study_tracking import StudyViews
    from nndl_exp.display.terminal.live import StudyRegion
    from nndl_exp.display.terminal.study import Presentation
    from nndl_exp.study.running.coordinator import Coordinator
    from nndl_exp.study.running.stop import Report
    from nndl_exp.study.search import Trial
    from nndl_exp.study.stages.stage import Decision, Stage
    from nndl_exp.study.study import Study

_SETTINGS = (
    "search_space", "sampler", "pruner", "study", "strategy", "executor", "storage", "tracking",
    "workers", "output",
)  # fmt: skip
_log = logging.getLogger("nndl_exp.sweep")  # also where this file is __main__
_RUN_SETTINGS = ("dataset", "network", "training", "seed")


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, show the plan, and lead the study."""
    words = sys.argv[1:] if arguments is None else arguments
    composed = compose_all("sweep", words)
    if composed is None:
        return
    if len(composed) > 1:
        raise UserError("a sweep is one study: --multirun goes with nndl_exp.train")
    config = sweep_config(composed[0])
    from nndl_exp.run import check

    check(config.run)  # before the heavier imports: a mistake is answered at once
    verbosity, _ = verbosity_of(words)
    if config.study.dry_run:  # the plan is what was asked for
        verbosity = max(verbosity, Verbosity.NORMAL)
    sys.exit(sweep(config, make_screen(verbosity), words))


def sweep_config(composed: Composed) -> SweepConfig:
    """The configuration of a study from composed settings.

    A setting that was typed is not searched, unless the joint search comes after other stages.

    Raises:
        UserError: a setting that does not exist, or a value that it can't have.
    """
    from nndl_exp.study import executors

    settings = composed.settings
    for key in settings:
        if key not in _SETTINGS + _RUN_SETTINGS:
            raise UserError(no_such_setting(key, _SETTINGS + _RUN_SETTINGS))
    run = run_of(composed)
    others = {key: settings[key] for key in _SETTINGS if key in settings}
    if not isinstance(others.get("search_space"), dict):
        raise UserError("search_space must be settings with ranges: got none")
    others["search_space"] = space_of(composed, run)
    if next(iter(others.get("strategy", {}).get("stages") or []), "joint") == "joint":
        others["search_space"] = _without(others["search_space"], composed.typed)
    config = parse(SweepConfig, {"run": to_mapping(run), **others})
    executors.check(config)
    return _tracked(config)


def _tracked(config: SweepConfig) -> SweepConfig:
    """With MLflow in the database of the study, where it has one and is told no other place."""
    if config.storage.name == "sqlite":
        if config.storage.url is not None:
            raise UserError("storage.url goes with storage=postgresql: got storage=sqlite")
        return config
    from nndl_exp import database

    uri = database.url_of(config, "mlflow")
    if config.tracking.name != "mlflow" or config.tracking.uri:
        return config
    return replace(config, tracking=replace(config.tracking, uri=uri))


def _without(space: dict[str, object], typed: Sequence[str], prefix: str = "") -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, entry in space.items():
        name = f"{prefix}{key}"
        searched = any(other.startswith(f"search_space.{name}") for other in typed)
        if name in typed and "." in name and not searched:
            continue
        kept[key] = _without(entry, typed, f"{name}.") if isinstance(entry, dict) else entry
    return kept


def sweep(config: SweepConfig, screen: Screen, words: Sequence[str] = ()) -> int:
    """Run a study and show it.

    Returns:
        The exit status: 0 if it has a winner, 130 or 143 if a signal stopped it, else 1.
    """
    from nndl_exp.display.terminal.live import StudyRegion
    from nndl_exp.display.terminal.pace import Pace
    from nndl_exp.display.terminal.study import Presentation
    from nndl_exp.study import executors
    from nndl_exp.study.forecast import forecast
    from nndl_exp.study.study import Study

    study = Study(config)
    study.check()
    workers = executors.workers_of(config)
    if not config.study.dry_run:
        _check_resources(study, workers)
    expected = forecast(study, workers)
    show = Presentation(study, screen, expected)
    show.plan(workers)
    if config.study.dry_run:
        return 0
    gc.freeze()  # what has been imported stays: to look through it takes a quarter of a second
    pace = Pace(expected.speed, seconds(config.study.budget) if config.study.budget else None)
    start = _Start(study, show, screen, StudyRegion(pace))
    page = start.lead(words)
    show.commands(words, page, start.ended, complete=start.complete)
    if not start.has_winner:
        show.no_winner(start.stopped, start.decision)
    if start.signal is not None:
        return 128 + start.signal
    return 0 if start.has_winner else 1


class _Start:
    """One start of a study, shown while it is led to its end or to where it is stopped.

    ``decision`` is the last one; ``complete`` says that it ends the study, which has a winner only
    if it is a run. ``ended`` is the trial that trained the winner. ``stopped`` says why the study
    stopped early, ``signal`` is the one that stopped it.
    """

    def __init__(
        self, study: "Study", show: "Presentation", screen: Screen, region: "StudyRegion"
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
        from nndl_exp.cli.study_tracking import StudyViews
        from nndl_exp.study import executors
        from nndl_exp.study.running.members import Leadership
        from nndl_exp.study.settings import keep_command

        study, start = self._study, time.monotonic()
        leadership = Leadership(study.directory)
        try:
            with closing(executors.pool_of(study.config)) as pool:
                views = StudyViews(study, leads=leadership.take())
                keep_command(study.directory, command_of(words))
                with self._screen.live(self._region):
                    for stage, coordinator in study.lead(pool):
                        if not self._lead_stage(stage, coordinator, views):
                            break
                    self._conclude(time.monotonic() - start)
                    views.close(self.ended, complete=self.has_winner)
                    if self.complete:
                        views.succeed(leadership, self._trials)
        finally:
            leadership.release()
        if views.outage:
            line = outage_line(views.outage, study.config.output, study.tracking)
            self._screen.tell(line, style=WARNING)
        if views.missed:
            self._screen.tell(views.missed, style=WARNING)
        return views.page

    def _lead_stage(self, stage: "Stage", coordinator: "Coordinator", views: "StudyViews") -> bool:
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
            views.log(stage, trial)
        self._trials += len(trials)
        decision = self._decide(stage, coordinator.report)
        if decision is not None:
            show.decided(stage, decision, ends=self.complete or not stage.facts.later)
        _log.debug("%s took %.1f s", stage.search.name, time.monotonic() - start)
        screen.change(partial(region.doing, "drawing what it found"))
        analysis = views.end(stage, trials, decision)
        if stage.search.is_sampled:
            show.importances(analysis)
        return decision is not None and not self.stopped

    def _say(self, coordinator: "Coordinator", line: str) -> None:
        if coordinator.report.signal is not None:
            self._screen.calm()
        self._screen.tell(line, style=WARNING)

    def _decide(self, stage: "Stage", report: "Report") -> "Decision | None":
        """What a stage decides by all of its trials or, as the time was up, by those there are."""
        from nndl_exp.study.running.stop import Ended

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
        from nndl_exp.study.summary import conclude, ending

        decision = self.decision
        waited = self._idle / (self._busy + self._idle) if self._busy else 0.0
        if decision is not None:
            self.has_winner = conclude(self._study.directory, self._decided, decision)
        if decision is not None and self.has_winner:
            self.ended = ending(decision.config, self._decided)
        self._show.end(self._trials, seconds, waited, self.stopped)
        if decision is not None and not decision.stop:
            self._show.result(decision.config, is_winner=self.has_winner)


def _check_resources(study: "Study", workers: int) -> None:
    """Refuse what would fail later, before a study's folder is made.

    Raises:
        UserError: the output folder can't be written or has no room for the trials that are still
            to be trained, a database in it is not what it should be, or MLflow does not answer.
    """
    from nndl_exp.cli.output import check_output, check_space
    from nndl_exp.run import sizes_of
    from nndl_exp.study.study import expected_trials
    from nndl_exp.tracking.client import check_database, connect
    from nndl_exp.tracking.optuna_view import check_storage

    config, n = study.config, len(study.dataset.training)
    check_output(config.output)
    check_storage(config)
    if config.tracking.name == "mlflow" and config.tracking.uri:
        connect(config.output, config.tracking)  # is the server there?
    elif config.tracking.name == "mlflow":
        check_database(config.output)
    finished = sum(1 for _ in study.directory.glob("stages/*/trials/*/result.json"))
    left = max(0, expected_trials(study) - finished)
    check_space(config, sizes_of(config.run, study.dataset), n, runs=left, at_once=workers)


if __name__ == "__main__":
    main()
