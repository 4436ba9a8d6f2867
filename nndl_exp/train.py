"""``python -m nndl_exp.train``: train one network, or several with ``--multirun``."""

import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nndl_exp.cli.console import make_screen, progress
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import Composed, compose_all
from nndl_exp.cli.options import verbosity_of
from nndl_exp.cli.runs import new_run_directory
from nndl_exp.config import (
    TrainConfig,
    command_of,
    no_such_setting,
    parse,
    to_mapping,
)
from nndl_exp.display.terminal.screen import WARNING, Screen
from nndl_exp.errors import UserError
from nndl_exp.interrupts import Deferred

if TYPE_CHECKING:  # heavy; an error line needs none of them
    from nndl_exp.datasets import Dataset
    from nndl_exp.records import RunDirectory
    from nndl_exp.records.origin import Origin
    from nndl_exp.run import Run

_log = logging.getLogger("nndl_exp.train")  # also where this file is __main__
_CURVE = 18  # columns of the learning curve beside the progress bar
_SETTINGS = ("dataset", "network", "training", "seed", "tracking", "output")


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, check every configuration, then train each."""
    words = sys.argv[1:] if arguments is None else arguments
    composed = compose_all("train", words)
    if composed is None:
        return
    configs = [train_config(one) for one in composed]
    from nndl_exp.records.looks import origin_of_file
    from nndl_exp.run import check

    for config in configs:
        check(config.run)
    origins = [origin_of_file(one.base) if one.base else None for one in composed]
    screen = make_screen(verbosity_of(words)[0])
    several = any(word in ("-m", "--multirun") for word in words)
    for config, origin in zip(configs, origins, strict=True):
        number, finished = train_one(config, screen, origin, again=not several)
        if number is not None:
            if several or not finished:
                _show_resume(words, screen)
            sys.exit(128 + number)


def train_config(composed: Composed) -> TrainConfig:
    """The configuration of a training from composed settings.

    Raises:
        UserError: a setting that does not exist, or a value that it can't have.
    """
    settings = composed.settings
    for key in settings:
        if key not in _SETTINGS:
            raise UserError(no_such_setting(key, _SETTINGS))
    others: dict[str, Any] = {
        key: settings[key] for key in ("tracking", "output") if key in settings
    }
    return parse(TrainConfig, {"run": to_mapping(run_of(composed)), **others})


def train_one(
    config: TrainConfig, screen: Screen, origin: "Origin | None" = None, *, again: bool = True
) -> tuple[int | None, bool]:
    """Train a run that comes from ``origin``, or finish it, show its epochs as they come, and log
    it; the signal that asked it to stop, if one did, and whether it has finished.

    A run that has finished is trained ``again``. A ``--multirun`` only shows it, so that repeating
    one that was killed trains what is missing.
    """
    from nndl_exp.display.figures.run import draw_learning_curves
    from nndl_exp.run import Run, check

    dataset = check(config.run)
    _check_places(config, dataset)
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
    outage = _track(config, dataset, directory)
    _log.debug("%s", "the run is logged" if outage is None else f"not logged: {outage}")
    _show_result(run, directory, screen)
    _show_commands(config, directory.name, outage, screen)
    return number, True


def _check_places(config: TrainConfig, dataset: "Dataset") -> None:
    """Check that what the run leaves can be kept and shown, before it is trained.

    Raises:
        UserError: the output folder or MLflow can't take it.
    """
    from nndl_exp.cli.output import check_output, check_space
    from nndl_exp.cli.tracker import make_tracker
    from nndl_exp.run import measure_of, sizes_of
    from nndl_exp.tracking.client import check_database

    check_output(config.output)
    if config.tracking.name == "mlflow" and not config.tracking.uri:
        check_database(config.output)
    check_space(config, sizes_of(config.run, dataset), len(dataset.training), runs=1)
    if config.tracking.uri:  # a server is asked at once whether it is there
        title, measure = config.run.dataset.title, measure_of(config.run)
        make_tracker(config.output, config.tracking, title, measure)


def _show_plan(
    config: TrainConfig,
    dataset: "Dataset",
    directory: "RunDirectory",
    origin: "Origin | None",
    screen: Screen,
) -> None:
    from nndl_exp.display.terminal.data import show_dataset
    from nndl_exp.display.words import run_text
    from nndl_exp.records.looks import register_of
    from nndl_exp.study.looks import looks_at

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


def _show_epochs(run: "Run", screen: Screen) -> int | None:
    """Train the run, and print a line for each epoch; the signal that asked it to stop."""
    from nndl_exp.display.terminal.sparkline import sparkline
    from nndl_exp.display.words import headings_text, measured_text
    from nndl_exp.run import measure_of

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


def _track(config: TrainConfig, dataset: "Dataset", directory: "RunDirectory") -> str | None:
    """Show the run in MLflow; the reason if MLflow does not show it, None if it does."""
    from nndl_exp.cli.looks import show_looks
    from nndl_exp.cli.tracker import show_run

    name = directory.name
    outage = show_run(config.output, config.tracking, name, directory, dataset)
    if outage is None and dataset.monitor == "test" and config.tracking.name == "mlflow":
        outage = show_looks(config.output, config.tracking, name)
    return outage


def _show_result(run: "Run", directory: "RunDirectory", screen: Screen) -> None:
    from nndl_exp.display.words import result_text
    from nndl_exp.run import measure_of

    result = run.result
    assert result is not None
    screen.print()
    screen.tell(f"{result.state:<8} {result.reason}")
    if result.validation_accuracy is not None:
        best = result_text(measure_of(run.config), result.validation_accuracy, run.dataset)
        screen.tell(f"best     {best} at epoch {result.best}")
    screen.tell(f"saved    {directory.path}")
    screen.print()


def _show_commands(config: TrainConfig, name: str, outage: str | None, screen: Screen) -> None:
    """Print what to type next."""
    from nndl_exp.cli.tracker import outage_line
    from nndl_exp.display.commands import Commands

    commands = Commands(config.output, config.tracking)
    if outage:
        screen.tell(outage_line(outage, config.output, config.tracking), style=WARNING)
    if config.tracking.name == "mlflow":
        screen.print(f"look       {commands.ui()}")
    screen.print(f"reproduce  {commands.reproduce(name)}")
    if config.run.dataset.monitor != "test":
        screen.print(f"evaluate   {commands.evaluate(name)}")


def _show_resume(words: Sequence[str], screen: Screen) -> None:
    screen.tell(f"resume     {command_of(words, 'train')}")


if __name__ == "__main__":
    main()
