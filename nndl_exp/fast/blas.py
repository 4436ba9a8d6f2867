"""The BLAS that NumPy multiplies with: its threads, and whether it has kernels for small products.

threadpoolctl knows both. Without it the core works all the same, by whole products, on as many
threads as BLAS starts with.
"""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WITH_SMALL_KERNELS = {"SkylakeX", "Cooperlake", "SapphireRapids"}
_limits: list[int] = []


@contextmanager
def blas_threads(number: int) -> Iterator[None]:
    """A context in which matrix products use so many threads.

    More of them are no faster at these sizes, and give other last bits.
    """
    controller = _controller()
    if controller is None:
        yield
        return
    _limits.append(number)
    try:
        with controller.limit(limits=number, user_api="blas"):
            yield
    finally:
        _limits.pop()


def one_thread() -> bool:
    """Whether matrix products use one thread."""
    return (_limits[-1] if _limits else _threads_at_first()) == 1


@functools.cache
def has_small_kernels() -> bool:
    """Whether BLAS is an OpenBLAS that runs its AVX-512 kernels here."""
    return any(library.get("architecture") in _WITH_SMALL_KERNELS for library in _libraries())


@functools.cache
def _threads_at_first() -> int:
    return max((library["num_threads"] for library in _libraries()), default=0)


@functools.cache
def _libraries() -> list[dict[str, Any]]:
    controller = _controller()
    found = controller.info() if controller else []
    return [library for library in found if library["user_api"] == "blas"]


@functools.cache
def _controller() -> Any:
    # Looking for the loaded libraries takes 10 ms; a worker trains many runs.
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController()
