"""Trials a second of two workers against one, on two processors.

The whole default machinery leads a plain search: TPE, SQLite, MLflow. All trials take the same time
(one architecture, all epochs), so that no worker waits for a last, longer one; and they are the
same trials for one worker and for two. The rate is that from the first trial's start to the last
one's end. What two processes can do at all on this machine, which share its memory, is measured
beside it: the same trainings, without a study, by one process and by two.
"""

import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.readme import table
from benchmarks.scaling.bare import train_again
from benchmarks.scaling.sweeps import sweep
from nndl_exp.records import RunDirectory

COMMON = ("strategy=joint", "pruner=none", "training.stopping.name=none")
CASES = {
    "5,000 digits": ("dataset=mnist_5k", "study.n_trials=120"),
    "full digits": ("dataset=mnist", "study.n_trials=32", "training.epochs=15"),
}
"""A study of each dataset, in which only eta and lmbda vary."""
FIXED = ("network.hidden=[100]", "training.mini_batch_size=10")


@dataclass(frozen=True)
class Speeds:
    """Trials a second in a study with one and two workers, and without one."""

    one: float
    two: float
    one_bare: float
    two_bare: float

    @property
    def ratio(self) -> float:
        """Of two workers to one."""
        return self.two / self.one

    @property
    def bare_ratio(self) -> float:
        """Of two processes to one, without a study."""
        return self.two_bare / self.one_bare


def measure(words: tuple[str, ...]) -> Speeds:
    """One round."""
    speeds = []
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2):
            output = Path(folder) / str(workers)
            done = sweep([*COMMON, *FIXED, *words, f"workers={workers}"], output)
            speeds.append(len(done.trained()) / done.window())
        runs = [directory for directory, _ in done.trained()]
        bare = [_bare(runs, processes) for processes in (1, 2)]
    return Speeds(*speeds, *bare)


def _bare(runs: list[RunDirectory], processes: int) -> float:
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(train_again, runs[: 2 * processes]))  # all are up, and have the data
        start = time.perf_counter()
        list(pool.map(train_again, runs))
        return len(runs) / (time.perf_counter() - start)


def measured(rounds: int) -> str:
    """The table."""
    rows = []
    for title, words in CASES.items():
        found = [measure(words) for _ in range(rounds)]
        m = {name: statistics.median(getattr(s, name) for s in found)
             for name in ("one", "two", "ratio", "bare_ratio")}  # fmt: skip
        ratios = ", ".join(f"{s.ratio:.2f}" for s in found)
        rows.append([title, f"{m['one']:.2f}", f"{m['two']:.2f}", f"{m['ratio']:.2f} ({ratios})",
                     f"{m['bare_ratio']:.2f}"])  # fmt: skip
    headings = ["", "trials a second, 1 worker", "2 workers", "ratio (of each round)",
                "2 processes to 1 without a study"]  # fmt: skip
    return table(headings, rows)
