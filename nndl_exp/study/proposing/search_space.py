"""The search space: which settings of a run vary, and over what.

Its keys are the settings that one can also type. An entry is a range ``{low, high, log, step}`` or
``{choices: [...]}``; ``network.hidden`` may also be ``{layers: RANGE, width: RANGE}``: so many
hidden layers, each with a width of its own. A null entry is left alone.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from nndl_exp.config import RunConfig, flatten, no_such_setting, run_config, short_name, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.study.proposing.ranges import (
    contains,
    describe,
    distribution_of,
    is_at_edge,
    is_scalar,
    points,
    suggest,
)

_HIDDEN = "network.hidden"
Params = dict[str, Any]
"""The values of a trial by parameter name, as Optuna keeps them."""


@dataclass(frozen=True)
class SearchSpace:
    """The parameters, by name in the order of the YAML, with their distributions.

    A parameter is named as its setting; those of a conditional architecture are
    ``network.hidden.layers`` and ``network.hidden.width_1`` and so on.
    """

    distributions: dict[str, BaseDistribution]

    @classmethod
    def parse(cls, entries: Mapping[str, Any], base: RunConfig) -> "SearchSpace":
        """The search space of a YAML, for variations of ``base``.

        Raises:
            UserError: a key that is no setting, an entry that is no range, a range that reaches
                beyond what the setting can be, or nothing to vary.
        """
        if "kernels" in entries:
            raise UserError("search_space can't have kernels: they are loaded once, before a study")
        settings = to_mapping(base)
        distributions: dict[str, BaseDistribution] = {}
        for name, entry in _entries(entries, settings):
            distributions |= _distributions(name, entry, _value(settings, name))
        if not distributions:
            raise UserError("search_space must name at least one setting: got none")
        space = cls(distributions)
        space._check_ends(base)
        return space

    def suggest(self, trial: optuna.Trial) -> Params:
        """Let an Optuna trial choose a value for every parameter that applies."""
        params: Params = {}
        for name, distribution in self.distributions.items():
            if self._applies(name, params):
                params[name] = suggest(trial, name, distribution)
        return params

    def apply(self, base: RunConfig, params: Params) -> RunConfig:
        """The run that a trial's values describe.

        Raises:
            UserError: a value that its setting can't have.
        """
        settings = copy.deepcopy(to_mapping(base))
        for name, value in self.settings_of(params).items():
            *path, key = name.split(".")
            inner = settings
            for part in path:
                inner = inner[part]
            inner[key] = value
        return run_config(settings)

    def settings_of(self, params: Params) -> dict[str, Any]:
        """The settings, by dotted name, that a trial's values stand for."""
        settings = {
            name: self._plain(name, value)
            for name, value in params.items()
            if not name.startswith(f"{_HIDDEN}.")
        }
        if f"{_HIDDEN}.layers" in params:
            layers = range(1, params[f"{_HIDDEN}.layers"] + 1)
            settings[_HIDDEN] = [params[f"{_HIDDEN}.width_{i}"] for i in layers]
        return settings

    def params_of(self, settings: Mapping[str, Any]) -> Params:
        """The values of a configuration given by hand: the inverse of ``settings_of``.

        Raises:
            UserError: a setting that the space does not vary, or a value outside of it.
        """
        params = self.named(settings)
        for name, value in params.items():
            _check_inside(self, name, value)
        return params

    def named(self, settings: Mapping[str, Any]) -> Params:
        """Settings by the names of the parameters, also where they lie outside of the space."""
        params: Params = {}
        for name, value in settings.items():
            if name == _HIDDEN and f"{_HIDDEN}.layers" in self.distributions:
                widths = list(value) if isinstance(value, list | tuple) else [value]
                params[f"{_HIDDEN}.layers"] = len(widths)
                params |= {f"{_HIDDEN}.width_{i}": w for i, w in enumerate(widths, 1)}
            else:
                params[name] = value if is_scalar(value) else json.dumps(value)
        return params

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that vary."""
        names = (_HIDDEN if n.startswith(f"{_HIDDEN}.") else n for n in self.distributions)
        return tuple(dict.fromkeys(names))

    @property
    def is_conditional(self) -> bool:
        """Whether some parameters exist only for some values of others."""
        return f"{_HIDDEN}.width_2" in self.distributions

    def always(self) -> dict[str, BaseDistribution]:
        """The parameters that every trial has."""
        return {
            name: distribution
            for name, distribution in self.distributions.items()
            if not name.startswith(f"{_HIDDEN}.width_") or name == f"{_HIDDEN}.width_1"
        }

    def grid(self) -> dict[str, list[Any]]:
        """Every value of every parameter, for grid search.

        Raises:
            UserError: a parameter has no finite list of values, or exists only sometimes.
        """
        if self.is_conditional:
            raise UserError(
                "sampler=grid needs search_space.network.hidden as {choices: [[30], [100], ...]}: "
                "got layers and width"
            )
        return {name: points(name, d) for name, d in self.distributions.items()}

    def at_edges(self, params: Params) -> list[str]:
        """The parameters whose value lies at an end of its range, where a wider one could help."""
        return [
            name
            for name, value in params.items()
            if is_at_edge(self.distributions[name], value)
            and (name, value) != (f"{_HIDDEN}.layers", 1)  # there is nothing below one layer
        ]

    def describe(self) -> str:
        """The space in one line, as a sentence for a reader."""
        parts = [
            f"{short_name(name)} {describe(distribution)}"
            for name, distribution in self.distributions.items()
            if not name.startswith(f"{_HIDDEN}.")
        ]
        if f"{_HIDDEN}.layers" in self.distributions:
            layers = describe(self.distributions[f"{_HIDDEN}.layers"])
            width = describe(self.distributions[f"{_HIDDEN}.width_1"])
            parts.append(f"{layers} hidden layers of {width}")
        return " · ".join(parts)

    def _applies(self, name: str, params: Params) -> bool:
        prefix = f"{_HIDDEN}.width_"
        if not name.startswith(prefix):
            return True
        return int(name.removeprefix(prefix)) <= int(params[f"{_HIDDEN}.layers"])

    def _plain(self, name: str, value: Any) -> Any:
        distribution = self.distributions[name]
        is_json = isinstance(distribution, CategoricalDistribution) and isinstance(value, str)
        return json.loads(value) if is_json and value[:1] in "[{" else value

    def _check_ends(self, base: RunConfig) -> None:
        for name, distribution in self.distributions.items():
            if name.startswith(f"{_HIDDEN}."):
                continue
            if isinstance(distribution, CategoricalDistribution):
                values = list(distribution.choices)
            else:
                values = [distribution.low, distribution.high]  # type: ignore[attr-defined]
            for value in values:
                try:
                    self.apply(base, {name: value})
                except UserError as e:
                    raise UserError(f"search_space: {e}") from None


def nearest(space: SearchSpace, run: RunConfig) -> Params | None:
    """The parameters of a run, moved to the nearest end of a range where they lie outside.

    None where one can't be had: a value that is not among the choices, or a layer too many.
    """
    values = dict(flatten(to_mapping(run)))
    params = space.named({name: values[name] for name in space.settings})
    for name, value in params.items():
        distribution = space.distributions.get(name)
        if isinstance(distribution, FloatDistribution | IntDistribution):
            params[name] = value = min(max(value, distribution.low), distribution.high)
        if distribution is None or not contains(distribution, value):
            return None
    return params


def _check_inside(space: SearchSpace, name: str, value: Any) -> None:
    if name not in space.distributions:
        raise UserError(
            f"study.enqueue may only set what is searched ({', '.join(space.settings)}): got {name}"
        )
    distribution = space.distributions[name]
    if not contains(distribution, value):
        raise UserError(
            f"study.enqueue: {name} must lie inside the search space "
            f"({describe(distribution)}): got {value}"
        )


def _entries(entries: Mapping[str, Any], settings: Any) -> Iterator[tuple[str, Any]]:
    known = dict(flatten(settings))

    def walk(inner: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for key, entry in inner.items():
            name = f"{prefix}{key}"
            if entry is None:
                continue
            if name in known or name == _HIDDEN:
                yield name, entry
            elif any(other.startswith(f"{name}.") for other in known):
                yield from walk(entry, f"{name}.")
            else:
                raise UserError(f"search_space: {no_such_setting(name, known)}")

    yield from walk(entries, "")


def _value(settings: Any, name: str) -> Any:
    for part in name.split("."):
        settings = settings[part]
    return settings


def _distributions(name: str, entry: Any, current: Any) -> dict[str, BaseDistribution]:
    if name == _HIDDEN and isinstance(entry, Mapping) and set(entry) == {"layers", "width"}:
        layers = distribution_of(f"{name}.layers", entry["layers"], 1)
        width = distribution_of(f"{name}.width", entry["width"], 1)
        if not isinstance(layers, IntDistribution) or layers.low < 1:
            raise UserError(
                f"search_space.{name}.layers must be a range that starts at 1 or more: "
                f"got {entry['layers']}"
            )
        widths = {f"{name}.width_{i}": width for i in range(1, layers.high + 1)}
        return {f"{name}.layers": layers, **widths}
    return {name: distribution_of(name, entry, current)}
