"""Leads a study and dies in a step of it: python killed.py STEP NUMBER FOLDER [WORD ...]

It kills itself when it comes to the step, or has done it, for the so-many-th time.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studies import search_of

from nndl_exp.records import RunDirectory
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.running.table import Table

STEPS: dict[str, tuple[Any, str, bool]] = {
    "before a proposal has its name": (os, "link", False),
    "after a proposal has its name": (os, "link", True),
    "before a claim": (Table, "take", False),
    "after a claim": (Table, "take", True),
    "before the first epoch": (RunDirectory, "create", True),
    "after an epoch": (RunDirectory, "append", True),
    "before the result": (RunDirectory, "settle", False),
    "after the result": (RunDirectory, "settle", True),
    "before a claim is released": (Table, "release", False),
    "after a claim is released": (Table, "release", True),
}
"""Where each is, and whether it is done before the process dies."""


def deadly(step: Callable[..., object], number: int, *, done: bool) -> Callable[..., object]:
    calls = 0

    def dies(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        result = step(*args, **kwargs) if done or calls < number else None
        if calls == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return dies


if __name__ == "__main__":
    where, name, done = STEPS[sys.argv[1]]
    setattr(where, name, deadly(getattr(where, name), int(sys.argv[2]), done=done))
    list(Coordinator(search_of(Path(sys.argv[3]), *sys.argv[4:])))
