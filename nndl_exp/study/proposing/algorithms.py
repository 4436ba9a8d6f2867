"""Optuna's samplers and pruners by name.

Samplers are made anew for each trial, so that a proposal depends on the study alone.
"""

import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import islice, product
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GridSampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.trial import FrozenTrial

from nndl_exp.errors import UserError
from nndl_exp.study.proposing.search_space import Params, SearchSpace


def sampler_for(
    settings: Mapping[str, Any], space: SearchSpace, seed: int, number: int
) -> BaseSampler:
    """The sampler that proposes trial ``number``.

    Its random numbers come from ``SeedSequence([seed, number])``. QMC follows one plan through all
    trials, so its come from the study's seed alone.

    Args:
        settings: ``name``, a key of ``SAMPLERS``, and what Optuna's class of that name takes.
        space: the search space.
        seed: the study's seed.
        number: the trial's number.

    Raises:
        UserError: no such sampler or setting, or it can't search this space.
    """
    options = dict(settings)
    name = options.pop("name", None)
    if name not in SAMPLERS:
        raise UserError(f"sampler.name must be one of {', '.join(SAMPLERS)}: got {name}")
    cls, make = SAMPLERS[name]
    check_options("sampler", cls, options)
    trial_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return make(options, space, seed, trial_seed)
    except (ValueError, TypeError, ImportError) as e:
        raise UserError(f"sampler={name}: {e}") from e


def first_tried(
    settings: Mapping[str, Any], space: SearchSpace, seed: int, enqueue: Sequence[Params]
) -> list[Params]:
    """The configurations that are tried first, in order; of a grid, every point once.

    Optuna's GridSampler would never try the point whose number an enqueued trial has. The others
    have its order. An enqueued configuration that leaves settings out is the first such point.

    Raises:
        UserError: the space has no grid.
    """
    if settings.get("name") != "grid":
        return list(enqueue)
    grid = dict(sorted(space.grid().items()))
    points = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    np.random.RandomState(seed).shuffle(points)  # type: ignore[arg-type]
    first: list[Params] = []
    for asked in enqueue:
        wanted = {name: _nearest(grid[name], value) for name, value in asked.items()}.items()
        matching = (i for i, point in enumerate(points) if wanted <= point.items())
        first += [points.pop(i) for i in islice(matching, 1)]
    return first + points


def _nearest(values: Sequence[Any], value: Any) -> Any:
    """The value of a grid that is meant: 0.3 is not 0.1 + 2 * 0.1."""
    return value if value in values else min(values, key=lambda other: abs(other - value))


def check_options(group: str, cls: type, options: Mapping[str, Any]) -> None:
    """Refuse an option that a class of Optuna does not take."""
    known = set(inspect.signature(cls).parameters) - {"seed", "search_space", "independent_sampler"}
    for key in options:
        if key not in known:
            raise UserError(
                f"no such setting: {group}.{key} ({cls.__name__} takes {', '.join(sorted(known))})"
            )
        default = inspect.signature(cls).parameters[key].default
        wanted = type(default) if isinstance(default, bool | int | float) else object
        got = type(options[key])
        if not (got is wanted or wanted is object or (wanted is float and got is int)):
            raise UserError(
                f"{group}.{key} must be of the kind of {default!r}: got {options[key]!r}"
            )


class _StaticQMC(QMCSampler):
    """QMC over the declared space from the first trial on.

    Optuna's own class learns the space from the first trial that has ended; until then, which with
    a lag is several trials, it would draw at random.
    """

    def __init__(self, space: dict[str, BaseDistribution], **options: Any) -> None:
        super().__init__(**options)
        self._space = space

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._space


Options = dict[str, Any]


def _tpe(options: Options, space: SearchSpace, seed: int, trial_seed: int) -> BaseSampler:
    return TPESampler(seed=trial_seed, **options)


def _random(options: Options, space: SearchSpace, seed: int, trial_seed: int) -> BaseSampler:
    return RandomSampler(seed=trial_seed, **options)


def _qmc(options: Options, space: SearchSpace, seed: int, trial_seed: int) -> BaseSampler:
    independent = RandomSampler(seed=trial_seed)
    # The widths of deeper networks are drawn on their own by design; no line a trial for it.
    options.setdefault("warn_independent_sampling", False)
    return _StaticQMC(space.always(), seed=seed, independent_sampler=independent, **options)


def _cmaes(options: Options, space: SearchSpace, seed: int, trial_seed: int) -> BaseSampler:
    kinds = space.distributions.values()
    if space.is_conditional or any(isinstance(d, CategoricalDistribution) for d in kinds):
        raise UserError(
            "sampler=cmaes searches ranges of numbers only: got choices or hidden layers in the "
            "search space; use search_space=numeric, or another sampler"
        )
    independent = RandomSampler(seed=trial_seed)
    options.setdefault("warn_independent_sampling", False)  # the first trial is
    return CmaEsSampler(seed=trial_seed, independent_sampler=independent, **options)


SAMPLERS: dict[
    str, tuple[type[BaseSampler], Callable[[Options, SearchSpace, int, int], BaseSampler]]
] = {
    "tpe": (TPESampler, _tpe),
    "random": (RandomSampler, _random),
    "grid": (GridSampler, _random),  # all of its points are enqueued
    "qmc": (QMCSampler, _qmc),
    "cmaes": (CmaEsSampler, _cmaes),
}


PRUNERS: dict[str, type[BasePruner]] = {
    "none": NopPruner,
    "median": MedianPruner,
    "percentile": PercentilePruner,
    "successive_halving": SuccessiveHalvingPruner,
    "hyperband": HyperbandPruner,
}


def make_pruner(settings: Mapping[str, Any]) -> BasePruner:
    """The pruner that ``settings`` name; the other keys are what Optuna's class takes.

    Raises:
        UserError: no such pruner or setting, or a value that it can't have.
    """
    options = dict(settings)
    name = options.pop("name", None)
    if name not in PRUNERS:
        raise UserError(f"pruner.name must be one of {', '.join(PRUNERS)}: got {name}")
    check_options("pruner", PRUNERS[name], options)
    if name == "hyperband" and not isinstance(options.get("max_resource"), int):
        # Left to itself Optuna guesses it from the first trials that end.
        raise UserError(
            "pruner.max_resource must be the largest number of epochs: "
            f"got {options.get('max_resource')}"
        )
    try:
        return PRUNERS[name](**options)
    except (ValueError, TypeError) as e:
        raise UserError(f"pruner={name}: {e}") from e


def describe(name: str, last: int) -> str:
    """Why a trial was pruned that saw the settled trials 0 .. ``last``."""
    if name == "median":
        return f"below the median of trials 0-{last}"
    return f"{name.replace('_', ' ')}, after trials 0-{last}"
