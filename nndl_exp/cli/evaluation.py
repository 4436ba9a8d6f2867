"""A look at the test set: once for each study, when it has ended."""

from nndl_exp.cli.runs import Found
from nndl_exp.config import TrackingConfig
from nndl_exp.database import is_tracked
from nndl_exp.display.terminal.screen import Screen
from nndl_exp.errors import UserError
from nndl_exp.records.looks import Look, now
from nndl_exp.run import measure_of, recorded_data
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking.looks import Keeper, keeper_of, log_look
from nndl_exp.training import evaluate
from nndl_exp.training.statistics import wilson_interval
from nndl_exp.weights import digest


def evaluate_run(
    found: Found,
    output: str,
    tracking: TrackingConfig,
    screen: Screen,
    *,
    again: bool,
    unfinished: bool,
) -> None:
    """Measure a run on the test set, keep the look, and show it.

    Raises:
        UserError: the study has not ended, or its test set was looked at before.
    """
    with keeper_of(found.name, found.directory, found.mlflow_id, output, tracking) as keeper:
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
    if not keeper.in_mlflow and is_tracked(output, tracking):
        try:
            log_look(look, found.directory, output, tracking, found.mlflow_id)
        except (UserError, TrackingOutage) as e:
            screen.tell(f"MLflow does not show it: {e}")


def measure(found: Found, study: str) -> Look:
    """A look at the test set with a run's best network, which counts for ``study``.

    Raises:
        UserError: the run's data have changed since, or its network is damaged.
    """
    directory = found.directory
    dataset, measure = recorded_data(directory, test=True), measure_of(directory.config())
    assert dataset.test is not None
    network, n = directory.network(), len(dataset.test)
    _, accuracy = evaluate(network, dataset.test.examples(dataset.n_out), measure=measure)
    low, high = wilson_interval(accuracy, n) if measure.is_fraction else (None, None)
    error = dataset.root_mean_square_error(dataset.test, accuracy)
    return Look(
        found.name, now(), accuracy, low, high, n, error, dataset.noun, study, digest(network),
        dataset.sha256,
    )  # fmt: skip


def show(look: Look, number: int, screen: Screen) -> None:
    """Print a look, the ``number``-th at its test set."""
    if look.low is not None and look.high is not None:
        what = f"of {look.images:,} test {look.noun} · 95 % interval "
        what += f"{100 * look.low:.2f} to {100 * look.high:.2f} %"
    else:
        what = f"on {look.images:,} test {look.noun}"
        what += "" if look.error is None else f" · root mean square error {look.error:.4g}"
    screen.tell(f"test     {look.text()} {what}")
    nth = "" if number == 1 else f" · look number {number} at its test set"
    screen.print(f"run      {look.run} · {look.when}{nth}")


def _seen(found: Found, keeper: Keeper) -> Look | None:
    """The look that was taken at a run, or at its very network under another name."""
    result = found.directory.result()
    assert result is not None
    weights = result.weights["best"]
    for look in [*keeper.looks(), *keeper.at_network(weights)]:
        if look.weights == weights or (not look.weights and look.run == found.name):
            return look
    return None


def _check(
    found: Found, looks: list[Look], keeper: Keeper, *, again: bool, unfinished: bool
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
