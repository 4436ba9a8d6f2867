"""Any learning at all: fewer images, the smallest network, until it beats all constant predictions.

"The first challenge is to get any non-trivial learning, i.e., for the network to achieve results
better than chance" (chapter 3, "Broad strategy"). λ is rescaled with the number of images, so that
λ/n, and with it weight decay, stays what it was.

A network learns if its cost on all rows that it was trained on, without regularization, is at least
1 % below that of always predicting the mean target (for classes, their frequencies). No constant
prediction has a smaller cost, so a network below it makes use of its inputs. Validation accuracy
would not do: where 95 % of the rows are of one class it hardly moves, and on few rows it moves by
luck.

Where nothing learns, the network as typed is trained on all rows. The study ends here only if that
does not bring any cost below the constant one either. Where a cost is below it by less than 1 %,
the study goes on.
"""

import math
from collections.abc import Iterator, Sequence

from optuna.distributions import BaseDistribution, IntDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size, value_text
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.chapter3.settings import judged, number
from nndl_exp.study.stages.script import Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts

TITLE = "any learning at all"
SUMMARY = "Fewer images and the smallest network, until it beats every constant prediction."
MARGIN = 0.01
"""The part by which a cost has to be below that of a constant prediction."""
_AS_TYPED = (1.0, 0.1, 10.0, 0.01, 100.0)
"""Factors of η at which the network as typed is trained, as far as the rounds went."""


@dataclass(frozen=True, config=STRICT)
class Options:
    """``rounds`` by tens are tried around the start; ``images`` are trained on, in ``epochs``, in
    more where there are fewer images, so that as many are seen."""

    images: Size = 1000
    epochs: Size = 4
    monitor_every: Size = 500
    rounds: Size = 6


def start(facts: Facts, options: Options) -> RunConfig:
    """The start cut down: few images, no hidden layer, λ/n as it was."""
    fewer = settings.fewer_images(facts, options.images)
    return settings.plain(
        settings.network(fewer, hidden=()),
        math.ceil(options.epochs * options.images / min(options.images, facts.n)),
        monitor_every=options.monitor_every,
    )


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """η and λ, whether the network has its hidden layers, and how many images there are."""
    varied: dict[str, BaseDistribution] = {
        "training.eta": settings.eta(),
        "training.lmbda": settings.lmbda(),
        "network.hidden": settings.architectures([(), facts.base.network.hidden]),
    }
    if options.images < facts.n:
        varied["dataset.training_size"] = IntDistribution(options.images, facts.n)
    return varied


def script(facts: Facts, options: Options) -> Script:
    """Try the start, then η and λ by tens around it; then again with the hidden layers."""
    few = options.images if options.images < facts.n else None
    first, hidden = start(facts, options), facts.base.network.hidden
    tried: list[Seen] = []
    found, round_ = None, -1
    while found is None and round_ < options.rounds:
        round_ += 1
        trials = yield [_params(e, lmbda, (), few) for e, lmbda in _around(first, round_)]
        tried += trials
        found = _best_learner(trials)
    if found is None:
        return (yield from _as_typed(facts, few, tried, 10.0**round_))
    eta, lmbda = found.config.training.eta, found.config.training.lmbda
    words = [_said(found, round_)]
    if hidden:
        etas = [eta, eta / 10, eta / 100]
        trials = yield [_params(e, lmbda, hidden, few) for e in etas]
        deeper = _best_learner(trials)
        if deeper is None:
            eta = etas[-1]
            words.append(f"with its hidden layers not yet, down to eta {value_text(eta)}")
        else:
            eta = deeper.config.training.eta
            words.append(f"with its hidden layers {judged(deeper)} at eta {value_text(eta)}")
    return _decision(facts, eta, settings.on_all_images(found, facts), words)


def _as_typed(facts: Facts, few: int | None, tried: Sequence[Seen], reach: float) -> Script:
    """Train the network as it was typed, on all rows and without λ, before nothing is said to
    learn."""
    eta, hidden = facts.base.training.eta, facts.base.network.hidden
    etas = [eta * factor for factor in _AS_TYPED if 1 / reach <= factor <= reach]
    trials = yield [_params(one, 0.0, hidden, facts.n if few else None) for one in etas]
    if learner := _best_learner(trials):
        at = learner.config.training.eta
        words = (
            f"nothing learns without hidden layers on {few or facts.n:,} examples; as typed, on "
            f"all {facts.n:,}, it does: {judged(learner)} ({_costs(learner)}) at eta "
            f"{value_text(at)}, lmbda 0"
        )
        return _decision(facts, at, 0.0, [words])
    completed = [trial for trial in (*tried, *trials) if trial.ok]
    lowest = min(completed, key=lambda trial: _ratio(trial), default=None)
    if lowest is not None and _ratio(lowest) < 1:
        eta = lowest.config.training.eta
        words = (
            f"in doubt: the best training cost is hardly below that of a constant prediction "
            f"({_costs(lowest)}); the study goes on from there, at eta {value_text(eta)}"
        )
        return _decision(facts, eta, settings.on_all_images(lowest, facts), [words])
    return _nothing(facts, lowest, reach)


def _nothing(facts: Facts, lowest: Seen | None, reach: float) -> Decision:
    eta = facts.base.training.eta
    why = "every training diverges"
    if lowest is not None:
        why = f"no training cost is below that of a constant prediction ({_costs(lowest)})"
    words = (
        f"nothing learns: from eta {value_text(eta / reach)} to {value_text(eta * reach)}, and "
        f"down to lmbda 0, {why}; look at the data, or start elsewhere"
    )
    return Decision(facts.base, (words,), stop=True)


def _decision(facts: Facts, eta: float, lmbda: float, words: Sequence[str]) -> Decision:
    config = settings.training(facts.base, eta=eta, lmbda=lmbda)
    return Decision(config, tuple(words), {"eta": eta, "lmbda": lmbda})


def _params(eta: float, lmbda: float, hidden: Sequence[int], images: int | None) -> Params:
    """``images`` is None where the stage has no fewer of them than there are."""
    params: Params = {
        "training.eta": eta,
        "training.lmbda": lmbda,
        "network.hidden": settings.text(hidden),
    }
    return params | ({} if images is None else {"dataset.training_size": images})


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


def _best_learner(trials: Sequence[Seen]) -> Seen | None:
    learners = [trial for trial in trials if trial.ok and _ratio(trial) < 1 - MARGIN]
    return settings.best_of(learners) if learners else None


def _ratio(trial: Seen) -> float:
    """Of a trial's training cost to that of a constant prediction."""
    cost, constant = trial.costs
    return cost / constant if constant else math.inf


def _costs(trial: Seen) -> str:
    cost, constant = trial.costs
    return f"training cost {number(cost)}, of a constant prediction {number(constant)}"


def _said(found: Seen, round_: int) -> str:
    t = found.config.training
    at = f"eta {value_text(t.eta)}"
    if t.lmbda:
        at += f", lmbda {value_text(t.lmbda)} of {found.config.dataset.training_size:,} images"
    where = (
        "where it started"
        if round_ == 0
        else f"after {round_} round{'s' if round_ > 1 else ''} by tens"
    )
    return f"{judged(found)} without hidden layers ({_costs(found)}) at {at}, {where}"
