"""A stage of a strategy as a study: its trials are asked for by a script, not by a sampler."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nndl_exp.config import RunConfig, SweepConfig, parse, to_mapping, to_yaml
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array
from nndl_exp.records import atomic
from nndl_exp.run import check, data_of
from nndl_exp.study.proposing import objectives
from nndl_exp.study.proposing.proposer import Plan, Proposal, Settled
from nndl_exp.study.proposing.search_space import Params, SearchSpace
from nndl_exp.study.scores import scores, training_costs
from nndl_exp.study.stages.script import Decision, Facts, Seen, play, write_decision
from nndl_exp.study.study import Study, Trial, creating, new_id

if TYPE_CHECKING:
    from nndl_exp.study.stages.chapter3 import StageModule

_BARRIER = 10**9
"""A lag that no stage reaches: what may be asked for is said by the script."""


class ScriptedStage(Study):
    """One stage: ``module`` with its options, from the run in ``facts`` on.

    Its trials are a function of the results of its earlier ones. Where a record is there, it is
    used; so a stage that was killed goes on, and one that has ended decides again what it decided.
    """

    is_search = False

    def __init__(
        self, config: SweepConfig, parent: str, key: str, module: "StageModule", facts: Facts
    ) -> None:
        self.key, self.module = key, module
        self._configs: list[RunConfig] = []  # of settled trials, which are asked for often
        self.title = module.TITLE
        self.options = stage_options(module, key, config)
        self.facts = replace(facts, scores=self._scores, costs=self._costs)
        self._known_costs: dict[int, tuple[float, float]] = {}
        start = module.start(self.facts, self.options)
        self.config = replace(config, run=start)
        self.dataset = check(start)
        self.space = SearchSpace(module.space(self.facts, self.options))
        self.directions = objectives.directions(start.training.judged_by, "none")
        self.objective_names = objectives.names(start.training.judged_by, "none")
        self.plan = Plan(
            identity=f"{parent}/{key}",
            space=self.space,
            directions=self.directions,
            sampler={"name": "script"},
            pruner={"name": "none"},
            seed=config.study.seed,
            lag=_BARRIER,
        )
        self.name = f"{parent}/{key}"
        self._parent = parent
        self._seen: list[Seen] = []
        self._plays: dict[int, tuple[list[Params], Decision | None]] = {}

    @property
    def directory(self) -> Path:
        """The stage's folder, in that of its study."""
        return Path(self.config.output) / "studies" / self._parent / "stages" / self.key

    @property
    def settings_path(self) -> Path:
        """The file that says what the stage starts from."""
        return self.directory / "stage.yaml"

    def create(self) -> None:
        """Make the stage's folder."""
        with creating(self.directory):
            header = f"# the stage {self.name}: the run that its trials vary\n"
            settings = {**to_mapping(self.config.run), "id": self.id or new_id()}
            text = header + to_yaml(settings)
            atomic.write(self.settings_path, text.encode(), durable=True)

    def verify(self) -> None:
        """Nothing to check: the study that the stage belongs to was."""

    def total(self, settled: int) -> int:
        """How many trials there are, as far as the first ``settled`` ones tell."""
        return len(self._played(settled)[0])

    def proposer(self) -> "_Planned":
        """What gives the coordinator its trials."""
        return _Planned(self)

    def planned(self, settled: int) -> list[Params]:
        """The parameters of all trials that are asked for once so many have settled."""
        return self._played(settled)[0]

    def decision(self) -> Decision | None:
        """What the stage decided; None while it has not."""
        return self._played(len(self.trials()))[1]

    def shown_range(self, name: str, values: Sequence[float]) -> tuple[float, float]:
        """What trials had: the space only says what a script may ask for."""
        return (min(values), max(values)) if values else super().shown_range(name, values)

    def times_its_share(self) -> float:
        """How often what it has spent goes into the work that it was given."""
        self._played(len(self.trials()))
        return self.facts.spent(self._seen) / self.facts.share

    def conclude(self, decision: Decision) -> None:
        """Write the decision down, for a reader: the study itself decides it again."""
        write_decision(self.directory, self.key, decision)

    def _played(self, settled: int) -> tuple[list[Params], Decision | None]:
        while len(self._seen) < settled:
            self._seen.append(self._look(len(self._seen)))
        if settled not in self._plays:  # asked for in every round; a script may compare networks
            script = self.module.script(self.facts, self.options)
            self._plays = {settled: play(script, self._seen[:settled])}
        return self._plays[settled]

    def _look(self, number: int) -> Seen:
        directory = self.run_directory(number)
        result, config = directory.result(), directory.config()
        assert result is not None
        try:
            params = self.space.params_of(self.varied(config))
        except UserError:
            raise recorded_otherwise(self.name, number) from None
        seen = Seen(number, params, config, result, tuple(directory.epochs()))
        if len(seen.epochs) != result.epochs:
            self.settled(Trial(number, config, result))  # says what is wrong
        return seen

    def _scores(self, seen: Seen) -> Array:
        return scores(self.run_directory(seen.number), self.dataset)

    def _costs(self, seen: Seen) -> tuple[float, float]:
        if seen.number not in self._known_costs:  # a script asks each time that it is played
            same = seen.config.dataset == self.config.run.dataset
            dataset = self.dataset if same else data_of(seen.config)
            costs = training_costs(self.run_directory(seen.number), dataset)
            self._known_costs[seen.number] = costs
        return self._known_costs[seen.number]


class _Planned:
    """Hands out the trials of a script in order; the counterpart of an ``OptunaProposer``."""

    def __init__(self, stage: ScriptedStage) -> None:
        self._stage = stage
        self._asked = 0

    def __len__(self) -> int:
        return self._asked

    @property
    def space(self) -> SearchSpace:
        """All that the script may ask for."""
        return self._stage.space

    def restore(self, proposals: Sequence[Proposal], settled: Sequence[Settled]) -> None:
        """Go on after these proposals, the first of which it knows.

        Raises:
            UserError: the script asks for others: the program or a record has changed.
        """
        planned = self._stage.planned(len(settled))
        for proposal in proposals[self._asked : len(planned)]:
            if proposal.params != planned[proposal.number]:
                raise recorded_otherwise(self._stage.name, proposal.number)
        self._asked = len(proposals)

    def ask(self, settled: Sequence[Settled]) -> Proposal:
        """The next trial."""
        proposal = Proposal(self._asked, self._stage.planned(len(settled))[self._asked])
        self._asked += 1
        return proposal


def recorded_otherwise(name: str, number: int) -> UserError:
    """The error line for a stage that asks for other trials than those that were recorded."""
    return UserError(
        f"{name} recorded other trials than it asks for now (trial {number}): the program or a "
        "record has changed, or an earlier stage has more trials now; give another study.name"
    )


def stage_options(module: "StageModule", key: str, config: SweepConfig) -> Any:
    """A stage's options: the defaults of its module, changed by ``strategy.options``.

    Raises:
        UserError: an option that the stage does not have.
    """
    given = config.strategy.options.get(key, {})
    return parse(module.Options, given, f"strategy.options.{key}.")
