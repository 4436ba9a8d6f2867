"""MLflow's database before anything is in it, kept in the user's cache.

MLflow makes its tables by some 60 migrations, which take a processor two seconds and the disk many
a write. They are made once for each version of MLflow; an output folder gets a copy of the file.
"""

import importlib.metadata
import os
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from nndl_exp import database
from nndl_exp.datasets.cache import cache_dir

_EMPTY = "SELECT (SELECT count(*) FROM runs) + (SELECT count(*) FROM experiments)"
"""1 of a database with MLflow's own experiment only."""


def put(file: Path, artifacts: str, make_tables: Callable[[str], object]) -> None:
    """Put a database with MLflow's tables at ``file``, unless a file is there.

    Args:
        file: where to.
        artifacts: where MLflow's own experiment, which is not used here, would keep its artifacts.
        make_tables: makes the tables in a database, given its URI.
    """
    if file.exists():
        return
    new = file.with_name(f".{file.name}-{uuid.uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not _copy(_template(), new):
            _make(make_tables)
            _copy(_template(), new)
        with closing(sqlite3.connect(new)) as connection:
            connection.execute("UPDATE experiments SET artifact_location = ?", (artifacts,))
            connection.commit()
            # Fewer writes, as in the studies' own database; and who reads does not wait.
            connection.execute("PRAGMA journal_mode=WAL")
        for log in _logs(file):  # of a database that somebody deleted: SQLite would take them for
            log.unlink(missing_ok=True)  # those of the new one
        with suppress(FileExistsError):  # another process was faster
            os.link(new, file)
    except (OSError, sqlite3.Error):
        pass  # a cache or a disk that does not do this: MLflow makes its tables in the file itself
    finally:
        new.unlink(missing_ok=True)


def version_of_tables() -> str | None:
    """The version of the tables that MLflow makes; None where it has not made any yet."""
    return version_in(_template()) if _template().is_file() else None


def version_in(file: Path) -> str | None:
    """The version of the tables of a database, as Alembic has written it down, if it has."""
    try:
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.Error:
        return None
    return str(rows[0][0]) if rows else None


def _logs(file: Path) -> list[Path]:
    return [file.with_name(f"{file.name}-{kind}") for kind in ("wal", "shm")]


def _template() -> Path:
    return cache_dir() / f"mlflow-{importlib.metadata.version('mlflow')}.db"


def _make(make_tables: Callable[[str], object]) -> None:
    template = _template()
    template.parent.mkdir(parents=True, exist_ok=True)
    scratch = template.with_name(f".{template.name}-{uuid.uuid4().hex}")
    whole = scratch.with_suffix(".whole")
    try:
        with closing(sqlite3.connect(scratch)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # fewer writes
            make_tables(database.file_url(scratch.resolve()))
            connection.execute("VACUUM INTO ?", (str(whole),))
        whole.replace(template)
    finally:
        for path in (scratch, whole, *_logs(scratch)):
            path.unlink(missing_ok=True)


def _copy(template: Path, new: Path) -> bool:
    """Whether there was a template to copy, whole and without anything in it."""
    try:
        new.write_bytes(template.read_bytes())
        with closing(sqlite3.connect(new)) as connection:
            whole = connection.execute("PRAGMA quick_check").fetchone() == ("ok",)
            return bool(whole and connection.execute(_EMPTY).fetchone() == (1,))
    except (OSError, sqlite3.Error):
        return False
