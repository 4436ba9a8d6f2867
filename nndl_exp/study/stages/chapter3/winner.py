"""The winner: the best few trained again with new seeds, and what can be said of them.

The best of many trials is partly luck: it was chosen by the very images and the one seed that it
was judged with. So each candidate is trained again with several seeds that the search did not use,
the same for each, and compared on each validation image. The interval of a difference comes from a
bootstrap over seeds and images, paired in both (Efron and Tibshirani 1993), and is widened for the
number of comparisons (Bonferroni).
"""

from collections.abc import Iterable, Sequence
from itertools import count, islice
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import count_parameters
from nndl_exp.run import measure_of
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.script import Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.training.statistics import FEWEST_DIFFERENT, no_interval, paired_interval

TITLE = "the winner"
FIRST_SEED = 1000
"""Where the new seeds start; see ``new_seeds``."""


@dataclass(frozen=True, config=STRICT)
class Options:
    """How many candidates, and how many seeds each is trained with."""

    candidates: Size = 3
    seeds: Size = 5


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found."""
    return facts.base


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """Every setting in which the candidates differ, and the seed."""
    varied = settings.differences(facts.candidates[: options.candidates])
    return {
        **{name: CategoricalDistribution(tuple(values)) for name, values in varied.items()},
        "seed": settings.seeds(),
    }


def script(facts: Facts, options: Options) -> Script:
    """Train every candidate with every seed, and compare each with the best in the mean."""
    candidates = facts.candidates[: options.candidates]
    varied = settings.differences(candidates)
    # Early stopping ends most trainings about half-way.
    all_of_them = sum(facts.work(config, config.training.epochs) / 2 for config in candidates)
    seeds = int(min(options.seeds, max(2, facts.share / all_of_them)))
    batch = [
        {**settings.point(config, *varied), "seed": seed}
        for config in candidates
        for seed in new_seeds(facts, seeds)
    ]
    trials = yield batch
    return _verdict(facts, candidates, varied, trials, seeds)


def _verdict(
    facts: Facts,
    candidates: Sequence[RunConfig],
    varied: dict[str, list[Any]],
    trials: list[Seen],
    seeds: int,
) -> Decision:
    """Compare each candidate with the best in the mean, and recommend one."""
    groups = [trials[i * seeds : (i + 1) * seeds] for i in range(len(candidates))]
    usable = [i for i, group in enumerate(groups) if any(trial.ok for trial in group)]
    if not usable:
        return settings.nothing(facts, trials)
    scores = [_scores(facts, group) for group in groups]
    means = [float(matrix.mean()) for matrix in scores]
    names = [_name(config, varied) for config in candidates]
    shown = [
        f"{name} ({settings.accuracy_text(config, mean)})"
        for name, config, mean in zip(names, candidates, means, strict=True)
    ]
    best = max(usable, key=lambda i: (means[i], -i))
    words = [
        f"{shown[best]} in the mean of {seeds} new seeds on {facts.n_validation:,} examples"
        f"{settings.baseline(facts)}"
    ]
    words += [
        f"no training of {name} came to its end" for i, name in enumerate(names) if i not in usable
    ]
    even, intervals = [best], dict[int, list[float]]()
    confidence = 1 - 0.05 / max(1, len(candidates) - 1)
    for i in (i for i in usable if i != best):
        said, interval, tied = _compared(facts, scores[best] - scores[i], confidence)
        words.append(said.format(shown[i]))
        even += [i] if tied else []
        intervals |= {i: interval} if interval else {}
    if len(even) > 1 and intervals:
        words.append(_resolved(facts, intervals.values()))
    chosen = min(even, key=lambda i: (_size(facts, candidates[i]), i != best))
    if chosen != best:
        words.append(f"the smaller of those that are even is recommended: {shown[chosen]}")
    numbers = {"means": means, **{f"interval_{i}": ends for i, ends in intervals.items()}}
    return Decision(candidates[chosen], tuple(words), numbers)


def _resolved(facts: Facts, intervals: Iterable[list[float]]) -> str:
    unit, scale = _unit(facts)
    widest = scale * max((high - low) / 2 for low, high in intervals)
    return f"so many seeds and examples tell differences from {widest:.2g}{unit} on"


def _compared(
    facts: Facts, differences: Array, confidence: float
) -> tuple[str, list[float] | None, bool]:
    """The verdict on a candidate that is to be named in it, the interval of its difference from the
    best where one is valid, and whether the two are even."""
    if why := no_interval(differences):
        if np.count_nonzero(differences.any(axis=0)) < FEWEST_DIFFERENT:
            return f"not distinguishable from {{}}: {why}", None, True
        return f"ahead of {{}}, but there is no interval: {why}", None, False
    low, high = paired_interval(differences, confidence=confidence, seed=facts.seed)
    unit, scale = _unit(facts)
    verdict = "better than" if low > 0 else "not distinguishable from"
    said = f"{verdict} {{}}: the difference is {scale * low:+.3g} to {scale * high:+.3g}{unit}"
    return said, [low, high], low <= 0


def _unit(facts: Facts) -> tuple[str, int]:
    return (" points", 100) if measure_of(facts.base).is_fraction else ("", 1)


def new_seeds(facts: Facts, n: int) -> list[int]:
    """The first n seeds from 1000 + the study's seed on that nothing has been trained with.

    Left out are the run's seed and those of every trial of an earlier stage, or of the study that
    this one began with: a candidate was chosen by how well it did with those.
    """
    used = {facts.base.seed, *facts.used_seeds}
    free = (seed for seed in count(FIRST_SEED + facts.seed) if seed not in used)
    return list(islice(free, n))


def _scores(facts: Facts, group: list[Seen]) -> Array:
    """(seeds, examples): what each example adds; nothing where a training failed."""
    nothing = np.zeros(facts.n_validation)
    return np.array([trial.scores if trial.ok else nothing for trial in group])


def _size(facts: Facts, config: RunConfig) -> int:
    return count_parameters((facts.n_in, *config.network.hidden, facts.classes))


def _name(config: RunConfig, varied: dict[str, list[Any]]) -> str:
    names = list(varied) or ["training.eta"]
    return settings.in_words(settings.point(config, *names))
