"""The mini-batch size: the one that is fastest to an accuracy that most of them reach.

"Plot the validation accuracy versus time (as in, real elapsed time, not epoch!), and choose
whichever mini-batch size gives you the most rapid improvement in performance" (chapter 3,
"Mini-batch size"). η is scaled with m. Unlike in the book the time is estimated from the network
and m (``training.update_time``), because elapsed time would make the study irreproducible. The
measured seconds are kept beside it, and the decision says where they would choose another size.

Another size than the present one is taken only if it is faster with each of several seeds, and not
less accurate by more than half a standard error.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from optuna.distributions import BaseDistribution, IntDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size, value_text
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.chapter3.settings import judged, number
from nndl_exp.study.stages.script import Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.training.epoch import score

TITLE = "mini-batch size"
SUMMARY = "The size that is the fastest to an accuracy that most sizes reach."


@dataclass(frozen=True, config=STRICT)
class Options:
    """The sizes to compare, besides the one that the stage starts with, on so many images at most
    and in so many epochs; and the seeds with which the fastest has to be faster."""

    images: Size = 5_000
    sizes: tuple[Size, ...] = (5, 10, 20, 50, 100)
    epochs: Size = 15
    seeds: Size = 3


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found so far, as long as it takes to tell the sizes apart."""
    trials = len(options.sizes) + 2 * (options.seeds - 1)
    return settings.shorter(facts, options.images, options.epochs, trials)


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """m, η, which goes with it, and the seed."""
    return {
        "training.mini_batch_size": IntDistribution(1, facts.n, log=True),
        "training.eta": settings.eta(),
        "seed": settings.seeds(),
    }


def script(facts: Facts, options: Options) -> Script:
    """Train with each size, compare the time to a common accuracy, and confirm the fastest."""
    m = facts.base.training.mini_batch_size
    most = start(facts, options).dataset.training_size or facts.n
    own = min(m, most)
    sizes = sorted({own, *(size for size in options.sizes if size <= most)})
    trials = yield [_params(facts, size, 0) for size in sizes]
    good = [trial for trial in trials if trial.ok]
    if not good:
        return settings.nothing(facts, trials)
    common = _common(good)
    estimated = {_size(trial): _estimated_to(facts, trial, common) for trial in good}
    chosen, why_not = _fastest(estimated), None
    if chosen != own:
        again = yield [
            _params(facts, size, i) for size in (chosen, own) for i in range(1, options.seeds)
        ]
        both = [[t for t in (*trials, *again) if _size(t) == size] for size in (chosen, own)]
        if why_not := _why_not(facts, both[0], both[1], common):
            chosen = own
    trial = next(trial for trial in trials if _size(trial) == chosen)
    stays = f", but {why_not}: it stays {own}" if why_not else ""
    return _decision(facts, trial, good, common, stays, changes=chosen != own)


def _decision(
    facts: Facts, chosen: Seen, good: Sequence[Seen], common: float, stays: str, *, changes: bool
) -> Decision:
    """Go on with the size of a trial, or as typed: also where the stage had fewer images than that
    mini-batch has."""
    estimated = {_size(trial): _estimated_to(facts, trial, common) for trial in good}
    measured = {_size(trial): _measured_to(trial, common) for trial in good}
    size, eta, fastest = _size(chosen), chosen.config.training.eta, _fastest(estimated)
    words = [
        f"{fastest} is the fastest to {settings.goodness_text(facts.base, common)} in estimated "
        f"time ({_each(estimated)}){stays}; {size} ends at {judged(chosen)} with eta "
        f"{value_text(eta)}"
    ]
    if (otherwise := _fastest(measured)) != fastest:
        words.append(f"measured time would choose {otherwise} ({_each(measured)})")
    config = facts.base
    if changes:
        config = settings.training(facts.base, mini_batch_size=size, eta=eta)
    return Decision(config, tuple(words), {"estimated": estimated, "measured": measured})


def _why_not(
    facts: Facts, fastest: Sequence[Seen], own: Sequence[Seen], common: float
) -> str | None:
    """Why the present size stays, given the trials of both with the same seeds; None if not."""
    never = float("inf")
    for a, b in zip(fastest, own, strict=True):
        here, there = (_estimated_to(facts, trial, common) or never for trial in (a, b))
        if not here < there:
            return f"not with each of {len(own)} seeds"
    if not all(trial.ok for trial in own):
        return None
    behind = fmean(t.goodness for t in own) - fmean(t.goodness for t in fastest)
    return "less accurate" if behind > own[0].standard_error / 2 else None


def _params(facts: Facts, size: int, i: int) -> Params:
    t, seed = facts.base.training, facts.base.seed + i
    eta = t.eta * size / t.mini_batch_size
    return {"training.mini_batch_size": size, "training.eta": eta, "seed": seed}


def _common(trials: Sequence[Seen]) -> float:
    """The goodness that at least half of the trials reach."""
    return sorted((trial.goodness for trial in trials), reverse=True)[(len(trials) - 1) // 2]


def _size(trial: Seen) -> int:
    return trial.config.training.mini_batch_size


def _estimated_to(facts: Facts, trial: Seen, goodness: float) -> float | None:
    epochs = _epochs_to(trial, goodness)
    return None if epochs is None else epochs * facts.seconds_an_epoch(trial.config)


def _measured_to(trial: Seen, goodness: float) -> float | None:
    epochs = _epochs_to(trial, goodness)
    return None if epochs is None else sum(epoch.seconds for epoch in trial.epochs[:epochs])


def _epochs_to(trial: Seen, goodness: float) -> int | None:
    """The number of epochs until a trial was as good; None if it never was."""
    return next(
        (epoch.number for epoch in trial.epochs if score(epoch, trial.judged_by) >= goodness), None
    )


def _fastest(times: Mapping[int, float | None]) -> int:
    """The size with the shortest time, the smallest of equals."""
    return min((seconds, size) for size, seconds in times.items() if seconds is not None)[1]


def _each(times: Mapping[int, float | None]) -> str:
    return ", ".join(
        f"{size}: never" if seconds is None else f"{size}: {number(seconds)} s"
        for size, seconds in times.items()
    )
