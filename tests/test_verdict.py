"""Who is better: intervals that cover seeds and examples, for all pairs at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t

from benchmarks.verdict import simulated
from nndl_exp.api import compare
from nndl_exp.errors import UserError
from nndl_exp.study.stages.chapter3.winner import ERROR, looks
from nndl_exp.study.verdict import mean_interval


def test_the_interval_of_two_candidates_is_that_of_the_formulas():
    """Written out for two candidates, as in Hillis (2007) with seeds as readers."""
    a, b = simulated(np.random.default_rng(0), (0.9, 0.93), spread=0.01, seeds=4, n=300)
    (found,) = compare([a, b])
    d, (seeds, n) = a - b, a.shape
    cases = seeds * sum((d[:, i].mean() - d.mean()) ** 2 for i in range(n)) / (n - 1)
    error = sum(
        (d[s, i] - d[s].mean() - d[:, i].mean() + d.mean()) ** 2
        for s in range(seeds) for i in range(n)
    ) / ((seeds - 1) * (n - 1))  # fmt: skip
    k = max(0.0, (cases - error) / (seeds * n))
    va, vb = (np.var([one[s].mean() for s in range(seeds)], ddof=1) / seeds for one in (a, b))
    nu = (va + vb) ** 2 * (seeds - 1) / (va**2 + vb**2)
    kappa, step = 1 + 3 / nu, 1 / (2 * n**2)
    df = (kappa * (va + vb) + k + step) ** 2 / (
        kappa**2 * (va**2 + vb**2) / (seeds - 1) + k**2 / (n - 1)
    )
    half = t.ppf(0.975, df) * np.sqrt(va + vb + k + step)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert (found.low, found.high) == pytest.approx(
        (found.difference - half, found.difference + half)
    )


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("spread", "n"), [(0.0, 1000), (0.0075, 10_000)])
def test_of_equal_candidates_few_are_called_better(seeds, spread, n):
    """A bootstrap over so few seeds called one better in up to 34 % of these studies."""
    rng, studies = np.random.default_rng(seeds), 150
    wrong = sum(
        any(pair.better is not None for pair in compare(found))
        for found in (
            simulated(rng, (0.95,) * 3, spread=spread, seeds=seeds, n=n) for _ in range(studies)
        )
    )
    assert wrong <= 15, "at 5 %, more than 15 of 150 have a chance of 0.4 %"


def test_a_difference_that_matters_is_found():
    rng, studies = np.random.default_rng(0), 100
    found = sum(
        compare(simulated(rng, (0.95, 0.93), spread=0.0075, seeds=5, n=1000))[0].better == 0
        for _ in range(studies)
    )
    assert found >= 60


def test_one_seed_gives_no_verdict_and_two_a_wide_one():
    rng = np.random.default_rng(1)
    good, bad = np.ones((1, 500)), np.zeros((1, 500))
    (found,) = compare([good, bad])
    assert (found.difference, found.better, found.high) == (1.0, None, np.inf)
    three = simulated(rng, (0.9, 0.9), spread=0.01, seeds=3, n=500)
    assert compare([one[:2] for one in three])[0].high > compare(three)[0].high


@settings(deadline=None, max_examples=30)  # a quantile takes 70 ms
@given(st.integers(2, 4), st.integers(2, 5), st.integers(2, 60), st.integers(0, 10**6))
def test_all_pairs_are_compared_and_the_order_of_candidates_does_not_matter(c, seeds, n, seed):
    rng = np.random.default_rng(seed)
    scores = [(rng.random((seeds, n)) < p).astype(float) for p in rng.random(c)]
    found = {(pair.a, pair.b): pair for pair in compare(scores)}
    assert set(found) == {(a, b) for b in range(c) for a in range(b)}
    backwards = {
        (c - 1 - pair.b, c - 1 - pair.a): pair for pair in compare(scores[::-1])
    }  # fmt: skip
    for key, pair in found.items():
        other = backwards[key]
        assert pair.low <= pair.difference <= pair.high
        assert (pair.low, pair.high) == pytest.approx((-other.high, -other.low))
        assert pair.better in (None, *key)
        assert all(np.isfinite([pair.low, pair.high]))
    wide = compare(scores, level=0.999)[0]
    assert wide.high - wide.low >= found[0, 1].high - found[0, 1].low


def test_equal_predictions_are_a_tie_and_one_example_is_no_evidence():
    same = np.ones((3, 40))
    other = same.copy()
    other[:, 0] = 0.0
    assert [pair.better for pair in compare([same, same, other])] == [None] * 3
    parts = np.full((3, 40), 0.25)  # of R²
    (tie,) = compare([parts, parts])
    assert (tie.low, tie.better, tie.high) == (0.0, None, 0.0)


@pytest.mark.parametrize(
    ("scores", "level", "message"),
    [
        ([np.ones((2, 5))], 0.95, "at least two candidates: got 1"),
        ([np.ones((2, 5)), np.ones((3, 5))], 0.95, r"one shape .* got \(2, 5\), \(3, 5\)"),
        ([np.ones(5), np.ones(5)], 0.95, r"got \(5,\)"),
        ([np.ones((2, 1)), np.ones((2, 1))], 0.95, "at least two examples"),
        ([np.ones((2, 5)), np.ones((2, 5))], 1.0, "between 0 and 1: got 1.0"),
        ([np.ones((2, 5)), np.full((2, 5), np.nan)], 0.95, "must be numbers: got nan"),
    ],
)
def test_what_can_not_be_compared_is_refused(scores, level, message):
    with pytest.raises(UserError, match=message):
        compare(scores, level)


def test_the_interval_of_a_mean_covers_seeds_and_examples():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(200):
        (scores,) = simulated(rng, (0.93,), spread=0.01, seeds=5, n=500)
        low, high = mean_interval(scores)
        inside += low <= 0.93 <= high
    assert inside >= 180
    assert mean_interval(scores[:1]) is None, "one seed"
    perfect = np.ones((3, 500))
    perfect[0, :5] = 0
    assert mean_interval(perfect) is None, "5 mistakes"
    perfect[0, :6] = 0
    assert mean_interval(perfect) is not None


@pytest.mark.parametrize("seeds", [3, 4, 5, 7, 10])
def test_the_looks_of_a_race_spend_what_there_is(seeds):
    found = looks(seeds)
    assert found[-1][0] == seeds
    assert sum(1 - level for _, level in found) == pytest.approx(ERROR)
    assert [look for look, _ in found] == sorted({look for look, _ in found})
