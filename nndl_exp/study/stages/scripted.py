"""Stages whose trials are chosen by a script, rather than by a sampler."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nndl_exp.config import SweepConfig, parse
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array
from nndl_exp.run import data_of
from nndl_exp.study.proposing.proposer import Proposal, Settled
from nndl_exp.study.proposing.search_space import Params, SearchSpace
from nndl_exp.study.scores import scores, training_costs
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.script import Decision, Facts, Seen, play
from nndl_exp.study.stages.stage import Setup, Stage

if TYPE_CHECKING:
    from nndl_exp.study.stages.chapter3 import StageModule


class Scripted:
    """The trials that the script of ``module`` asks for: a function of the results of earlier ones.

    Records are used where they are there; so a stage that was killed goes on, and one that has
    ended decides again what it decided.
    """

    plan = None

    def __init__(self, module: "StageModule", options: Any, facts: Facts) -> None:
        self._module, self._options, self._facts = module, options, facts
        self.declared = SearchSpace(module.space(facts, options))
        self._seen: list[Seen] = []
        self._scores: dict[int, Array] = {}
        self._costs: dict[int, tuple[float, float]] = {}
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

    def play(self, search: Search, finished: int) -> tuple[list[Params], Decision | None]:
        """All trials that are asked for once so many have finished, and the decision."""
        while len(self._seen) < finished:
            self._seen.append(self._look(search, search.first(finished)[len(self._seen)]))
        if finished not in self._played:  # asked for in every round; a script compares networks
            facts = replace(
                self._facts,
                scores=lambda seen: self._scores_of(search, seen),
                costs=lambda seen: self._costs_of(search, seen),
            )
            script = self._module.script(facts, self._options)
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
        return Seen(trial.number, trial.config, trial.result, params, epochs)

    # A script asks again each time that it is played.
    def _scores_of(self, search: Search, seen: Seen) -> Array:
        if seen.number not in self._scores:
            directory = search.run_directory(seen.number)
            self._scores[seen.number] = scores(directory, search.dataset)
        return self._scores[seen.number]

    def _costs_of(self, search: Search, seen: Seen) -> tuple[float, float]:
        if seen.number not in self._costs:
            same = seen.config.dataset == search.config.run.dataset
            dataset = search.dataset if same else data_of(seen.config)
            self._costs[seen.number] = training_costs(search.run_directory(seen.number), dataset)
        return self._costs[seen.number]


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
        return self._search.space

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


def scripted(setup: Setup, module: "StageModule", facts: Facts) -> Stage:
    """The stage of a module, from the run in ``facts`` on."""
    options = stage_options(module, setup.key, setup.config)
    config = replace(setup.config, run=module.start(facts, options))
    source = Scripted(module, options, facts)
    search = setup.search(config, source)

    def decide(time_is_up: bool) -> Decision | None:
        return source.play(search, len(search.trials()))[1]

    return Stage(setup.key, module.TITLE, facts, search, decide)


def stage_options(module: "StageModule", key: str, config: SweepConfig) -> Any:
    """A stage's options: the defaults of its module, changed by ``strategy.options``.

    Raises:
        UserError: an option that the stage does not have.
    """
    given = config.strategy.options.get(key, {})
    return parse(module.Options, given, f"strategy.options.{key}.")
