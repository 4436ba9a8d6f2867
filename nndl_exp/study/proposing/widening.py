"""Ranges that grow while they are searched, where the best trial lies at an edge."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection

from nndl_exp.study.proposing.entries import FACTORS
from nndl_exp.study.proposing.proposer import OptunaProposer, Plan, Proposal, Settled
from nndl_exp.study.proposing.ranges import is_at_edge
from nndl_exp.study.proposing.search_space import SearchSpace

WIDEN_EVERY = 20
"""At trials 20, 40, ... a range whose edge the best trial lies at is widened by its factor."""


class Widening:
    """A proposer that is made again in a wider space where the best trial lies at an edge.

    Optuna's samplers drop a hyper-parameter from the joint search when its range has changed; so
    the trials before are stated again in the new ranges. When, and how far, is a function of the
    settled trials that the next proposal may see.
    """

    def __init__(self, plan: Plan, largest_batch: int) -> None:
        self._plan, self._largest_batch = plan, largest_batch
        self._spaces = [plan.space]  # of trials 0-19, 20-39, ...
        self._inner = OptunaProposer(plan)
        self._proposals: list[Proposal] = []

    def __len__(self) -> int:
        return len(self._inner)

    @property
    def space(self) -> SearchSpace:
        """What the last trial was proposed in."""
        return self._inner.space

    def restore(self, proposals: Sequence[Proposal], settled: Sequence[Settled]) -> None:
        """Go on after these proposals, the first of which it knows, given the first results."""
        self._proposals = list(proposals)
        self._enter(len(proposals) - 1, settled)
        self._inner.restore(proposals, settled)

    def ask(self, settled: Sequence[Settled]) -> Proposal:
        """The next trial, given the results of the first trials."""
        self._enter(len(self._proposals), settled)
        proposal = self._inner.ask(settled)
        self._proposals.append(proposal)
        return proposal

    def _enter(self, number: int, settled: Sequence[Settled]) -> None:
        """Go on in the space of trial ``number``, the trials before it stated again in it."""
        period = max(0, number) // WIDEN_EVERY
        while (n := len(self._spaces)) <= period:
            self._spaces.append(
                widened(
                    self._spaces[-1], self._plan, self._proposals, settled, n * WIDEN_EVERY,
                    self._largest_batch,
                )
            )  # fmt: skip
        if self._spaces[period] is not self.space:
            self._inner = OptunaProposer(replace(self._plan, space=self._spaces[period]))
            self._inner.restore(self._proposals, settled)


def widened(
    space: SearchSpace,
    plan: Plan,
    proposals: Sequence[Proposal],
    settled: Sequence[Settled],
    number: int,
    largest_batch: int,
) -> SearchSpace:
    """The space for trial ``number`` and those after it; the same one where no range grows.

    It is decided by trials 0 .. number - L, which have settled whatever the workers did.
    """
    seen = range(max(0, number - plan.lag + 1))
    complete = [i for i in seen if settled[i].complete]
    if not complete or len(plan.directions) > 1 or plan.sampler["name"] == "grid":
        return space
    sign = 1 if plan.directions[0] == StudyDirection.MAXIMIZE else -1
    best = max(complete, key=lambda i: (sign * settled[i].values[0], -i))
    distributions = dict(space.distributions)
    for name, value in proposals[best].params.items():
        if is_at_edge(distributions[name], value):
            wider = _wider_range(name, distributions[name], value, largest_batch)
            for other in distributions:
                if other == name or _same_width(other, name):
                    distributions[other] = wider
    return space if distributions == space.distributions else SearchSpace(distributions)


def _same_width(name: str, other: str) -> bool:
    """All hidden layers have the same range of widths."""
    prefix = "network.hidden.width_"
    return name.startswith(prefix) and other.startswith(prefix)


def _wider_range(
    name: str, distribution: BaseDistribution, value: Any, largest_batch: int
) -> BaseDistribution:
    setting = "network.hidden" if name.startswith("network.hidden.width_") else name
    if setting not in FACTORS or not isinstance(distribution, FloatDistribution | IntDistribution):
        return distribution
    limits: dict[str, tuple[float, float]] = {
        "training.mini_batch_size": (1, largest_batch), "network.hidden": (1, 10**6),
    }  # fmt: skip
    least, most = limits.get(setting, (-math.inf, math.inf))
    low, high, step = distribution.low, distribution.high, distribution.step
    scale = math.log if distribution.log else float
    if scale(value) < (scale(low) + scale(high)) / 2:
        low = _outwards(low, -1, FACTORS[setting], least, step)
    else:
        high = _outwards(high, 1, FACTORS[setting], most, step)
    kind: Callable[..., BaseDistribution] = type(distribution)
    return kind(low, high, log=distribution.log, step=step)


def _outwards(end: Any, sign: int, factor: float, limit: float, step: float | None) -> Any:
    """The low end (sign -1) or high end (1) of a range by a factor further out, as far as its
    limit, in whole steps. Zero stays: it has no such neighbour."""
    moved = end * factor if sign * end > 0 else end / factor
    moved = sign * max(sign * end, min(sign * type(end)(moved), sign * limit))
    if step is None:
        return moved
    steps = math.floor(abs(moved - end) / step + 1e-9)
    return type(end)(Decimal(str(end)) + sign * steps * Decimal(str(step)))  # 0.3 + 0.1 is 0.4
