"""The study as trial k may see it: what makes the table of trials independent of timing.

Trial k is proposed from the results of trials 0 .. k - L and from the bare parameters of those
between, which count as running. The proposer is a study in Optuna's own in-memory storage in which
every ``ask`` first settles exactly one more trial; so the sequence of its states is the same
whatever the workers did, and it grows instead of being built again for each trial.
"""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from nndl_exp.study.proposing.algorithms import describe, first_tried, make_pruner, sampler_for
from nndl_exp.study.proposing.search_space import Params, SearchSpace

# Every proposer is a study "created in memory"; Optuna would say so for each trial.
optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Plan:
    """What decides the proposals and the pruning of a study, besides the results.

    ``known`` are trials of an earlier study, which the sampler sees and the pruner does not.
    """

    identity: str
    space: SearchSpace
    directions: tuple[StudyDirection, ...]
    sampler: dict[str, Any]
    pruner: dict[str, Any]
    seed: int
    lag: int
    enqueue: tuple[Params, ...] = ()
    known: "tuple[tuple[Params, Settled], ...]" = ()

    def for_pruning(self) -> "Plan":
        """The plan without what the known trials were, of which only the number counts."""
        return replace(self, known=(({}, Settled(False)),) * len(self.known))


@dataclass(frozen=True)
class Proposal:
    """A trial before it is run.

    ``attrs`` is what the sampler noted on the trial, ``study_attrs`` what it had noted on the study
    by then: some samplers go on from there.
    """

    number: int
    params: Params
    attrs: dict[str, Any] = field(default_factory=dict)
    study_attrs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Settled:
    """What a sampler and a pruner see of a trial that has ended.

    ``values`` are the objectives of a completed trial. ``scores`` are those of each epoch, empty
    for a trial that diverged: to a sampler that is a pruned trial without values, the worst there
    is. ``attrs`` is what the pruner noted.
    """

    complete: bool
    values: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()
    attrs: dict[str, Any] = field(default_factory=dict)


class Proposer(Protocol):
    """Proposes the trials of a study, one after another: Optuna, or a stage's script."""

    @property
    def space(self) -> SearchSpace:
        """What the last trial was proposed in."""
        ...

    def __len__(self) -> int:
        """How many trials it has proposed, or been told of."""
        ...

    def restore(self, proposals: Sequence[Proposal], settled: Sequence[Settled]) -> None:
        """Go on after these proposals, given the results of the first trials.

        They are all there are; those that it proposed, or was told of before, are among them.
        """
        ...

    def ask(self, settled: Sequence[Settled]) -> Proposal:
        """The next trial, given the results of the first trials."""
        ...


class _OptunaStudy:
    """A study in Optuna's in-memory storage; ``offset`` trials are in it before trial 0.

    Hyperband draws a trial's bracket from the study's name and the trial's number there.
    """

    def __init__(self, plan: Plan) -> None:
        self.storage = InMemoryStorage()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self.optunas = optuna.create_study(
                storage=self.storage,
                study_name=plan.identity,
                directions=list(plan.directions),
                pruner=make_pruner(plan.pruner),
            )
        self.id = self.storage.get_study_id_from_name(plan.identity)
        self.offset = len(plan.known)
        for params, settled in plan.known:
            self.add(_frozen(Proposal(-1, params), plan.space.distributions, settled))

    def add(self, trial: FrozenTrial | None = None) -> int:
        """Add a trial, a new one if none is given; its id."""
        return self.storage.create_new_trial(self.id, trial)

    def id_of(self, number: int) -> int:
        """The id of trial ``number`` of our study."""
        return self.storage.get_trial_id_from_study_id_trial_number(self.id, self.offset + number)


class OptunaProposer:
    """A study in memory that proposes trial after trial."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._study = _OptunaStudy(plan)
        self._first = first_tried(plan.sampler, plan.space, plan.seed, plan.enqueue)
        self._proposed = 0

    def __len__(self) -> int:
        return self._proposed

    @property
    def space(self) -> SearchSpace:
        """The search space, always the same."""
        return self.plan.space

    def restore(self, proposals: Sequence[Proposal], settled: Sequence[Settled]) -> None:
        """Go on after these proposals, the first of which it made or was told of before.

        ``settled`` are the results of trials 0, 1, ...; those that trial len(proposals) - 1 was not
        allowed to see are left out.
        """
        known, study = len(self), self._study
        visible = max(0, len(proposals) - self.plan.lag)
        for number in range(max(0, known - self.plan.lag), min(known, visible)):
            self._settle(number, settled[number])
        for proposal in proposals[known:]:
            seen = settled[proposal.number] if proposal.number < visible else None
            study.add(_frozen(proposal, self.plan.space.distributions, seen))
        self._proposed = len(proposals)
        if proposals:
            for key, value in proposals[-1].study_attrs.items():
                study.storage.set_study_system_attr(study.id, key, value)

    def ask(self, settled: Sequence[Settled]) -> Proposal:
        """Propose the next trial, k, given the results of trials 0 .. k - L at least."""
        number, lag, study = len(self), self.plan.lag, self._study
        if number >= lag:
            self._settle(number - lag, settled[number - lag])
        study.optunas.sampler = sampler_for(
            self.plan.sampler, self.plan.space, self.plan.seed, number
        )
        if number < len(self._first):
            study.optunas.enqueue_trial(self._first[number])
        params = self.plan.space.suggest(study.optunas.ask())
        self._proposed += 1
        attrs = study.storage.get_trial_system_attrs(study.id_of(number))
        study_attrs = study.storage.get_study_system_attrs(study.id)
        return Proposal(number, params, copy.deepcopy(attrs), copy.deepcopy(study_attrs))

    def _settle(self, number: int, settled: Settled) -> None:
        storage, trial_id = self._study.storage, self._study.id_of(number)
        for step, score in enumerate(settled.scores, 1):
            storage.set_trial_intermediate_value(trial_id, step, score)
        for key, value in settled.attrs.items():
            storage.set_trial_system_attr(trial_id, key, value)
        # Not by study.tell: it would ask the sampler to look at the trial with the seed of another.
        storage.set_trial_state_values(trial_id, _state(settled), settled.values or None)


class Judge:
    """Decides, inside a worker, whether trial ``number`` is pruned after an epoch.

    It sees the settled trials 0 .. number - L and the epochs of its own trial.
    """

    def __init__(self, plan: Plan, number: int, settled: Sequence[Settled]) -> None:
        self._name, self._last = str(plan.pruner["name"]), len(settled) - 1
        self._study = _OptunaStudy(plan.for_pruning())
        for other in range(number):
            seen = settled[other] if other < len(settled) else None
            self._study.add(_frozen(Proposal(other, {}), {}, seen))
        self._id = self._study.add()
        self._steps = 0

    def prunes(self, scores: Sequence[float]) -> bool:
        """Whether to end the trial now, given the score of each epoch so far."""
        study, storage = self._study.optunas, self._study.storage
        pruned = False
        while self._steps < len(scores):
            self._steps += 1
            storage.set_trial_intermediate_value(self._id, self._steps, scores[self._steps - 1])
            pruned = study.pruner.prune(study, storage.get_trial(self._id))
        return pruned

    def reason(self) -> str:
        """Why the trial was pruned."""
        return describe(self._name, self._last)

    def attrs(self) -> dict[str, Any]:
        """What the pruner noted on the trial, for the trials after it."""
        return copy.deepcopy(self._study.storage.get_trial_system_attrs(self._id))


def _frozen(
    proposal: Proposal, space: dict[str, BaseDistribution], settled: Settled | None
) -> FrozenTrial:
    distributions = {name: space[name] for name in proposal.params}
    if settled is None:
        return create_trial(
            state=TrialState.RUNNING,
            params=proposal.params,
            distributions=distributions,
            system_attrs=proposal.attrs,
        )
    return create_trial(
        state=_state(settled),
        params=proposal.params,
        distributions=distributions,
        values=list(settled.values) or None,
        intermediate_values=dict(enumerate(settled.scores, 1)),
        system_attrs={**proposal.attrs, **settled.attrs},
    )


def _state(settled: Settled) -> TrialState:
    return TrialState.COMPLETE if settled.complete else TrialState.PRUNED
