"""The table of trials is a function of the study's identity: not of workers, speed or kills."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from studies import SERIAL, SMALL, lead, run_small, study_of, table

from nndl_exp.errors import UserError
from nndl_exp.study.pruners import PRUNERS
from nndl_exp.study.samplers import SAMPLERS

SHORT = ("pruner.n_startup_trials=2", "pruner.n_warmup_steps=2")
CASES = [
    ("tpe", "median", "chapter3", SHORT),
    ("random", "none", "chapter3", ()),
    ("grid", "percentile", "grid", SHORT),
    ("qmc", "successive_halving", "numeric", ("pruner.min_resource=1",)),
    ("cmaes", "hyperband", "numeric", ("pruner.min_resource=1",)),
]


def test_every_sampler_and_pruner_is_in_a_case():
    assert {case[0] for case in CASES} == set(SAMPLERS)
    assert {case[1] for case in CASES} == set(PRUNERS)


@pytest.mark.parametrize(("sampler", "pruner", "space", "words"), CASES, ids=lambda p: str(p))
def test_any_number_of_workers_gives_the_same_table_and_weights(
    tmp_path, sampler, pruner, space, words
):
    words = (f"sampler={sampler}", f"pruner={pruner}", f"search_space={space}", *words)
    alone = run_small(tmp_path / "1", *words, *SERIAL)
    assert len(alone) == 14
    if pruner != "none":
        assert (alone["state"] == "pruned").any(), "the case does not exercise its pruner"
    for workers in (2, 4):
        together = run_small(tmp_path / str(workers), *words, f"workers={workers}")
        assert together.equals(alone)


def test_more_trials_extend_a_study(tmp_path):
    at_once = run_small(tmp_path / "at_once", *SERIAL)
    run_small(tmp_path / "in_two", *SERIAL, "study.n_trials=5")
    assert run_small(tmp_path / "in_two", *SERIAL).equals(at_once)


def test_losing_optunas_database_loses_nothing(tmp_path):
    """The run directories are the record: trials are proposed again and found done."""
    whole = run_small(tmp_path / "whole", *SERIAL)
    run_small(tmp_path / "lost", *SERIAL, "study.n_trials=9")
    for path in (tmp_path / "lost").glob("optuna.db*"):
        path.unlink()
    study = study_of(tmp_path / "lost", *SERIAL)
    trained = {p: p.stat().st_mtime_ns for p in study.directory.glob("trials/*/result.json")}
    lead(study)
    assert table(study).equals(whole)
    assert all(path.stat().st_mtime_ns == then for path, then in trained.items())


@pytest.mark.parametrize("lost", ["trials/3", "trials/3/result.json", "trials"])
def test_losing_a_record_trains_that_trial_again(tmp_path, lost):
    """Optuna holds it as ended; but the run directory decides."""
    study = study_of(tmp_path, *SERIAL)
    lead(study)
    whole = table(study)
    path = study.directory / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert run_small(tmp_path, *SERIAL).equals(whole)


def test_a_record_that_lost_epochs_is_refused(tmp_path):
    study = study_of(tmp_path, *SERIAL, "study.n_trials=3")
    lead(study)
    (study.run_directory(1).path / "epochs.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(
        UserError, match="epochs: got 0; delete the folder to train the trial again"
    ):
        lead(study_of(tmp_path, *SERIAL, "study.n_trials=3"))


def test_a_budget_of_nothing_trains_nothing(tmp_path):
    study = study_of(tmp_path, *SERIAL, "study.budget=0s")
    assert lead(study).report.stopped == "the time is up"
    assert len(table(study)) == 0


def test_the_clock_cuts_a_settled_prefix_and_the_rest_goes_on(tmp_path):
    words = ("training.epochs=25", "training.stopping.name=none", "pruner=none", "study.n_trials=6")
    whole = run_small(tmp_path / "whole", *words, *SERIAL)
    study = study_of(tmp_path / "cut", *words, *SERIAL, "study.budget=0.15s")
    coordinator = lead(study)
    assert coordinator.report.stopped == "the time is up"
    cut = table(study)
    assert len(cut) < 6
    assert cut.equals(whole.head(len(cut))) or len(cut) == 0
    assert run_small(tmp_path / "cut", *words, *SERIAL).equals(whole)


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "nndl_exp.sweep", *SMALL, *words, f"output={folder}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def children(pid: int) -> list[int]:
    done = subprocess.run(
        ["pgrep", "-P", str(pid), "-f", "spawn_main"], capture_output=True, text=True, check=False
    )
    return [int(line) for line in done.stdout.split()]


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    """The process ids of a study's workers, once there are any."""
    deadline = time.monotonic() + 60
    while not (workers := children(process.pid)):
        assert process.poll() is None, "the study ended without workers"
        assert time.monotonic() < deadline, "no worker was started in a minute"
        time.sleep(0.05)
    return workers


LONG = ("training.epochs=40", "dataset.training_size=1000", "training.stopping.name=none",
        "study.name=killed", "workers=2")  # fmt: skip


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory):
    return run_small(tmp_path_factory.mktemp("whole"), *LONG[:-2], *SERIAL)


@pytest.mark.parametrize("kind", ["SIGKILL", "SIGTERM", "SIGINT", "worker"])
def test_a_killed_study_ends_like_one_never_killed(tmp_path, never_killed, kind):
    seed = random.SystemRandom().randrange(10**6)
    print(f"kill times drawn from seed {seed}")  # shown when the test fails
    times, kills = random.Random(seed), 0
    for _ in range(2):
        process = start(tmp_path, *LONG)
        if kind == "worker":
            workers = workers_of(process)
            time.sleep(times.uniform(0.0, 1.5))
            os.kill(workers[0], signal.SIGKILL)
            kills += 1
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output
            break
        time.sleep(times.uniform(0.8, 3.0))
        if process.poll() is None:
            process.send_signal(getattr(signal, kind))
            kills += 1
        output, _ = process.communicate(timeout=60)
        if kind != "SIGKILL" and process.returncode == 1:
            assert "resume     python -m nndl_exp.sweep" in output
    process = start(tmp_path, *LONG)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert kills > 0
    study = study_of(tmp_path, *LONG)
    assert table(study).equals(never_killed)
    assert not list(study.directory.glob(".stop-*"))
    assert not list(study.directory.glob("trials/*/checkpoint.npz"))


def test_workers_end_with_a_killed_coordinator(tmp_path):
    process = start(tmp_path, *LONG, "training.epochs=5000")
    workers = workers_of(process)
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 60
    while any(_alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in workers)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def test_a_trial_that_the_machine_keeps_breaking_stops_the_study(tmp_path, monkeypatch):
    """Its folder can't be written: that is no fault of its configuration."""
    from nndl_exp.study import coordinator

    def broken(task):
        if task.number == 2:
            (task.directory).mkdir(parents=True, exist_ok=True)
            (task.directory / "config.yaml").touch()
            raise OSError("No space left on device")
        return real(task)

    real = coordinator.run_trial
    monkeypatch.setattr(coordinator, "run_trial", broken)
    study = study_of(tmp_path, *SERIAL, "study.max_retries=1")
    led = lead(study)
    assert led.report.stopped == (
        "trial 2 was broken by the machine 2 times (OSError: No space left on device)"
    )
    assert len(table(study)) == 2
    monkeypatch.undo()
    (study.run_directory(2).path / "config.yaml").unlink()
    assert run_small(tmp_path, *SERIAL).equals(run_small(tmp_path / "whole", *SERIAL))
