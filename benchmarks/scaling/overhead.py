"""What search, storage and tracking take beside training, in whole sweeps of the real command.

Training is what the sweep's trainings take, each measured after every epoch as it is there, with
nothing around them: the recorded runs are trained again, by as many processes. The overhead is all
that the sweep takes besides, as a share of that: of the processors, by the seconds that all its
processes used, from the command's first line to its exit; and by the clock times the workers, where
waiting counts too. Its parts: tracking is by how much it is less with tracking=none; starting is
what the plan takes (study.dry_run=true); the rest is search, storage, records and reports.

A stage decides by elapsed time, so the sweep without tracking may train other networks. What its
trainings take is that of the first, times the ratio of the seconds that both recorded.
"""

import math
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.scaling.bare import Bare, train_again
from benchmarks.scaling.sweeps import Sweep, sweep, table

CASES: dict[str, tuple[str, ...]] = {
    "the default sweep (5,000 digits)": (),
    "full digits, 1,050 epochs of work": ("dataset=mnist", "strategy.epochs=1050"),
}
WORKERS = 2


@dataclass(frozen=True)
class Overhead:
    """One round: trainings, their seconds of processor, and shares of those; by the clock, of the
    whole command, without tracking, and from the first trial's start to the last one's end."""

    trainings: float
    training: float
    overhead: float
    tracking: float
    starting: float
    rest: float
    clock: float
    clock_untracked: float
    window: float


def measure(words: tuple[str, ...], workers: int = WORKERS) -> Overhead:
    """One round: the sweep, the sweep without tracking, its plan, its trainings alone."""
    words = (*words, f"workers={workers}")
    with tempfile.TemporaryDirectory() as folder:
        tracked = sweep(words, Path(folder) / "tracked")
        untracked = sweep([*words, "tracking=none"], Path(folder) / "untracked")
        plan = sweep([*words, "study.dry_run=true"], Path(folder) / "plan")
        runs = [directory for directory, _ in tracked.trained()]
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            alone = list(pool.map(train_again, runs))
        return compare(tracked, untracked, plan, alone, workers)


def compare(
    tracked: Sweep, untracked: Sweep, plan: Sweep, alone: list[Bare], workers: int
) -> Overhead:
    """The shares, of what two sweeps, their plan, and the trainings of the first alone took."""
    training = Bare(math.fsum(b.clock for b in alone), math.fsum(b.processor for b in alone))
    other = _recorded(untracked) / _recorded(tracked)
    overhead = tracked.processor / training.processor - 1
    tracking = overhead - (untracked.processor / (training.processor * other) - 1)
    starting = plan.processor / training.processor
    return Overhead(
        trainings=len(alone),
        training=training.processor,
        overhead=overhead,
        tracking=tracking,
        starting=starting,
        rest=overhead - tracking - starting,
        clock=workers * tracked.clock / training.clock - 1,
        clock_untracked=workers * untracked.clock / (training.clock * other) - 1,
        window=workers * tracked.window() / training.clock - 1,
    )


def _recorded(done: Sweep) -> float:
    return math.fsum(result.seconds for _, result in done.trained())


def measured(rounds: int) -> str:
    """The table."""
    rows = []
    for title, words in CASES.items():
        found = [measure(words) for _ in range(rounds)]
        columns = zip(*(astuple(one) for one in found), strict=True)
        m = Overhead(*(statistics.median(column) for column in columns))
        shares = (m.overhead, m.tracking, m.starting, m.rest, m.clock, m.clock_untracked, m.window)
        cells = [f"{share:.1%}" for share in shares]
        rows.append([title, f"{m.trainings:.0f}", f"{m.training:.0f} s", *cells])
    headings = ["", "trainings", "training", "overhead", "of it tracking", "starting", "the rest",
                "by the clock", "without tracking", "between first and last trial"]  # fmt: skip
    return table(headings, rows)
