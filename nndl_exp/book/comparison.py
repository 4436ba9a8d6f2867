"""A number of the book beside ours, and whether they agree."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from scipy.stats import t as student

Verdict = Literal["agrees", "differs", "no number"]


@dataclass(frozen=True)
class Comparison:
    """What was measured, the book's number and ours.

    Args:
        what: in words, with its unit.
        book: the book's number, None where it has none.
        here: ours, one for each seed; a single one where chance has no part.
        within: how far a single number of ours may be from the book's.
        note: what explains a difference.
    """

    what: str
    book: float | None
    here: tuple[float, ...]
    within: float = 0.0
    note: str = ""

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return fmean(self.here)

    @property
    def interval(self) -> tuple[float, float]:
        """Where one more run would lie with 95 % (the book's is one): Student's t prediction.

        For a single number it is that number, give or take ``within``.
        """
        n = len(self.here)
        if n == 1:
            return self.mean - self.within, self.mean + self.within
        reach = float(student.ppf(0.975, n - 1)) * stdev(self.here) * math.sqrt(1 + 1 / n)
        reach = max(reach, self.within)
        return self.mean - reach, self.mean + reach

    @property
    def verdict(self) -> Verdict:
        """Whether the book's number lies in the interval."""
        if self.book is None:
            return "no number"
        low, high = self.interval
        return "agrees" if low <= self.book <= high else "differs"

    def cells(self) -> tuple[str, str, str, str]:
        """The row of a table: what, the book's, ours with half of its interval, the verdict."""
        low, high = self.interval
        ours = _text(self.mean)
        if len(self.here) > 1:
            ours += f" ± {(high - low) / 2:.2g} ({len(self.here)} seeds)"
        said = self.verdict + (f": {self.note}" if self.note else "")
        return self.what, "-" if self.book is None else _text(self.book), ours, said


def table(rows: Sequence[Comparison]) -> list[str]:
    """The rows as a Markdown table."""
    lines = ["| | book | here | |", "|---|---|---|---|"]
    return lines + [f"| {' | '.join(row.cells())} |" for row in rows]


def _text(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.5g}"
