"""PostgreSQL: our claims and Optuna's and MLflow's tables, in three schemas of one database.

No address here holds a password. libpq finds it in PGPASSWORD, or in the file of PGPASSFILE; one
that stands in NNDL_STORAGE_URL is handed to it as PGPASSWORD, in this process and its children.
"""

import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError

from nndl_exp.config import SweepConfig, TrackingConfig
from nndl_exp.errors import UserError

T = TypeVar("T")
FILES = {"nndl_exp": "claims.db", "optuna": "optuna.db", "mlflow": "mlflow.db"}
"""The schemas in PostgreSQL, and the SQLite files that take their place below an output folder."""
VARIABLE = "NNDL_STORAGE_URL"
_EXAMPLE = "postgresql://USER@HOST:5432/DATABASE"
_CREATION = 7_236_154_880_417_223
"""The key of the advisory lock that is held while tables are made: any number, the same for all."""
_SECONDS_TO_CONNECT = "10"
_SECONDS_UNSAID = 1.0
_LONGEST_PAUSE = 2.0


class DatabaseGoneError(Exception):
    """A database did not answer for as long as is waited for it; the message is one line."""


def url_of(config: SweepConfig, schema: str) -> str:
    """The address of one of a study's databases, which are schemas or files; see ``FILES``.

    Raises:
        UserError: see ``address``.
    """
    if config.storage.name == "postgresql":
        return schema_url(address(config.storage.url), schema)
    return url_below(config.output, schema)


def address(url: str | None, setting: str = "storage.url") -> URL:
    """The database of ``storage.url``, or of NNDL_STORAGE_URL where that is null.

    ``setting`` is what the user calls it.

    Raises:
        UserError: neither is given, it is no address of a PostgreSQL database, or a password stands
            where it would be recorded; nothing of it is shown.
    """
    given = url or os.environ.get(VARIABLE)
    if not given:
        raise UserError(
            f"a database must be given by {setting}={_EXAMPLE}, or by {VARIABLE}: got neither"
        )
    source = setting if url else VARIABLE
    try:
        parsed = sqlalchemy.make_url(given)
    except (SQLAlchemyError, ValueError):  # ValueError: of a port that is no number
        raise UserError(
            f"{source} must be like {_EXAMPLE}: got what can't be read as one"
        ) from None
    if parsed.get_backend_name() != "postgresql" or not parsed.database:
        raise UserError(
            f"{source} must be like {_EXAMPLE}: got {parsed.get_backend_name()} and the database "
            f"{parsed.database!r}"
        )
    return _without_password(parsed, source)


def _without_password(parsed: URL, source: str) -> URL:
    password = parsed.password or parsed.query.get("password")
    if password is not None:
        if source != VARIABLE:
            raise UserError(
                f"{source} must not hold a password, since it is recorded: put it into PGPASSWORD, "
                f"into the file of PGPASSFILE, or the whole address into {VARIABLE}"
            )
        os.environ["PGPASSWORD"] = str(password)
    bare = URL.create(
        "postgresql+psycopg", parsed.username, None, parsed.host, parsed.port, parsed.database
    )
    query = {"connect_timeout": _SECONDS_TO_CONNECT, **parsed.query}
    query.pop("password", None)
    return bare.set(query=query)


def url_below(output: Path | str, schema: str) -> str:
    """The address of a database in a file below an output folder; both are made if need be.

    The file gets the permissions of the umask, which SQLite would not give it.
    """
    file = Path(output).resolve() / FILES[schema]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file_url(file)


def mlflow_file(output: Path | str) -> Path:
    """MLflow's own database below an output folder."""
    return Path(output) / FILES["mlflow"]


def is_tracked(output: Path | str, tracking: TrackingConfig) -> bool:
    """True where there is an MLflow that may have the runs of an output folder."""
    return tracking.uri is not None or mlflow_file(output).exists()


def file_url(file: Path | str) -> str:
    """The address of an SQLite database in a file with any path.

    MLflow makes the folder that it reads behind ``sqlite:///`` without decoding it; it does not
    where the driver is named.
    """
    path = Path(file).as_posix()
    url = URL.create("sqlite", database=path)
    if url.render_as_string() != f"sqlite:///{path}":
        url = url.set(drivername="sqlite+pysqlite")
    return url.render_as_string()


def check_file(file: Path, table: str, whose: str, remedy: str) -> None:
    """Refuse a file that holds no database, or another one, before anything is made in it.

    Args:
        file: where the database is, or will be.
        table: one of the tables that it must have, unless it is empty.
        whose: the program that uses it.
        remedy: what to do then.

    Raises:
        UserError: it is not a database of ``whose``, or can't be read.
    """
    if not file.exists():
        return
    engine = sqlalchemy.create_engine(file_url(file), poolclass=sqlalchemy.NullPool)
    try:
        tables = sqlalchemy.inspect(engine).get_table_names()
    except SQLAlchemyError as e:
        raise UserError(not_usable(file, whose, e, remedy)) from None
    if tables and table not in tables:
        raise UserError(f"{file} is not a database of {whose}: got other tables; {remedy}")


def not_usable(file: Path, whose: str, error: Exception, remedy: str) -> str:
    """The line for a file that ``whose`` program can't take for its database."""
    return f"{file} is not a database that {whose} can use ({type(error).__name__}); {remedy}"


def file_of(url: str) -> Path | None:
    """The file of an SQLite database, None where a server has it."""
    return None if is_postgresql(url) else Path(str(sqlalchemy.make_url(url).database))


def inode(file: Path | None) -> int | None:
    """What tells a file from another one that has taken its place; None where there is none."""
    try:
        return file.stat().st_ino if file is not None else None
    except FileNotFoundError:
        return None


_TRIES, _PAUSE = 100, 0.05
"""How often, and with what pause in seconds, a new file is asked for while others set it up."""


def fast_sqlite(engine: sqlalchemy.Engine) -> None:
    """Give an SQLite database a write-ahead log, which halves the time of a commit.

    A power cut can lose the last commits but not damage the file.
    """

    def set_up(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for left in reversed(range(_TRIES)):
            try:
                cursor.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as e:
                # Another process does the same to a new file; SQLite's time-out is not for that.
                is_busy = e.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or not left:
                    raise
                time.sleep(_PAUSE)
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    sqlalchemy.event.listen(engine, "connect", set_up)
    engine.dispose()  # connections made before


def schema_url(base: URL, schema: str) -> str:
    """The address of the tables in one schema of a database."""
    options = f"{base.query.get('options', '')} -csearch_path={schema}".strip()
    return base.update_query_dict({"options": options}).render_as_string(hide_password=False)


def is_postgresql(url: str) -> bool:
    """Whether an address is one of a PostgreSQL database."""
    return url.startswith("postgresql")


@contextmanager
def creating(url: str) -> Iterator[None]:
    """Held while tables are made in the database of ``url``: by one process at a time, anywhere.

    The schema that the address names is made if need be. The lock goes with its connection.

    Raises:
        UserError: the database does not answer, or does not allow it.
    """
    with one_line(url):
        engine = sqlalchemy.create_engine(
            url, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("SELECT pg_advisory_lock(:key)"), {"key": _CREATION})
            _create_schema(connection, url)
            yield


def _create_schema(connection: Connection, url: str) -> None:
    options = str(sqlalchemy.make_url(url).query.get("options"))
    schema = (re.findall(r"-csearch_path=(\w+)", options) or [""])[-1]
    if schema not in FILES:
        return
    # IF NOT EXISTS asks for the right to make it even where it is there.
    there = connection.execute(
        sqlalchemy.text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}
    )
    if there.first() is None:
        connection.execute(sqlalchemy.schema.CreateSchema(schema))


@contextmanager
def one_line(url: str) -> Iterator[None]:
    """Turn what the driver and the server say of the database of ``url`` into one line.

    Raises:
        UserError: the extra is not installed, the server can't be reached, refuses the user, or
            does not allow what was asked.
    """
    try:
        yield
    except ImportError:
        raise UserError(
            "storage=postgresql needs psycopg: got no such package; python -m pip install "
            "'nndl_exp[postgres]'"
        ) from None
    except SQLAlchemyError as e:
        raise UserError(refusal(url, e)) from None


def check_driver() -> None:
    """Check that there is a driver for PostgreSQL.

    Raises:
        UserError: the extra is not installed.
    """
    with one_line(""):
        import_module("psycopg")


def refusal(url: str, error: BaseException, must: str = "answer") -> str:
    """The line for an error of the database: its address without a password, what it ``must`` do,
    and what it said."""
    parsed, origin = sqlalchemy.make_url(url), _origin(error)
    said = (str(origin).strip().splitlines() or [type(error).__name__])[0]
    if getattr(origin, "sqlstate", None) == "42501":
        return (
            f"{shown(url)} must let {parsed.username} make tables: got {said}; its owner may grant "
            f"it (GRANT CREATE ON DATABASE {parsed.database} TO {parsed.username}) or run "
            "python -m nndl_exp.init_storage once"
        )
    return f"{shown(url)} must {must}: got {said}"


def _origin(error: BaseException) -> BaseException:
    """The driver's own error below those of SQLAlchemy and of who uses it."""
    return getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error


def shown(url: str) -> str:
    """A database as an error line calls it."""
    parsed = sqlalchemy.make_url(url).set(query={})
    return f"the database {file_of(url) or parsed.render_as_string(hide_password=True)}"


def outlast(
    work: Callable[[], T],
    url: str,
    seconds: float,
    over: threading.Event,
    say: Callable[[str], None],
) -> T:
    """Call ``work`` again while the database of ``url`` does not answer, for ``seconds`` at most.

    Only a server is waited for: what a file refuses, a full disk for one, it refuses again. The
    wait ends when ``over`` is set. ``say`` gets a line when the wait has taken a second, and when
    it is over. ``work`` may have been done before, with only the answer lost.

    Raises:
        DatabaseGoneError: it did not answer.
    """
    start, pause, said = time.monotonic(), 0.1, False
    while True:
        try:
            result = work()
        except DBAPIError as e:
            if not went_away(e):
                raise
            left = (seconds if is_postgresql(url) else 0.0) - (time.monotonic() - start)
            if left <= 0 or over.wait(min(pause, left)):
                over.set()
                raise DatabaseGoneError(refusal(url, e)) from None
            if not said and seconds - left > _SECONDS_UNSAID:
                said = True
                say(f"{refusal(url, e)}; waiting for it, {seconds:g} s at most (storage.patience)")
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            if said:
                say(f"the database answers again after {time.monotonic() - start:.0f} s")
            return result


def went_away(error: DBAPIError) -> bool:
    """Whether a database did not answer, as opposed to answering that something is wrong."""
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated
