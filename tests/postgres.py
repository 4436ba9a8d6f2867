"""A PostgreSQL server of the tests' own, from Debian's packages or wherever its programs are."""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import needs
import pytest

PASSWORD = "s3cret-0f-p0stgres"


class PostgreSQL:
    """A server on loopback that asks for a password; it can be stopped and started again."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nndl-postgres-"))
        self._data, self._numbers = self.folder / "data", itertools.count()
        if os.getuid() == 0:  # the server refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run("initdb", "-D", self._data, "-U", "nndl", "--auth=scram-sha-256",
                  f"--pwfile={password}", "--no-sync", "-E", "UTF8")  # fmt: skip
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = int(s.getsockname()[1])
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off"
        self._run(
            "pg_ctl", "-D", self._data, "-w", "-l", self.folder / "log", "-o", options, "start"
        )

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")

    def new_database(self) -> str:
        """The address of an empty database, without the password."""
        name = f"nndl_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        return f"postgresql://nndl@127.0.0.1:{self.port}/{name}"

    def execute(self, command: str, database: str = "postgres") -> list[tuple[object, ...]]:
        address = f"postgresql://nndl:{PASSWORD}@127.0.0.1:{self.port}/{database}"
        import psycopg  # not for tests that need no database

        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *words: object) -> None:
        command = [str(needs.program(program, needs.POSTGRESQL)), *map(str, words)]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    yield server
    server.stop()
    shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture
def storage(postgres: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> str:
    """The words that put a study into an empty database; the password is in the environment."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return postgres.new_database()
