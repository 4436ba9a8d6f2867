"""``python -m nndl_exp.sweep``: run a study, or go on with it."""

import gc
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of, space_of
from nndl_exp.cli.hydra_config import Composed, compose_all
from nndl_exp.cli.options import verbosity_of
from nndl_exp.cli.tracker import outage_line
from nndl_exp.config import SweepConfig, command_of, no_such_setting, parse, seconds, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.report.screen import WARNING, Screen, Verbosity

if TYPE_CHECKING:
    from nndl_exp.cli.study_tracking import StudyViews
    from nndl_exp.report.live import StudyRegion
    from nndl_exp.report.pace import Pace
    from nndl_exp.report.study import Presentation
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
    return _tracked(parse(SweepConfig, {"run": to_mapping(run), **others}))


def _tracked(config: SweepConfig) -> SweepConfig:
    """With MLflow in the database of the study, where it has one and is told no other place."""
    from nndl_exp.study import executors

    executors.check(config)
    if config.executor.address is not None and config.executor.name != "dask":
        raise UserError(
            f"executor.address goes with executor=dask: got executor={config.executor.name}"
        )
    if config.storage.name == "sqlite":
        if config.storage.url is not None:
            raise UserError("storage.url goes with storage=postgresql: got storage=sqlite")
        return config
    from nndl_exp import database

    base = database.address(config.storage.url)
    if config.tracking.name != "mlflow" or config.tracking.uri:
        return config
    uri = database.schema_url(base, "mlflow")
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
    from nndl_exp.report.pace import Pace
    from nndl_exp.report.study import Presentation
    from nndl_exp.study import executors
    from nndl_exp.study.forecast import forecast
    from nndl_exp.study.study import Study

    study = Study(config)
    study.check()
    if not config.study.dry_run:
        _check_resources(study)
    workers = executors.workers_of(config)
    expected = forecast(study, workers)
    show = Presentation(study, screen, expected)
    show.plan(workers)
    if config.study.dry_run:
        return 0
    gc.freeze()  # what has been imported stays: to look through it takes a quarter of a second
    pace = Pace(expected.speed, seconds(config.study.budget) if config.study.budget else None)
    led, page = _lead(study, show, pace, screen, words)
    show.commands(words, page, led.ended, complete=led.complete)
    if not led.has_winner:
        show.no_winner(led.stopped, led.decision)
    if led.signal is not None:
        return 128 + led.signal
    return 0 if led.has_winner else 1


@dataclass
class _Led:
    """The stages so far, the last decision, whether the last stage has ``decided``; how it went.

    ``stopped`` says why it stopped early, ``signal`` is the one that stopped it. ``busy`` and
    ``idle`` are the seconds that workers trained and waited.
    """

    stages: "list[Stage]" = field(default_factory=list)
    decision: "Decision | None" = None
    decided: bool = False
    has_winner: bool = False
    ended: "tuple[Stage, Trial] | None" = None
    stopped: str | None = None
    signal: int | None = None
    busy: float = 0.0
    idle: float = 0.0
    trials: int = 0
    complete: bool = False


def _lead(
    study: "Study", show: "Presentation", pace: "Pace", screen: Screen, words: Sequence[str]
) -> tuple[_Led, str]:
    """Run all stages and show them; how it went, and where the UI shows the study."""
    from nndl_exp.cli.study_tracking import StudyViews
    from nndl_exp.report.live import StudyRegion
    from nndl_exp.study import executors
    from nndl_exp.study.running.members import Leadership
    from nndl_exp.study.settings import keep_command
    from nndl_exp.study.summary import conclude, ending

    start, region, led = time.monotonic(), StudyRegion(pace), _Led()
    leadership = Leadership(study.directory)
    try:
        with closing(executors.pool_of(study.config)) as pool:
            views = StudyViews(study, leads=leadership.take())
            keep_command(study.directory, command_of(words))
            with screen.live(region):
                for stage, coordinator in study.lead(pool):
                    if not _lead_stage(stage, coordinator, led, show, views, screen, region):
                        break
                if led.decision is not None and led.decided:
                    led.has_winner = conclude(study.directory, led.stages, led.decision)
                    if led.has_winner:
                        led.ended = ending(led.decision.config, led.stages)
                _show_end(led, show, time.monotonic() - start)
                views.close(led.ended, complete=led.has_winner)
                if led.complete:
                    views.succeed(leadership, led.trials)
    finally:
        leadership.release()
    for line in _outages(study, views):
        screen.tell(line, style=WARNING)
    return led, views.page


def _outages(study: "Study", views: "StudyViews") -> "Iterator[str]":
    """What the views do not show, a line each."""
    if views.outage:
        yield outage_line(views.outage, study.config.output, study.tracking)
    if views.missed:
        yield views.missed


def _show_end(led: _Led, show: "Presentation", seconds: float) -> None:
    waited = led.idle / (led.busy + led.idle) if led.busy else 0.0
    show.end(led.trials, seconds, waited, led.stopped)
    if led.decision is not None and not led.decision.stop:
        show.result(led.decision.config, is_winner=led.has_winner)


def _lead_stage(
    stage: "Stage",
    coordinator: "Coordinator",
    led: _Led,
    show: "Presentation",
    views: "StudyViews",
    screen: Screen,
    region: "StudyRegion",
) -> bool:
    """Run one stage to its decision; False where the study ends with it."""
    position, start = len(led.stages) + 1, time.monotonic()
    show.begin(position, stage)
    screen.change(partial(region.begin, show.watched(position, stage, coordinator.slots)))
    trials: list[Trial] = []
    for trial in _said(coordinator, screen, region):
        trials.append(trial)
        show.trial(trial)
        views.log(stage, trial)
    reached = _decide(stage, coordinator.report, led, len(trials))
    if reached is not None:
        show.decided(stage, reached, ends=led.complete or not stage.facts.later)
    _log.debug("%s took %.1f s", stage.search.name, time.monotonic() - start)
    screen.change(partial(region.doing, "drawing what it found"))
    analysis = views.end(stage, trials, reached)
    if stage.search.is_sampled:
        show.importances(analysis)
    return reached is not None and not led.stopped


def _decide(stage: "Stage", report: "Report", led: _Led, trials: int) -> "Decision | None":
    """What a stage decided, by all of its trials or, as the time was up, by those there are."""
    from nndl_exp.study.running.stop import Ended

    led.busy, led.idle = led.busy + report.busy, led.idle + report.idle
    led.trials += trials
    led.stages.append(stage)
    whole = stage.decision()
    reached = whole or stage.decision(time_is_up=report.ended is Ended.TIME_IS_UP)
    led.complete = whole is not None and (whole.stop or not stage.facts.later)
    led.stopped = report.why
    if report.signal is not None and not led.complete:  # perhaps as the stage's last trial ended
        led.stopped, led.signal = Ended.STOPPED.value, report.signal
    led.decided = reached is not None
    led.decision = reached or led.decision
    return reached


def _said(coordinator: "Coordinator", screen: Screen, region: "StudyRegion") -> "Iterator[Trial]":
    """Run a search, and show on the screen what it says and how far it is."""

    def say(line: str) -> None:
        if coordinator.report.signal is not None:
            screen.calm()
        screen.tell(line, style=WARNING)

    coordinator.say = say
    for trial in coordinator:
        result = trial.result
        _log.debug("trial %d: %s after %.2f s", trial.number, result.state, result.seconds)
        screen.change(partial(region.add, trial))
        yield trial


def _check_resources(study: "Study") -> None:
    """Refuse what would fail later, before a study's folder is made.

    Raises:
        UserError: the output folder can't be written or has no room for the trials that are still
            to be trained, a database in it is not what it should be, or MLflow does not answer.
    """
    from nndl_exp.cli.output import check_output, check_space
    from nndl_exp.run import sizes_of
    from nndl_exp.study import executors
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
    workers = executors.count(config.workers, config.executor.name)
    left = max(0, expected_trials(study) - finished)
    check_space(config, sizes_of(config.run, study.dataset), n, runs=left, at_once=workers)


if __name__ == "__main__":
    main()
