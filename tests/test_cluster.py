"""docs/cluster.md is true: each of its blocks of commands is run as it stands, on loopback.

Not run are the two blocks that install packages (``console``) and those for clusters that are not
here (``python``). What the document says may be set before cluster.env is read is set here; nothing
else is substituted.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import psutil
import pytest
from postgres import PASSWORD as ADMINISTRATOR
from postgres import PostgreSQL
from studies import SERIAL, SMALL, run_small, search_of, table

pytest.importorskip("distributed")

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a-pass:w0rd-of-the\\cluster"
SETTINGS = (*SMALL[1:], "pruner=none", "search_space.network.hidden=null", "network.hidden=[30]")


def blocks_of(text: str) -> dict[str, list[str]]:
    """The blocks of commands below each heading."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^#+ ", text, flags=re.MULTILINE):
        blocks = re.findall(r"^```sh\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
        if blocks:
            found[part.partition("\n")[0]] = blocks
    return found


BLOCKS = blocks_of((ROOT / "docs" / "cluster.md").read_text())
(VARIABLES,) = BLOCKS.pop("On every machine")
CREATE_DATABASE, KEEP_PASSWORD, CREATE_TABLES = BLOCKS.pop("The database")
START_MLFLOW, START_SCHEDULER, START_WORKERS = BLOCKS.pop("The servers")
SWEEP, JOIN = BLOCKS.pop("The study")
(LOOK,) = BLOCKS.pop("Looking at it")
END_WORKERS, END_SERVERS, DROP_DATABASE = BLOCKS.pop("Ending it")
assert not BLOCKS, "a block of commands is not run here"


def free_ports(n: int) -> list[str]:
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [str(s.getsockname()[1]) for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Machine:
    """A machine of the document: a shell that has read cluster.env, and a folder of its own."""

    def __init__(
        self, shared: Path, name: str, shells: list[subprocess.Popen[str]], settings: dict[str, str]
    ) -> None:
        self.folder, self._variables = shared.parent / name, shared / "cluster.env"
        self._shells = shells
        self.folder.mkdir()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "DB_"))}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        servers = str(self.folder / "servers")
        self._environment = {**inherited, "PATH": path, "SERVERS": servers, **settings}

    def start(self, block: str) -> subprocess.Popen[str]:
        script = f". {self._variables}\n{block}"
        shell = subprocess.Popen(
            ["bash", "-e", "-o", "pipefail", "-c", script], cwd=self.folder, text=True,
            env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        self._shells.append(shell)
        return shell

    def run(self, block: str, *typed: str) -> str:
        """What a block of commands prints, with these lines typed where it asks."""
        return ended(self.start(block), *typed)

    def server(self, block: str, name: str) -> psutil.Process:
        """The process that a block has started in the background."""
        self.run(block)
        return psutil.Process(int((self.folder / "servers" / f"{name}.pid").read_text()))


def ended(process: subprocess.Popen[str], *typed: str) -> str:
    out, err = process.communicate("".join(f"{line}\n" for line in typed), timeout=600)
    assert process.returncode == 0, out + err
    return out


def wait_until_gone(processes: list[psutil.Process]) -> None:
    """They are no children of this process: whoever inherited them may leave them as zombies."""
    deadline = time.monotonic() + 60
    for process in processes:
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, process
            time.sleep(0.1)


def with_children(servers: list[psutil.Process]) -> list[psutil.Process]:
    return [p for server in servers for p in (server, *server.children(recursive=True))]


def listening(processes: list[psutil.Process]) -> set[str]:
    connections = [c for process in processes for c in process.net_connections()]
    return {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


@pytest.fixture
def settings(tmp_path: Path, postgres: PostgreSQL) -> dict[str, str]:
    """What the reader of the document sets."""
    tracking, scheduler, page = free_ports(3)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "cluster.env").write_text(VARIABLES)
    return {
        "NNDL_OUTPUT": str(shared / "nndl-output"), "ARTIFACTS": str(tmp_path / "artifacts"),
        "DB_PORT": str(postgres.port), "DB_NAME": "cluster", "DB_USER": "trainer",
        "PGPASSFILE": str(tmp_path / "pgpass"), "TRACKING_PORT": tracking,
        "SCHEDULER_PORT": scheduler, "SCHEDULER_PAGE": page, "WORKERS": "1",
        "STUDY": "joined", "SETTINGS": " ".join(SETTINGS),
    }  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path, settings: dict[str, str]) -> Iterator[Callable[..., Machine]]:
    """Machines; what was started on them, servers too, ends whatever happens."""
    shells: list[subprocess.Popen[str]] = []

    def make(name: str, **others: str) -> Machine:
        return Machine(tmp_path / "shared", name, shells, {**settings, **others})

    yield make
    for shell in shells:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_commands_of_the_document(tmp_path, settings, machine, postgres):
    one, two = machine("one"), machine("two")
    administrator = machine("database", PGUSER="nndl", PGHOST="127.0.0.1",
                            PGPORT=str(postgres.port), PGPASSWORD=ADMINISTRATOR)  # fmt: skip
    # Workers need no password: theirs is looked for in a file that is not there.
    trainers = [machine(name, PGPASSFILE=str(tmp_path / "none")) for name in ("three", "four")]
    administrator.run(CREATE_DATABASE, PASSWORD, PASSWORD)
    one.run(KEEP_PASSWORD, re.sub(r"([:\\])", r"\\\1", PASSWORD))
    assert Path(settings["PGPASSFILE"]).stat().st_mode & 0o077 == 0
    assert "has the tables of nndl_exp, Optuna and MLflow" in one.run(CREATE_TABLES)
    servers = [one.server(START_MLFLOW, "mlflow"), one.server(START_SCHEDULER, "scheduler")]
    workers = [trainer.server(START_WORKERS, "worker") for trainer in trainers]

    # The first trials by Dask alone; then both commands at once, whoever is faster.
    first = machine("first", SETTINGS=settings["SETTINGS"] + " study.n_trials=4").run(SWEEP)
    assert shown(first) == list(range(4))
    for sweep in [one.start(SWEEP), two.start(JOIN)]:
        assert shown(ended(sweep)) == list(range(14))
    processes = with_children(servers + workers)
    assert len(processes) >= 6
    assert listening(processes) == {"127.0.0.1"}
    check_study(tmp_path, settings, postgres)
    seen = one.run(LOOK)
    assert "IDENTICAL" in seen
    assert re.search(r"COMPLETE \| +14", seen)

    for trainer in trainers:
        trainer.run(END_WORKERS)
    wait_until_gone(workers)
    one.run(END_SERVERS)
    wait_until_gone(processes)
    administrator.run(DROP_DATABASE)
    assert not postgres.execute("SELECT 1 FROM pg_roles WHERE rolname = 'trainer'")


def shown(printed: str) -> list[int]:
    """The trials that a sweep has shown, in that order."""
    return [int(number) for number in re.findall(r"^ +(\d+)  \d", printed, re.MULTILINE)]


def check_study(tmp_path: Path, settings: dict[str, str], postgres: PostgreSQL) -> None:
    """The count, in the folders and in the database; the table; what MLflow's server has."""
    alone = run_small(tmp_path / "alone", *SETTINGS, *SERIAL)
    study = search_of(Path(settings["NNDL_OUTPUT"]), *SETTINGS, "study.name=joined")
    assert len(alone) == 14
    assert table(study).equals(alone)
    assert len(list(study.directory.glob("trials/*/result.json"))) == 14
    states = postgres.execute("SELECT state, count(*) FROM optuna.trials GROUP BY 1", "cluster")
    assert states == [("COMPLETE", 14)]
    assert postgres.execute("SELECT count(*) FROM nndl_exp.claims", "cluster") == [(0,)]
    client = mlflow.MlflowClient(f"http://127.0.0.1:{settings['TRACKING_PORT']}")
    experiment = client.get_experiment_by_name("mnist_5k")
    runs = client.search_runs([experiment.experiment_id])
    names = sorted(run.data.tags["nndl.run"] for run in runs)
    assert names == sorted(["joined", "joined/joint", *(f"joined/joint/{i}" for i in range(14))])
    assert {run.info.status for run in runs} == {"FINISHED"}
    child = next(run for run in runs if run.data.tags["nndl.run"] == "joined/joint/0")
    assert "weights.npz" in {file.path for file in client.list_artifacts(child.info.run_id)}
    assert list((tmp_path / "artifacts").rglob("weights.npz"))
