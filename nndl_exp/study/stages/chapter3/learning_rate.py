"""The learning rate: the threshold at which the training cost stops falling, and half of it.

"First, we estimate the threshold value for η at which the cost on the training data immediately
begins decreasing, instead of oscillating or increasing" (chapter 3, "Learning rate"): by factors of
ten, then refined; the learning rate to use is "a factor of two below the threshold". It is judged
by the training cost alone, without regularization, with several seeds of which the median counts.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from optuna.distributions import BaseDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size, value_text
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.script import Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts

TITLE = "learning rate"
SUMMARY = "The η above which the training cost stops falling, and half of it."


@dataclass(frozen=True, config=STRICT)
class Options:
    """``seeds`` networks, fewer where the share does not pay for them, are trained on ``images``
    for ``epochs`` at each η, ``decades`` away at most from where the stage starts."""

    seeds: Size = 3
    images: Size = 5_000
    epochs: Size = 4
    decades: Size = 8


_BETWEEN = (1.5, 2.0, 3.0, 5.0, 7.0)
"""What a threshold between η and 10 η is refined by."""


def start(facts: Facts, options: Options) -> RunConfig:
    """The network without regularization, on some of its images; the first cost is looked at."""
    fewer = settings.fewer_images(facts, options.images)
    return settings.plain(
        fewer,
        options.epochs,
        lmbda=0.0,
        monitor_size="all",
        monitor_every=fewer.dataset.training_size,  # once, before the first update
    )


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """η, and the seed."""
    return {"training.eta": settings.eta(), "seed": settings.seeds()}


def script(facts: Facts, options: Options) -> Script:
    """Go by tens to where the cost falls and ten times that does not; then look in between."""
    falls: dict[float, list[bool]] = {}
    seen: list[Seen] = []
    seeds = _affordable(facts, options)

    def look(trials: Sequence[Seen]) -> None:
        seen.extend(trials)
        for trial in trials:
            falls.setdefault(trial.params["training.eta"], []).append(cost_falls(trial))

    eta = facts.base.training.eta
    look((yield _batch(facts, seeds, [eta])))
    step = 10.0 if _most(falls[eta]) else 0.1
    for _ in range(options.decades):
        eta *= step
        look((yield _batch(facts, seeds, [eta])))
        if _most(falls[eta]) != (step > 1):
            break
    else:
        return _no_threshold(facts, seen, eta)
    low = eta / 10 if step > 1 else eta
    look((yield _batch(facts, seeds, [low * factor for factor in _BETWEEN])))
    return _decision(facts, [_threshold(falls, low, seed) for seed in range(seeds)])


def _decision(facts: Facts, thresholds: Sequence[float]) -> Decision:
    """Half of the median of the seeds' thresholds."""
    threshold = 10 ** median(math.log10(value) for value in thresholds)
    # Where a stage is to choose lambda, those before it had better not have one that is far off.
    lmbda = 0.0 if "regularization" in facts.later else facts.base.training.lmbda
    config = settings.training(facts.base, eta=threshold / 2, lmbda=lmbda)
    spread = "by one seed"
    if (seeds := len(thresholds)) > 1:
        least, most = map(value_text, (min(thresholds), max(thresholds)))
        spread = f"{least} to {most} over {seeds} seeds"
    at, half = map(value_text, (threshold, threshold / 2))
    words = (f"the training cost stops falling above eta {at} ({spread}), so eta = {half}",)
    numbers = {"thresholds": list(thresholds), "threshold": threshold, "eta": threshold / 2}
    return Decision(config, words, numbers)


def _no_threshold(facts: Facts, seen: Sequence[Seen], eta: float) -> Decision:
    """The run goes on as it was; the study ends only where every training diverged, at every η."""
    reach = f"{value_text(facts.base.training.eta)} to {value_text(eta)}"
    if not any(trial.ok for trial in seen):
        words = f"every training diverges, at every eta from {reach}; start elsewhere"
        return Decision(facts.base, (words,), stop=True)
    does = "falls" if eta > facts.base.training.eta else "does not fall"
    words = (
        f"no threshold: the training cost {does} at every eta from {reach}; it stays at "
        f"{value_text(facts.base.training.eta)}"
    )
    return Decision(facts.base, (words,))


def cost_falls(trial: Seen) -> bool:
    """Whether the training cost goes down in every epoch, from before the first one on."""
    if trial.result.state != "complete":
        return False
    costs = [trial.epochs[0].within[0].training_cost]
    costs += [epoch.training_cost for epoch in trial.epochs]
    return all(after < before for before, after in pairwise(costs))


def _affordable(facts: Facts, options: Options) -> int:
    """The number of seeds that the stage's share pays for, with as many looks as it takes as a
    rule."""
    each = (len(_BETWEEN) + 3) * facts.work(start(facts, options), options.epochs)
    return int(max(1, min(options.seeds, facts.share / each)))


def _batch(facts: Facts, seeds: int, etas: Sequence[float]) -> list[Params]:
    return [
        {"training.eta": eta, "seed": facts.base.seed + i} for eta in etas for i in range(seeds)
    ]


def _most(votes: Sequence[bool]) -> bool:
    return 2 * sum(votes) > len(votes)


def _threshold(falls: dict[float, list[bool]], low: float, seed: int) -> float:
    """The largest η of those from ``low`` up to which the cost falls with this seed."""
    threshold = low
    for eta in sorted(eta for eta in falls if eta >= low * 0.99):
        if not falls[eta][seed]:
            break
        threshold = eta
    return threshold
