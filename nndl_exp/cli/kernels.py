"""Reproducing with the kernels of BLAS that a record was made with, in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from nndl_exp.cli.runs import Found
from nndl_exp.display.terminal.screen import Screen
from nndl_exp.fast import kernels
from nndl_exp.records import RunDirectory
from nndl_exp.records.provenance import differences, provenance


def elsewhere(found: Found | tuple[str, str], words: Sequence[str], screen: Screen) -> int | None:
    """Reproduce in a process with the recorded kernels, and return its status; None where this
    process has them.

    BLAS takes its kernels when NumPy is loaded, so that this process can't change its own. Where
    the processor can't run them, what differs is printed, and the status is 1.
    """
    directory = found.directory if isinstance(found, Found) else _first(*found)
    recorded = directory.provenance() if directory else {}
    if not recorded.get("blas"):
        return None
    try:
        wanted = kernels.variables(recorded)
    except LookupError as e:
        screen.print("what differs in the environment:")
        for text in differences(recorded, provenance()):
            screen.print(f"  {text}")
        screen.tell(f"NOT COMPARABLE: it was trained with the kernels {e.args[0]}, which can't be "
                    "had here")  # fmt: skip
        return 1
    return None if wanted is None else _in_environment(wanted, words)


def _first(output: str, name: str) -> RunDirectory | None:
    """A trial of a study; they all have the same kernels."""
    found = Path(output, "studies", name).glob("stages/*/trials/*/provenance.json")
    return next((RunDirectory(path.parent) for path in found), None)


def _in_environment(wanted: dict[str, str], words: Sequence[str]) -> int:
    command = [sys.executable, "-m", "nndl_exp.reproduce", *words]
    # In a session of its own a Ctrl-C reaches it once: from here.
    with subprocess.Popen(command, env={**os.environ, **wanted}, start_new_session=True) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
