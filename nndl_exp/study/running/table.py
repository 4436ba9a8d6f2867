"""Who trains which trial: a small table of ours, and the processes that are there.

``claims`` has a row for each trial that is being trained, ``members`` one for each process, with a
heartbeat by the database's clock. Every statement commits by itself, so a process that was stopped
holds nothing. The table is no record: one that was deleted is made again while a study runs.
"""

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from nndl_exp import database
from nndl_exp.config import SweepConfig

_TABLES = sa.MetaData()
_CLAIMS = sa.Table(
    "claims",
    _TABLES,
    sa.Column("search", sa.String(64), primary_key=True),
    sa.Column("trial", sa.Integer, primary_key=True),
    sa.Column("owner", sa.String(255), nullable=False),
)
_MEMBERS = sa.Table(
    "members",
    _TABLES,
    sa.Column("search", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(255), primary_key=True),
    sa.Column("heartbeat", sa.Double, nullable=False),
)
_NOW = {
    "sqlite": "(julianday('now') - 2440587.5) * 86400.0",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) AS double precision)",
}
_LOST = {1, 1032, "42P01"}
"""What SQLite and PostgreSQL answer where the tables, or their file, are gone."""
_DAMAGED = {11, 26}
"""What SQLite answers where a file is no database, or not a whole one."""


def url_of(config: SweepConfig) -> str:
    """The address of the database with the claims; it holds no password.

    Raises:
        UserError: it is not given, or can't be one.
    """
    return database.url_of(config, "nndl_exp")


def create_tables(url: str) -> None:
    """Make the tables in the database of ``url`` unless they are there.

    Raises:
        UserError: it can't be reached, or does not allow it.
    """
    with database.one_line(url):
        table = Table(url, "", "", 0.0)
        table.create()
        table.close()


class Table:
    """The rows of one search, as its process ``owner`` uses them."""

    def __init__(self, url: str, search: str, owner: str, silence: float) -> None:
        self._file = database.file_of(url)
        self._url, self._search, self._owner = url, search, owner
        how: dict[str, Any] = {"connect_args": {"timeout": 60.0}}
        self._engine = sa.create_engine(
            url, isolation_level="AUTOCOMMIT", **(how if self._file else {"pool_pre_ping": True})
        )
        if self._file:
            database.fast_sqlite(self._engine)
        self._now: sa.ColumnElement[float] = sa.literal_column(_NOW[self._engine.dialect.name])
        self._lives = sa.func.abs(self._now - _MEMBERS.c.heartbeat) <= silence
        self._inode: int | None = None

    def create(self) -> None:
        """Make the tables unless they are there; a damaged file is replaced."""
        self._engine.dispose()
        if not self._file:
            with database.creating(self._url):
                _TABLES.create_all(self._engine)
            return
        try:
            _create_in_file(self._engine)
        except DBAPIError as e:
            if _code(e) not in _DAMAGED:
                raise
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self._file}{suffix}").unlink(missing_ok=True)
            _create_in_file(self._engine)
        self._inode = database.inode(self._file)

    def take(self, trial: int) -> bool:
        """Claim a trial; False where another process has it."""
        row = {"search": self._search, "trial": trial, "owner": self._owner}
        try:
            self._run(_CLAIMS.insert().values(row))
        except IntegrityError:  # by this process, when the answer to it was lost?
            owner = sa.select(_CLAIMS.c.owner).where(self._is(_CLAIMS, trial=trial))
            return self._run(owner)[1] == [(self._owner,)]
        return True

    def release(self, trial: int) -> None:
        """Let other processes claim a trial; nothing happens where another one has it."""
        self._run(_CLAIMS.delete().where(self._is(_CLAIMS, trial=trial, owner=self._owner)))

    def held(self) -> set[int]:
        """The trials that this process has claimed."""
        mine = sa.select(_CLAIMS.c.trial).where(self._is(_CLAIMS, owner=self._owner))
        return {trial for (trial,) in self._run(mine)[1]}

    def others(self) -> dict[int, tuple[str, float | None, bool]]:
        """What other processes have claimed: the owner of each trial, its heartbeat, and whether it
        lives."""
        both = (_MEMBERS.c.search == _CLAIMS.c.search) & (_MEMBERS.c.owner == _CLAIMS.c.owner)
        lives = sa.func.coalesce(self._lives, sa.false())
        columns = (_CLAIMS.c.trial, _CLAIMS.c.owner, _MEMBERS.c.heartbeat, lives)
        joined = sa.select(*columns).select_from(_CLAIMS.outerjoin(_MEMBERS, both))
        query = joined.where(self._is(_CLAIMS), _CLAIMS.c.owner != self._owner)
        return {row[0]: (row[1], row[2], bool(row[3])) for row in self._run(query)[1]}

    def free(self, trial: int, owner: str, heartbeat: float | None) -> None:
        """Delete a claim of another process, unless it has spoken since that heartbeat."""
        spoken = self._is(_MEMBERS, owner=owner) & _MEMBERS.c.heartbeat.is_distinct_from(heartbeat)
        unchanged = ~sa.exists().where(spoken)
        self._run(_CLAIMS.delete().where(self._is(_CLAIMS, trial=trial, owner=owner), unchanged))

    def beat(self) -> None:
        """Say that this process lives."""
        here = self._is(_MEMBERS, owner=self._owner)
        if not self._run(_MEMBERS.update().where(here).values(heartbeat=self._now))[0]:
            row = {"search": self._search, "owner": self._owner, "heartbeat": self._now}
            self._run(_MEMBERS.insert().values(row))

    def members(self) -> list[str]:
        """The other processes that live, as far as their heartbeats tell."""
        query = sa.select(_MEMBERS.c.owner).where(self._is(_MEMBERS), self._lives)
        return [owner for (owner,) in self._run(query)[1] if owner != self._owner]

    def forget(self, owner: str) -> None:
        """Delete all rows of a process that has ended."""
        for table in (_CLAIMS, _MEMBERS):
            self._run(table.delete().where(self._is(table, owner=owner)))

    def close(self) -> None:
        """Give the database's connections back."""
        self._engine.dispose()

    def _is(self, table: sa.Table, **columns: object) -> sa.ColumnElement[bool]:
        equal = [table.c[name] == value for name, value in columns.items()]
        return sa.and_(table.c.search == self._search, *equal)

    def _run(self, statement: Any) -> tuple[int, list[Any]]:
        """How many rows a statement has touched, and those that it returns."""
        if self._file and database.inode(self._file) != self._inode:
            self.create()
        try:
            return self._once(statement)
        except DBAPIError as e:
            if _code(e) not in _LOST | _DAMAGED:
                raise
            self.create()
            return self._once(statement)

    def _once(self, statement: Any) -> tuple[int, list[Any]]:
        with self._engine.connect() as connection:
            done = connection.execute(statement)
            return done.rowcount, list(done.all()) if done.returns_rows else []


def _code(error: DBAPIError) -> int | str | None:
    code: int | str | None = getattr(error.orig, "sqlite_errorcode", None)
    return code or getattr(error.orig, "sqlstate", None)


def _create_in_file(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        for table in _TABLES.sorted_tables:
            connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
