"""Which of several configurations is better, and how sure that is.

A configuration is judged by several trainings with different seeds, each on the same validation
examples. Both vary: another seed gives another network, and other examples another accuracy. So
the interval of a difference has a part for each, as in studies in which several readers judge the
same cases (Obuchowski and Rockette 1995; Hillis 2007), with seeds as readers: the variance of the
means over seeds, and what is left of the variance between examples once the chance of single
answers is taken off. All pairs are compared at once with Tukey's studentized range, since the
best one is picked from the same means.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from scipy.stats import studentized_range, t

from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array


@dataclass(frozen=True)
class Comparison:
    """Candidates ``a`` and ``b``, by position: the mean of a minus that of b and its interval.

    The intervals of all pairs hold at once. ``better`` is the position of the better one, None
    where the interval contains 0. With one seed each they are infinite.
    """

    a: int
    b: int
    difference: float
    low: float
    high: float

    @property
    def better(self) -> int | None:
        """The position of the better one, None where that can't be told."""
        if self.low > 0:
            return self.a
        return self.b if self.high < 0 else None


def compare(scores: Sequence[Array], level: float = 0.95) -> list[Comparison]:
    """Compare every two of c candidates, with simultaneous intervals.

    Args:
        scores: c arrays of shape (seeds, examples), what each example adds to the accuracy (or to
            R²) of a candidate that was trained with a seed: the mean of an array is the
            candidate's accuracy. All have as many seeds, and the same examples.
        level: the chance that all intervals contain the true differences.

    Raises:
        UserError: fewer than two candidates, arrays of different shapes or with other values than
            numbers, or no such level.
    """
    x = _checked(scores, level)
    c, seeds, n = x.shape
    # An accuracy moves in steps of 1/n: without this a difference of one example could be sure.
    step = 0.5 / n**2 if np.isin(x, (0.0, 1.0)).all() else 0.0
    v = x.mean(axis=2).var(axis=1, ddof=1) / seeds if seeds > 1 else np.full(c, np.inf)
    found = []
    for a, b in combinations(range(c), 2):
        difference = float(x[a].mean() - x[b].mean())
        half = math.inf
        if seeds > 1:
            examples = _between_examples(x[a] - x[b])
            half = _half_width((v[a], v[b]), seeds - 1, examples, n, step, c, level)
        if seeds == 2:  # whose spread tells little: that of all candidates together tells more
            pooled = (2 * v.mean(),)
            half = max(half, _half_width(pooled, c, examples, n, step, c, level))
        found.append(Comparison(a, b, difference, difference - half, difference + half))
    return found


FEWEST_DIFFERENT = 6
"""So many examples must be read wrong, and right, for a mean accuracy to have an interval."""


def mean_interval(scores: Array, level: float = 0.95) -> tuple[float, float] | None:
    """The interval of a configuration's accuracy, a fraction, over seeds and examples.

    None where it has none that is valid: with one seed, or so few mistakes that it would reach
    beyond 100 %.

    Args:
        scores: as one of ``compare``'s.
        level: the chance that it contains the mean over all seeds and examples.
    """
    seeds, n = scores.shape
    wrong, right = (np.count_nonzero(one.any(axis=0)) for one in (1 - scores, scores))
    if seeds < 2 or min(wrong, right) < FEWEST_DIFFERENT:
        return None
    v, mean = (scores.mean(axis=1).var(ddof=1) / seeds,), float(scores.mean())
    half = _half_width(v, seeds - 1, _between_examples(scores), n, 0.5 / n**2, 2, level)
    return mean - half, min(1.0, mean + half)


def _checked(scores: Sequence[Array], level: float) -> Array:
    if len(scores) < 2:
        raise UserError(f"compare needs at least two candidates: got {len(scores)}")
    shapes = list(dict.fromkeys(np.shape(one) for one in scores))
    if len(shapes) > 1 or len(shapes[0]) != 2 or min(shapes[0]) < 1 or shapes[0][1] < 2:
        raise UserError(
            "compare needs arrays of one shape (seeds, examples), with at least two examples: got "
            f"{', '.join(map(str, shapes))}"
        )
    if not 0 < level < 1:
        raise UserError(f"the level must lie between 0 and 1: got {level}")
    x = np.array(scores, dtype=float)
    if not np.isfinite(x).all():
        raise UserError(f"scores must be numbers: got {x[~np.isfinite(x)][0]}")
    return x


def _between_examples(d: Array) -> float:
    """The variance of the mean of d, (seeds, examples), that is due to which examples there are.

    From the mean squares of a two-way layout without replication (Hillis 2007): the examples' less
    that of the error, which is the chance of single answers.
    """
    seeds, n = d.shape
    rows, columns, mean = d.mean(axis=1, keepdims=True), d.mean(axis=0), d.mean()
    examples = seeds * float(np.square(columns - mean).sum()) / (n - 1)
    error = float(np.square(d - rows - columns + mean).sum()) / ((seeds - 1) * (n - 1))
    return float(max(0.0, (examples - error) / (seeds * n)))


def _half_width(
    v: Sequence[float], each: int, examples: float, n: int, step: float, c: int, level: float
) -> float:
    """Half of an interval among those of c candidates.

    Args:
        v: the variances of means that add up, each with so many degrees of freedom (``each``).
        each: see v.
        examples: the part of the variance that is due to the n examples.
        n: the number of examples.
        step: the part that is due to the steps in which an accuracy moves.
        c: the number of candidates whose pairs are compared.
        level: of all intervals together.
    """
    seeds, squares = sum(v), sum(one * one for one in v)
    total = float(seeds + examples + step)
    if total == 0.0:
        return 0.0
    # Few seeds tell their spread badly, so Satterthwaite's df is too large where the spread
    # happens to come out small; the factor weighs the seeds' part more.
    factor = 1 + 3 * squares / (seeds * seeds * each) if seeds else 1.0
    spread = factor * factor * squares / each + examples * examples / (n - 1)
    df = (factor * seeds + examples + step) ** 2 / spread if spread else math.inf
    return _quantile(level, c, df) * math.sqrt(total)


def _quantile(level: float, c: int, df: float) -> float:
    """Tukey's quantile of the largest of all differences of c means, in units of one difference."""
    if c == 2:
        return float(t.ppf((1 + level) / 2, df))
    # Computing it takes 70 ms: it is cached for few df, each rounded down, which is slightly wider.
    df = 1.05 ** math.floor(math.log(min(df, 1e4), 1.05))
    return _studentized_range(level, c, df)


@cache
def _studentized_range(level: float, c: int, df: float) -> float:
    return float(studentized_range.ppf(level, c, df)) / math.sqrt(2)
