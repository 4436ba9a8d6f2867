"""One entry of a search space: a range or a list of choices as an Optuna distribution."""

import json
import math
from collections.abc import Mapping
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState, create_trial

from nndl_exp.errors import UserError

_RANGE_KEYS = {"low", "high", "log", "step"}


def distribution_of(name: str, entry: Any, current: Any) -> BaseDistribution:
    """The distribution of an entry, whole numbers where the setting's present value is whole.

    Raises:
        UserError: the entry is neither a range nor a list of choices, or its ends are impossible.
    """
    accepted = "{low: .., high: .., log: true or false, step: ..} or {choices: [..]}"
    if not isinstance(entry, Mapping) or not (
        set(entry) == {"choices"} or {"low", "high"} <= set(entry) <= _RANGE_KEYS
    ):
        got = dict(entry) if isinstance(entry, Mapping) else entry
        raise UserError(f"search_space.{name} must be {accepted}: got {got}")
    if "choices" in entry:
        choices = entry["choices"]
        if not isinstance(choices, list) or not choices:
            raise UserError(
                f"search_space.{name}.choices must be a list of at least one value: got {choices}"
            )
        return CategoricalDistribution([c if is_scalar(c) else json.dumps(c) for c in choices])
    return _range(name, entry, current)


def _range(name: str, entry: Mapping[str, Any], current: Any) -> BaseDistribution:
    low, high = entry["low"], entry["high"]
    log, step = entry.get("log", False), entry.get("step")
    if not isinstance(log, bool):
        raise UserError(f"search_space.{name}.log must be true or false: got {log!r}")
    for key in ("low", "high"):
        if isinstance(entry[key], bool) or not isinstance(entry[key], int | float):
            raise UserError(f"search_space.{name}.{key} must be a number: got {entry[key]!r}")
    if low > high:
        raise UserError(f"search_space.{name}.low must be at most high ({high}): got {low}")
    if log and low <= 0:
        raise UserError(f"search_space.{name}.low must be greater than 0 with log: got {low}")
    if log and step is not None:
        raise UserError(f"search_space.{name} takes log or step, not both: got step {step}")
    whole = isinstance(low, int) and isinstance(high, int) and not isinstance(current, float)
    if whole:
        return IntDistribution(low, high, log=log, step=step or 1)
    return FloatDistribution(low, high, log=log, step=step)


def points(name: str, distribution: BaseDistribution) -> list[Any]:
    """All values of a finite distribution.

    Raises:
        UserError: there are infinitely many.
    """
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution) and not distribution.log:
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step:
        n = round((distribution.high - distribution.low) / distribution.step)
        return [distribution.low + i * distribution.step for i in range(n + 1)]
    raise UserError(
        f"sampler=grid needs a finite list for search_space.{name}: {{choices: [..]}} or a step"
    )


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value is one of those that a distribution can give."""
    try:
        create_trial(
            state=TrialState.RUNNING, params={"x": value}, distributions={"x": distribution}
        )
    except (ValueError, OverflowError):
        return False
    return True


def is_at_edge(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a value lies within 1 % of an end of its range, on its scale; a choice never does."""
    if isinstance(distribution, CategoricalDistribution):
        return False
    low, high = float(distribution.low), float(distribution.high)  # type: ignore[attr-defined]
    if distribution.log:  # type: ignore[attr-defined]
        low, high, value = math.log(low), math.log(high), math.log(value)
    margin = 0.01 * (high - low)
    return high > low and not low + margin < value < high - margin


def suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> Any:
    """Ask an Optuna trial for a value."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        ints = (distribution.low, distribution.high)
        return trial.suggest_int(name, *ints, step=distribution.step, log=distribution.log)
    assert isinstance(distribution, FloatDistribution)
    floats = (distribution.low, distribution.high)
    return trial.suggest_float(name, *floats, step=distribution.step, log=distribution.log)


def describe(distribution: BaseDistribution) -> str:
    """A distribution as a reader would write it: 0.001..10 log, {1, 2, 5}."""
    if isinstance(distribution, CategoricalDistribution):
        return f"{{{', '.join(map(str, distribution.choices))}}}"
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    log = " log" if distribution.log else ""  # type: ignore[attr-defined]
    return f"{low:g}..{high:g}{log}"


def is_scalar(value: Any) -> bool:
    """Whether Optuna can keep a choice as it is; others are kept as JSON text."""
    return value is None or isinstance(value, bool | int | float | str)
