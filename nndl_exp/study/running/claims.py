"""Who trains which trial: a small table of ours, and this process among those that run a search.

``claims`` has a row for each trial that is being trained, ``members`` one for each process, with a
heartbeat by the database's clock. Every statement commits by itself, so a process that was stopped
holds nothing. The table is no record: one that was deleted is made again while a study runs.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from nndl_exp import database
from nndl_exp.config import SweepConfig
from nndl_exp.errors import UserError
from nndl_exp.study.running.members import Member

if TYPE_CHECKING:
    from nndl_exp.study.study import Study

T = TypeVar("T")
GRACE = 3
"""After so many heartbeats without a word a process counts as gone."""
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
_ANSWERED: set[str] = set()
"""Databases that this process has used: one that goes away is waited for, a wrong one is not."""
_log = logging.getLogger(__name__)


def url_of(config: SweepConfig) -> str:
    """The address of the database with the claims; it holds no password.

    Raises:
        UserError: it is not given, or can't be one.
    """
    if config.storage.name == "postgresql":
        return database.schema_url(database.address(config.storage.url), "nndl_exp")
    folder = Path(config.output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return database.file_url(folder / "claims.db")


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
        self._file = None if database.is_postgresql(url) else sa.make_url(url).database
        self._url, self._search, self._owner = url, search, owner
        how: dict[str, Any] = {"connect_args": {"timeout": 60.0}}
        self._engine = sa.create_engine(
            url, isolation_level="AUTOCOMMIT", **(how if self._file else {"pool_pre_ping": True})
        )
        if self._file:
            sa.event.listen(self._engine, "connect", _fast_sqlite)
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
            self._create_in_file()
        except DBAPIError as e:
            if _code(e) not in _DAMAGED:
                raise
            for suffix in ("", "-wal", "-shm"):
                Path(self._file + suffix).unlink(missing_ok=True)
            self._create_in_file()
        self._inode = _inode(self._file)

    def _create_in_file(self) -> None:
        with self._engine.connect() as connection:
            for table in _TABLES.sorted_tables:
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))

    def take(self, trial: int) -> bool:
        """Claim a trial; False where another process has it."""
        row = {"search": self._search, "trial": trial, "owner": self._owner}
        try:
            self._run(_CLAIMS.insert().values(row))
        except IntegrityError:  # by this process, when the answer to it was lost?
            owner = sa.select(_CLAIMS.c.owner).where(self._is(_CLAIMS, trial=trial))
            return self._rows(owner) == [(self._owner,)]
        return True

    def release(self, trial: int) -> None:
        """Let other processes claim a trial; nothing happens where another one has it."""
        self._run(_CLAIMS.delete().where(self._is(_CLAIMS, trial=trial, owner=self._owner)))

    def held(self) -> set[int]:
        """The trials that this process has claimed."""
        mine = sa.select(_CLAIMS.c.trial).where(self._is(_CLAIMS, owner=self._owner))
        return {trial for (trial,) in self._rows(mine)}

    def others(self) -> list[tuple[int, str, float | None, bool]]:
        """What other processes have claimed: trial, owner, its heartbeat, and whether it lives."""
        both = (_MEMBERS.c.search == _CLAIMS.c.search) & (_MEMBERS.c.owner == _CLAIMS.c.owner)
        lives = sa.func.coalesce(self._lives, sa.false())
        columns = (_CLAIMS.c.trial, _CLAIMS.c.owner, _MEMBERS.c.heartbeat, lives)
        joined = sa.select(*columns).select_from(_CLAIMS.outerjoin(_MEMBERS, both))
        query = joined.where(self._is(_CLAIMS), _CLAIMS.c.owner != self._owner)
        return [(row[0], row[1], row[2], bool(row[3])) for row in self._rows(query)]

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
        return [owner for (owner,) in self._rows(query) if owner != self._owner]

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

    def _rows(self, query: Any) -> list[Any]:
        return self._run(query)[1]

    def _run(self, statement: Any) -> tuple[int, list[Any]]:
        """How many rows a statement has touched, and those that it returns."""
        if self._file and _inode(self._file) != self._inode:
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


class Claims:
    """The claims of this process on the trials of a search.

    As a context it is one of the search's processes, and says so by a thread. ``training`` tells
    which trials it trains; ``lose`` is called for one that another process has taken since. ``say``
    gets a line when the database does not answer for long.

    Raises:
        UserError: the database does not answer at first, or is not one that can be used.
        DatabaseGoneError: also raised by each method, when it does not answer for too long.
    """

    def __init__(
        self,
        search: "Study",
        training: Callable[[], Collection[int]],
        lose: Callable[[int], None],
        say: Callable[[str], None],
    ) -> None:
        storage, self._url = search.config.storage, url_of(search.config)
        self._member = Member(search.directory)
        silence = GRACE * storage.heartbeat
        self._table = Table(self._url, str(search.id), self._member.name, silence)
        self._heartbeat, self._patience = storage.heartbeat, storage.patience
        self._training, self._lose, self._say = training, lose, say
        self._waits_no_more, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._looked, self._alone = 0.0, True
        self._taken: set[int] = set()

    def __enter__(self) -> "Claims":
        with ExitStack() as stack:
            stack.enter_context(self._member)
            if self._url in _ANSWERED:
                self._ask(self._table.beat)
            else:
                with database.one_line(self._url):
                    self._table.create()
                    self._table.beat()
                _ANSWERED.add(self._url)
            self._ask(self._bury)
            self._thread.start()
            stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        with suppress(SQLAlchemyError, UserError):  # others see by its silence that it has ended
            self._table.forget(self._member.name)
            self._bury()
        self._table.close()
        self._member.__exit__(kind, error, tb)

    def wait_no_more(self) -> None:
        """Give up a database that does not answer at once."""
        self._waits_no_more.set()

    @property
    def alone(self) -> bool:
        """Whether no other process runs the search, as of a second ago at most."""
        if time.monotonic() - self._looked > 1.0:
            others = self._ask(self._table.members)
            self._alone = all(self._member.is_dead(name) for name in others)
            self._looked = time.monotonic()
        return self._alone

    def take(self, trial: int) -> bool:
        """Claim a trial; False where another process has it."""
        if taken := self._ask(lambda: self._table.take(trial)):
            self._taken.add(trial)
        return taken

    def keep(self, trials: Collection[int]) -> None:
        """Release the claims of this process on all other trials."""
        for trial in self._taken - {*trials}:
            self._ask(partial(self._table.release, trial))
            self._taken.discard(trial)

    def elsewhere(self, is_free: Callable[[int], bool]) -> set[int]:
        """The trials of other processes; freed are those of a dead one, or of a silent one where
        ``is_free`` says that nobody writes the trial's record."""
        held = set()
        for trial, owner, heartbeat, lives in self._ask(self._table.others):
            if self._member.is_dead(owner) or (not lives and is_free(trial)):
                _log.debug("trial %d is taken from %s, which is gone", trial, owner)
                self._ask(partial(self._table.free, trial, owner, heartbeat))
            else:
                held.add(trial)
        return held

    def _ask(self, work: Callable[[], T]) -> T:
        over = self._waits_no_more
        return database.outlast(work, self._url, self._patience, over, self._say)

    def _bury(self) -> None:
        """Remove what dead processes have left."""
        living = self._table.members()
        for name in self._member.dead():
            if name not in living or self._member.is_dead(name):
                self._table.forget(name)
                self._member.remove(name)

    def _live(self) -> None:
        while not self._ended.wait(self._heartbeat):
            with suppress(SQLAlchemyError, UserError):  # the next time it may answer again
                self._member.touch()
                self._table.beat()
                held = self._table.held()
                for trial in self._training():
                    if trial not in held:
                        self._claim_again(trial)

    def _claim_again(self, trial: int) -> None:
        if not self._table.take(trial):
            self._lose(trial)
        elif trial not in self._training():  # it has ended meanwhile
            self._table.release(trial)


def _code(error: DBAPIError) -> int | str | None:
    code: int | str | None = getattr(error.orig, "sqlite_errorcode", None)
    return code or getattr(error.orig, "sqlstate", None)


def _inode(file: str) -> int | None:
    try:
        return Path(file).stat().st_ino
    except FileNotFoundError:
        return None


def _fast_sqlite(connection: Any, _: Any) -> None:
    # A write-ahead log halves the time of a commit; a power cut can lose the last claims, which
    # nobody holds any more after it.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
