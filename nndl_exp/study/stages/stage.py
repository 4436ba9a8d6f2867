"""A stage of a study: it has a search, and decides what the study goes on with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nndl_exp.config import RunConfig, SweepConfig, to_mapping, to_yaml
from nndl_exp.datasets import Dataset
from nndl_exp.records import atomic
from nndl_exp.study.search import Search, Source
from nndl_exp.study.stages.script import Decision, Facts
from nndl_exp.study.warm_start import Row

DECISION = "decision.yaml"
"""The file in a stage's folder that its decision is written to, for readers."""


@dataclass(frozen=True)
class Setup:
    """What a study gives to one of its stages.

    ``name`` is STUDY/STAGE, ``identity`` the digest of what decides the trials, ``rows`` are the
    trials of an earlier study. ``load`` loads the dataset of a run and checks that they fit.
    """

    config: SweepConfig
    key: str
    name: str
    directory: Path
    identity: str
    rows: tuple[Row, ...]
    load: Callable[[RunConfig], Dataset]

    def search(self, config: SweepConfig, source: Source) -> Search:
        """The stage's search, whose trials vary ``config.run``."""
        dataset = self.load(config.run)
        return Search(self.name, self.directory, self.identity, config, dataset, source)


@dataclass(frozen=True)
class Stage:
    """A stage: ``search`` trains, ``decide`` looks at the finished trials.

    ``facts`` is what the stages before found. ``notes`` are to be shown when it begins. ``decide``
    is given True when no more trials will come, since the time is up: a search then decides by
    those there are, a script can't.
    """

    key: str
    title: str
    facts: Facts
    search: Search
    decide: Callable[[bool], Decision | None]
    notes: tuple[str, ...] = ()

    def decision(self, *, time_is_up: bool = False) -> Decision | None:
        """What the stage decided; None while trials are missing."""
        return self.decide(time_is_up)

    def times_its_share(self) -> float:
        """The work spent so far, as a multiple of the stage's share."""
        return self.facts.spent(self.search.trials()) / self.facts.share

    def conclude(self, decision: Decision) -> Path:
        """Write the decision down for readers, and return the file; the study decides it again."""
        record = {
            "stage": self.key,
            "decided": list(decision.words),
            "numbers": decision.numbers,
            "stop": decision.stop,
            "complete": self.decision() is not None,
            "run": to_mapping(decision.config),
        }
        path = self.search.directory / DECISION
        atomic.write(path, to_yaml(record).encode(), durable=True)
        return path
