"""How long to train: early stopping by no improvement in n epochs.

"A better rule is to terminate if the best classification accuracy doesn't improve for quite some
time" (chapter 3, "Use early stopping"). One long training shows what each n would have given.
"""

from optuna.distributions import BaseDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size, StoppingConfig
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.chapter3.settings import judged
from nndl_exp.study.stages.script import Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.training.epoch import History
from nndl_exp.training.stopping import no_improvement

TITLE = "number of epochs"
SUMMARY = "Early stopping: no improvement in n epochs."
LEAST = 10
"""Epochs that are trained also where the work does not pay for them."""


@dataclass(frozen=True, config=STRICT)
class Options:
    """The longest training, as far as the stage's share of the work goes, on so many images at
    most, and the n to compare."""

    images: Size = 5_000
    epochs: Size = 60
    patience: tuple[Size, ...] = (10, 20)


def start(facts: Facts, options: Options) -> RunConfig:
    """The network as found so far, trained for long."""
    fewer = settings.fewer_images(facts, options.images)
    affordable = int(facts.share / facts.work(fewer, 1))
    return settings.without_stopping(fewer, max(LEAST, min(options.epochs, affordable)))


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """Nothing but the seed."""
    return {"seed": settings.seeds()}


def script(facts: Facts, options: Options) -> Script:
    """Train once, and take the smallest n that stops no worse than training to the end."""
    (trial,) = yield [{"seed": facts.base.seed}]
    if not trial.ok:
        return settings.nothing(facts, [trial])
    for n in options.patience:
        stopped = _stopped(trial, n)
        reached = max(map(stopped.score, stopped))
        if reached >= trial.goodness - trial.standard_error or n == options.patience[-1]:
            break
    stop, limit = len(stopped), len(trial.epochs)
    config = settings.training(
        facts.base, epochs=limit, stopping=StoppingConfig("no_improvement", n)
    )
    words = (
        f"{judged(trial)} in {len(trial.epochs)} epochs; no improvement in {n} would end it after "
        f"{stop}, within the noise of that; at most {limit}",
    )
    return Decision(config, words, {"n": n, "stops_at": stop, "limit": limit})


def _stopped(trial: Seen, n: int) -> History:
    """The epochs of a trial until no improvement in n would end it."""
    history, rule = History(trial.judged_by), no_improvement(n)
    for epoch in trial.epochs:
        history.append(epoch)
        if rule(history) is not None:
            break
    return history
