"""Optuna's pruners by name."""

from collections.abc import Mapping
from typing import Any

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)

from nndl_exp.errors import UserError
from nndl_exp.study.proposing.samplers import check_options

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
