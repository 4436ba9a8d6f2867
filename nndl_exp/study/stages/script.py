"""A stage of a strategy as a script: what to train next given what came out, then a decision.

A script is a generator. It yields batches of trials and is sent what became of each batch once all
of it has settled (a barrier), so what it does depends on results and never on which worker was
faster. Nothing of it is stored: a study that was killed plays its scripts again from the recorded
trials, and they arrive where they were.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nndl_exp.config import RunConfig, to_mapping, to_yaml
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import count_multiply_adds
from nndl_exp.records import Result, atomic
from nndl_exp.run import measure_of
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.training import Epoch
from nndl_exp.training.epoch import JudgedBy, best_epoch, score
from nndl_exp.training.update_time import epoch_seconds


@dataclass(frozen=True)
class Seen:
    """A settled trial as a script sees it; ``seconds`` of training are those that were recorded."""

    number: int
    params: Params
    config: RunConfig
    result: Result
    epochs: tuple[Epoch, ...]

    @property
    def ok(self) -> bool:
        """Whether it was trained to its end without diverging."""
        return self.result.state == "complete" and self.result.best is not None

    @property
    def goodness(self) -> float:
        """What it is judged by, larger being better; -inf where it did not get to its end."""
        if not self.ok:
            return -np.inf
        return score(best_epoch(self.epochs, self.judged_by), self.judged_by)

    @property
    def judged_by(self) -> JudgedBy:
        """What the best epoch is chosen by."""
        return self.config.training.judged_by


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


DECISION = "decision.yaml"
"""The file of a stage in which its decision is written down."""

Batch = Sequence[Params]
Script = Generator[Batch, list[Seen], Decision]


@dataclass(frozen=True)
class Facts:
    """What a script may know besides results.

    ``base`` is what the stages before found, ``n`` and ``n_validation`` the sizes of its training
    and validation set, ``chance`` the validation accuracy of always naming the commonest class,
    ``share`` the multiply-adds that the stage may spend, ``later`` the stages to come,
    ``used_seeds`` the seeds of all earlier trials. ``scores`` tells of a settled trial what each
    validation example adds to its accuracy, the mean of them: 1 where it is read right, else 0.
    ``costs`` is the cost of its network on all rows that it was trained on, and that of always
    predicting their mean target; both without regularization.
    """

    base: RunConfig
    n: int
    n_in: int
    classes: int
    n_validation: int
    chance: float
    share: float
    later: tuple[str, ...]
    seed: int
    candidates: tuple[RunConfig, ...]
    scores: Callable[[Seen], Array]
    costs: Callable[[Seen], tuple[float, float]]
    used_seeds: frozenset[int] = frozenset()

    def work(self, config: RunConfig, epochs: int) -> float:
        """Multiply-adds of training for so many epochs: three for each weight and example."""
        return 3.0 * count_multiply_adds(self._sizes(config)) * self._examples(config) * epochs

    def seconds_an_epoch(self, config: RunConfig) -> float:
        """The estimated time of an epoch, in seconds."""
        m = config.training.mini_batch_size
        return epoch_seconds(self._sizes(config), m, self._examples(config))

    def _sizes(self, config: RunConfig) -> tuple[int, ...]:
        return (self.n_in, *config.network.hidden, self.classes)

    def _examples(self, config: RunConfig) -> int:
        return min(config.dataset.training_size or self.n, self.n)

    def spent(self, trials: Sequence[Seen]) -> float:
        """Multiply-adds that these trials have taken."""
        return sum(self.work(trial.config, len(trial.epochs)) for trial in trials)

    def standard_error(self, accuracy: float) -> float:
        """That of an accuracy on the validation set; for numbers, of R² (Olkin and Finn 1995)."""
        if not measure_of(self.base).is_fraction:
            r2 = min(1.0, max(0.0, accuracy))
            return float(max(2 * np.sqrt(r2) * (1 - r2), 0.5) / np.sqrt(self.n_validation))
        return float(np.sqrt(max(accuracy * (1 - accuracy), 1e-12) / self.n_validation))


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


def write_decision(folder: Path, key: str, decision: Decision) -> None:
    """Write what a stage decided, for a reader."""
    record = {
        "stage": key,
        "decided": list(decision.words),
        "numbers": decision.numbers,
        "run": to_mapping(decision.config),
    }
    atomic.write(folder / DECISION, to_yaml(record).encode(), durable=True)
