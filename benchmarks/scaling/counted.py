"""The command of a sweep, which counts what its trainings and its reports take.

    COUNTED=FILE python -m benchmarks.scaling.counted WORD ...

A sweep's workers are new processes that run this module again, and so count too. Each training,
each stage's tables and figures, and the start of MLflow become a line of the file: which of them,
the seconds that its thread has had of a processor, and those that the clock has shown.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRAINING, REPORT, STARTING = "training", "report", "starting"


@dataclass(frozen=True)
class Counted:
    """What there was of one kind: how many, their seconds of processor, and by the clock."""

    times: int
    processor: float
    clock: float


def read(file: Path, kind: str) -> Counted:
    """What has been counted of a kind."""
    lines = [line.split() for line in file.read_text().splitlines()]
    found = [(float(processor), float(clock)) for k, processor, clock in lines if k == kind]
    return Counted(len(found), sum(p for p, _ in found), sum(c for _, c in found))


class _Watch:
    """Seconds of processor and by the clock, while it is running."""

    def __init__(self) -> None:
        self.processor = self.clock = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        processor, clock = time.thread_time(), time.perf_counter()
        try:
            yield
        finally:
            self.processor += time.thread_time() - processor
            self.clock += time.perf_counter() - clock

    def write(self, kind: str) -> None:
        with Path(os.environ["COUNTED"]).open("a") as file:  # one write, so a line stays whole
            file.write(f"{kind} {self.processor:.6f} {self.clock:.6f}\n")


def counting(train: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """A training that is counted while it trains, and not while who asked for it looks at it."""

    def counted(*args: Any, **settings: Any) -> Iterator[Any]:
        watch = _Watch()
        epochs = train(*args, **settings)
        try:
            while True:
                with watch.running():
                    epoch = next(epochs, None)
                if epoch is None:
                    return
                yield epoch
        finally:
            watch.write(TRAINING)

    return counted


def main() -> None:
    """Lead the sweep, counting."""
    from nndl_exp import sweep
    from nndl_exp.tracking import study, tracker

    study.write_report = _counted(study.write_report, REPORT)
    tracker.connect = _counted(tracker.connect, STARTING)
    sweep.main()


def _counted(action: Callable[..., Any], kind: str) -> Callable[..., Any]:
    def counted(*args: Any, **options: Any) -> Any:
        watch = _Watch()
        try:
            with watch.running():
                return action(*args, **options)
        finally:
            watch.write(kind)

    return counted


if __name__ != "benchmarks.scaling.counted":  # the command, or a worker of it
    from nndl_exp import run

    run.train = counting(run.train)

if __name__ == "__main__":
    main()
