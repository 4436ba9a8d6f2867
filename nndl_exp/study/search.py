"""One search: a set of trials over a space, as a value and as a folder."""

import json
import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from nndl_exp.config import RunConfig, SweepConfig, flatten, to_mapping
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array
from nndl_exp.records import Result, RunDirectory, atomic
from nndl_exp.run import sizes_of
from nndl_exp.study import settings
from nndl_exp.study.proposing import objectives
from nndl_exp.study.proposing.proposer import Plan, Proposal, Proposer, Settled
from nndl_exp.study.proposing.search_space import SearchSpace
from nndl_exp.study.scores import constant_scores, scores
from nndl_exp.training.epoch import JudgedBy
from nndl_exp.yaml_file import read_yaml, to_yaml

if TYPE_CHECKING:
    import pandas as pd

PROPOSAL = "proposal.json"
"""The file in a trial's folder with its proposal: a trial that is proposed will be trained."""
_FILE = "stage.yaml"
_BARRIER = 10**9
"""A lag that no search reaches: a script says itself what may be asked for."""


@dataclass(frozen=True)
class Trial:
    """A finished trial: its number, its config and how it ended."""

    number: int
    config: RunConfig
    result: Result

    @property
    def judged_by(self) -> JudgedBy:
        """The measure that the objective and the best epoch are chosen by."""
        return self.config.training.judged_by

    @property
    def ok(self) -> bool:
        """Whether it completed: was trained to its end without diverging."""
        return self.result.state == "complete" and self.result.best is not None

    @property
    def reached(self) -> float:
        """The objective at its best epoch, larger is better, however it ended; -inf without one."""
        value = getattr(self.result, self.judged_by)
        if value is None:
            return float("-inf")
        return float(value if self.judged_by == "validation_accuracy" else -value)

    @property
    def goodness(self) -> float:
        """The objective, larger is better; -inf if the trial did not complete."""
        return self.reached if self.ok else float("-inf")

    def replicates(self, config: RunConfig) -> bool:
        """Whether it completed this run, whatever its seed."""
        return self.ok and replace(self.config, seed=config.seed) == config


AnyTrial = TypeVar("AnyTrial", bound=Trial)


def ranked(trials: Iterable[AnyTrial]) -> list[AnyTrial]:
    """The trials that completed, the best first; of equals the first."""
    return sorted((t for t in trials if t.ok), key=lambda t: (-t.goodness, t.number))


def states_text(trials: Iterable[Trial]) -> str:
    """Trials counted by how they ended: 10 complete, 2 pruned."""
    states = Counter(trial.result.state for trial in trials)
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


class Source(Protocol):
    """What asks for the trials of a search: a sampler, or the script of a stage."""

    @property
    def plan(self) -> Plan | None:
        """What decides a sampler's proposals, besides the results; None for a script."""
        ...

    @property
    def declared(self) -> SearchSpace:
        """All that trials may vary, before ranges grow."""
        ...

    def proposer(self, search: "Search") -> Proposer:
        """A new proposer of the search's trials."""
        ...

    def total(self, search: "Search", finished: int) -> int:
        """The number of trials in all, as far as the first ``finished`` ones tell."""
        ...

    def space(self, search: "Search") -> SearchSpace:
        """The space that the last finished trial was proposed in."""
        ...


class Search:
    """A set of trials: what proposes them, and the folder that records them.

    ``name`` is STUDY/STAGE, ``key`` that of the stage, ``identity`` a digest of what decides the
    trials. ``config.run`` is the run that they vary, ``declared`` the space before ranges grow.
    ``plan`` is None, and ``is_sampled`` False, if a script chooses them. Trial k is proposed from
    the results of the trials up to k - ``lag``; ``pruning`` is what prunes it, if anything does.
    ``directions`` says whether each objective is to be large or small.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        identity: str,
        config: SweepConfig,
        dataset: Dataset,
        source: Source,
    ) -> None:
        self.name, self.directory, self.identity = name, directory, identity
        self.config, self.dataset, self.source = config, dataset, source
        self.plan, self.declared = source.plan, source.declared
        self.key = directory.name
        self.is_sampled = self.plan is not None
        self.lag = _BARRIER if self.plan is None else self.plan.lag
        prunes = self.plan is not None and self.plan.pruner["name"] != "none"
        self.pruning = self.plan.for_pruning() if self.plan is not None and prunes else None
        judged_by, second = config.run.training.judged_by, config.study.second_objective
        self.directions = objectives.directions(judged_by, second)
        self.objective_names = objectives.names(judged_by, second)
        self._known: list[Trial] = []  # finished trials, which are asked for often

    @property
    def id(self) -> str:
        """A random id, which tells the search from any other that had or will have its name."""
        return str(read_yaml(self.directory / _FILE)["id"])

    @property
    def space(self) -> SearchSpace:
        """The search space; of ranges that grow, as for the last finished trial."""
        return self.source.space(self)

    def create(self) -> None:
        """Make the search's folder.

        Raises:
            UserError: the search that was begun there is another one.
        """
        path = self.directory / _FILE
        now = {
            "run": to_mapping(self.config.run),
            "space": {name: repr(d) for name, d in self.declared.distributions.items()},
        }
        with settings.creating(self.directory):
            if path.is_file():
                saved = read_yaml(path)
                for key in (key for key, value in now.items() if saved.get(key) != value):
                    raise UserError(
                        f"{self.name} was begun with another {key} than the stages before decide "
                        "on now: the program or a record has changed; give another study.name"
                    )
                return
            header = f"# {self.name}: the run that its trials vary, and over what\n"
            text = header + to_yaml({**now, "id": uuid.uuid4().hex})
            atomic.write(path, text.encode(), durable=True)

    def total(self, finished: int) -> int:
        """The number of trials in all, as far as the first ``finished`` ones tell."""
        return self.source.total(self, finished)

    def proposer(self) -> Proposer:
        """A new proposer of the trials."""
        return self.source.proposer(self)

    def has_failed(self, result: Result) -> bool:
        """Whether a trial says nothing about its neighbours: an error, or a cost that diverged.

        A script looks for the edge beyond which trials diverge.
        """
        return result.state == "failed" or (self.is_sampled and result.state == "diverged")

    def run_directory(self, number: int) -> RunDirectory:
        """The record of a trial."""
        return RunDirectory(self.directory / "trials" / str(number))

    def record(self, proposal: Proposal) -> bool:
        """Record a proposal, for good; returns False if another one is recorded, which counts."""
        path = self.run_directory(proposal.number).path / PROPOSAL
        path.parent.mkdir(parents=True, exist_ok=True)
        data = json.dumps({"search": self.identity, **asdict(proposal)}).encode()
        return atomic.create(path, data) or path.read_bytes() == data

    def proposal(self, number: int) -> Proposal | None:
        """The recorded proposal of a trial, None if there is none.

        Raises:
            UserError: the file is damaged, or that of another search.
        """
        path = self.run_directory(number).path / PROPOSAL
        try:
            found = json.loads(path.read_bytes())
            identity, proposal = found.pop("search"), Proposal(**found)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError, AttributeError):
            raise UserError(f"{path} is damaged; delete it, and it is made again") from None
        if identity != self.identity or proposal.number != number:
            raise UserError(
                f"{path.parent} must hold the trial that {self.name} proposes: got one of another "
                "search; delete the folder, or give another study.name"
            )
        return proposal

    def trials(self) -> list[Trial]:
        """The finished trials 0, 1, ... up to the first that has not finished.

        Later ones may have finished on other workers; they count once it has.
        """
        while (result := self.run_directory(n := len(self._known)).result()) is not None:
            self._known.append(Trial(n, self.run_directory(n).config(), result))
        return list(self._known)

    def first(self, count: int) -> Sequence[Trial]:
        """The first ``count`` trials, which have finished."""
        if len(self._known) < count:
            self.trials()
        return self._known[:count]

    def settled(self, trial: Trial) -> Settled:
        """A trial's result as samplers and pruners see it."""
        directory = self.run_directory(trial.number)
        history = directory.epochs()
        if len(history) != trial.result.epochs:
            raise UserError(
                f"{directory.path} must hold {trial.result.epochs} epochs: got {len(history)}; "
                "delete the folder to train the trial again"
            )
        sizes = sizes_of(trial.config, self.dataset)
        second = self.config.study.second_objective
        return objectives.settled(trial.config, sizes, trial.result, history, second)

    def scores(self, trial: Trial) -> Array:
        """What each validation example adds to a trial's accuracy, (n,); a training that failed
        predicts nothing better than a constant."""
        if not trial.ok:
            return constant_scores(trial.config, self.dataset)
        return scores(self.run_directory(trial.number), self.dataset)

    def trained(self, config: RunConfig, *, exactly: bool = False) -> Trial | None:
        """The first trial that completed this run, whatever its seed unless ``exactly``."""
        replicates = (trial for trial in self.trials() if trial.replicates(config))
        return next((t for t in replicates if t.config == config or not exactly), None)

    def visible(self, number: int) -> int:
        """How many of the first trials a trial may look at."""
        return max(0, number - self.lag + 1)

    def varied(self, config: RunConfig) -> dict[str, Any]:
        """The settings of a run that the search varies, by dotted name."""
        values = dict(flatten(to_mapping(config)))
        return {name: values[name] for name in self.declared.settings}


def table(searches: Sequence[Search]) -> "pd.DataFrame":
    """The trials of a study, a row each: stage, varied settings, results, digest of the weights.

    A setting that one stage varies has its value in the rows of the others, too.
    """
    import pandas as pd  # not for workers, nor for a plan or an error line

    from nndl_exp.run import measure_of

    names = list(dict.fromkeys(n for search in searches for n in search.declared.settings))
    accuracy = measure_of(searches[0].config.run).renamed("validation_accuracy")
    columns = ["stage", "trial", "state", "reason", *names, accuracy, "validation_cost",
               "best_epoch", "epochs", "seconds", "weights_sha256"]  # fmt: skip
    rows = []
    for search in searches:
        for trial in search.trials():
            result, values = trial.result, dict(flatten(to_mapping(trial.config)))
            rows.append([
                search.key, trial.number, result.state, result.reason,
                *(values[name] for name in names), result.validation_accuracy,
                result.validation_cost, result.best, result.epochs, result.seconds,
                result.weights["best"],
            ])  # fmt: skip
    return pd.DataFrame(rows, columns=columns)  # the columns also where there is no row
