"""The claims of one process on the trials of a search."""

import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from nndl_exp import database
from nndl_exp.errors import UserError
from nndl_exp.study.running.members import Member
from nndl_exp.study.running.table import Table, url_of

if TYPE_CHECKING:
    from nndl_exp.study.search import Search

T = TypeVar("T")
GRACE = 3
"""After so many heartbeats without a word a process counts as gone."""
_ANSWERED: set[str] = set()
"""Databases that this process has used: one that goes away is waited for, a wrong one is not."""


class Claims:
    """As a context it is one of the search's processes, and says so by a thread.

    ``training`` tells which trials it trains; ``lose`` is called for one that another process has
    taken since. ``say`` gets a line when the database does not answer for long.

    Raises:
        UserError: the database does not answer at first, or is not one that can be used.
        DatabaseGoneError: also raised by each method, when it does not answer for too long.
    """

    def __init__(
        self,
        search: "Search",
        training: Callable[[], Collection[int]],
        lose: Callable[[int], None],
        say: Callable[[str], None],
    ) -> None:
        storage, self._url = search.config.storage, url_of(search.config)
        self._search, self._storage = search, storage
        self._member = Member(search.directory)
        silence = GRACE * storage.heartbeat
        self._table = Table(self._url, str(search.id), self._member.name, silence)
        self._training, self._lose, self._say = training, lose, say
        self._over, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._looked, self._alone = 0.0, True
        self._taken: set[int] = set()

    def __enter__(self) -> "Claims":
        with ExitStack() as stack:
            self._member.arrive()
            stack.callback(self._leave)
            if self._url not in _ANSWERED:
                with database.one_line(self._url):
                    self._table.create()
                _ANSWERED.add(self._url)
            self._ask(self._table.beat)
            self._ask(self._bury)
            self._thread.start()
            stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()
        self._leave()

    def wait_no_more(self) -> None:
        """Give up a database that does not answer at once."""
        self._over.set()

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
        if taken := self._ask(partial(self._table.take, trial)):
            self._taken.add(trial)
        return taken

    def keep(self, trials: Collection[int]) -> None:
        """Release the claims of this process on all other trials."""
        for trial in self._taken.difference(trials):
            self._ask(partial(self._table.release, trial))
            self._taken.discard(trial)

    def free(self, trials: Collection[int]) -> list[int]:
        """Those of some trials that nobody claims and whose records nobody writes.

        The claims of processes that are dead, or silent and not writing, are deleted.
        """
        claims = self._ask(self._table.others) if trials else {}
        free = []
        for trial in trials:
            owner, heartbeat, lives = claims.get(trial, (None, None, False))
            dead = owner is not None and self._member.is_dead(owner)
            if (dead or not lives) and self._search.run_directory(trial).is_free():
                if owner is not None:
                    self._ask(partial(self._table.free, trial, owner, heartbeat))
                free.append(trial)
        return free

    def _ask(self, work: Callable[[], T]) -> T:
        return database.outlast(work, self._url, self._storage.patience, self._over, self._say)

    def _leave(self) -> None:
        self._member.leave()
        with suppress(SQLAlchemyError, UserError):  # else another process does it later
            self._bury()
        self._table.close()

    def _bury(self) -> None:
        """Remove what dead processes have left; those of other hosts are dead if also silent."""
        living = self._table.members()
        for name in self._member.unlocked():
            if name not in living or self._member.is_dead(name):
                self._table.forget(name)
                self._member.remove(name)

    def _live(self) -> None:
        while not self._ended.wait(self._storage.heartbeat):
            with suppress(SQLAlchemyError, UserError):  # the next time it may answer again
                self._table.beat()
                held = self._table.held()
                for trial in set(self._training()) - held:
                    if not self._table.take(trial):
                        self._lose(trial)
                    elif trial not in self._training():  # it has ended meanwhile
                        self._table.release(trial)
