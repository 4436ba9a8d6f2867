"""The server of ``python -m nndl_exp.demo``, started as a user does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nndl_exp.api import load_config, run

LOOPBACK = "127.0.0.1"


@contextmanager
def demo(
    output: Path, *words: str, host: str = LOOPBACK, **environment: str
) -> Iterator[tuple[int, subprocess.Popen]]:
    """The port and the process of a real server at ``host``, ended by its own pid."""
    address = f"open  http://{host}:"
    command = [sys.executable, "-m", "nndl_exp.demo", *words, "--output", str(output)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | environment,
    )  # fmt: skip
    process.printed = []
    try:
        for line in process.stdout:
            process.printed.append(line)
            if line.startswith(address):
                yield int(line.removeprefix(address).split("/")[0]), process
                return
        pytest.fail(f"the demo did not start: {process.printed} {process.stderr.read()}")
    finally:
        process.kill()
        process.communicate()


def train_digits(output: Path) -> None:
    """A network that knows most digits, as the run ``digits`` of an output folder, in a second."""
    words = ["network.hidden=[30]", "training.epochs=8", "training.lmbda=0.5"]
    run(load_config(words), output / "runs" / "digits")
