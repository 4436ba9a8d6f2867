"""``python -m nndl_exp.sweep``: run a study, or go on with it."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from rich.console import Console

from nndl_exp.cli.console import make_console, progress
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import Composed, compose_all
from nndl_exp.cli.tracker import OUTAGE
from nndl_exp.config import SweepConfig, no_such_setting, parse, to_mapping
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from nndl_exp.cli.staged_tracking import StagedViews
    from nndl_exp.report.staged import StagedPresentation
    from nndl_exp.study.executors import Pool
    from nndl_exp.study.script import Decision
    from nndl_exp.study.strategy import Stage, StagedStudy
    from nndl_exp.study.study import Study

_SETTINGS = (
    "search_space", "sampler", "pruner", "study", "strategy", "executor", "storage", "tracking",
    "workers", "output",
)  # fmt: skip
TIME_IS_UP = "the time is up"
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

    lead = staged_sweep if is_staged(config) else sweep
    sys.exit(lead(config, make_console(), words))


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


def sweep(config: SweepConfig, console: Console, words: Sequence[str] = ()) -> int:
    """Lead a study and show it; the exit status, 0 when it is complete or its time is up."""
    from nndl_exp.cli.output import check_output
    from nndl_exp.cli.study_tracking import SharedView
    from nndl_exp.report.study import Presentation
    from nndl_exp.study import executors
    from nndl_exp.study.coordinator import Coordinator
    from nndl_exp.study.storage import url_of
    from nndl_exp.study.study import Study, Trial

    study = Study(config)
    study.verify()
    if config.study.dry_run:
        Presentation(study, console).plan(executors.workers_of(config))
        return 0
    check_output(config.output)
    check_room(study, study.n_trials)
    with SharedView(study) as view:
        coordinator = Coordinator(study, url_of(config))
        show = Presentation(study, console)
        show.plan(coordinator.workers)
        coordinator.say = console.print
        start = time.monotonic()
        trials: list[Trial] = []
        with progress(console) as bar:
            task = bar.add_task("", total=study.n_trials)
            for trial in coordinator:
                trials.append(trial)
                console.print(show.line(trial))
                bar.update(task, advance=1, description=show.best())
                view.log(trial)
        complete = len(trials) >= study.n_trials
        best = show.end(trials, coordinator.report, time.monotonic() - start)
        analysis = view.end(trials, best, complete=complete)
    if view.outage:
        console.print(OUTAGE.format(view.outage))
    show.report(analysis)
    show.commands(best, complete, words, view.page)
    return 0 if complete or coordinator.report.stopped == TIME_IS_UP else 1


def staged_sweep(config: SweepConfig, console: Console, words: Sequence[str] = ()) -> int:
    """Lead a study in stages and show it; the exit status as for ``sweep``."""
    from nndl_exp.cli.output import check_output
    from nndl_exp.cli.staged_tracking import StagedViews
    from nndl_exp.report.staged import StagedPresentation
    from nndl_exp.study import executors
    from nndl_exp.study.forecast import seconds_of
    from nndl_exp.study.strategy import StagedStudy, ending

    study = StagedStudy(config)
    study.verify()
    workers = executors.workers_of(config)
    show = StagedPresentation(study, console)
    show.plan(workers, seconds_of(study.work(), config.run, study.dataset, workers))
    if config.study.dry_run:
        return 0
    check_output(config.output)
    check_room(study, study.expected_trials())
    pool, leadership = executors.pool_of(config), study.leadership
    start = time.monotonic()
    try:
        views = StagedViews(study, pool, leads=leadership.take())
        led = _lead_stages(study, pool, show, views, console)
        decision, stuck = led.decision, led.decision is not None and led.decision.stop
        ended = None if decision is None or stuck else ending(decision.config, led.stages)
        if decision is not None and not stuck:
            show.end(decision.config, ended, led.trials, time.monotonic() - start)
        if led.stopped:
            console.print(f"stopped  {led.stopped}")
        complete = led.stopped is None and decision is not None
        views.close(ended, complete=complete and not stuck)
        if complete:
            views.succeed(led.trials)
    finally:
        leadership.release()
        pool.close()
    if views.outage:
        console.print(OUTAGE.format(views.outage))
    show.commands(words, complete, views.page, ended)
    return 0 if (complete and not stuck) or led.stopped == TIME_IS_UP else 1


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
    console: Console,
) -> _Led:
    led = _Led()
    for position, (stage, coordinator) in enumerate(study.lead(pool), 1):
        show.begin(position, stage)
        coordinator.say = console.print
        trials = []
        with progress(console) as bar:
            task = bar.add_task(stage.title, total=None)
            for trial in coordinator:
                trials.append(trial)
                console.print(show.line(trial))
                bar.update(task, advance=1)
                views.log(stage, trial)
        led.trials += len(trials)
        led.stopped, reached = coordinator.report.stopped, stage.decision()
        if reached is not None:
            stage.conclude(reached)
            show.decided(reached, stage.times_its_share())
        views.end(stage, trials, reached)
        if reached is None:
            break
        led.decision = reached
        led.stages.append(stage)
    return led


if __name__ == "__main__":
    main()
