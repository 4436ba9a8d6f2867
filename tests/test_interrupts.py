"""Ctrl-C at any moment: a command ends without a traceback, and what it wrote stays."""

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nndl_exp import interrupts, reproduce, sweep
from nndl_exp.api import Study, load_study
from nndl_exp.records import RunDirectory
from nndl_exp.study.running.coordinator import Coordinator

SMALL = ("tracking=none", "dataset=digits_8x8", "dataset.training_size=100",
         "training.stopping.name=none")  # fmt: skip
SWEEP = ("nndl_exp.sweep", *SMALL, "strategy=joint", "study.name=s", "study.n_trials=1000",
         "training.epochs=3")  # fmt: skip
TRAIN = ("nndl_exp.train", *SMALL, "training.epochs=100000")
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def start(folder: Path, *words: str, options: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *options, "-m", *words], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip


def said_until(process: subprocess.Popen[str], after: str) -> str:
    """What a process says until a line has come."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if re.search(after, line):
            break
    return said


def interrupted(process: subprocess.Popen[str], after: str) -> str:
    """Interrupt a process, and its workers, again and again once a line has come; what it says."""
    said = said_until(process, after)
    while process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.001)
    rest, _ = process.communicate()
    return said + rest


def struck_once(process: subprocess.Popen[str], after: str, kind: int) -> str:
    """Send one signal to a process once a line has come; what it says."""
    said = said_until(process, after)
    process.send_signal(kind)
    rest, _ = process.communicate(timeout=120)
    return said + rest


def check(process: subprocess.Popen[str], said: str, kind: int = signal.SIGINT) -> None:
    # Killed by the signal where the interpreter has ended all but the process.
    assert process.returncode in (STATUS[kind], -kind), said
    for word in ("Traceback", "Exception ignored", "Error", "Warning"):
        assert word not in said, said


@pytest.mark.parametrize("how", ["executor=serial", "workers=2", "executor=dask"])
def test_a_sweep_that_has_stopped(tmp_path, how):
    if how == "executor=dask":
        pytest.importorskip("distributed")
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


def run_of(folder: Path) -> Path:
    """The only run that there is."""
    (config,) = folder.glob("nndl-output/runs/*/config.yaml")
    return config.parent


LIMITED = ("nndl_exp.train", *SMALL, "training.epochs=150", "training.momentum=0.5")


@pytest.mark.parametrize("kind", STATUS, ids=lambda kind: kind.name)
def test_a_training_stops_after_its_epoch_and_goes_on_another_time(tmp_path, kind):
    process = start(tmp_path, *LIMITED)
    said = struck_once(process, "^ +7 ", kind)
    check(process, said, kind)
    assert process.returncode == STATUS[kind]
    *epochs, note, resume = said.splitlines()
    if note.split()[0].isdigit():  # the epoch ended before the note was printed
        note = epochs[-1]
    assert note == "stopping after this epoch ..."
    assert resume == f"resume     python -m {' '.join(LIMITED)}"
    run = run_of(tmp_path)
    assert (run / "checkpoint.npz").exists()
    done = len(RunDirectory(run).epochs())
    assert 7 <= done < 150
    ended = start(tmp_path, *resume.split()[3:])
    out, _ = ended.communicate()
    assert ended.returncode == 0
    assert re.search(rf"^ +{done + 1} ", out, re.MULTILINE)
    assert not re.search(rf"^ +{done} ", out, re.MULTILINE), "it goes on where it stopped"
    (tmp_path / "whole").mkdir()
    whole = start(tmp_path / "whole", *LIMITED)
    whole.communicate()
    first, second = (RunDirectory(run_of(folder)) for folder in (tmp_path, tmp_path / "whole"))
    assert first.result().weights == second.result().weights
    assert [e.results() for e in first.epochs()] == [e.results() for e in second.epochs()]


def test_several_trainings_stop_together(tmp_path):
    words = (*SMALL, "training.epochs=60", "seed=1,2", "--multirun")
    process = start(tmp_path, "nndl_exp.train", *words)
    said = struck_once(process, "^ +58 ", signal.SIGINT)
    check(process, said)
    assert "resume     python -m nndl_exp.train" in said
    run_of(tmp_path)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """A folder with a run and a study, which MLflow does not show."""
    folder = tmp_path_factory.mktemp("output")
    for words in ((*TRAIN[:-1], "training.epochs=3"), (*SWEEP[:-2], "study.n_trials=3",
                  "training.epochs=3", "executor=serial")):  # fmt: skip
        process = start(folder, *words)
        out, _ = process.communicate()
        assert process.returncode == 0, out
    return folder


COMMANDS = [
    # What runs, what it imports last before the moment of the signal, and the signal.
    (("nndl_exp.reproduce", "RUN"), "nndl_exp.run$", signal.SIGINT),
    (("nndl_exp.reproduce", "s"), "nndl_exp.study.running.coordinator$", signal.SIGTERM),
    (("nndl_exp.evaluate", "RUN"), "nndl_exp.run$", signal.SIGTERM),
    (("nndl_exp.report", "s"), "matplotlib.figure$", signal.SIGINT),
    (("nndl_exp.sync",), "mlflow$", signal.SIGINT),
]


@pytest.mark.parametrize(
    ("words", "moment", "kind"), COMMANDS, ids=[" ".join(command[0]) for command in COMMANDS]
)
def test_other_commands_end_at_once(tmp_path, output, words, moment, kind):
    shutil.copytree(output, tmp_path, dirs_exist_ok=True)
    words = tuple(run_of(tmp_path).name if word == "RUN" else word for word in words)
    process = start(tmp_path, *words, options=("-X", "importtime"))
    check(process, struck_once(process, rf"\| +{moment}", kind), kind)


def test_a_study_that_is_repeated_says_what_it_waits_for(output, monkeypatch, capsys):
    def interrupted_training(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("nndl_exp.cli.reproduction._train_stage", interrupted_training)
    monkeypatch.setattr(interrupts, "_first", None)
    with pytest.raises(SystemExit) as end:
        reproduce.main(["s", "--output", str(output / "nndl-output")])
    assert end.value.code == 130
    assert "stopping after the trials that are being trained" in capsys.readouterr().out


def test_a_signal_while_a_class_is_made_does_not_decide_the_status(tmp_path):
    """Python kills itself with SIGINT where a KeyboardInterrupt has passed through exec."""
    (tmp_path / "interrupted.py").write_text(
        "import signal\n"
        "from nndl_exp import interrupts\n"
        "from nndl_exp.cli.errors import one_line_errors\n"
        "interrupts.claim_process()\n"
        "def main():\n"
        "    exec('signal.raise_signal(signal.SIGTERM)')\n"
        "one_line_errors(main)()\n"
    )
    process = start(tmp_path, "interrupted")
    said, _ = process.communicate()
    assert (process.returncode, said) == (143, "")


@pytest.mark.parametrize("module", [SWEEP, TRAIN, ("nndl_exp", "studies")], ids=lambda w: w[0])
def test_modules_are_imported(tmp_path, module):
    process = start(tmp_path, *module, options=("-X", "importtime"))
    said = interrupted(process, r"\| +click\.types")
    # Hydra's parser has modules called Error...
    check(process, re.sub(r"^import time:.*\n?", "", said, flags=re.MULTILINE))


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
    iterated, first = Coordinator.__iter__, lead(STAGED, tmp_path / "whole", None, 0)
    stage = next(first.stages())
    last = len(stage.search.trials()) - 1
    begun = []

    def interrupted(coordinator):
        begun.append(coordinator)
        for trial in iterated(coordinator):
            if len(begun) == 1 and trial.number == last:
                signal.raise_signal(signal.SIGINT)
            yield trial

    monkeypatch.setattr(Coordinator, "__iter__", interrupted)
    with pytest.raises(SystemExit) as end:
        sweep.main([*STAGED, f"output={tmp_path}/out"])
    gc.unfreeze()  # what the sweep froze; Hypothesis looks for who refers to its objects
    assert end.value.code == 130
    printed = capsys.readouterr().out
    assert "stopped  interrupted" in printed
    assert "[2/3]" not in printed
