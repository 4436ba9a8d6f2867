"""Stages whose trials a script chooses, given what came out, rather than a sampler.

A script is a generator. It yields batches of trials and is sent what became of each batch once all
of it has settled (a barrier), so what it does depends on results and never on which worker was
faster. Nothing of it is stored: a study that was killed plays its scripts again from the recorded
trials, and they arrive where they were.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

from optuna.distributions import BaseDistribution

from nndl_exp.config import RunConfig, SweepConfig, parse
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array
from nndl_exp.run import data_of
from nndl_exp.study.proposing.proposer import Proposal, Settled
from nndl_exp.study.proposing.search_space import Params, SearchSpace
from nndl_exp.study.scores import standard_error, training_costs
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.training import Epoch


@dataclass(frozen=True)
class Seen(Trial):
    """A finished trial as a script sees it: also its parameters, its epochs and its networks."""

    params: Params
    epochs: tuple[Epoch, ...]
    search: Search = field(repr=False, compare=False)

    @cached_property
    def scores(self) -> Array:
        """What each validation example adds to the accuracy, (n,); see ``Search.scores``."""
        return self.search.scores(self)

    @cached_property
    def standard_error(self) -> float:
        """That of what it is judged by, accuracy or cost; 0 where it did not complete."""
        directory = self.search.run_directory(self.number)
        return standard_error(directory, self.search.dataset) if self.ok else 0.0

    @cached_property
    def costs(self) -> tuple[float, float]:
        """The cost on all rows that it was trained on, and that of always predicting their mean
        target; both without regularization."""
        same = self.config.dataset == self.search.config.run.dataset
        dataset = self.search.dataset if same else data_of(self.config)
        return training_costs(self.search.run_directory(self.number), dataset)


Batch = Sequence[Params]
Script = Generator[Batch, list[Seen], Decision]


class StageModule(Protocol):
    """What the module of a scripted stage has; ``Options`` are dataclasses with defaults."""

    TITLE: str
    SUMMARY: str
    Options: type

    def start(self, facts: Facts, options: Any) -> RunConfig:
        """The run that the stage's trials vary."""
        ...

    def space(self, facts: Facts, options: Any) -> dict[str, BaseDistribution]:
        """What they vary, by the names of the settings."""
        ...

    def script(self, facts: Facts, options: Any) -> Script:
        """What to train, given what came out, and the decision."""
        ...


def stage_options(module: StageModule, key: str, config: SweepConfig) -> Any:
    """A stage's options: the defaults of its module, changed by ``strategy.options``.

    Raises:
        UserError: an option that the stage does not have.
    """
    given = config.strategy.options.get(key, {})
    return parse(module.Options, given, f"strategy.options.{key}.")


def play(script: Script, seen: Sequence[Seen]) -> tuple[list[Params], Decision | None]:
    """All trials that a script has asked for, given the first ones' results, and its decision.

    ``seen`` are trials 0, 1, ...; those of a batch are only used when all of it is there.
    """
    planned: list[Params] = []
    try:
        batch = list(next(script))
        while True:
            start = len(planned)
            planned += batch
            if len(seen) < len(planned):
                return planned, None
            batch = list(script.send(list(seen[start : len(planned)])))
    except StopIteration as end:
        return planned, end.value


class Scripted:
    """The trials that the script of ``module`` asks for: a function of the results of earlier ones.

    Records are used where they are there; so a stage that was killed goes on, and one that has
    ended decides again what it decided.
    """

    plan = None
    notes: tuple[str, ...] = ()

    def __init__(self, config: SweepConfig, key: str, module: StageModule, facts: Facts) -> None:
        self._module, self._facts = module, facts
        self._options = stage_options(module, key, config)
        self.title = module.TITLE
        self.config = replace(config, run=module.start(facts, self._options))
        self.declared = SearchSpace(module.space(facts, self._options))
        self._seen: list[Seen] = []
        self._played: dict[int, tuple[list[Params], Decision | None]] = {}

    def proposer(self, search: Search) -> "_Planned":
        """A proposer of the script's trials, in order."""
        return _Planned(self, search)

    def total(self, search: Search, finished: int) -> int:
        """The number of trials, as far as the first ``finished`` ones tell."""
        return len(self.play(search, finished)[0])

    def space(self, search: Search) -> SearchSpace:
        """All that the script may ask for."""
        return self.declared

    def decide(self, search: Search, *, time_is_up: bool) -> Decision | None:
        """The script's decision; None while trials are missing."""
        return self.play(search, len(search.trials()))[1]

    def play(self, search: Search, finished: int) -> tuple[list[Params], Decision | None]:
        """All trials that are asked for once so many have finished, and the decision."""
        while len(self._seen) < finished:
            self._seen.append(self._look(search, search.first(finished)[len(self._seen)]))
        if finished not in self._played:  # asked for in every round; a script compares networks
            script = self._module.script(self._facts, self._options)
            self._played = {finished: play(script, self._seen[:finished])}
        return self._played[finished]

    def _look(self, search: Search, trial: Trial) -> Seen:
        try:
            params = self.declared.params_of(search.varied(trial.config))
        except UserError:
            raise recorded_otherwise(search.name, trial.number) from None
        epochs = tuple(search.run_directory(trial.number).epochs())
        if len(epochs) != trial.result.epochs:
            search.settled(trial)  # says what is wrong
        return Seen(trial.number, trial.config, trial.result, params, epochs, search)


class _Planned:
    """Proposes the trials of a script in order."""

    def __init__(self, source: Scripted, search: Search) -> None:
        self._source, self._search = source, search
        self._asked = 0

    def __len__(self) -> int:
        return self._asked

    @property
    def space(self) -> SearchSpace:
        """All that the script may ask for."""
        return self._source.declared

    def restore(self, proposals: Sequence[Proposal], settled: Sequence[Settled]) -> None:
        """Go on after these proposals, the first of which it knows.

        Raises:
            UserError: the script asks for others: the program or a record has changed.
        """
        planned, _ = self._source.play(self._search, len(settled))
        for proposal in proposals[self._asked : len(planned)]:
            if proposal.params != planned[proposal.number]:
                raise recorded_otherwise(self._search.name, proposal.number)
        self._asked = len(proposals)

    def ask(self, settled: Sequence[Settled]) -> Proposal:
        """The next trial."""
        planned, _ = self._source.play(self._search, len(settled))
        proposal = Proposal(self._asked, planned[self._asked])
        self._asked += 1
        return proposal


def recorded_otherwise(name: str, number: int) -> UserError:
    """The error for a stage that asks for other trials than those that were recorded."""
    return UserError(
        f"{name} recorded other trials than it asks for now (trial {number}): the program or a "
        "record has changed, or an earlier stage has more trials now; give another study.name"
    )
