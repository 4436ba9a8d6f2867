"""What trains the trials: anything with the interface of ``concurrent.futures``."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from nndl_exp.config import SweepConfig
from nndl_exp.errors import UserError

T = TypeVar("T")
_BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
_NOTES = "NNDL_WORKER_NOTES"
_UNGUARDED = (
    "error: workers import the script that starts them, so it must start them below "
    'if __name__ == "__main__": (or train with executor=serial)'
)


class SerialExecutor(Executor):
    """Runs each call at once, in this process."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Call ``fn`` now; the future that is returned has ended."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as e:  # what the future's owner would see of a worker
            future.set_exception(e)
        return future


def processes(workers: int) -> Executor:
    """A pool of spawned processes, each with one BLAS thread until its run says otherwise."""
    context = multiprocessing.get_context("spawn")
    with _interrupts_ignored(), _environment({"PYTHONWARNINGS": "ignore:resource_tracker"}):
        resource_tracker.ensure_running()  # it warns of what a process leaves that ends at once
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    with _interrupts_ignored(), _environment(dict.fromkeys(_BLAS_THREADS, "1")):
        # Each call starts one more process while none is idle; they inherit what is set here, and
        # import what they need at the same time.
        for _ in range(workers):
            pool.submit(os.getpid)
    return pool


def dask(workers: int, address: str | None) -> Executor:
    """A Dask cluster of its own, or the one at an address."""
    from nndl_exp.study.dask_executor import DaskExecutor

    with _interrupts_ignored():  # by the workers, too, before they know better
        return DaskExecutor(workers, address)


EXECUTORS: dict[str, Callable[[int, str | None], Executor]] = {
    "processes": lambda workers, address: processes(workers),
    "serial": lambda workers, address: SerialExecutor(),
    "dask": dask,
}
"""What makes them of a number of workers, and of the address of those that exist."""


class Pool:
    """Workers that are started when they are first needed, and anew after they broke.

    A worker imports the script of the process that starts it. One that gets as far as this, which
    would start workers of its own, ends and leaves a note.
    """

    def __init__(self, kind: str, workers: int, address: str | None = None) -> None:
        if _imports_script() and _NOTES in os.environ:
            Path(os.environ[_NOTES], "unguarded").touch()
            os._exit(1)
        self._kind, self._workers, self._address = kind, workers, address
        self._executor: Executor | None = None

    def open(self) -> Executor:
        """The workers, when all of them are up.

        Raises:
            SystemExit: they can't import the script that this process runs.
        """
        if self._executor is None:
            with TemporaryDirectory(prefix="nndl-") as notes, _environment({_NOTES: notes}):
                try:
                    self._executor = EXECUTORS[self._kind](self._workers, self._address)
                    self._executor.submit(_ready).result()
                except Exception:
                    if not any(Path(notes).iterdir()):
                        raise
                    self.drop()
                    raise SystemExit(_UNGUARDED) from None
        return self._executor

    def drop(self) -> None:
        """Leave broken workers alone."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    def close(self) -> None:
        """End the workers after what they are doing."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
            self._executor = None


def _imports_script() -> bool:
    """Whether this is a worker that has not yet imported the script of the process above it."""
    script = sys.modules.get("__mp_main__")
    return script is not None and script is not sys.modules["__main__"]


def _ready() -> None:
    """Called once in a new worker: when it returns, the worker has imported all it needs."""


def check(config: SweepConfig) -> None:
    """Refuse what this machine can't run, before anything is made.

    Raises:
        UserError: an extra is not installed, an address is given to executors that have none, or
            there are too many worker processes.
    """
    if config.storage.name == "postgresql":
        from nndl_exp.database import check_driver

        check_driver()
    if config.executor.name == "dask":
        from nndl_exp.study.dask_executor import import_distributed

        import_distributed()
    elif config.executor.address is not None:
        raise UserError(
            f"executor.address goes with executor=dask: got executor={config.executor.name}"
        )
    here = config.executor.name != "serial" and config.executor.address is None
    most = max(64, 8 * _cpus())
    if here and config.workers != "auto" and config.workers > most:
        raise UserError(
            f"workers must be at most {most} on this machine (8 for each processor, or 64): "
            f"got {config.workers}"
        )


def pool_of(config: SweepConfig) -> Pool:
    """The workers of a study."""
    return Pool(config.executor.name, workers_of(config), config.executor.address)


def workers_of(config: SweepConfig) -> int:
    """How many trials of a study run at a time in this process and on its workers."""
    return count(config.workers, config.executor.name, config.executor.address)


def count(workers: int | str, executor: str, address: str | None = None) -> int:
    """How many trials run at a time.

    ``auto`` is one for each worker at ``address``, or for each processor this process may use.

    Raises:
        UserError: nothing answers at the address.
    """
    if executor == "serial":
        return 1
    if workers == "auto" and address is not None:
        from nndl_exp.study.dask_executor import count_workers

        return count_workers(address)
    if workers == "auto":
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cpus()
    return int(workers)


def _cpus() -> int:
    return os.cpu_count() or 1


def _start_worker() -> None:
    # Ctrl-C goes to every process of the terminal; workers watch the study's flag instead.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when the process that started it is gone, however that happened."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
