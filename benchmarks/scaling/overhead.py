"""What search, storage and tracking take beside training, in whole sweeps of the real command.

Training is what the sweep's trainings take, each measured after every epoch as it is there, with
nothing around them: the recorded runs are trained again, by as many processes. All that the sweep
takes besides is a share of that: of the processors, by the seconds that all its processes used,
from the command's first line to its exit; and by the clock times the workers, where waiting counts
too. Its parts: tracking is by how much it is less with tracking=none; starting is what the plan
takes (study.dry_run=true) and what each worker imports; reports are the tables and figures of all
stages, made again in a new process; the rest is search, storage and records.

A stage decides by elapsed time, so the sweep without tracking may train other networks. What its
trainings take is that of the first, times the ratio of the seconds that both recorded.
"""

import importlib
import math
import statistics
import tempfile
import time
from collections.abc import Callable
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
    search: float
    tracking: float
    starting: float
    reports: float
    clock: float
    clock_untracked: float
    window: float

    @property
    def together(self) -> float:
        """Search, storage, records and tracking."""
        return self.search + self.tracking

    @property
    def whole(self) -> float:
        """All that is not training."""
        return self.together + self.starting + self.reports


@dataclass(frozen=True)
class Around:
    """What starting and reporting take, in seconds of processor."""

    starting: float
    reports: float


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
        starting = plan.processor + workers * _in_new_process(import_worker)
        around = Around(starting, _in_new_process(report_again, untracked.folder))
        return compare(tracked, untracked, around, alone, workers)


def _in_new_process(action: Callable[..., float], *arguments: object) -> float:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(action, *arguments).result()


def import_worker() -> float:
    """Seconds of processor of a process that has imported what a worker needs, and no more."""
    importlib.import_module("nndl_exp.study.trial")
    return time.process_time()


def report_again(folder: Path) -> float:
    """Seconds of processor for the tables and figures of a study's stages."""
    from nndl_exp.study.strategy import StagedStudy
    from nndl_exp.study.study import load_settings

    config, _ = load_settings(folder / "study.yaml", folder.parents[1])
    stages = [(stage, stage.trials()) for stage in StagedStudy(config).stages()]
    before = time.process_time()
    from nndl_exp.report.study_files import report_stage

    for stage, trials in stages:
        report_stage(stage, trials)
    return time.process_time() - before


def compare(
    tracked: Sweep, untracked: Sweep, around: Around, alone: list[Bare], workers: int
) -> Overhead:
    """The shares, of what two sweeps, what is around, and the first's trainings alone took."""
    training = Bare(math.fsum(b.clock for b in alone), math.fsum(b.processor for b in alone))
    other = _recorded(untracked) / _recorded(tracked)
    without = untracked.processor / (training.processor * other) - 1
    starting = around.starting / training.processor
    reports = around.reports / training.processor
    return Overhead(
        trainings=len(alone),
        training=training.processor,
        search=without - starting - reports,
        tracking=tracked.processor / training.processor - 1 - without,
        starting=starting,
        reports=reports,
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
        shares = (m.together, m.search, m.tracking, m.starting, m.reports, m.whole, m.clock,
                  m.clock_untracked, m.window)  # fmt: skip
        cells = [f"{share:.1%}" for share in shares]
        rows.append([title, f"{m.trainings:.0f}", f"{m.training:.0f} s", *cells])
    headings = ["", "trainings", "training", "search, storage, tracking", "of it search, storage",
                "tracking", "starting", "reports", "all of it", "all by the clock",
                "without tracking", "between first and last trial"]  # fmt: skip
    return table(headings, rows)
