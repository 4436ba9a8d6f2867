"""The joint search: Optuna over all hyper-parameters.

As a study's first stage it searches the ranges as they are declared. After other stages it searches
around what they found, in ranges that grow where the best trial lies at an edge.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from math import inf, prod
from typing import Any

from nndl_exp.config import SweepConfig, flatten, settings_text, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.study import warm_start
from nndl_exp.study.proposing import objectives
from nndl_exp.study.proposing.entries import centred
from nndl_exp.study.proposing.proposer import Judge, OptunaProposer, Plan, Proposal, Proposer
from nndl_exp.study.proposing.ranges import describe
from nndl_exp.study.proposing.search_space import Params, SearchSpace, nearest
from nndl_exp.study.proposing.widening import WIDEN_EVERY, Widening
from nndl_exp.study.search import Search, ranked, states_text
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.chapter3.settings import judged
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.study.winner import verdict, winner

CANDIDATES = 5


class Sampled:
    """Trials that an Optuna sampler proposes, until ``study.n_trials`` or until the share is spent.

    ``rows`` are the trials of an earlier study, ``identity`` is the search's.

    Raises:
        UserError: the search space does not fit.
    """

    title = "joint search"
    summary = (
        "Optuna searches all hyper-parameters together, around what earlier stages found, if any."
    )

    def __init__(
        self, config: SweepConfig, identity: str, facts: Facts, rows: Sequence[warm_start.Row]
    ) -> None:
        entries, notes = config.search_space, list[str]()
        if facts.earlier:
            entries, notes = centred(_with_kept(entries, facts), facts.base, facts.n)
        self.config = replace(config, run=facts.base, search_space=entries)
        self.declared = space = SearchSpace.parse(entries, facts.base)
        _check_mini_batch_size(space, facts.n)
        first, outside = _first(space, config, facts)
        self.plan = _plan(self.config, identity, space, first, rows)
        if rows:
            notes.append(
                f"{len(self.plan.known)} of {len(rows)} trials of {config.study.warm_start} are "
                "known: they lie inside these ranges, with the same settings otherwise"
            )
        self.notes = (*notes, *outside)
        self._facts, self._most = facts, _most(config, space)
        self._work, self._expected = 0.0, list[float]()
        self._spaces: dict[int, SearchSpace] = {}

    def proposer(self, search: Search) -> Proposer:
        """A new proposer; the ranges grow where they lie around what earlier stages found."""
        if not self._facts.earlier:
            return OptunaProposer(self.plan)
        return Widening(self.plan, self._facts.n)

    def total(self, search: Search, finished: int) -> int:
        """Trials are proposed until the share is likely to be spent: by those that a proposal may
        see, and by those under way, which count like the mean of the others."""
        known = min(finished, self._most)
        if self._facts.share == inf:
            return self._most
        for trial in search.first(known)[len(self._expected) :]:
            self._work += self._facts.spent([trial])
            unseen = (self.plan.lag - 1) * self._work / (1 + len(self._expected))
            before = self._expected[-1] if self._expected else 0.0
            self._expected.append(max(before, self._work + unseen))
        enough = bisect_left(self._expected, self._facts.share, hi=known)
        return min(enough + self.plan.lag, self._most) if enough < known else self._most

    def space(self, search: Search) -> SearchSpace:
        """The ranges that the last finished trial was proposed in."""
        if not self._facts.earlier:
            return self.declared
        trials = search.trials()
        period = len(trials[:-1]) // WIDEN_EVERY
        if period not in self._spaces:  # asked for often
            params = (self.declared.named(search.varied(trial.config)) for trial in trials)
            proposer = self.proposer(search)
            proposer.restore(
                [Proposal(number, values) for number, values in enumerate(params)],
                [search.settled(trial) for trial in trials],
            )
            self._spaces[period] = proposer.space
        return self._spaces[period]

    def check(self, rows: Sequence[warm_start.Row]) -> None:
        """Propose and judge once, so that options that fail do so before anything is trained.

        Raises:
            UserError: the sampler or pruner refuses its options, or none of ``rows`` is of use.
        """
        try:
            OptunaProposer(self.plan).ask([])
            Judge(self.plan, 0, []).prunes([0.5])
        except (TypeError, ValueError, ArithmeticError) as e:
            raise UserError(f"the sampler or pruner does not take these options: {e}") from None
        if rows and not self.plan.known:
            raise UserError(
                f"study.warm_start={self.config.study.warm_start} must have trials inside the "
                f"search space, with the same settings otherwise: got none in {len(rows)}"
            )

    def decide(self, search: Search, *, time_is_up: bool) -> Decision | None:
        """The best trial, and others that come near it; None while trials are missing."""
        trials = search.trials()
        if len(trials) < search.total(len(trials)) and not (time_is_up and trials):
            return None
        best = winner(search, trials)
        if best is None:
            why = f"no trial trained to its end ({states_text(trials)})"
            return Decision(self.config.run, (why,), stop=True)
        baseline = "" if self._facts.later else settings.baseline(self._facts)
        if not self._facts.later and (tried := len(ranked(trials))) > 1:
            baseline += f"; chosen as the best of {tried}: expect less with other seeds"
        name = (
            "best of the search" if best == ranked(trials)[0] else "nearly the best of the search"
        )
        words = [
            f"{name}: {judged(best)} by trial {best.number} of {len(trials)}: "
            f"{settings_text(search.varied(best.config))}{baseline}",
            *_wider(search),
            *verdict(search, trials, best),
        ]
        runs = [best.config, *(trial.config for trial in ranked(trials))]
        candidates = list(dict.fromkeys(runs))[:CANDIDATES]
        return Decision(best.config, tuple(words), {"trial": best.number}, candidates=candidates)


KEPT = {
    "dropout": {"low": 0.0, "high": 0.6},
    "momentum": {"low": 0.0, "high": 0.99},
}
"""The ranges of training settings that the stage ``techniques`` may have kept."""


def _with_kept(entries: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """The entries, also of what the stage ``techniques`` has kept, unless they are there."""
    if "techniques" not in facts.earlier:
        return entries
    training = entries.get("training") or {}
    kept = {
        name: entry
        for name, entry in KEPT.items()
        if getattr(facts.base.training, name) != getattr(facts.start.training, name)
    }
    return {**entries, "training": {**kept, **training}}


def _plan(
    config: SweepConfig,
    identity: str,
    space: SearchSpace,
    first: Sequence[Params],
    rows: Sequence[warm_start.Row],
) -> Plan:
    second = config.study.second_objective
    return Plan(
        identity=identity,
        space=space,
        directions=objectives.directions(config.run.training.judged_by, second),
        sampler=config.sampler,
        pruner={"name": "none"} if second != "none" else config.pruner,
        seed=config.study.seed,
        lag=config.study.lag,
        enqueue=tuple(first),
        known=warm_start.known(rows, space, config.run),
    )


def _most(config: SweepConfig, space: SearchSpace) -> int:
    """The number of trials of a search at most: a grid has no more than its points."""
    if config.sampler.get("name") != "grid":
        return config.study.n_trials
    return min(config.study.n_trials, prod(len(values) for values in space.grid().values()))


def _first(space: SearchSpace, config: SweepConfig, facts: Facts) -> tuple[list[Params], list[str]]:
    """What is tried first: the point found earlier, the study's start where it lies inside, then
    what the user asked for; and notes."""
    if not facts.earlier:
        return [space.params_of(asked) for asked in config.study.enqueue], []
    first, notes = [point] if (point := nearest(space, facts.base)) else [], list[str]()
    values = dict(flatten(to_mapping(facts.start)))
    for asked in ({name: values[name] for name in space.settings}, *config.study.enqueue):
        try:
            params = space.params_of(asked)
        except UserError:
            if asked in config.study.enqueue:
                said = settings_text(asked)
                notes.append(f"not tried: {said} of study.enqueue lies outside these ranges")
        else:
            first += [params] if params not in first else []
    return first, notes


def _check_mini_batch_size(space: SearchSpace, n: int) -> None:
    distribution = space.distributions.get("training.mini_batch_size")
    choices = getattr(distribution, "choices", None)
    largest = max(choices) if choices else getattr(distribution, "high", 1)
    if largest > n:
        raise UserError(
            "search_space.training.mini_batch_size must not exceed the size of the training "
            f"set ({n}): got {largest}"
        )


def _wider(search: Search) -> list[str]:
    """The ranges that were widened."""
    before, now = search.declared.distributions, search.space.distributions
    return [
        f"{name} was widened from {describe(before[name])} to {describe(now[name])}, as the "
        "best trial lay at its edge"
        for name in now
        if repr(before[name]) != repr(now[name])
    ]
