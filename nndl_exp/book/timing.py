"""How long something takes."""

import time
from collections.abc import Callable


def shortest(work: Callable[[], object], times: int = 5) -> float:
    """The seconds of the fastest of several calls: the one that was disturbed least."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)
