"""A stage of a study: it searches, and decides what the study goes on with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nndl_exp.config import RunConfig, SweepConfig, to_mapping
from nndl_exp.nn.network import count_multiply_adds
from nndl_exp.records import atomic
from nndl_exp.study.search import Search, Source, Trial
from nndl_exp.training.update_time import epoch_seconds
from nndl_exp.yaml_file import to_yaml

DECISION = "decision.yaml"
"""The file in a stage's folder that its decision is written to, for readers."""


@dataclass(frozen=True)
class Decision:
    """What a stage found: the run that the next stage starts from, and why, in words.

    ``stop`` ends the strategy: there is nothing to go on from. ``numbers`` are those that the words
    rest on, for whoever wants to look. ``candidates`` are the runs to compare in the end, the best
    first, where the stage has several.
    """

    config: RunConfig
    words: tuple[str, ...]
    numbers: dict[str, Any] = field(default_factory=dict)
    stop: bool = False
    candidates: list[RunConfig] = field(default_factory=list)


@dataclass(frozen=True)
class Facts:
    """What a stage may know besides the results of its trials.

    ``base`` is the run that the stages ``earlier`` found, ``start`` that which the study began
    with; ``later`` are the stages to come. ``n`` and ``n_validation`` are the sizes of the training
    and validation set, ``chance`` is the validation accuracy of always naming the commonest class,
    ``pictures`` whether the examples are pictures. ``share`` is the work that the stage may spend,
    in multiply-adds, and ``left`` what is left for it and the stages after it; both are infinite if
    nothing limits them. ``used_seeds`` are the seeds of all earlier trials.
    """

    base: RunConfig
    start: RunConfig
    n: int
    n_in: int
    classes: int
    n_validation: int
    chance: float
    pictures: bool
    share: float
    left: float
    earlier: tuple[str, ...]
    later: tuple[str, ...]
    seed: int
    candidates: tuple[RunConfig, ...]
    used_seeds: frozenset[int] = frozenset()

    def work(self, config: RunConfig, epochs: int) -> float:
        """The multiply-adds of training for so many epochs."""
        return epochs * epoch_work(self._sizes(config), self._examples(config))

    def likely_work(self, config: RunConfig) -> float:
        """The multiply-adds of a training that early stopping is likely to end half-way."""
        return self.work(config, config.training.epochs) / 2

    def seconds_an_epoch(self, config: RunConfig) -> float:
        """The estimated time of an epoch, in seconds."""
        m = config.training.mini_batch_size
        return epoch_seconds(self._sizes(config), m, self._examples(config))

    def _sizes(self, config: RunConfig) -> tuple[int, ...]:
        return (self.n_in, *config.network.hidden, self.classes)

    def _examples(self, config: RunConfig) -> int:
        return min(config.dataset.training_size or self.n, self.n)

    def spent(self, trials: Iterable[Trial]) -> float:
        """The work of these trials, in multiply-adds."""
        return sum(self.work(trial.config, trial.result.epochs) for trial in trials)


def epoch_work(sizes: Sequence[int], n: int) -> float:
    """The multiply-adds of an epoch of training on n examples: three for each weight and example.

    ``sizes`` are those of the network's layers.
    """
    return 3.0 * count_multiply_adds(sizes) * n


class StageSource(Source, Protocol):
    """What asks for the trials of a stage, and decides once they have finished.

    ``config`` is the study's, with the run that the trials vary. ``notes`` are to be shown when the
    stage begins.
    """

    title: str
    config: SweepConfig
    notes: tuple[str, ...]

    def decide(self, search: Search, *, time_is_up: bool) -> Decision | None:
        """What the stage decides; None while trials are missing.

        ``time_is_up`` if no more of them will come: a sampler's search then decides by those there
        are, a script can't.
        """
        ...


@dataclass(frozen=True)
class Stage:
    """A stage: ``search`` trains what ``source`` asks for; ``facts`` is what those before found."""

    key: str
    facts: Facts
    source: StageSource
    search: Search

    @property
    def title(self) -> str:
        """The stage's name on screen."""
        return self.source.title

    def decision(self, *, time_is_up: bool = False) -> Decision | None:
        """What the stage decided; None while trials are missing."""
        return self.source.decide(self.search, time_is_up=time_is_up)

    @property
    def spent(self) -> float:
        """The work of its trials so far, in multiply-adds."""
        return self.facts.spent(self.search.trials())

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
