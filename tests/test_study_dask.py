"""Trials on Dask: a local cluster, and one that dask's own command line started."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, wait
from pathlib import Path

import pytest
from studies import SERIAL, SMALL, lead, run_small, study_of, table

from nndl_exp.errors import UserError
from nndl_exp.study.executors import Pool

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return run_small(tmp_path_factory.mktemp("alone"), *SERIAL)


def threads_of_blas() -> list[int]:
    import numpy  # noqa: F401
    import threadpoolctl

    found = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    assert found
    return found


def die_once(folder: Path) -> int:
    """Kills its worker when it is called first."""
    try:
        (folder / "died").touch(exist_ok=False)
    except FileExistsError:
        return os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_local_cluster_gives_the_table_of_one_process(tmp_path, alone):
    study = study_of(tmp_path, "executor=dask", "workers=2")
    led = lead(study)
    assert table(study).equals(alone)
    assert len(led.report.spans) == len(alone)


def test_a_call_is_made_again_and_equal_calls_are_not_merged(tmp_path):
    pool = Pool("dask", 2)
    try:
        executor = pool.open()
        assert set(executor.submit(threads_of_blas).result(timeout=60)) == {1}
        assert executor.submit(die_once, tmp_path).result(timeout=120) > 0
        futures = [executor.submit(time.time) for _ in range(4)]
        wait(futures)
        assert len({future.result() for future in futures}) == 4
        with pytest.raises(BrokenExecutor, match="KilledWorker"):
            executor.submit(die).result(timeout=120)
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(timeout=60)
    finally:
        pool.close()


@pytest.mark.parametrize("kind", ["SIGINT", "SIGKILL"])
def test_a_local_cluster_ends_with_its_study(cli, kind):
    """Ctrl-C goes to all processes of the terminal; the workers end their epochs first."""
    process = cli.start(
        "nndl_exp.sweep", *SMALL, "study.name=s", "training.epochs=4000", "executor=dask",
        "workers=2", "training.stopping.name=none", start_new_session=True,
    )  # fmt: skip
    trials = cli.folder / "nndl-output/studies/s/trials"
    while not (trials / "0/epochs.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    if kind == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.kill()
    out, _ = process.communicate(timeout=60)
    if kind == "SIGINT":
        assert process.returncode == 1, out
        assert "stopped  stopped" in out
        assert (trials / "0/checkpoint.npz").exists()
    deadline = time.monotonic() + 60
    while subprocess.run(["pgrep", "-g", str(process.pid)], stdout=subprocess.PIPE).stdout:
        assert time.monotonic() < deadline, "workers are left"
        time.sleep(0.2)


def begin(folder: Path, *words: str) -> subprocess.Popen[str]:
    with (folder / f"{words[0]}.log").open("a") as log:
        command = [sys.executable, "-m", "dask", *words]
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, text=True)


def address_of(folder: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        log = (folder / "scheduler.log").read_text()
        if found := re.search(r"Scheduler at:\s+(tcp://\S+)", log):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(log)


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers in a folder of their own."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    scheduler = begin(folder, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    address = address_of(folder)
    words = ("worker", address, "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard")
    workers = [begin(folder, *words) for _ in range(2)]
    yield address, workers
    for process in (*workers, scheduler):
        process.terminate()
    for process in (*workers, scheduler):
        process.wait(timeout=60)


def test_a_cluster_that_exists_gives_the_same_table(tmp_path, alone, cluster, monkeypatch):
    """Its workers run elsewhere, in another folder; one of them is ended in the middle."""
    address, workers = cluster
    monkeypatch.chdir(tmp_path)
    study = study_of(Path("here"), "executor=dask", f"executor.address={address}")
    for trial in study.run():
        if trial.number == 3:
            workers[0].terminate()
    assert table(study).equals(alone)


def test_what_is_wrong_with_a_cluster_is_said_in_one_line(monkeypatch):
    with pytest.raises(UserError, match=r"executor\.address must be that of a Dask scheduler"):
        Pool("dask", 1, "tcp://127.0.0.1:9").open()
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'nndl_exp\[dask\]'"):
        Pool("dask", 1).open()
