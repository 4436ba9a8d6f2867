"""The mini-batch size: the one that is fastest to an accuracy that most of them reach.

"Plot the validation accuracy versus time (as in, real elapsed time, not epoch!), and choose
whichever mini-batch size gives you the most rapid improvement in performance" (chapter 3,
"Mini-batch size"). η is scaled with m. Trials run one at a time, and the seconds that count are
those that each recorded: a study that is played again decides by the same.
"""

from collections.abc import Sequence

from optuna.distributions import BaseDistribution, IntDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size
from nndl_exp.study.chapter3 import settings
from nndl_exp.study.chapter3.settings import judged, number
from nndl_exp.study.script import Decision, Facts, Script, Seen
from nndl_exp.study.search_space import Params
from nndl_exp.training.epoch import score

TITLE = "mini-batch size"
ONE_AT_A_TIME = True


@dataclass(frozen=True, config=STRICT)
class Options:
    """The sizes to compare, besides the one that the stage starts with, on so many images at most
    and in so many epochs."""

    images: Size = 5_000
    sizes: tuple[Size, ...] = (5, 10, 20, 50, 100)
    epochs: Size = 15


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found so far, as long as it takes to tell the sizes apart."""
    fewer = settings.fewer_images(facts, options.images)
    return settings.training(fewer, epochs=min(options.epochs, fewer.training.epochs))


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """m, and η, which goes with it."""
    return {
        "training.mini_batch_size": IntDistribution(1, facts.n, log=True),
        "training.eta": settings.eta(),
    }


def script(facts: Facts, options: Options) -> Script:
    """Train with each size, and compare the time to a common accuracy."""
    m, eta = facts.base.training.mini_batch_size, facts.base.training.eta
    most = min(facts.n, options.images)
    sizes = sorted({min(m, most), *(size for size in options.sizes if size <= most)})
    trials = yield [_params(size, eta * size / m) for size in sizes]
    good = [trial for trial in trials if trial.ok]
    if not good:
        return settings.nothing(facts, trials)
    common = _common(good)
    times = {trial.config.training.mini_batch_size: _seconds_to(trial, common) for trial in good}
    reached = {size: seconds for size, seconds in times.items() if seconds is not None}
    fastest = min(reached, key=lambda size: reached[size])
    chosen = next(t for t in good if t.config.training.mini_batch_size == fastest)
    config = settings.training(facts.base, mini_batch_size=fastest, eta=chosen.config.training.eta)
    each = ", ".join(
        f"{size}: {number(seconds)} s" if seconds is not None else f"{size}: never"
        for size, seconds in times.items()
    )
    words = (
        f"{fastest} is the fastest to {settings.goodness_text(facts.base, common)} ({each}); it "
        f"ends at {judged(chosen)} with eta {number(config.training.eta)}",
    )
    return Decision(config, words, {"seconds": {str(k): v for k, v in times.items()}})


def _params(size: int, eta: float) -> Params:
    return {"training.mini_batch_size": size, "training.eta": eta}


def _common(trials: Sequence[Seen]) -> float:
    """The goodness that at least half of the trials reach."""
    return sorted((trial.goodness for trial in trials), reverse=True)[(len(trials) - 1) // 2]


def _seconds_to(trial: Seen, goodness: float) -> float | None:
    seconds = 0.0
    for epoch in trial.epochs:
        seconds += epoch.seconds
        if score(epoch, trial.judged_by) >= goodness:
            return seconds
    return None
