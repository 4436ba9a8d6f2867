"""Trials on Dask: a local cluster, and one that dask's own command line started."""

import os
import platform
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import BrokenExecutor, wait
from pathlib import Path

import psutil
import pytest
from faults import group_exists
from studies import SERIAL, SMALL, lead, run_small, search_of, table

from nndl_exp.errors import LostTrialError, UserError
from nndl_exp.study.executors import Pool, count
from nndl_exp.study.study import Study
from nndl_exp.study.trial import Task, run_trial

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


UNTIL = "until [ -e {end} ]; do sleep 0.1; done"


def listening() -> list[tuple[str, int]]:
    """Where this process and those below it listen."""
    me = psutil.Process()
    return [
        tuple(connection.laddr)
        for process in (me, *me.children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]


def test_local_clusters_do_not_get_in_each_others_way(recwarn):
    """Dask's own default is port 8787, of which the second says that it is in use."""
    before = set(listening())
    pools = [Pool("dask", 1) for _ in range(2)]
    try:
        assert [pool.open().submit(divmod, 7, 2).result(60) for pool in pools] == [(3, 1)] * 2
        found = set(listening()) - before
    finally:
        for pool in pools:
            pool.close()
    assert found
    assert {host for host, _ in found} == {"127.0.0.1"}
    assert 8787 not in {port for _, port in found}
    assert not [w for w in recwarn if "in use" in str(w.message)]


def test_a_scheduler_that_has_gone_breaks_the_executor_as_a_whole(scheduler):
    address, worker = scheduler
    worker()
    pool = Pool("dask", 1, address)
    try:
        executor = pool.open()
        running = executor.submit(time.sleep, 600)
        worker.scheduler.kill()
        with pytest.raises(BrokenExecutor):
            running.result(timeout=120)
        deadline = time.monotonic() + 60
        with pytest.raises(BrokenExecutor):
            while time.monotonic() < deadline:  # until the client has noticed
                executor.submit(time.time)
                time.sleep(0.1)
    finally:
        pool.drop()


def test_a_local_cluster_gives_the_table_of_one_process(tmp_path, alone):
    study = search_of(tmp_path, "executor=dask", "workers=2")
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
        other = executor.submit(subprocess.check_call, ["sleep", "5"])  # may be in its way
        with pytest.raises(LostTrialError, match="KilledWorker"):
            executor.submit(die).result(timeout=120)
        assert other.result(timeout=60) == 0
        assert pool.open() is executor
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(timeout=60)
    finally:
        pool.close()


@pytest.mark.parametrize("kind", ["SIGINT", "SIGKILL"])
@pytest.mark.long
def test_a_local_cluster_ends_with_its_study(cli, kind):
    """Ctrl-C goes to all processes of the terminal; the workers end their epochs first."""
    process = cli.start(
        "nndl_exp.sweep", *SMALL, "study.name=s", "training.epochs=4000", "executor=dask",
        "workers=2", "training.stopping.name=none", start_new_session=True,
    )  # fmt: skip
    trials = cli.folder / "nndl-output/studies/s/stages/joint/trials"
    while not (trials / "0/epochs.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    if kind == "SIGINT":
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.kill()
    out, _ = process.communicate(timeout=60)
    if kind == "SIGINT":
        assert process.returncode == 130, out
        assert "stopped  interrupted" in out
        assert (trials / "0/checkpoint.npz").exists()
    deadline = time.monotonic() + 60
    while group_exists(process.pid):
        assert time.monotonic() < deadline, "workers are left"
        time.sleep(0.2)


LOOPBACK = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")


def begin(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    with (folder / f"{words[0]}.log").open("a") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words, *LOOPBACK], stdout=log, stderr=log, cwd=folder,
            text=True, env={**os.environ, **environment},
        )  # fmt: skip


def said(folder: Path, pattern: str, times: int = 1) -> str:
    """What the scheduler's log has of a pattern, once it has it so many times."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        log = (folder / "scheduler.log").read_text()
        if len(found := re.findall(pattern, log)) >= times:
            return str(found[-1])
        time.sleep(0.1)
    raise AssertionError(log)


@pytest.fixture
def scheduler(tmp_path):
    """The address of a scheduler in a folder of its own, and how to start workers there."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    processes = [begin(folder, "scheduler", "--port", "0")]
    address = said(folder, r"Scheduler at:\s+(tcp://\S+)")

    def worker(nthreads: int = 1, **environment: str) -> subprocess.Popen[str]:
        process = begin(folder, "worker", address, "--nthreads", str(nthreads), **environment)
        processes.insert(0, process)
        said(folder, "Register worker", len(processes) - 1)
        return process

    worker.scheduler = processes[-1]
    yield address, worker
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=60)


@pytest.fixture
def cluster(scheduler):
    """A scheduler with two workers."""
    address, worker = scheduler
    return address, [worker(), worker()]


@pytest.mark.long
def test_a_cluster_that_exists_gives_the_same_table(tmp_path, alone, cluster, monkeypatch):
    """Its workers run elsewhere, in another folder; one of them is ended in the middle."""
    address, workers = cluster
    monkeypatch.chdir(tmp_path)
    study = search_of(Path("here"), "executor=dask", f"executor.address={address}")
    for _, trial in Study(study.config).run():
        if trial.number == 3:
            workers[0].terminate()
    assert table(study).equals(alone)


def test_a_cluster_that_is_busy_with_another_study_is_asked_all_the_same(tmp_path, scheduler):
    address, worker = scheduler
    worker()
    pool = Pool("dask", 1, address)
    try:
        until = UNTIL.format(end=tmp_path / "end")
        busy = pool.open().submit(subprocess.check_call, ["sh", "-c", until])
        assert count("auto", "dask", address) == 1
        assert not busy.done()
        (tmp_path / "end").touch()
        busy.result(timeout=60)
    finally:
        (tmp_path / "end").touch()
        pool.close()


@pytest.mark.long
def test_workers_that_can_not_give_the_same_bits_are_refused(tmp_path, scheduler):
    """One without the package, one with other BLAS kernels, one with two threads."""
    address, worker = scheduler
    broken = tmp_path / "broken" / "nndl_exp"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ModuleNotFoundError('No module nndl_exp')\n")
    cases = [
        ({"PYTHONPATH": str(broken.parent)}, "must have nndl_exp .* installed: got .*No module"),
        ({"nthreads": 2}, r"must have one thread.*--nthreads 1\): got 2"),
    ]
    if platform.machine() == "x86_64":
        others = {"OPENBLAS_CORETYPE": "Nehalem"}
        cases.append((others, "must have the BLAS of this process, .*: got .*Nehalem"))
    for settings, message in cases:
        process = worker(**settings)
        with pytest.raises(UserError, match=message) as refused:
            count("auto", "dask", address)
        assert "\n" not in str(refused.value)
        process.terminate()
        process.wait(timeout=60)


def test_a_worker_that_does_not_see_the_output_folder_says_so(tmp_path):
    study = search_of(tmp_path)
    task = Task(
        number=0, config=study.config.run, data=study.dataset.sha256, pruning=None, settled=(),
        directory=study.run_directory(0).path, stop_flag=study.directory / ".stop",
        lost_flag=study.directory / ".lost",
        deadline=float("inf"),
    )  # fmt: skip
    with pytest.raises(UserError, match=f"under the same path: got {study.directory}, which is"):
        run_trial(task)
    assert not study.directory.exists()
    study.create()
    assert run_trial(task).result.state == "complete"


@pytest.mark.parametrize("address", ["", "127.0.0.1:9", "http://127.0.0.1:9", "tcp://127.0.0.1"])
def test_an_address_that_can_not_be_one_is_refused_without_asking(address):
    with pytest.raises(UserError, match=r"must be like tcp://HOST:8786: got '"):
        count("auto", "dask", address)


def test_what_is_wrong_with_a_cluster_is_said_in_one_line(monkeypatch):
    answers = r"executor\.address must be that of a Dask scheduler that answers: got t"
    for address in ("tcp://127.0.0.1:9", "tls://127.0.0.1:9"):
        with pytest.raises(UserError, match=answers) as refused:
            Pool("dask", 1, address).open()
        assert "\n" not in str(refused.value)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match=r"pip install 'nndl_exp\[dask\]'"):
        Pool("dask", 1).open()
