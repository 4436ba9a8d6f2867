"""The other techniques of chapter 3, tried one after another, each on top of those that were kept.

Softmax with log-likelihood: "in many situations both approaches work well" ("Softmax"). Tanh and
ReLU: "networks built using other model neurons sometimes outperform sigmoid networks" ("Other
models of artificial neuron"). Momentum "is commonly used, and often speeds up learning"
("Variations on stochastic gradient descent"). Dropout is "a radically different technique for
regularization", and "the general principle is to expand the training data by applying operations
that reflect real-world variation" ("Other techniques for regularization").

Each is tried with a learning rate or two of its own, with one seed and on at most so many images.
The better one is trained with more seeds, unless it is behind by more than noise already, and kept
if it is better than without.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass as plain
from dataclasses import replace
from typing import Annotated, Any, Literal

from optuna.distributions import BaseDistribution, CategoricalDistribution
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size, value_text
from nndl_exp.run import measure_of
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.script import Batch, Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.study.verdict import compare

TITLE = "other techniques"
SUMMARY = (
    "The other techniques of chapter 3, tried one after another on top of those that were kept."
)
LEVEL = 0.8
"""Of the interval above which a technique is kept. It decides what to go on with, as a standard
error does elsewhere; what is claimed in the end, the stage ``winner`` tests at 95 %."""


@plain(frozen=True)
class Technique:
    """The ``settings`` that it changes, by name, and the ``factors`` of η that are tried with it.

    ``needs`` is what the run must have for it: hidden layers, classes or pictures.
    """

    settings: dict[str, Any]
    factors: tuple[float, ...]
    needs: Literal["hidden layers", "classes", "pictures"] | None = None


TECHNIQUES = {
    "shifts": Technique({"training.expansion.name": "shifts"}, (1.0,), "pictures"),
    "distortions": Technique({"training.expansion.name": "distortions"}, (1.0,), "pictures"),
    "tanh": Technique(
        {"network.activation": "tanh", "network.initializer": "glorot"}, (0.3, 0.1), "hidden layers"
    ),
    "relu": Technique(
        {"network.activation": "relu", "network.initializer": "he"}, (0.3, 0.1), "hidden layers"
    ),
    "softmax": Technique(
        {"network.output": "softmax", "network.cost": "log_likelihood"}, (1.0, 0.3), "classes"
    ),
    "momentum": Technique({"training.momentum": 0.9}, (0.3, 0.1)),
    "dropout": Technique({"training.dropout": 0.2}, (1.0, 2.0), "hidden layers"),
}
Name = Literal["shifts", "distortions", "tanh", "relu", "softmax", "momentum", "dropout"]


@dataclass(frozen=True, config=ConfigDict(**STRICT, validate_by_name=True, validate_by_alias=True))
class Options:
    """The techniques to ``try``, in order, the ``images`` that they are tried on at most, and the
    ``seeds`` that each is judged by."""

    try_: Annotated[tuple[Name, ...], Field(alias="try")] = (
        "shifts", "tanh", "relu", "softmax", "momentum", "dropout",
    )  # fmt: skip
    images: Size = 5_000
    seeds: Annotated[int, Field(ge=2)] = 3


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found so far, on fewer images."""
    return settings.fewer_images(facts, options.images)


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """What the techniques change, η and the seed."""
    varied: dict[str, dict[Any, None]] = {}
    for name in _suitable(facts, options):
        for setting, value in TECHNIQUES[name].settings.items():
            (before,) = settings.point(facts.base, setting).values()
            varied.setdefault(setting, {before: None})[value] = None
    return {
        **{name: CategoricalDistribution(tuple(values)) for name, values in varied.items()},
        "training.eta": settings.eta(),
        "seed": settings.seeds(),
    }


def script(facts: Facts, options: Options) -> Script:
    """Train as it is, then with each technique; what is kept is there when the next is tried."""
    if not _suitable(facts, options):
        return Decision(facts.base, ("nothing to try: the run stays as it was",))
    if (options.seeds + 1) * facts.likely_work(start(facts, options)) > facts.share:
        return Decision(facts.base, (f"none was tried: {settings.NOT_PAID}",))
    names = [name for name in space(facts, options) if name != "seed"]
    found = yield [_at(settings.point(facts.base, *names), facts, i) for i in range(options.seeds)]
    if not any(trial.ok for trial in found):
        return settings.nothing(facts, found)
    before, kept, words, spent = found, list[str](), list[str](), facts.spent(found)
    for name in _suitable(facts, options):
        each = facts.spent(found) / options.seeds
        if spent + each * len(TECHNIQUES[name].factors) > facts.share:
            words.append(f"{name} was not tried: {settings.NOT_PAID}")
            continue
        trials, group = yield from _tried(facts, TECHNIQUES[name], found, options.seeds)
        spent += facts.spent(trials)
        better, said = _judged(facts, group, found)
        words.append(f"{name}{said}")
        if better:
            found, kept = group, [*kept, name]
    values = [
        measure_of(facts.base).text(float(settings.scores(some).mean()))
        for some in ([before, found] if kept else [found])
    ]
    first = f"kept {', '.join(kept)}" if kept else "nothing else is better"
    first += f": {' becomes '.join(values)} in the mean of {options.seeds} seeds"
    return Decision(_on_all_images(found[0], facts), (first, *words), {"kept": kept})


def _on_all_images(trial: Seen, facts: Facts) -> RunConfig:
    """The run with the techniques of a trial and its η, on all images."""
    base = facts.base
    found = replace(trial.config, dataset=base.dataset, seed=base.seed)
    return settings.training(
        found, lmbda=base.training.lmbda, mini_batch_size=base.training.mini_batch_size
    )


def _tried(
    facts: Facts, technique: Technique, found: Sequence[Seen], seeds: int
) -> Generator[Batch, list[Seen], tuple[list[Seen], list[Seen]]]:
    """Train with a technique on top of what was found.

    Returns all trials, and those with the better η, one for each seed; only the first seed's where
    that is behind by more than noise.
    """
    now = _without_seed(found[0])
    etas = [now["training.eta"] * factor for factor in technique.factors]
    first = yield [
        _at({**now, **technique.settings, "training.eta": eta}, facts, 0) for eta in etas
    ]
    best = settings.best_of(first)
    if not best.ok or best.goodness < found[0].goodness - found[0].standard_error:
        return first, [best]
    others = yield [_at(_without_seed(best), facts, i) for i in range(1, seeds)]
    return [*first, *others], [best, *others]


def _judged(facts: Facts, group: Sequence[Seen], found: Sequence[Seen]) -> tuple[bool, str]:
    """Whether runs with a technique are better than those without, seed by seed; and in words."""
    if len(group) < len(found):
        return False, f" is behind with one seed: {settings.judged(group[0])}"
    (pair,) = compare([settings.scores(group), settings.scores(found)], LEVEL)
    measure = measure_of(facts.base)
    interval = f"{100 * LEVEL:.0f} % interval {measure.difference(pair.low, pair.high)}"
    said = f" {measure.difference(pair.difference)} ({interval}): "
    if pair.better != 0:
        return False, f"{said}not kept"
    return True, f"{said}kept, with eta {value_text(group[0].config.training.eta)}"


def _suitable(facts: Facts, options: Options) -> list[str]:
    """The techniques to try that go with the run and its data, and that it does not have."""
    has = {
        None: True,
        "hidden layers": bool(facts.base.network.hidden),
        "classes": measure_of(facts.base).is_fraction,
        "pictures": facts.pictures,
    }
    return [
        name
        for name in options.try_
        if has[TECHNIQUES[name].needs]
        and settings.point(facts.base, *TECHNIQUES[name].settings) != TECHNIQUES[name].settings
        and (name != "dropout" or not isinstance(facts.base.training.dropout, tuple))
    ]


def _at(point: Params, facts: Facts, i: int) -> Params:
    """The trial of a point with the i-th seed, the same for all techniques."""
    return {**point, "seed": facts.base.seed + i}


def _without_seed(trial: Seen) -> Params:
    return {name: value for name, value in trial.params.items() if name != "seed"}
