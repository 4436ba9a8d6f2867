"""Trials on a Dask cluster, a local one or one that exists: the only module that knows Dask."""

import logging
import re
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import suppress
from typing import Any, TypeVar

from nndl_exp.errors import LostTrialError, UserError
from nndl_exp.records.provenance import numerics

T = TypeVar("T")
_SECONDS_TO_ANSWER = 10
_SECONDS_TO_REGISTER = 30  # a worker that was started together with the sweep
_ADDRESS = re.compile(r"(tcp|tls)://[^/@\s]+:\d{1,5}")
# Ctrl-C goes to every process of the terminal; workers watch the study's flag instead.
_IGNORE_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


class DaskExecutor(Executor):
    """The workers of a Dask cluster, one trial on each at a time.

    Without an ``address`` it is a cluster of ``workers`` processes of its own, on loopback, which
    end with this process. A call whose worker dies is made again on another; after a few deaths its
    future has a ``LostTrialError``. When the scheduler is gone, all have a ``BrokenExecutor``.

    Raises:
        UserError: the extra is not installed, no scheduler answers, or it has no worker that can
            run trials.
    """

    def __init__(self, workers: int, address: str | None = None) -> None:
        self._cluster: Any = None
        if address is None:
            self._cluster = _local_cluster(workers)
            address = str(self._cluster.scheduler_address)
        self._client = connect(address)
        # Two equal calls are two calls, never one.
        self._inner = self._client.get_executor(pure=False)

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Call ``fn`` on a worker; the future can't be cancelled, since Dask may have begun."""
        outer: Future[T] = Future()
        outer.set_running_or_notify_cancel()
        try:
            inner = self._inner.submit(fn, *args, **kwargs)
        except (RuntimeError, import_distributed().client.ClosedClientError) as e:  # no scheduler
            raise BrokenExecutor(str(e)) from None
        inner.add_done_callback(lambda done: _pass_on(done, outer))
        return outer

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the cluster; one of our own ends."""
        with suppress(import_distributed().client.ClosedClientError):
            self._inner.shutdown(wait=wait and not cancel_futures)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _pass_on(inner: "Future[T]", outer: "Future[T]") -> None:
    if inner.cancelled():
        outer.set_exception(BrokenExecutor("Dask's scheduler went away"))
        return
    error = inner.exception()
    if error is None:
        outer.set_result(inner.result())
    elif isinstance(error, import_distributed().KilledWorker):
        outer.set_exception(LostTrialError(f"KilledWorker: {error}"))
    elif type(error).__module__.split(".")[0] == "distributed":
        outer.set_exception(BrokenExecutor(f"{type(error).__name__}: {error}"))
    else:
        outer.set_exception(error)


def connect(address: str) -> Any:
    """A client of the cluster whose scheduler is at ``address``.

    Raises:
        UserError: the extra is not installed, nothing answers, or its workers don't fit.
    """
    distributed = import_distributed()
    if not _ADDRESS.fullmatch(address):
        raise UserError(f"executor.address must be like tcp://HOST:8786: got {address!r}")
    try:
        client = distributed.Client(
            address, timeout=_SECONDS_TO_ANSWER, set_as_default=False, direct_to_workers=False
        )
    except (OSError, ValueError, TypeError) as e:  # TypeError: of tls:// without certificates
        raise UserError(
            f"executor.address must be that of a Dask scheduler that answers: got {address} ({e})"
        ) from None
    try:
        _check(client, address)
    except BaseException:
        client.close()
        raise
    return client


def count_workers(address: str) -> int:
    """How many workers the cluster at ``address`` has.

    Raises:
        UserError: see ``connect``.
    """
    client = connect(address)
    try:
        return len(_threads(client))
    finally:
        client.close()


def _check(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_SECONDS_TO_REGISTER)
    except TimeoutError:
        raise UserError(
            f"executor.address={address} must have workers: got none; start some with "
            f"dask worker {address} --nthreads 1"
        ) from None
    most = max(_threads(client))
    if most > 1:
        raise UserError(
            "a Dask worker must have one thread, since trials share a process's BLAS otherwise "
            f"(dask worker {address} --nthreads 1): got {most}"
        )
    _check_packages(client, address)


def _check_packages(client: Any, address: str) -> None:
    here = numerics()
    # Beside the trials of other sweeps, which may keep the workers busy for hours.
    for worker, there in client.run(_numerics, on_error="return").items():
        if not isinstance(there, dict):
            raise UserError(
                f"the Dask workers at {address} must have nndl_exp and what it needs installed: "
                f"got {type(there).__name__}: {there} on {worker}"
            )
        for name, mine in here.items():
            if there.get(name) != mine:
                raise UserError(
                    f"the Dask workers at {address} must have the {name} of this process, {mine}, "
                    f"since the last bits depend on it: got {there.get(name)} on {worker}"
                )


def _threads(client: Any) -> list[int]:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return [int(worker["nthreads"]) for worker in workers]


def _numerics() -> dict[str, str]:
    import nndl_exp.study.trial  # noqa: F401  (all that a worker needs)

    return numerics()


def _local_cluster(workers: int) -> Any:
    # One BLAS thread each: Dask sets the variables before it starts a worker.
    return import_distributed().LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # any free port; without one it is 8787
        preload=_IGNORE_INTERRUPTS,
        silence_logs=logging.CRITICAL,
    )


def import_distributed() -> Any:
    """Dask's package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import distributed
    except ImportError:
        raise UserError(
            "executor=dask needs dask.distributed: got no such package; python -m pip install "
            "'nndl_exp[dask]'"
        ) from None
    return distributed
