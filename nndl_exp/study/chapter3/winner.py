"""The winner: the best few trained again with new seeds, and what can be said of them.

The best of many trials is partly luck: it was chosen by the very images and the one seed that it
was judged with. So each candidate is trained again with several seeds that the search did not use,
the same for each, and compared on each validation image. The interval of a difference comes from a
bootstrap over seeds and images, paired in both (Efron and Tibshirani 1993), and is widened for the
number of comparisons (Bonferroni).
"""

from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import count_parameters
from nndl_exp.run import measure_of
from nndl_exp.study.chapter3 import settings
from nndl_exp.study.script import Decision, Facts, Script, Seen
from nndl_exp.training.statistics import paired_interval

TITLE = "the winner"
FIRST_SEED = 1000
"""Seeds of this stage, which no search uses."""


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
        {**settings.point(config, *varied), "seed": FIRST_SEED + facts.seed + seed}
        for config in candidates
        for seed in range(seeds)
    ]
    trials = yield batch
    groups = [trials[i * seeds : (i + 1) * seeds] for i in range(len(candidates))]
    scores = [_scores(facts, group) for group in groups]
    means = [float(matrix.mean()) for matrix in scores]
    names = [
        f"{_name(config, varied)} ({settings.accuracy_text(config, mean)})"
        for config, mean in zip(candidates, means, strict=True)
    ]
    best = int(np.argmax(means))
    words = [f"{names[best]} in the mean of {seeds} new seeds on {facts.n_validation:,} examples"]
    even, half_widths, numbers = [best], [], {"means": means}
    unit, scale = (" points", 100) if measure_of(facts.base).is_fraction else ("", 1)
    for i, matrix in enumerate(scores):
        if i == best:
            continue
        low, high = paired_interval(
            scores[best] - matrix,
            confidence=1 - 0.05 / max(1, len(candidates) - 1),
            seed=facts.seed,
        )
        half_widths.append(scale * (high - low) / 2)
        verdict = "better than" if low > 0 else "not distinguishable from"
        words.append(
            f"{verdict} {names[i]}: the difference is {scale * low:+.3g} to "
            f"{scale * high:+.3g}{unit}"
        )
        numbers[f"interval_{i}"] = [low, high]
        if low <= 0:
            even.append(i)
    if len(even) > 1:
        words.append(
            f"so many seeds and examples tell differences from {max(half_widths):.2g}{unit} on"
        )
    chosen = min(even, key=lambda i: (_size(facts, candidates[i]), i != best))
    if chosen != best:
        words.append(f"the smaller of those that are even is recommended: {names[chosen]}")
    return Decision(candidates[chosen], tuple(words), numbers)


def _scores(facts: Facts, group: list[Seen]) -> Array:
    """(seeds, examples): what each example adds; nothing where a training failed."""
    nothing = np.zeros(facts.n_validation)
    return np.array([facts.scores(trial) if trial.ok else nothing for trial in group])


def _size(facts: Facts, config: RunConfig) -> int:
    return count_parameters((facts.n_in, *config.network.hidden, facts.classes))


def _name(config: RunConfig, varied: dict[str, list[Any]]) -> str:
    names = list(varied) or ["training.eta"]
    return settings.in_words(settings.point(config, *names))
