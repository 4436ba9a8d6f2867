"""A stage of a strategy as a script: what to train next given what came out, then a decision.

A script is a generator. It yields batches of trials and is sent what became of each batch once all
of it has settled (a barrier), so what it does depends on results and never on which worker was
faster. Nothing of it is stored: a study that was killed plays its scripts again from the recorded
trials, and they arrive where they were.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nndl_exp.config import RunConfig
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import count_multiply_adds
from nndl_exp.run import measure_of
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.search import Trial
from nndl_exp.training import Epoch
from nndl_exp.training.update_time import epoch_seconds


@dataclass(frozen=True)
class Seen(Trial):
    """A finished trial as a script sees it: also its parameters and its epochs."""

    params: Params
    epochs: tuple[Epoch, ...]


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


Batch = Sequence[Params]
Script = Generator[Batch, list[Seen], Decision]


@dataclass(frozen=True)
class Facts:
    """What a script may know besides results.

    ``base`` is the run that the stages ``earlier`` found, ``start`` that which the study began
    with; ``later`` are the stages to come. ``n`` and ``n_validation`` are the sizes of the training
    and validation set. ``share`` is the work that the stage may spend, in multiply-adds; infinite
    if nothing limits it. ``used_seeds`` are the seeds of all earlier trials. ``scores`` returns
    what each validation example adds to a finished trial's accuracy: 1 if it is classified
    correctly, else 0; ``constant_scores`` are those of the best constant prediction. ``costs``
    returns the cost of its network on all rows that it was trained on, and that of always
    predicting their mean target; both without regularization.
    """

    base: RunConfig
    start: RunConfig
    n: int
    n_in: int
    classes: int
    n_validation: int
    share: float
    earlier: tuple[str, ...]
    later: tuple[str, ...]
    seed: int
    candidates: tuple[RunConfig, ...]
    scores: Callable[[Seen], Array]
    constant_scores: Array
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

    def spent(self, trials: Iterable[Trial]) -> float:
        """The work of these trials, in multiply-adds."""
        return sum(self.work(trial.config, trial.result.epochs) for trial in trials)

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
