"""Nothing lost: processes, databases, servers and disks fail at random moments, for real.

    python -m pytest tests/test_faults.py --faults=200 --reliability=docs/reliability.md

``--faults`` is how many kills there are besides the faults that happen once; ``--faults-seed``
repeats the moments that were drawn.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import faults
import mlflow
import pytest
from faults import Case, Leader, seen, strike, until, words_of
from mlflow_server import SECRET, Gate, free_port, server
from needs import FAKETIME, needs
from studies import SERIAL, SMALL, run_small
from test_space import disk

from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.study.study import Study

KINDS = ("SIGKILL of a worker", "SIGKILL of the coordinator", "SIGKILL of everything", "SIGTERM",
         "Ctrl-C")  # fmt: skip
POSTGRESQL = pytest.param("postgresql", marks=needs("postgresql"))
DATABASES = ("sqlite", POSTGRESQL)
OUTAGES = ("MLflow hangs", "MLflow down, and back", "MLflow answers 500")
CELLS = [
    (kind, ("sqlite", "postgresql")[(i + j) % 2]) for j in range(2) for i, kind in enumerate(KINDS)
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """As many kills as were asked for, spread over kinds and databases."""
    n = metafunc.config.getoption("--faults")
    if "kills" in metafunc.fixturenames:
        share = [n // len(CELLS) + (i < n % len(CELLS)) for i in range(len(CELLS))]
        cells = [
            pytest.param(*cell, kills, marks=needs("postgresql") if "postgresql" in cell else ())
            for cell, kills in zip(CELLS, share, strict=True)
            if kills
        ]
        metafunc.parametrize(("kind", "database", "kills"), cells)
    if "seconds_away" in metafunc.fixturenames:
        metafunc.parametrize("seconds_away", (0, 5, 60) if n >= 100 else (0, 5))
    if "outage" in metafunc.fixturenames:  # half a minute each
        metafunc.parametrize("outage", OUTAGES if n >= 100 else OUTAGES[:2])
    if "database_of_two" in metafunc.fixturenames:
        metafunc.parametrize("database_of_two", DATABASES if n >= 100 else DATABASES[1:])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_small(tmp_path_factory.mktemp("whole"), *faults.STUDY, *SERIAL)


@pytest.fixture
def moments(request):
    return random.Random(f"{request.config.getoption('--faults-seed')} {request.node.name}")


@pytest.fixture(autouse=True)
def nothing_stays():
    yield
    faults.end_all()


# Processes


@pytest.mark.fault(*KINDS)
@pytest.mark.timeout(1200)
def test_a_killed_study_ends_like_one_never_killed(
    tmp_path, whole, moments, request, kind, database, kills
):
    done = 0
    while done < kills:
        words = words_of(database, request)
        case = Case(kind, tmp_path / f"after {done}" / "out", words, whole, moments)
        done += _killed_until_complete(case, kills - done)
        case.check()


def _killed_until_complete(case: Case, kills: int) -> int:
    """Strike one study again and again, at most four times; how often that was."""
    done = 0
    for _ in range(min(kills, 4)):
        leaders = [_leader(case) for _ in range(case.moments.choice([1, 1, 2]))]
        case.wait_for_a_moment(*leaders, last=len(case.whole) - 2)
        victim = case.moments.choice(leaders)
        struck = strike(case.fault, victim, case.moments)
        case.remember(struck)
        done += struck
        for leader in leaders:
            killed = struck and leader is victim and case.fault != "SIGKILL of a worker"
            leader.end(*((-9, -15, -2, 0, 1, 130) if killed else (0,)))
        if len(case.records()) == len(case.whole):
            break
    case.lead(*SERIAL).end()
    return done


def _leader(case: Case) -> Leader:
    alone = case.fault != "SIGKILL of a worker" and case.moments.random() < 0.3
    return case.lead(*(SERIAL if alone else ("workers=2",)))


@pytest.mark.fault("SIGSTOP of a process", "SIGSTOP of a worker")
@pytest.mark.parametrize(
    ("target", "database"),
    [
        ("process", "sqlite"),
        pytest.param("process", "postgresql", marks=needs("postgresql")),
        pytest.param("worker", "postgresql", marks=needs("postgresql")),
    ],
)
def test_what_was_stopped_longer_than_its_heartbeat_goes_on(
    tmp_path, whole, moments, request, target, database
):
    words = words_of(database, request)
    case = Case(f"SIGSTOP of a {target}", tmp_path / "out", words, whole, moments)
    how = SERIAL if target == "process" and moments.random() < 0.5 else ("workers=1",)
    leaders = [case.lead(*how) for _ in range(2)]
    case.wait_for_a_moment(*leaders, first=1, last=6)
    until(lambda: target == "process" or bool(leaders[0].workers()))
    pid = leaders[0].process.pid if target == "process" else leaders[0].workers()[0]
    os.kill(pid, signal.SIGSTOP)
    case.remember()
    time.sleep(4.5)  # three heartbeats and more
    os.kill(pid, signal.SIGCONT)
    for leader in leaders:
        leader.end()
    case.check()


@pytest.mark.fault("two sweeps at once")
def test_two_sweeps_of_one_name_started_at_once(tmp_path, whole, moments, request, database_of_two):
    database = database_of_two
    words = words_of(database, request)
    case = Case("two sweeps at once", tmp_path / "out", words, whole, moments)
    sweeps = [Leader(case.folder, *SMALL[1:], *words, "workers=1", sweep=True) for _ in range(2)]
    case.remember()
    for sweep in sweeps:
        sweep.end()
    case.check()
    uri = f"sqlite:///{case.folder}/mlflow.db"
    if database == "postgresql":
        from nndl_exp import database as db

        uri = db.schema_url(db.address(words[-1].removeprefix("storage.url=")), "mlflow")
    assert _shown(uri) == _names(whole)


def _shown(uri: str) -> list[str]:
    """The names of the runs in MLflow; none of them may be open."""
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("mnist_5k")
    runs = client.search_runs([experiment.experiment_id])
    assert "RUNNING" not in {run.info.status for run in runs}
    return sorted(run.data.tags["nndl.run"] for run in runs)


def _names(whole) -> list[str]:
    trials = (f"faults/joint/{number}" for number in range(len(whole)))
    return sorted(["faults", "faults/joint", *trials])


# The database


@pytest.mark.fault("PostgreSQL away for 0 s", "PostgreSQL away for 5 s", "PostgreSQL away for 60 s")
def test_a_database_that_goes_away_is_waited_for(
    tmp_path, whole, moments, request, postgres, seconds_away
):
    fault, words = f"PostgreSQL away for {seconds_away} s", words_of("postgresql", request)
    case = Case(fault, tmp_path / "out", words, whole, moments)
    leaders = [case.lead("workers=1"), case.lead(*SERIAL)]
    until(lambda: len(list(case.directory.glob(".members/*"))) == 2)
    case.wait_for_a_moment(*leaders, first=1, last=8)
    postgres.stop()
    case.remember()
    time.sleep(seconds_away)
    postgres.start()
    said = [leader.end() for leader in leaders]
    case.check()
    if seconds_away:
        assert any("waiting for it, 300 s at most (storage.patience)" in text for text in said)
        assert any("the database answers again after" in text for text in said)


@pytest.mark.fault("PostgreSQL away for too long")
def test_a_database_that_stays_away_ends_the_sweep_in_one_line(
    tmp_path, whole, moments, request, postgres
):
    words = words_of("postgresql", request)
    case = Case("PostgreSQL away for too long", tmp_path / "out", words, whole, moments)
    sweep = Leader(case.folder, *SMALL, *words, "storage.patience=2", sweep=True)
    case.wait_for_a_moment(sweep, first=1, last=8)
    postgres.stop()
    case.remember()
    try:
        said = sweep.end(1)
    finally:
        postgres.start()
    line = next(line for line in said.splitlines() if line.startswith("stopped  "))
    assert line.startswith("stopped  the database postgresql+psycopg://nndl@127.0.0.1:")
    assert "must answer: got" in line
    assert "resume     python -m nndl_exp.sweep" in said
    case.lead().end()
    case.check()


# MLflow


@pytest.mark.fault("MLflow down from the start")
def test_a_server_that_is_down_is_said_before_anything_is_trained(
    tmp_path, whole, moments, request
):
    case = Case("MLflow down from the start", tmp_path / "out", faults.STUDY, whole, moments)
    uri = f"http://127.0.0.1:{free_port()}"
    case.remember()
    said = Leader(case.folder, *SMALL[1:], *faults.STUDY, f"tracking.uri={uri}", sweep=True).end(2)
    assert said.startswith(f"error: tracking.uri {uri} does not answer (")
    assert said.count("\n") == 1
    assert not case.records()
    case.lead(*SERIAL).end()
    case.check()


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """A real MLflow server, behind a door that can be made to fail."""
    with server(tmp_path_factory.mktemp("server"), free_port()) as uri, Gate(uri) as gate:
        yield gate


@pytest.mark.fault(*OUTAGES)
def test_an_outage_of_mlflow_does_not_touch_the_study(tmp_path, whole, moments, outage, gate, cli):
    gate.open()
    case = Case(outage, tmp_path / "out", faults.STUDY, whole, moments)
    # One server for all of these: an experiment each, but for sync, which has no such setting.
    experiment = "mnist_5k" if "down" in outage else outage.replace(" ", "_")
    words = (*SMALL[1:], *faults.STUDY, f"tracking.uri={gate.uri}", "workers=2",
             f"tracking.experiment={experiment}")  # fmt: skip
    impatient = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "2", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    sweep = Leader(case.folder, *words, sweep=True, **impatient)
    case.wait_for_a_moment(sweep, first=1, last=9)
    gate.fail(outage.removeprefix("MLflow "))
    case.remember()
    said = sweep.end()
    assert "MLflow did not answer (" in said
    uri = gate.uri.replace(SECRET, "***")
    assert f"sync --output {case.folder} --tracking-uri '{uri}' shows it there later" in said
    assert SECRET not in said
    case.check()
    gate.open()
    for _ in range(2):
        if "down" in outage:
            cli.ok("nndl_exp.sync", "--output", str(case.folder), "--tracking-uri", gate.uri)
        else:
            patient = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "120"}  # a busy machine is no outage
            said = Leader(case.folder, *words, sweep=True, **patient).end()
            assert "did not answer" not in said
        assert gate.shown(experiment) == _names(whole)


# The disk


@pytest.mark.fault("disk full", "folder read-only")
@pytest.mark.parametrize(
    "fault", ["disk full", pytest.param("folder read-only", marks=needs("chattr"))]
)
@needs("mount")
def test_a_disk_that_takes_nothing_more_ends_the_sweep_in_one_line(tmp_path, whole, moments, fault):
    with disk(tmp_path / "small", "size=64m") as folder:
        case = Case(fault, folder / "out", faults.STUDY, whole, moments)
        words = (*SMALL, *faults.STUDY, "study.max_retries=1")
        sweep = Leader(case.folder, *words, sweep=True, logs=tmp_path)
        case.wait_for_a_moment(sweep, first=1, last=6)
        with _nothing_more(case, fault):
            case.remember()
            said = sweep.end(1, 2)
        ends = [line for line in said.splitlines() if line.startswith(("stopped  ", "error: "))]
        assert ends, said
        reasons = ("No space left on device", "disk is full")
        if fault == "folder read-only":
            reasons = ("Operation not permitted", "Permission denied")
        # One where training stops, and one where the report can't be written either.
        assert all(any(reason in line for reason in reasons) for line in ends), said
        case.lead(logs=tmp_path).end()
        case.check()


@contextmanager
def _nothing_more(case: Case, fault: str) -> Iterator[None]:
    """The disk is full, or no trial can be written in its folder, not even by root."""
    if fault == "disk full":
        filling = case.folder.parent / "filling"
        with filling.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(2**16)):
                pass
        yield
        filling.unlink()
        return
    trials = str(case.directory / "trials")
    if subprocess.run(["chattr", "+i", trials], capture_output=True, check=False).returncode:
        pytest.skip("the file system can't make a folder immutable")
    yield
    subprocess.run(["chattr", "-i", trials], check=True)


# Files


def _damage(path: Path, how: str, moments: random.Random) -> None:
    content = bytearray(path.read_bytes())
    assert content
    at = moments.randrange(len(content) * 9 // 10)
    if how == "cut short":
        content = content[:at]
    elif how == "overwritten":
        content[at:] = moments.randbytes(len(content) - at)
    else:
        content[at:] = bytes(len(content) - at)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def half_done(tmp_path_factory, whole, request):
    """A study that was stopped: some trials have ended, others have a checkpoint."""
    moments = random.Random(request.config.getoption("--faults-seed"))
    while True:  # a signal between two trials leaves no checkpoint: then another study is stopped
        folder = tmp_path_factory.mktemp("half") / "out"
        case = Case("checkpoint damaged", folder, faults.STUDY, whole, moments)
        leader = case.lead("workers=2")
        case.wait_for_a_moment(leader, first=3, last=6)
        strike("SIGTERM", leader, moments)
        leader.end(0, 1, -15)
        if list(case.directory.glob("trials/*/checkpoint.npz")):
            return folder


HOW = ("cut short", "overwritten", "zeros")


@pytest.mark.fault("checkpoint damaged", "weights file damaged", "run record damaged")
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("checkpoint damaged", "checkpoint.npz"),
        ("weights file damaged", "weights.npz"),
        ("run record damaged", "result.json"),
        ("run record damaged", "epochs.jsonl"),
    ],
)
def test_a_damaged_file_costs_one_training(tmp_path, whole, moments, half_done, fault, name, how):
    shutil.copytree(half_done, tmp_path / "out")
    case = Case(fault, tmp_path / "out", (*faults.STUDY, *SERIAL), whole, moments)
    path = moments.choice(sorted(case.directory.glob(f"trials/*/{name}")))
    while not (path.parent / "result.json").exists() and name != "checkpoint.npz":
        path = moments.choice(sorted(case.directory.glob(f"trials/*/{name}")))
    number, directory = int(path.parent.name), RunDirectory(path.parent)
    _damage(path, how, moments)
    case.remember()
    if name != "checkpoint.npz":
        case.forget(number)
        with pytest.raises(UserError, match=f"{number}.* (is damaged|is not|must)"):
            _use(case, directory, name)
        shutil.rmtree(directory.path)
    list(Study(case.study.config).run())
    case.check()


def _use(case: Case, directory: RunDirectory, name: str) -> None:
    if name == "weights.npz":
        directory.network()
    else:
        list(Study(case.study.config).run())


# The clock


@pytest.mark.fault("clock set back an hour")
@pytest.mark.parametrize("database", DATABASES)
@needs("faketime")
def test_a_clock_that_is_set_back_changes_nothing(tmp_path, whole, moments, request, database):
    clock = _Clock(tmp_path / "clock")
    words = words_of(database, request)
    case = Case("clock set back an hour", tmp_path / "out", words, whole, moments)
    leaders = [case.lead("workers=1", **clock.environment) for _ in range(2)]
    case.wait_for_a_moment(*leaders, first=1, last=8)
    clock.set("-1h")
    case.remember()
    leaders[0].process.kill()  # nobody may wait for the time at which it spoke last
    for leader in leaders:
        leader.end(0, -9)
    case.check()


@pytest.mark.fault("clock set back an hour")
@needs("faketime")
def test_the_budget_does_not_grow_when_the_clock_is_set_back(tmp_path, whole, moments):
    clock = _Clock(tmp_path / "clock")
    words = (*faults.STUDY, "study.n_trials=1000", "training.epochs=5000", "pruner=none")
    leader = Leader(tmp_path / "out", *words, "study.budget=6s", **clock.environment)
    until(
        lambda: bool(
            list((tmp_path / "out").glob("studies/faults/stages/joint/trials/*/epochs.jsonl"))
        )
    )
    clock.set("-1h")
    seen("clock set back an hour").faults += 1
    assert "stopped  the time is up" in leader.end(1)


class _Clock:
    """A clock that processes are given instead of the machine's; it can be set while they run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": str(FAKETIME[0]),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as on a machine whose clock is set
        }

    def set(self, offset: str) -> None:
        new = self._path.with_suffix(".new")
        new.write_text(offset)
        new.replace(self._path)


# The table


def test_every_fault_has_a_test_and_a_row():
    functions = [value for name, value in globals().items() if name.startswith("test_")]
    marks = [mark for f in functions for mark in getattr(f, "pytestmark", [])]
    tested = [fault for mark in marks if mark.name == "fault" for fault in mark.args]
    assert set(tested) == set(faults.FAULTS)
    page = (Path(__file__).parents[1] / "docs/reliability.md").read_text()
    assert faults.rows(page) == list(faults.FAULTS)
    for promise in faults.FAULTS.values():
        assert f"| {promise} |" in page
