"""Output in an encoding that lacks characters: they are replaced, and the command succeeds."""

import io
import os
import subprocess
import sys

import pytest

from nndl_exp import evaluate, report, reproduce, studies, sweep, train

SMALL = ["tracking=none", "dataset=digits_8x8", "dataset.training_size=100", "training.epochs=1"]
JOINT = [*SMALL, "strategy=joint", "study.n_trials=2", "executor=serial", "study.name=s"]


def run(main, words: list[str]) -> int:
    try:
        main(words)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_every_command_prints_in_ascii(tmp_path, monkeypatch):
    outputs = {name: io.TextIOWrapper(io.BytesIO(), "ascii") for name in ("stdout", "stderr")}
    for name, stream in outputs.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.chdir(tmp_path)
    assert run(sweep.main, [*JOINT, "study.dry_run=true"]) == 0
    assert run(sweep.main, JOINT) == 0
    assert run(sweep.main, [*JOINT, "--cfg", "job"]) == 0
    assert run(sweep.main, ["--help"]) == 0
    assert run(train.main, SMALL) == 0
    assert run(studies.main, []) == 0
    assert run(report.main, ["s"]) == 0
    assert run(reproduce.main, ["s/0"]) == 0
    assert run(evaluate.main, ["s"]) == 0
    assert run(studies.main, ["show", "s"]) == 0
    assert run(evaluate.main, ["née"]) == 2
    for stream in outputs.values():
        stream.flush()
    printed = {name: stream.buffer.getvalue().decode("ascii") for name, stream in outputs.items()}
    assert "Traceback" not in printed["stderr"]
    assert "?" in printed["stdout"]
    assert "error: no such run: n?e" in printed["stderr"]


@pytest.mark.parametrize("encoding", ["ascii:strict", "cp1252:strict"])
def test_a_pipe_that_lacks_characters(tmp_path, encoding):
    done = subprocess.run(
        [sys.executable, "-m", "nndl_exp.sweep", *JOINT, "study.dry_run=true", 'output="ηλ"'],
        cwd=tmp_path, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"plan" in done.stdout
