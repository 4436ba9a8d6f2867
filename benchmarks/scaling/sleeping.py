"""32 workers that sleep in place of training: how far one coordinator carries.

All is the product's own but ``train``, which each worker, a process of its own, replaces by one
that sleeps and tells made-up epochs: the coordinator, TPE, claims, heartbeats and Optuna's tables
in PostgreSQL, the records that the workers write, and MLflow's in the second case. Ideal is every
worker asleep all the time, from the first trial's start to the last one's end; the table must be
that of one worker which does not sleep, on SQLite. Two processors do the work of all 32 workers,
the coordinator and the database server.
"""

import math
import multiprocessing
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nndl_exp.run
from benchmarks.readme import table
from benchmarks.scaling.sweeps import on_postgresql, stored_name
from nndl_exp.api import load_study
from nndl_exp.study.executors import EXECUTORS, Pool
from nndl_exp.study.trial import run_trial  # noqa: F401  (loaded before the workers are forked)
from nndl_exp.training import Epoch, Settings

if TYPE_CHECKING:
    import pandas as pd

    from nndl_exp.study.search import Search

EPOCHS = 10
COMMON = ("strategy=joint", "search_space=numeric", "pruner=none", "training.stopping.name=none",
          f"training.epochs={EPOCHS}")  # fmt: skip
_seconds = 0.0


def asleep(
    network: object, training: object, validation: object, settings: Settings, *,
    streams: object, history: Sequence[Epoch] = (), velocity: object,
) -> Iterator[Epoch]:  # fmt: skip
    """In place of ``train``: the same epochs whenever the settings are the same."""
    s = settings
    best = 0.95 * math.exp(-(math.log10(s.eta / 0.5) ** 2) - 0.1 * math.log10(s.lmbda) ** 2)
    for number in range(len(history) + 1, s.epochs + 1):
        time.sleep(_seconds / s.epochs)
        a = best * (1 - 0.5**number)
        yield Epoch(number, 1 - a, a, 1 - a, a, s.eta, _seconds / s.epochs)


def _fall_asleep(seconds: float) -> None:
    global _seconds
    _seconds = seconds
    nndl_exp.run.train = asleep  # type: ignore[assignment]


def sleepers(workers: int, seconds: float) -> Executor:
    """Processes that sleep so many seconds for each trial; all are up when this returns."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # else 32 of them import everything
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_fall_asleep, initargs=(seconds,)
    )
    wait([pool.submit(time.sleep, 0.5) for _ in range(workers)])
    return pool


@dataclass(frozen=True)
class Case:
    """So many trials of so many seconds on so many workers."""

    trials: int = 640
    workers: int = 32
    seconds: float = 5.0
    lag: int = 64

    @property
    def ideal(self) -> float:
        """Seconds that all trials take if every worker is always asleep."""
        return math.ceil(self.trials / self.workers) * self.seconds


@dataclass(frozen=True)
class Night:
    """What came of it; ``processor`` is what the coordinator's thread used, in seconds, and
    ``counts`` how many trials Optuna's database has in each state."""

    elapsed: float
    processor: float
    spans: int
    counts: dict[str, int]
    outage: str | None
    table: "pd.DataFrame"


def lead(case: Case, output: Path, *words: str) -> Night:
    """Lead a study whose workers sleep."""
    from nndl_exp.tracking.study import StudyTracker

    name = f"asleep-{uuid.uuid4().hex}"  # the database may have others
    settings = (f"study.name={name}", f"study.n_trials={case.trials}", f"study.lag={case.lag}",
                f"workers={case.workers}", f"output={output}")  # fmt: skip
    study = load_study([*COMMON, *settings, *words])
    EXECUTORS["sleeping"] = lambda workers, address: sleepers(workers, case.seconds)
    pool = Pool("sleeping", case.workers)
    pool.open()
    try:
        tracker = StudyTracker(study)
        stage, coordinator = next(study.lead(pool))
        start = time.thread_time()
        for trial in coordinator:
            tracker.log(stage, trial)
        processor = time.thread_time() - start
        tracker.end(stage, stage.search.trials(), stage.decision())  # all is shown after it
    finally:
        pool.close()
        del EXECUTORS["sleeping"]
    spans = coordinator.report.spans
    elapsed = max(end for _, end in spans) - min(begin for begin, _ in spans)
    found = study.table().drop(columns="seconds")
    return Night(elapsed, processor, len(spans), _counts(stage.search), tracker.outage, found)


def _counts(search: "Search") -> dict[str, int]:
    import optuna

    from nndl_exp import database

    storage = optuna.storages.RDBStorage(database.url_of(search.config, "optuna"))
    name = stored_name(search, storage)
    trials = optuna.load_study(study_name=name, storage=storage).trials
    states = [trial.state.name for trial in trials]
    storage.remove_session()
    storage.engine.dispose()
    return {state: states.count(state) for state in sorted(set(states))}


def row(title: str, case: Case, night: Night, reference: "pd.DataFrame") -> list[str]:
    """The row of a case; ``reference`` is the table that it must have."""
    sound = night.outage is None and night.spans == case.trials
    exact = night.counts == {"COMPLETE": case.trials} and len(night.table) == case.trials
    return [
        title,
        f"{case.trials} of {case.seconds:g} s",
        f"{case.ideal:.1f} s",
        f"{night.elapsed:.1f} s",
        f"{case.ideal / night.elapsed:.1%}",
        f"{1000 * night.processor / case.trials:.0f} ms",
        "none" if sound else "some",
        "yes" if exact else "no",
        "yes" if night.table.equals(reference) else "no",
    ]


HEADINGS = ("", "trials", "ideal", "took", "sustained", "coordinator's processor time a trial",
            "errors and retries", "count exact", "table as of one worker")  # fmt: skip


def measured(rounds: int, case: Case | None = None) -> str:
    """The table, of one round: the deviation from the ideal is all that can vary."""
    case, database = case or Case(), on_postgresql()
    if database is None:
        raise SystemExit("sleeping needs PostgreSQL: set PGPORT, or use pg_virtualenv")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        awake = Case(case.trials, 1, 0.0, case.lag)
        reference = lead(awake, Path(folder) / "awake", "tracking=none").table
        for title, tracking in (("no tracking", "none"), ("MLflow, same server", "mlflow")):
            night = lead(case, Path(folder) / tracking, *database, f"tracking={tracking}")
            rows.append(row(title, case, night, reference))
            print(*rows[-1], sep=" | ", flush=True)
    return table(HEADINGS, rows)
