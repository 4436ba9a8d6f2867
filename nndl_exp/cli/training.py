"""Training one run in the terminal: the plan, a line for each epoch, and what to type next."""

import logging
from functools import partial
from pathlib import Path

from nndl_exp.cli.console import progress
from nndl_exp.cli.output import check_resources
from nndl_exp.cli.runs import new_run_directory
from nndl_exp.config import TrainConfig
from nndl_exp.datasets import Dataset
from nndl_exp.display.commands import Commands
from nndl_exp.display.figures.run import draw_learning_curves
from nndl_exp.display.terminal.data import show_dataset
from nndl_exp.display.terminal.screen import WARNING, Screen
from nndl_exp.display.terminal.sparkline import sparkline
from nndl_exp.display.words import (
    headings_text,
    measured_text,
    result_text,
    run_text,
)
from nndl_exp.errors import UserError
from nndl_exp.interrupts import Deferred
from nndl_exp.records import RunDirectory
from nndl_exp.records.looks import register_of
from nndl_exp.records.origin import Origin
from nndl_exp.run import Run, check, measure_of
from nndl_exp.study.looks import looks_at
from nndl_exp.tracking import TrackingOutage, outage_line
from nndl_exp.tracking.looks import show_looks
from nndl_exp.tracking.runs import show_run

_log = logging.getLogger(__name__)
_CURVE = 18  # columns of the learning curve beside the progress bar


def train_one(
    config: TrainConfig, screen: Screen, origin: Origin | None = None, *, again: bool = True
) -> tuple[int | None, bool]:
    """Train a run that comes from ``origin``, or finish it, show its epochs as they come, and log
    it; the signal that asked it to stop, if one did, and whether it has finished.

    A run that has finished is trained ``again``. A ``--multirun`` only shows it, so that repeating
    one that was killed trains what is missing.
    """
    dataset = check(config.run)
    check_resources(config, config.tracking, dataset, runs=1)
    finished_on = None if again else dataset.sha256
    directory = new_run_directory(Path(config.output), config.run, finished_on=finished_on)
    _show_plan(config, dataset, directory, origin, screen)
    with Run(config.run, directory, dataset, origin=origin) as run:
        number = _show_epochs(run, screen)
    if run.result is None:
        return number, False
    _log.debug("trained %d epochs in %.2f s", run.result.epochs, run.result.seconds)
    draw_learning_curves(directory, directory.name)
    _log.debug("drew the learning curves")
    page, outage = _track(config, dataset, directory)
    _log.debug("%s", f"not logged: {outage}" if outage else "the run is logged")
    _show_result(run, directory, screen)
    if outage:
        screen.tell(outage_line(outage, config.output, config.tracking), style=WARNING)
    _show_commands(config, directory.name, page, screen)
    return number, True


def _show_plan(
    config: TrainConfig,
    dataset: Dataset,
    directory: RunDirectory,
    origin: Origin | None,
    screen: Screen,
) -> None:
    name, before = directory.name, " · trained before" if directory.result() else ""
    register = register_of(directory.path, directory.origin() or origin, Path(config.output))
    looks = looks_at(register, dataset.sha256)
    screen.print(f"run      {name}{before}")
    show_dataset(screen, dataset, looks)
    if dataset.monitor == "test":
        others = len([look for look in looks if look.run != name])
        screen.tell(f"         look number {others + 1} at the test set of {register.name}")
    network, training = run_text(config.run)
    screen.print(f"network  {network}\ntraining {training}\n")


def _show_epochs(run: Run, screen: Screen) -> int | None:
    """Train the run, and print a line for each epoch; the signal that asked it to stop."""
    measure, judged_by = measure_of(run.config), run.config.training.judged_by
    screen.print(f" epoch   {headings_text(measure, run.dataset.monitor)}       s")
    stopping = partial(screen.tell, "stopping after this epoch ...", style=WARNING)
    with progress(screen) as bar, Deferred(stopping) as stop:
        task = bar.add_task("", total=run.config.training.epochs, completed=len(run.history))
        for epoch in run:
            for moment in epoch.within:
                screen.print(f"{moment.epoch:>6.2f}   {measured_text(moment, measure)}")
            screen.print(
                f"{epoch.number:>6}   {measured_text(epoch, measure)}  {epoch.seconds:>6.2f}"
            )
            curve = sparkline([getattr(e, judged_by) for e in run.history], _CURVE)
            bar.update(task, completed=epoch.number, description=curve)
            if stop.signal is not None and not run.is_over():
                run.suspend()
                break
    return stop.signal


def _track(
    config: TrainConfig, dataset: Dataset, directory: RunDirectory
) -> tuple[str, str | None]:
    """Show the run in MLflow, if that is wanted; the part of the UI's address that shows it, and
    the reason why MLflow does not."""
    if config.tracking.name == "none":
        return "", None
    try:
        page = show_run(config.output, config.tracking, directory, dataset)
        if dataset.monitor == "test":
            show_looks(config.output, config.tracking, directory)
    except (UserError, TrackingOutage) as e:
        return "", str(e)
    return page, None


def _show_result(run: Run, directory: RunDirectory, screen: Screen) -> None:
    result = run.result
    assert result is not None
    screen.print()
    screen.tell(f"{result.state:<8} {result.reason}")
    if result.validation_accuracy is not None:
        best = result_text(measure_of(run.config), result.validation_accuracy, run.dataset)
        screen.tell(f"best     {best} at epoch {result.best}")
    screen.tell(f"saved    {directory.path}")
    screen.print()


def _show_commands(config: TrainConfig, name: str, page: str, screen: Screen) -> None:
    """Print what to type next; ``page`` is where MLflow's UI shows the run."""
    commands = Commands(config.output, config.tracking)
    if config.tracking.name == "mlflow":
        screen.print(f"look       {commands.ui()}")
        if page and not config.tracking.is_server:
            screen.print(f"           then open http://127.0.0.1:5000/{page}")
    screen.print(f"reproduce  {commands.reproduce(name)}")
    if config.run.dataset.monitor != "test":
        screen.print(f"evaluate   {commands.evaluate(name)}")
