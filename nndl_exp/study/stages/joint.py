"""The joint search: Optuna over all hyper-parameters.

As a study's first stage it searches the ranges as they are declared. After other stages it searches
around what they found, in ranges that grow where the best trial lies at an edge.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, prod
from typing import Any

from nndl_exp.config import RunConfig, SweepConfig, flatten, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.study import warm_start
from nndl_exp.study.proposing import objectives
from nndl_exp.study.proposing.entries import at_most
from nndl_exp.study.proposing.proposer import Judge, OptunaProposer, Plan, Proposal, Proposer
from nndl_exp.study.proposing.ranges import describe
from nndl_exp.study.proposing.search_space import SearchSpace
from nndl_exp.study.proposing.widening import FACTORS, WIDEN_EVERY, Widening, widened
from nndl_exp.study.search import Search, Trial, ranked
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.script import Decision, Facts
from nndl_exp.study.stages.stage import Setup, Stage
from nndl_exp.study.winner import verdict, winner

TITLE = "joint search"
CANDIDATES = 5


class Sampled:
    """Trials that an Optuna sampler proposes, until ``n_trials`` or until ``share`` is spent.

    ``largest_batch`` is None if the ranges stay as they are; else they grow, mini-batches up to it.
    """

    def __init__(
        self,
        plan: Plan,
        n_trials: int,
        share: float,
        work: Callable[[RunConfig, int], float],
        largest_batch: int | None,
    ) -> None:
        self.plan, self.declared = plan, plan.space
        self._n_trials, self._share, self._work = n_trials, share, work
        self._largest_batch = largest_batch
        self._spent: list[float] = []
        self._spaces: dict[int, SearchSpace] = {0: plan.space}

    def proposer(self, search: Search) -> Proposer:
        """A new proposer."""
        if self._largest_batch is None:
            return OptunaProposer(self.plan)
        return Widening(self.plan, self._largest_batch)

    def total(self, search: Search, finished: int) -> int:
        """Trials are proposed until those that a proposal may see have spent the share."""
        known = min(finished, self._n_trials)
        if self._share == inf:
            return self._n_trials
        for trial in search.first(known)[len(self._spent) :]:
            before = self._spent[-1] if self._spent else 0.0
            self._spent.append(before + self._work(trial.config, trial.result.epochs))
        enough = bisect_left(self._spent, self._share, hi=known)
        return min(enough + self.plan.lag, self._n_trials) if enough < known else self._n_trials

    def space(self, search: Search) -> SearchSpace:
        """The ranges that the last finished trial was proposed in."""
        trials = search.trials() if self._largest_batch is not None else []
        if len(trials) not in self._spaces:
            self._spaces[len(trials)] = self._grown(search, trials)
        return self._spaces[len(trials)]

    def _grown(self, search: Search, trials: Sequence[Trial]) -> SearchSpace:
        space, proposals = self.plan.space, list[Proposal]()
        settled = [search.settled(trial) for trial in trials]
        for trial in trials:
            if trial.number and trial.number % WIDEN_EVERY == 0:
                space, _ = widened(
                    space, self.plan, proposals, settled, trial.number, self._largest_batch or 1
                )
            params = space.params_of(search.varied(trial.config))
            proposals.append(Proposal(trial.number, params))
        return space


def joint(setup: Setup, facts: Facts) -> Stage:
    """The joint search, in the declared ranges or around the run in ``facts``.

    Raises:
        UserError: the search space does not fit.
    """
    config, notes = replace(setup.config, run=facts.base), list[str]()
    if facts.earlier:
        entries, notes = centred(config.search_space, facts.base, facts.n)
        config = replace(config, search_space=entries)
    space = SearchSpace.parse(config.search_space, facts.base)
    _check_mini_batch_size(space, facts.n)
    enqueue, outside = _first(space, config, facts)
    plan = _plan(setup, config, space, enqueue)
    if setup.rows:
        notes.append(
            f"{len(plan.known)} of {len(setup.rows)} trials of {config.study.warm_start} are "
            "known: they lie inside these ranges, with the same settings otherwise"
        )
    source = Sampled(
        plan, total_of(config, space), facts.share, facts.work, facts.n if facts.earlier else None
    )
    search = setup.search(config, source)

    def decide(time_is_up: bool) -> Decision | None:
        return _decide(search, time_is_up=time_is_up, is_last=not facts.later)

    return Stage(setup.key, TITLE, facts, search, decide, (*notes, *outside))


def _plan(
    setup: Setup, config: SweepConfig, space: SearchSpace, enqueue: Sequence[dict[str, Any]]
) -> Plan:
    second = config.study.second_objective
    return Plan(
        identity=setup.identity,
        space=space,
        directions=objectives.directions(config.run.training.judged_by, second),
        sampler=config.sampler,
        pruner={"name": "none"} if second != "none" else config.pruner,
        seed=config.study.seed,
        lag=config.study.lag,
        enqueue=tuple(space.params_of(asked) for asked in enqueue),
        known=warm_start.known(setup.rows, space, config.run),
    )


def check(stage: Stage, rows: Sequence[warm_start.Row]) -> None:
    """Propose and judge once, so that options that fail do so before anything is trained.

    Raises:
        UserError: the sampler or pruner refuses its options, or no trial of ``study.warm_start`` is
            of use to a first stage.
    """
    plan = stage.search.plan
    assert plan is not None
    try:
        OptunaProposer(plan).ask([])
        Judge(plan, 0, []).prunes([0.5])
    except (TypeError, ValueError, ArithmeticError) as e:
        raise UserError(f"the sampler or pruner does not take these options: {e}") from None
    if rows and not plan.known and not stage.facts.earlier:
        raise UserError(
            f"study.warm_start={stage.search.config.study.warm_start} must have trials inside the "
            f"search space, with the same settings otherwise: got none in {len(rows)}"
        )


def total_of(config: SweepConfig, space: SearchSpace) -> int:
    """The number of trials of a search at most: a grid has no more than its points."""
    if config.sampler.get("name") != "grid":
        return config.study.n_trials
    return min(config.study.n_trials, prod(len(values) for values in space.grid().values()))


def _first(
    space: SearchSpace, config: SweepConfig, facts: Facts
) -> tuple[list[dict[str, Any]], list[str]]:
    """What is tried first: a point found earlier, then what the user asked for; and notes."""
    if not facts.earlier:
        return list(config.study.enqueue), []
    first, notes = list(_inside(space, facts.base)), []
    for asked in config.study.enqueue:
        try:
            space.params_of(asked)
            first.append(asked)
        except UserError:
            said = settings.in_words(asked)
            notes.append(f"not tried: {said} of study.enqueue lies outside these ranges")
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


def _decide(search: Search, *, time_is_up: bool, is_last: bool) -> Decision | None:
    trials = search.trials()
    if len(trials) < search.total(len(trials)) and not (time_is_up and trials):
        return None
    best = winner(search, trials)
    if best is None:
        states = settings.states([trial.result.state for trial in trials])
        why = f"no trial trained to its end ({states})"
        return Decision(search.config.run, (why,), stop=True)
    words = [
        f"{settings.goodness_text(best.config, best.goodness)} by trial {best.number} of "
        f"{len(trials)}: {settings.in_words(search.varied(best.config))}"
        f"{_baseline(search, best) if is_last else ''}",
        *_wider(search),
        *verdict(search, trials, best),
    ]
    runs = [best.config, *(trial.config for trial in ranked(trials))]
    candidates = list(dict.fromkeys(runs))[:CANDIDATES]
    return Decision(best.config, tuple(words), {"trial": best.number}, candidates=candidates)


def _baseline(search: Search, best: Trial) -> str:
    """What the accuracy of a last stage has to be compared with; as the stage "winner" says it."""
    baseline = search.dataset.baseline(search.dataset.validation)
    if baseline is None:
        return ""
    return f" (always naming the commonest class: {settings.accuracy_text(best.config, baseline)})"


def _wider(search: Search) -> list[str]:
    """The ranges that were widened."""
    before, now = search.declared.distributions, search.space.distributions
    return [
        f"{name} was widened from {describe(before[name])} to {describe(now[name])}, as the "
        "best trial lay at its edge"
        for name in now
        if repr(before[name]) != repr(now[name])
    ]


def centred(entries: dict[str, Any], found: RunConfig, n: int) -> tuple[dict[str, Any], list[str]]:
    """The entries of a search space narrowed to around a run, and what was said about them.

    ``n`` training examples are the most that a mini-batch may have.
    """
    values = dict(flatten(to_mapping(found)))
    said: list[str] = []

    def walk(inner: dict[str, Any], prefix: str) -> dict[str, Any]:
        result = {}
        for key, entry in inner.items():
            name = f"{prefix}{key}"
            if isinstance(entry, dict) and name in FACTORS:
                around = _around(name, entry, values[name], said)
                result[key] = at_most(around, n) if name == "training.mini_batch_size" else around
            elif isinstance(entry, dict) and not {"low", "choices"} & set(entry):
                result[key] = walk(entry, f"{name}.")
            else:
                result[key] = entry
        return result

    return walk(entries, ""), said


def _around(name: str, entry: dict[str, Any], value: Any, said: list[str]) -> dict[str, Any]:
    factor = FACTORS[name]
    if set(entry) == {"layers", "width"}:
        layers, width = entry["layers"], entry["width"]
        middle = max(value) if value else width["low"]
        most = max(int(layers["high"]), len(value))
        narrowed = _range(f"{name}.width", width, middle, factor, said)
        return {"layers": {**layers, "high": most}, "width": narrowed}
    if "low" not in entry:
        return entry
    return _range(name, entry, value, factor, said)


def _range(
    name: str, entry: dict[str, Any], value: float, factor: float, said: list[str]
) -> dict[str, Any]:
    low, high = entry["low"], entry["high"]
    if value == 0:  # λ: none was best, so small ones are searched
        return {**entry, "high": min(high, max(low * factor, low + 1))}
    if not low <= value <= high:
        said.append(f"{name} {value:.3g} was found outside its declared range {low:g}..{high:g}")
        low, high = min(low, value / factor), max(high, value * factor)
    whole = isinstance(entry["low"], int) and isinstance(entry["high"], int)
    ends = (max(low, value / factor), min(high, value * factor))
    if whole:
        return {**entry, "low": max(1, int(ends[0])), "high": int(ends[1])}
    return {**entry, "low": float(ends[0]), "high": float(ends[1])}


def _inside(space: SearchSpace, found: RunConfig) -> tuple[dict[str, Any], ...]:
    """The found point as the settings of a first trial, moved to the nearest end where outside.

    None where a setting has choices and the found value is not among them.
    """
    values = dict(flatten(to_mapping(found)))
    point = {}
    for name in space.settings:
        value = values[name]
        distribution = space.distributions.get(name)
        low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
        if low is not None and high is not None:
            value = min(max(value, low), high)
        point[name] = value
    try:
        space.params_of(point)
    except UserError:
        return ()
    return (point,)
