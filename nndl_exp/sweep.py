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
from nndl_exp.config import SweepConfig, no_such_setting, parse, seconds, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.interrupts import end_at_next
from nndl_exp.report.screen import WARNING, Screen, Verbosity

if TYPE_CHECKING:
    from nndl_exp.cli.staged_tracking import StagedViews
    from nndl_exp.report.live import StudyRegion
    from nndl_exp.report.staged import StagedPresentation
    from nndl_exp.study.executors import Pool
    from nndl_exp.study.running.coordinator import Coordinator
    from nndl_exp.study.stages.script import Decision
    from nndl_exp.study.strategy import Stage, StagedStudy
    from nndl_exp.study.study import Study, Trial

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
    from nndl_exp.study.strategy import is_staged

    verbosity, _ = verbosity_of(words)
    if config.study.dry_run:  # the plan is what was asked for
        verbosity = max(verbosity, Verbosity.NORMAL)
    lead = staged_sweep if is_staged(config) else sweep
    sys.exit(lead(config, make_screen(verbosity), words))


def sweep_config(composed: Composed) -> SweepConfig:
    """The configuration of a study from composed settings.

    What was typed is not searched, unless the strategy has stages: they start from it.

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
    if others.get("strategy", {}).get("stages") in (None, ["joint"]):
        others["search_space"] = _without(others["search_space"], composed.typed)
    return _tracked(parse(SweepConfig, {"run": to_mapping(run), **others}))


def _tracked(config: SweepConfig) -> SweepConfig:
    """With MLflow in the database of the study, where it has one and is told no other place."""
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
    """Lead a study and show it; the exit status: 0 when it is complete, or its time is up, and it
    has a winner."""
    from nndl_exp.cli.output import check_output
    from nndl_exp.cli.study_tracking import SharedView
    from nndl_exp.report.live import StudyRegion
    from nndl_exp.report.pace import Pace
    from nndl_exp.report.study import Presentation
    from nndl_exp.study import executors
    from nndl_exp.study.finished import keep_command
    from nndl_exp.study.running.coordinator import Coordinator
    from nndl_exp.study.running.report import Ended
    from nndl_exp.study.study import Study, Trial, shown_as_before

    study = Study(config)
    study.verify()
    study.config = shown_as_before(config, study.directory)
    if config.study.dry_run:
        Presentation(study, screen).plan(executors.workers_of(config))
        return 0
    check_output(config.output)
    check_databases(config)
    check_room(study, study.n_trials)
    with closing(executors.pool_of(config)) as pool, SharedView(study, pool) as view:
        coordinator = Coordinator(study, pool)
        show = Presentation(study, screen)
        show.plan(coordinator.workers)
        keep_command(study.directory, words)
        start = time.monotonic()
        trials: list[Trial] = []
        region = StudyRegion(Pace(show.trials_a_second, _budget(config)))
        with screen.live(region):
            screen.change(partial(region.begin, show.search(coordinator.proposed)))
            for trial in _lead(coordinator, screen, region):
                trials.append(trial)
                show.trial(trial)
                view.log(trial)
            complete = len(trials) >= study.n_trials
            best = show.end(trials, coordinator.report, time.monotonic() - start)
            screen.change(partial(region.doing, "drawing and logging what was found"))
            analysis = view.end(trials, best, complete=complete)
    if view.outage:
        line = outage_line(view.outage, config.output, config.tracking)
        screen.tell(line, style=WARNING)
    if view.missed:
        screen.tell(view.missed, style=WARNING)
    show.report(analysis)
    finished = complete or coordinator.report.ended is Ended.TIME_IS_UP
    show.commands(best, complete, words, view.page, finished=finished)
    if best is None:
        show.no_winner(coordinator.report.why, len(trials))
    return 0 if finished and best is not None else 1


def staged_sweep(config: SweepConfig, screen: Screen, words: Sequence[str] = ()) -> int:
    """Lead a study in stages and show it; the exit status: 0 when it has a winner, which takes all
    of its stages."""
    from nndl_exp.cli.output import check_output
    from nndl_exp.cli.staged_tracking import StagedViews
    from nndl_exp.report.live import StudyRegion
    from nndl_exp.report.pace import Pace
    from nndl_exp.report.staged import StagedPresentation
    from nndl_exp.study import executors
    from nndl_exp.study.finished import keep_command
    from nndl_exp.study.forecast import seconds_of
    from nndl_exp.study.strategy import StagedStudy, ending
    from nndl_exp.study.study import shown_as_before

    study = StagedStudy(config)
    study.verify()
    study.config = shown_as_before(config, study.directory)
    workers = executors.workers_of(config)
    show = StagedPresentation(study, screen)
    forecast = seconds_of(study.work(), config.run, study.dataset, workers)
    show.plan(workers, forecast)
    if config.study.dry_run:
        return 0
    check_output(config.output)
    check_databases(config)
    check_room(study, study.expected_trials())
    pool, leadership = executors.pool_of(config), study.leadership
    gc.freeze()  # what has been imported stays: to look through it takes a quarter of a second
    start = time.monotonic()
    region = StudyRegion(Pace(study.work() / forecast, _budget(config)))
    try:
        views = StagedViews(study, leads=leadership.take())
        keep_command(study.directory, words)
        with screen.live(region):
            led = _lead_stages(study, pool, show, views, screen, region)
            decision, stuck = led.decision, led.decision is not None and led.decision.stop
            complete = stuck or len(led.stages) == len(config.strategy.stages)
            won = decision if complete and not stuck else None
            ended, elapsed = None, time.monotonic() - start
            if won:
                ended = ending(won.config, led.stages)
                show.end(won.config, ended, led.trials, elapsed)
            elif not complete:
                show.unfinished(decision, led.trials, elapsed)
            if led.stopped:
                screen.tell(f"stopped  {led.stopped}", style=WARNING)
            views.close(ended, complete=won is not None)
            if complete:
                views.succeed(led.trials)
    finally:
        leadership.release()
        pool.close()
    if views.outage:
        line = outage_line(views.outage, config.output, config.tracking)
        screen.tell(line, style=WARNING)
    if views.missed:
        screen.tell(views.missed, style=WARNING)
    show.commands(words, complete, views.page, ended)
    if won is None:
        show.no_winner(led.stopped, decision)
    return 0 if won else 1


def _budget(config: SweepConfig) -> float | None:
    return seconds(config.study.budget) if config.study.budget else None


def _lead(coordinator: "Coordinator", screen: Screen, region: "StudyRegion") -> "Iterator[Trial]":
    """Lead a search, and show on the screen what it says and how far it is."""

    def say(line: str) -> None:
        if coordinator.stopping:  # a second Ctrl-C ends this process at once
            end_at_next()
            screen.calm()
        screen.tell(line, style=WARNING)

    coordinator.say = say
    for trial in coordinator:
        screen.change(partial(region.add, trial))
        yield trial


def check_databases(config: SweepConfig) -> None:
    """Refuse databases in the output folder that can't be used, before a study's folder is made.

    Raises:
        UserError: one is not what it should be.
    """
    from nndl_exp.tracking.client import check_database
    from nndl_exp.tracking.optuna_view import check_storage

    check_storage(config)
    if config.tracking.name == "mlflow" and not config.tracking.uri:
        check_database(config.output)


def check_room(study: "Study | StagedStudy", trials: int) -> None:
    """Check that the output folder has room for the trials that are still to be trained.

    Raises:
        UserError: it has not.
    """
    from nndl_exp.cli.output import check_space
    from nndl_exp.run import sizes_of
    from nndl_exp.study import executors

    config, n = study.config, len(study.dataset.training)
    settled = sum(1 for _ in study.directory.glob("**/trials/*/result.json"))
    workers = executors.count(config.workers, config.executor.name)
    sizes = sizes_of(config.run, study.dataset)
    check_space(config, sizes, n, runs=max(0, trials - settled), at_once=workers)


@dataclass
class _Led:
    """The stages that were led to their decisions, the last decision, and why it stopped."""

    stages: "list[Stage]" = field(default_factory=list)
    decision: "Decision | None" = None
    stopped: str | None = None
    trials: int = 0


def _lead_stages(
    study: "StagedStudy",
    pool: "Pool",
    show: "StagedPresentation",
    views: "StagedViews",
    screen: Screen,
    region: "StudyRegion",
) -> _Led:
    led, last = _Led(), study.config.strategy.stages[-1]
    for position, (stage, coordinator) in enumerate(study.lead(pool), 1):
        show.begin(position, stage)
        search = show.search(position, stage, coordinator.proposed)
        screen.change(partial(region.begin, search))
        start, trials = time.monotonic(), []
        for trial in _lead(coordinator, screen, region):
            trials.append(trial)
            show.trial(trial)
            views.log(stage, trial)
        led.trials += len(trials)
        led.stopped, reached = coordinator.report.why, stage.decision()
        if reached is not None:
            stage.conclude(reached)
            ends = reached.stop or stage.key == last
            show.decided(reached, stage.times_its_share(), ends=ends)
        _log.debug("%s took %.1f s", stage.name, time.monotonic() - start)
        screen.change(partial(region.doing, "drawing what it found"))
        views.end(stage, trials, reached)
        if reached is None:
            break
        led.decision = reached
        led.stages.append(stage)
        if led.stopped or coordinator.stopping:  # as the last trial ended
            break
    return led


if __name__ == "__main__":
    main()
