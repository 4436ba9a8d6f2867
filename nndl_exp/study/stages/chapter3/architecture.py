"""The architecture: wider by factors, then deeper, η tuned again a little for each.

The book leaves it to experiment ("for the network architecture ... just do it by hand"); what it
says of the rest is kept: λ stays as n does, η is looked at again.
"""

from collections.abc import Sequence
from typing import Annotated

from optuna.distributions import BaseDistribution
from pydantic import Field
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size, value_text
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.chapter3.settings import best_of, judged
from nndl_exp.study.stages.script import Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts

TITLE = "architecture"
SUMMARY = "Wider, then deeper networks; η is tuned a little again for each."
LATER = 12
"""About the least that the stages to come train: two schedules, four trials of the joint search,
two finalists three times."""


@dataclass(frozen=True, config=STRICT)
class Options:
    """Widths up to ``widest``, each ``factor`` times the one before; ``layers`` at most."""

    factor: Annotated[float, Field(gt=1)] = 2.5
    widest: Size = 400
    layers: Size = 3


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found so far."""
    return facts.base


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """The hidden layers, and η."""
    hidden = facts.base.network.hidden
    widths = [*hidden[:1], *(width for (width,) in _wider(options, hidden))]
    deeper = [[width] * layers for width in widths for layers in range(1, options.layers + 1)]
    return {
        "network.hidden": settings.architectures([hidden, *deeper]),
        "training.eta": settings.eta(),
    }


def script(facts: Facts, options: Options) -> Script:
    """Go wider while that is no worse, but for noise, then deeper likewise; what is larger has to
    be better by half a standard error."""
    narrow, eta = facts.base.network.hidden, facts.base.training.eta
    first = [
        pair for wider in _wider(options, narrow)[:1] if _is_paid(facts, wider, 0.0)
        for pair in _pair(wider, eta)
    ]  # fmt: skip
    *ahead, best = yield [*first, _params(narrow, eta)]
    seen, tried = [best], [f"{_layers(best)} {judged(best)}"]
    for direction in (_wider, _deeper):
        for hidden in direction(options, best.config.network.hidden):
            if not ahead and not _is_paid(facts, hidden, facts.spent(seen)):
                tried.append(f"{_named(hidden)} was not tried: {settings.NOT_PAID}")
                break
            trials = ahead or (yield _pair(hidden, best.config.training.eta))
            ahead = []
            candidate, seen = best_of(trials), [*seen, *trials]
            tried.append(f"{_layers(candidate)} {judged(candidate)}")
            noise = best.standard_error
            worse = candidate.goodness < best.goodness - noise
            if candidate.goodness > best.goodness + noise / 2:  # else the smaller one stays
                best = candidate
            if worse or not candidate.ok:
                break
    return _decision(facts, best, tried) if best.ok else settings.nothing(facts, seen)


def _decision(facts: Facts, best: Seen, tried: Sequence[str]) -> Decision:
    config = settings.training(
        settings.network(facts.base, hidden=best.config.network.hidden),
        eta=best.config.training.eta,
    )
    eta = value_text(config.training.eta)
    words = (f"{_layers(best)} is the best ({'; '.join(tried)}), with eta {eta}",)
    return Decision(config, words, {"hidden": list(best.config.network.hidden)})


def _is_paid(facts: Facts, hidden: Sequence[int], spent: float) -> bool:
    """Whether the stage's share pays for two trainings of such a network besides what is spent, and
    the work of the stages to come pays for theirs."""
    each = facts.likely_work(settings.network(facts.base, hidden=tuple(hidden)))
    return spent + 2 * each <= facts.share and LATER * each <= facts.left - facts.share


def _wider(options: Options, hidden: Sequence[int]) -> list[list[int]]:
    width, ladder = hidden[0] if hidden else 10, []
    while (width := round(width * options.factor)) <= options.widest:
        ladder.append([width])
    return ladder


def _deeper(options: Options, hidden: Sequence[int]) -> list[list[int]]:
    return [[width] * layers for width in hidden[:1] for layers in range(2, options.layers + 1)]


def _pair(hidden: Sequence[int], eta: float) -> list[Params]:
    """A network with half of the η of the one before, larger ones wanting smaller, and with it."""
    return [_params(hidden, eta / 2), _params(hidden, eta)]


def _params(hidden: Sequence[int], eta: float) -> Params:
    return {"network.hidden": settings.text(hidden), "training.eta": eta}


def _layers(trial: Seen) -> str:
    return _named(trial.config.network.hidden)


def _named(hidden: Sequence[int]) -> str:
    return "-".join(map(str, hidden)) or "no hidden layer"
