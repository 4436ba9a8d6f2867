"""``python -m nndl_exp.sweep``: run a study, or go on with it."""

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from nndl_exp.cli.console import make_console, progress
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import Composed, compose_all
from nndl_exp.config import RunConfig, SweepConfig, no_such_setting, parse, to_mapping
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from nndl_exp.study.strategy import Stage

_SETTINGS = (
    "search_space", "sampler", "pruner", "study", "strategy", "executor", "tracking", "workers",
    "output",
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
    return parse(SweepConfig, {"run": to_mapping(run), **others})


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
    from nndl_exp.cli.study_tracking import finish, open_view
    from nndl_exp.report.study import Presentation
    from nndl_exp.study import executors
    from nndl_exp.study.coordinator import Coordinator
    from nndl_exp.study.storage import sqlite_url
    from nndl_exp.study.study import Study, Trial
    from nndl_exp.tracking.client import check_database

    study = Study(config)
    study.verify()
    if config.study.dry_run:
        Presentation(study, console).plan(executors.count(config.workers, config.executor.name))
        return 0
    check_output(config.output)
    view = None
    if config.tracking.uri:
        view = open_view(study)  # a server is asked at once whether it is there
    elif config.tracking.name == "mlflow":
        check_database(config.output)
    coordinator = Coordinator(study, sqlite_url(config.output))
    show = Presentation(study, console)
    show.plan(coordinator.workers)
    coordinator.on_stop = lambda: console.print("stopping after the epochs that are running ...")
    start = time.monotonic()
    trials: list[Trial] = []
    with progress(console) as bar:
        task = bar.add_task("", total=study.n_trials)
        for trial in coordinator:
            trials.append(trial)
            console.print(show.line(trial))
            bar.update(task, advance=1, description=show.best())
            # Our own database is opened here: MLflow takes seconds to start, and workers had better
            # use them to train.
            view = view or open_view(study)
            view.log(trial.number, study.run_directory(trial.number), study.dataset)
    complete = len(trials) >= study.n_trials
    best = show.end(trials, coordinator.report, time.monotonic() - start)
    view, analysis = finish(study, view, trials, best, complete=complete)
    if view and view.outage:
        console.print(
            f"MLflow did not answer ({view.outage}); nothing is lost: "
            "python -m nndl_exp.sync shows the study there later"
        )
    show.report(analysis)
    show.commands(best, complete, words, view.page if view else "")
    return 0 if complete or coordinator.report.stopped == TIME_IS_UP else 1


def ending(config: RunConfig, stages: "Sequence[Stage]") -> tuple[str, RunConfig] | None:
    """The trial that a study ended with, by name; one of another seed if only such was trained."""
    for exactly in (True, False):
        for stage in reversed(stages):
            if trial := stage.trained(config, exactly=exactly):
                return f"{stage.name}/{trial.number}", trial.config
    return None


def staged_sweep(config: SweepConfig, console: Console, words: Sequence[str] = ()) -> int:
    """Lead a study in stages and show it; the exit status as for ``sweep``."""
    from nndl_exp.cli.output import check_output
    from nndl_exp.cli.study_tracking import StagedViews
    from nndl_exp.report.staged import StagedPresentation
    from nndl_exp.study import executors
    from nndl_exp.study.forecast import seconds_of
    from nndl_exp.study.strategy import StagedStudy

    study = StagedStudy(config)
    study.verify()
    workers = executors.count(config.workers, config.executor.name)
    show = StagedPresentation(study, console)
    show.plan(workers, seconds_of(study.work(), config.run, study.dataset, workers))
    if config.study.dry_run:
        return 0
    check_output(config.output)
    views = StagedViews(study)
    pool = executors.Pool(config.executor.name, workers)
    start, count, decision, stopped, name = time.monotonic(), 0, None, None, None
    led: list[Stage] = []
    try:
        for position, (stage, coordinator) in enumerate(study.lead(pool), 1):
            show.begin(position, stage)
            views.begin(stage)
            coordinator.on_stop = lambda: console.print("stopping after the epochs that run ...")
            trials = []
            with progress(console) as bar:
                task = bar.add_task(stage.title, total=None)
                for trial in coordinator:
                    trials.append(trial)
                    console.print(show.line(trial))
                    bar.update(task, advance=1)
                    views.log(stage, trial)
            count += len(trials)
            stopped, reached = coordinator.report.stopped, stage.decision()
            if reached is not None:
                stage.conclude(reached)
                show.decided(reached, stage.times_its_share())
            views.end(stage, trials, reached)
            if reached is None:
                break
            decision = reached
            led.append(stage)
    finally:
        pool.close()
    complete = stopped is None and decision is not None and not decision.stop
    if decision is not None and not decision.stop:
        name, config_of_it = ending(decision.config, led) or (None, decision.config)
        show.end(config_of_it, name, count, time.monotonic() - start)
    if stopped:
        console.print(f"stopped  {stopped}")
    views.close(complete=complete)
    stuck = decision is not None and decision.stop
    show.commands(words, complete or stuck, views.look, name)
    return 0 if complete or stopped == TIME_IS_UP else 1


if __name__ == "__main__":
    main()
