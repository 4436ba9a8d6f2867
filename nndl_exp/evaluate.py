"""``python -m nndl_exp.evaluate RUN``: the test set, once for each study."""

from typing import TYPE_CHECKING

import click

from nndl_exp.cli.console import make_screen
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.options import output_option, tracking_option, verbosity_options
from nndl_exp.cli.runs import Found
from nndl_exp.config import TrackingConfig
from nndl_exp.display.terminal.screen import Screen, Verbosity
from nndl_exp.errors import UserError

if TYPE_CHECKING:
    from nndl_exp.cli.looks import Keeper
    from nndl_exp.records.looks import Look


@click.command(name="python -m nndl_exp.evaluate")
@click.argument("run")
@click.option("--again", is_flag=True, help="Look once more, and keep a note of it.")
@click.option(
    "--unfinished", is_flag=True, help="Look although the study has not ended, and keep a note."
)
@output_option
@tracking_option
@verbosity_options
def command(
    run: str,
    again: bool,
    unfinished: bool,
    output: str,
    tracking_uri: str | None,
    verbosity: Verbosity,
) -> None:
    """Measure RUN (a name such as STUDY/17, a study for its winner, a folder, a best.yaml, an
    MLflow id) on the test set.

    Once for each study, when it has ended: whoever chooses between runs by the test set has no test
    set left.
    """
    from nndl_exp.cli.looks import keeper_of
    from nndl_exp.cli.runs import find_run

    tracking, screen = TrackingConfig(uri=tracking_uri), make_screen(verbosity)
    found = find_run(run, output, tracking)
    if found.directory.result() is None:
        raise UserError(f"{found.name} has not ended; only a settled run can be evaluated")
    with keeper_of(found, output, tracking) as keeper:
        seen = _seen(found, keeper)
        if seen is not None and seen.accuracy is not None and not again:
            screen.tell("the test set was looked at before, with this network; it said then:")
            show(seen, 1, screen)
            return
        looks = keeper.looks()
        if seen is None:
            _check(found, looks, keeper, again=again, unfinished=unfinished)
        look = measure(found, keeper.name)
        keeper.add(look)
    number = len([one for one in looks if one.accuracy is not None or one.run != look.run]) + 1
    show(look, number, screen)
    if found.directory.config().dataset.monitor == "test":
        screen.tell("note     this run chose its best epoch by the test set")
    if not keeper.in_mlflow:
        _log(found, look, output, tracking, screen)


def measure(found: Found, study: str) -> "Look":
    """A look at the test set with a run's best network, which counts for ``study``.

    Raises:
        UserError: the run's data have changed since, or its network is damaged.
    """
    from nndl_exp.records.looks import Look, now
    from nndl_exp.run import measure_of, recorded_data
    from nndl_exp.training import evaluate
    from nndl_exp.training.statistics import wilson_interval

    directory = found.directory
    dataset, measure = recorded_data(directory, test=True), measure_of(directory.config())
    assert dataset.test is not None
    network, n = directory.network(), len(dataset.test)
    _, accuracy = evaluate(network, dataset.test.examples(dataset.n_out), measure=measure)
    low, high = wilson_interval(accuracy, n) if measure.is_fraction else (None, None)
    error = dataset.root_mean_square_error(dataset.test, accuracy)
    return Look(
        found.name, now(), accuracy, low, high, n, error, dataset.noun, study, network.digest(),
        dataset.sha256,
    )  # fmt: skip


def show(look: "Look", number: int, screen: Screen) -> None:
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


def _seen(found: Found, keeper: "Keeper") -> "Look | None":
    """The look that was taken at a run, or at its very network under another name."""
    result = found.directory.result()
    assert result is not None
    weights = result.weights["best"]
    for look in [*keeper.looks(), *keeper.at_network(weights)]:
        if look.weights == weights or (not look.weights and look.run == found.name):
            return look
    return None


def _check(
    found: Found, looks: "list[Look]", keeper: "Keeper", *, again: bool, unfinished: bool
) -> None:
    """Refuse a look that was not asked for in so many words.

    Raises:
        UserError: the study has not ended, or another of its runs was looked at.
    """
    if not unfinished:
        keeper.check_finished()
    if looks and not again:
        last = looks[-1]
        raise UserError(
            f"the test set was looked at on {last.when}, at {last.run} "
            f"({last.text()}); a second look, at {found.name}, needs --again"
        )


def _log(found: Found, look: "Look", output: str, tracking: TrackingConfig, screen: Screen) -> None:
    from nndl_exp.cli.looks import is_tracked, log_look
    from nndl_exp.tracking import TrackingOutage

    if not is_tracked(output, tracking):
        return  # the run was made with tracking=none
    try:
        log_look(found, look, output, tracking)
    except (UserError, TrackingOutage) as e:
        screen.tell(f"MLflow does not show it: {e}")


@one_line_errors
def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    command(arguments, standalone_mode=False)


if __name__ == "__main__":
    main()
