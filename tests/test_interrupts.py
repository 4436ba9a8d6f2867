"""Ctrl-C at any moment: a command ends without a traceback, and what it wrote stays."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SMALL = ("tracking=none", "dataset=digits_8x8", "dataset.training_size=100",
         "training.stopping.name=none")  # fmt: skip
SWEEP = ("nndl_exp.sweep", *SMALL, "strategy=joint", "study.name=s", "study.n_trials=1000",
         "training.epochs=3")  # fmt: skip
TRAIN = ("nndl_exp.train", *SMALL, "training.epochs=100000")
ENDED = (130, -signal.SIGINT)
"""With our status; killed where the interpreter has ended all but the process."""


def start(folder: Path, *words: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *options, "-m", *words], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def interrupted(process: subprocess.Popen[str], after: str) -> str:
    """Interrupt a process, and its workers, again and again once a line has come; what it says."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if re.search(after, line):
            break
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.001)
    rest, _ = process.communicate()
    return said + rest


def check(process: subprocess.Popen[str], said: str) -> None:
    assert process.returncode in ENDED, said
    for word in ("Traceback", "Exception ignored", "Error", "Warning"):
        assert word not in said, said


@pytest.mark.parametrize("how", ["executor=serial", "workers=2"])
def test_a_sweep_that_has_stopped(tmp_path, how):
    process = start(tmp_path, *SWEEP, how)
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(r" +0  ", line):
            break
    os.killpg(process.pid, signal.SIGINT)
    check(process, interrupted(process, "^stopped  "))


def test_a_training(tmp_path):
    process = start(tmp_path, *TRAIN)
    check(process, interrupted(process, "^ +2 "))


@pytest.mark.parametrize("module", [SWEEP, TRAIN, ("nndl_exp", "studies")], ids=lambda w: w[0])
def test_modules_are_imported(tmp_path, module):
    process = start(tmp_path, *module, options=("-X", "importtime"))
    check(process, interrupted(process, r"\| +click\.types"))
