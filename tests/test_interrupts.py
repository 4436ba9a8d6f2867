"""Ctrl-C at any moment: a command ends without a traceback, and what it wrote stays."""

import gc
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nndl_exp import sweep
from nndl_exp.api import Study, load_study

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


JOINT = [*SMALL, "training.epochs=2", "executor=serial", "strategy=joint", "study.n_trials=6"]
STAGED = [*SMALL, "training.epochs=3", "executor=serial", "strategy.epochs=60", "study.name=s",
          "strategy.stages=[any_learning,learning_rate,winner]"]  # fmt: skip


def lead(words: list[str], output: Path, number: int | None, kind: int) -> Study:
    """A study led from Python, with a signal after so many trials."""
    study = load_study([*words, f"output={output}"])
    for n, _ in enumerate(study.run(), 1):
        if n == number:
            signal.raise_signal(kind)
    return study


@pytest.mark.parametrize("words", [JOINT, STAGED], ids=["search", "stages"])
def test_a_loop_over_trials_is_interrupted_and_goes_on_another_time(tmp_path, words):
    output, other = tmp_path / "a", tmp_path / "b"
    with pytest.raises(KeyboardInterrupt):
        lead(words, output, 3, signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    records = {path: path.read_bytes() for path in output.rglob("result.json")}
    assert len(records) >= 3
    lead(words, output, None, 0)
    lead(words, other, None, 0)
    assert {path: path.read_bytes() for path in records} == records
    results = [sorted(p.relative_to(o) for p in o.rglob("result.json")) for o in (output, other)]
    assert results[0] == results[1]


def test_sigterm_goes_to_its_handler_after_the_last_trial_was_kept(tmp_path):
    handled: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: handled.append(number))
    try:
        lead(JOINT, tmp_path, 3, signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert handled == [signal.SIGTERM]
    assert 3 <= len(list(tmp_path.rglob("result.json"))) < 6


def test_an_interrupt_at_the_end_of_a_stage_stops_the_study(tmp_path, monkeypatch, capsys):
    said, first = sweep._said, lead(STAGED, tmp_path / "whole", None, 0)
    stage = next(first.stages())
    last = len(stage.search.trials()) - 1
    begun = []

    def interrupted_lead(coordinator, *others):
        begun.append(coordinator)
        for trial in said(coordinator, *others):
            if len(begun) == 1 and trial.number == last:
                signal.raise_signal(signal.SIGINT)
            yield trial

    monkeypatch.setattr(sweep, "_said", interrupted_lead)
    with pytest.raises(SystemExit) as end:
        sweep.main([*STAGED, f"output={tmp_path}/out"])
    gc.unfreeze()  # what the sweep froze; Hypothesis looks for who refers to its objects
    assert end.value.code == 130
    printed = capsys.readouterr().out
    assert "stopped  interrupted" in printed
    assert "[2/3]" not in printed
