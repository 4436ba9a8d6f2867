"""``python -m nndl_exp.train``: train one network, or several with ``--multirun``."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from nndl_exp.cli.console import make_console, progress
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import Composed, compose_all
from nndl_exp.cli.runs import name_of, new_run_directory
from nndl_exp.config import TrainConfig, no_such_setting, parse, to_mapping
from nndl_exp.errors import UserError

_SETTINGS = ("dataset", "network", "training", "seed", "tracking", "output")


@one_line_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, check every configuration, then train each."""
    words = sys.argv[1:] if arguments is None else arguments
    composed = compose_all("train", words)
    if composed is None:
        return
    configs = [train_config(one) for one in composed]
    from nndl_exp.run import check

    for config in configs:
        check(config.run)
    console = make_console()
    for config in configs:
        train_one(config, console)


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


def train_one(config: TrainConfig, console: Console) -> None:
    """Train a run, or finish it, show its epochs as they come, and log it."""
    from nndl_exp.cli.output import check_output, check_space
    from nndl_exp.cli.tracker import OUTAGE, make_tracker, show_run
    from nndl_exp.report.curves import draw
    from nndl_exp.report.text import (
        dataset_text,
        headings_text,
        measured_text,
        result_text,
        run_text,
    )
    from nndl_exp.run import Run, check, measure_of, sizes_of

    dataset, measure = check(config.run), measure_of(config.run)
    check_output(config.output)
    check_space(config, sizes_of(config.run, dataset), len(dataset.training), runs=1)
    if config.tracking.uri:  # a server is asked at once whether it is there
        make_tracker(config.output, config.tracking, config.run.dataset.title, measure)
    directory = new_run_directory(Path(config.output), config.run)
    name = name_of(directory)
    network, training = run_text(config.run)
    console.print(f"run      {name}")
    console.print(f"data     {dataset_text(dataset)}")
    console.print(f"network  {network}\ntraining {training}\n")
    console.print(f" epoch   {headings_text(measure)}       s")
    with Run(config.run, directory, dataset) as run, progress(console) as bar:
        task = bar.add_task("", total=config.run.training.epochs, completed=len(run.history))
        for epoch in run:
            for moment in epoch.within:
                console.print(f"{moment.epoch:>6.2f}   {measured_text(moment, measure)}")
            console.print(
                f"{epoch.number:>6}   {measured_text(epoch, measure)}  {epoch.seconds:>6.2f}"
            )
            bar.update(task, completed=epoch.number)
    result = run.result
    assert result is not None
    draw(directory, name)
    outage = show_run(config.output, config.tracking, name, directory, dataset)
    console.print(f"\n{result.state:<8} {result.reason}")
    if result.validation_accuracy is not None:
        best = result_text(measure, result.validation_accuracy, dataset)
        console.print(f"best     {best} at epoch {result.best}")
    console.print(f"saved    {directory.path}\n")
    if outage:
        console.print(OUTAGE.format(outage))
    if config.tracking.name == "mlflow":
        from nndl_exp.tracking.client import ui_command

        console.print(f"look       {ui_command(config.output, config.tracking)}")
    output = "" if config.output == "nndl-output" else f" --output {shlex.quote(config.output)}"
    console.print(f"reproduce  python -m nndl_exp.reproduce {name}{output}")
    console.print(f"evaluate   python -m nndl_exp.evaluate {name}{output}")


if __name__ == "__main__":
    main()
