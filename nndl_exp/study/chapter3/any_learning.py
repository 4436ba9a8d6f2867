"""Any learning at all: fewer images, the smallest network, until it is better than chance.

"The first challenge is to get any non-trivial learning, i.e., for the network to achieve results
better than chance" (chapter 3, "Broad strategy"). λ is rescaled with the number of images, so that
λ/n, and with it weight decay, stays what it was.
"""

from collections.abc import Iterator, Sequence

from optuna.distributions import BaseDistribution
from pydantic.dataclasses import dataclass
from scipy.special import ndtri

from nndl_exp.config import STRICT, RunConfig, ScheduleConfig, Size
from nndl_exp.study.chapter3 import settings
from nndl_exp.study.chapter3.settings import judged, number
from nndl_exp.study.script import Decision, Facts, Script, Seen
from nndl_exp.study.search_space import Params

TITLE = "any learning at all"


@dataclass(frozen=True, config=STRICT)
class Options:
    """``rounds`` by tens are tried around the start; ``images`` are trained on, in ``epochs``."""

    images: Size = 1000
    epochs: Size = 4
    monitor_every: Size = 500
    rounds: Size = 6


def start(facts: Facts, options: Options) -> RunConfig:
    """The start cut down: few images, no hidden layer, λ/n as it was."""
    fewer = settings.fewer_images(facts, options.images)
    return settings.without_stopping(
        settings.network(fewer, hidden=()),
        options.epochs,
        monitor_every=options.monitor_every,
        schedule=ScheduleConfig(),
        dropout=0.0,
        input_dropout=0.0,
    )


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """η and λ, and whether the network has its hidden layers."""
    return {
        "training.eta": settings.eta(),
        "training.lmbda": settings.lmbda(),
        "network.hidden": settings.architectures([(), facts.base.network.hidden]),
    }


def script(facts: Facts, options: Options) -> Script:
    """Try the start, then η and λ by tens around it; then again with the hidden layers."""
    first, hidden = start(facts, options), facts.base.network.hidden
    found, round_ = None, -1
    while found is None and round_ < options.rounds:
        round_ += 1
        trials = yield [_params(eta, lmbda, ()) for eta, lmbda in _around(first, round_)]
        found = _best_learner(facts, trials)
    if found is None:
        return _nothing(facts, 10.0**round_)
    eta, lmbda = found.config.training.eta, found.config.training.lmbda
    words = [_said(facts, found, round_)]
    if hidden:
        etas = [eta, eta / 10, eta / 100]
        trials = yield [_params(e, lmbda, hidden) for e in etas]
        deeper = _best_learner(facts, trials)
        if deeper is None:
            eta = etas[-1]
            words.append(f"with its hidden layers not yet, down to eta {number(eta)}")
        else:
            eta = deeper.config.training.eta
            words.append(f"with its hidden layers {judged(deeper)} at eta {number(eta)}")
    lmbda = settings.on_all_images(lmbda, facts, options.images)
    config = settings.training(facts.base, eta=eta, lmbda=lmbda)
    return Decision(config, tuple(words), {"eta": eta, "lmbda": lmbda})


def _params(eta: float, lmbda: float, hidden: Sequence[int]) -> Params:
    return {
        "training.eta": eta,
        "training.lmbda": lmbda,
        "network.hidden": settings.text(hidden),
    }


def _nothing(facts: Facts, reach: float) -> Decision:
    t = facts.base.training
    return Decision(
        facts.base,
        (
            f"nothing learns: from eta {number(t.eta / reach)} to {number(t.eta * reach)}, and "
            f"down to lmbda {number(t.lmbda / reach)}, all stays at chance "
            f"({_chance(facts)}) or diverges; look at the data, or start elsewhere",
        ),
        stop=True,
    )


def _around(first: RunConfig, round_: int) -> Iterator[tuple[float, float]]:
    eta, lmbda, tens = first.training.eta, first.training.lmbda, 10.0**round_
    if round_ == 0:
        yield eta, lmbda
        return
    yield eta / tens, lmbda
    yield eta * tens, lmbda
    if lmbda:
        yield eta / tens, lmbda / tens
        yield eta, lmbda / tens


def _best_learner(facts: Facts, trials: Sequence[Seen]) -> Seen | None:
    learners = [trial for trial in trials if _learns(facts, trial)]
    return settings.best_of(learners) if learners else None


def _learns(facts: Facts, trial: Seen) -> bool:
    """Better than chance by more than noise, with every look at it paid for."""
    if not trial.ok:
        return False
    looks = [epoch.validation_accuracy for epoch in trial.epochs]
    looks += [moment.validation_accuracy for epoch in trial.epochs for moment in epoch.within]
    z = float(-ndtri(1e-4 / len(looks)))
    return bool(max(looks) > facts.chance + z * facts.standard_error(facts.chance))


def _said(facts: Facts, found: Seen, round_: int) -> str:
    t = found.config.training
    at = f"eta {number(t.eta)}"
    if t.lmbda:
        at += f", lmbda {number(t.lmbda)} of {found.config.dataset.training_size:,} images"
    where = (
        "where it started"
        if round_ == 0
        else f"after {round_} round{'s' if round_ > 1 else ''} by tens"
    )
    chance = f"chance is {_chance(facts)}"
    return f"{judged(found)} without hidden layers ({chance}) at {at}, {where}"


def _chance(facts: Facts) -> str:
    return settings.accuracy_text(facts.base, facts.chance)
