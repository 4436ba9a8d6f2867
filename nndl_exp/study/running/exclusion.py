"""What one process of a study does at a time, wherever the others run.

A lock that a dead process held is free: it goes with the process, or with its connection.
"""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import sqlalchemy
from filelock import FileLock, Timeout
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

_LONGEST_SILENCE = "60s"


class Exclusion(Protocol):
    """A lock that all processes of a study share."""

    def hold(self, seconds: float) -> AbstractContextManager[bool]:
        """Hold it; False where another process did so for as many seconds."""
        ...


class NoExclusion:
    """For what the database itself keeps apart."""

    @contextmanager
    def hold(self, seconds: float) -> Iterator[bool]:
        """Hold nothing."""
        yield True


class FileExclusion:
    """A locked file, for processes that share a folder."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, poll_interval=0.01)

    @contextmanager
    def hold(self, seconds: float) -> Iterator[bool]:
        """Hold it; False where another process did so for as many seconds."""
        try:
            self._lock.acquire(seconds)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            self._lock.release()


class AdvisoryExclusion:
    """An advisory lock of PostgreSQL, for processes anywhere.

    The server ends the transaction of one that holds it and does nothing for a minute, as when it
    was stopped: others may hold it then before this process goes on.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        digest = hashlib.sha256(f"nndl_exp study {name}".encode()).digest()
        self._engine, self._key = engine, int.from_bytes(digest[:8], "big", signed=True)

    @contextmanager
    def hold(self, seconds: float) -> Iterator[bool]:
        """Hold it; False where another process did so for as many seconds."""
        connection = self._engine.connect()
        try:
            yield self._acquire(connection, seconds)
        finally:
            with suppress(SQLAlchemyError):  # the server had ended it: then nothing is held
                connection.close()

    def _acquire(self, connection: Connection, seconds: float) -> bool:
        wait = f"SET LOCAL lock_timeout = '{int(seconds * 1000)}ms'"
        connection.execute(sqlalchemy.text(wait))
        silence = f"SET LOCAL idle_in_transaction_session_timeout = '{_LONGEST_SILENCE}'"
        connection.execute(sqlalchemy.text(silence))
        try:
            lock = sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)")
            connection.execute(lock, {"key": self._key})
        except sqlalchemy.exc.OperationalError as e:
            if getattr(e.orig, "sqlstate", None) == "55P03":  # lock_not_available
                return False
            raise
        return True
