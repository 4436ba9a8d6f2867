"""``python -m nndl_exp.evaluate RUN``: the test set, once for each study."""

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.options import output_option, tracking_option, verbosity_options
from nndl_exp.cli.runs import Found
from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.report.screen import Screen, Verbosity

if TYPE_CHECKING:
    from nndl_exp.training.accuracy import Measure


@dataclass(frozen=True)
class Look:
    """One look at the test set: when, at which run, and what was seen.

    Where targets are classes, ``accuracy`` is a fraction with the 95 % interval from ``low`` to
    ``high``; where they are numbers it is R², without an interval, and ``error`` the root mean
    square error in the unit of the target. ``images`` counts the examples, which ``noun`` names.
    """

    run: str
    when: str
    accuracy: float
    low: float | None
    high: float | None
    images: int
    error: float | None = None
    noun: str = "images"

    def text(self) -> str:
        """What was seen, in short: 95.20 %, or R² 0.9520."""
        return f"R² {self.accuracy:.4f}" if self.low is None else f"{100 * self.accuracy:.2f} %"


@click.command(name="python -m nndl_exp.evaluate")
@click.argument("run")
@click.option("--again", is_flag=True, help="Look once more, and keep a note of it.")
@output_option
@tracking_option
@verbosity_options
def command(
    run: str, again: bool, output: str, tracking_uri: str | None, verbosity: Verbosity
) -> None:
    """Measure RUN (a name such as STUDY/17, a study for its winner, a folder, a best.yaml, an
    MLflow id) on the test set.

    Once for each study: whoever chooses between runs by the test set has no test set left.
    """
    from nndl_exp.cli.runs import find_run

    tracking, screen = TrackingConfig(uri=tracking_uri), make_screen(verbosity)
    found = find_run(run, output, tracking)
    looks_path = (found.study or found.directory.path.parent) / _file_name(found)
    looks = read_looks(looks_path)
    if looks and not again:
        show(_earlier(found, looks, screen), 1, screen)
        return
    look = measure(found)
    _write(looks_path, [*looks, look])
    show(look, len(looks) + 1, screen)
    _log(found, look, output, tracking, screen)


def measure(found: Found) -> Look:
    """The accuracy of a run's best network on the test set, with its 95 % interval for classes.

    Raises:
        UserError: the run has not ended, or its data have changed since.
    """
    from nndl_exp.report.text import noun, when
    from nndl_exp.run import measure_of, recorded_data
    from nndl_exp.training import evaluate
    from nndl_exp.training.statistics import wilson_interval

    if found.directory.result() is None:
        raise UserError(f"{found.name} has not ended; only a settled run can be evaluated")
    dataset, measure = (
        recorded_data(found.directory, test=True),
        measure_of(found.directory.config()),
    )
    assert dataset.test is not None
    network, n = found.directory.network(), len(dataset.test)
    _, accuracy = evaluate(network, dataset.test.examples(dataset.n_out), measure=measure)
    low, high = wilson_interval(accuracy, n) if measure.is_fraction else (None, None)
    error = dataset.root_mean_square_error(dataset.test, accuracy)
    return Look(found.name, when(time.time()), accuracy, low, high, n, error, noun(dataset))


def read_looks(path: Path) -> list[Look]:
    """The looks at the test set so far, the first one first."""
    try:
        return [Look(**look) for look in json.loads(path.read_bytes())] if path.exists() else []
    except (ValueError, TypeError):
        raise UserError(f"{path}, which says when the test set was looked at, is damaged") from None


def show(look: Look, number: int, screen: Screen) -> None:
    """Print what was seen."""
    if look.low is not None and look.high is not None:
        what = f"of {look.images:,} test {look.noun} · 95 % interval "
        what += f"{100 * look.low:.2f} to {100 * look.high:.2f} %"
    else:
        what = f"on {look.images:,} test {look.noun}"
        what += "" if look.error is None else f" · root mean square error {look.error:.4g}"
    screen.tell(f"test     {look.text()} {what}")
    nth = "the first" if number == 1 else f"look number {number} at its test set"
    screen.print(f"run      {look.run} · {look.when}" + ("" if number == 1 else f" · {nth}"))


def _earlier(found: Found, looks: list[Look], screen: Screen) -> Look:
    """What was seen of this run before; another run of a study that was looked at is refused."""
    what = "study" if found.study else "run"
    for look in looks:
        if look.run == found.name:
            screen.tell(f"the test set of this {what} was looked at before; it said then:")
            return look
    last = looks[-1]
    raise UserError(
        f"the test set was looked at on {last.when}, at {last.run} "
        f"({last.text()}); a second look, at {found.name}, needs --again"
    )


def _file_name(found: Found) -> str:
    return "test_set.json" if found.study else f".{found.directory.path.name}.test_set.json"


def _write(path: Path, looks: list[Look]) -> None:
    from nndl_exp.records import atomic

    text = json.dumps([asdict(look) for look in looks], indent=1)
    atomic.write(path, text.encode(), durable=True)


def _log(found: Found, look: Look, output: str, tracking: TrackingConfig, screen: Screen) -> None:
    from nndl_exp.tracking import TrackingOutage
    from nndl_exp.tracking.client import database_file

    if tracking.uri is None and not database_file(output).exists():
        return  # the run was made with tracking=none
    try:
        log_look(found, look, output, tracking)
    except (UserError, TrackingOutage) as e:
        screen.tell(f"MLflow does not show it: {e}")


def log_look(found: Found, look: Look, output: str, tracking: TrackingConfig) -> None:
    """Show in MLflow what the test set said of a run that it has.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    from nndl_exp.run import measure_of
    from nndl_exp.study.study import load_settings
    from nndl_exp.tracking.mlflow_view import MlflowView

    config = found.directory.config()
    measure = measure_of(config)
    if found.study is not None:
        kept, _ = load_settings(found.study / "study.yaml", output)
        tracking = replace(tracking, experiment=kept.tracking.experiment)
    view = MlflowView(output, tracking, config.dataset.title, measure)
    run = view.find(found.name)
    if run is not None:
        view.log_test(run, _metrics(look, measure))


def _metrics(look: Look, measure: "Measure") -> dict[str, float]:
    name = measure.renamed("test/accuracy")
    values = {name: look.accuracy, f"{name}_low": look.low, f"{name}_high": look.high}
    values["test/root_mean_square_error"] = look.error
    return {key: value for key, value in values.items() if value is not None}


@one_line_errors
def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command(arguments, standalone_mode=False)


if __name__ == "__main__":
    main()
