"""Which process runs which trial of a study, and who takes those of a process that is gone."""

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import sqlalchemy.exc
from filelock import FileLock, Timeout

from nndl_exp.records import atomic
from nndl_exp.study.running.patience import DatabaseGoneError
from nndl_exp.study.running.storage import Storage

_log = logging.getLogger(__name__)
_SHOWN = ".shown"


class Members:
    """The processes that run a study: each holds a locked file in its folder while it lives."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._host = folder, socket.gethostname()
        self.name = f"{self._host}-{uuid.uuid4().hex}"
        self._lock = FileLock(folder / self.name)

    def __enter__(self) -> "Members":
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._lock.release()
        (self._folder / self.name).unlink(missing_ok=True)

    def others(self) -> bool:
        """Whether there are other processes, as far as this host can tell."""
        names = [path.name for path in self._folder.iterdir() if path.name != self.name]
        return any(not self.is_dead(name) for name in names)

    def is_dead(self, name: str) -> bool:
        """Whether a process is known to have ended; of another host's only its silence tells."""
        if name == self.name or name.rpartition("-")[0] != self._host or "/" in name:
            return False
        path = self._folder / name
        try:
            with FileLock(path, timeout=0):
                path.unlink(missing_ok=True)
        except Timeout:
            return False
        return True


class Leadership:
    """Held by one process of a study, while it lives: it shows the study, and trains alone where
    seconds decide.

    Within a process all values for the same file are one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._lock = FileLock(self._folder / ".lock", is_singleton=True)

    def take(self, seconds: float = 0.0) -> bool:
        """Whether this process leads; it waits so long for another one to end, -1 for ever."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not self._lock.is_locked:
            try:
                self._lock.acquire(seconds)
            except Timeout:
                return False
        return True

    def release(self) -> None:
        """Let another process lead."""
        self._lock.release()

    def succeeds(self, trials: int) -> bool:
        """Whether this process is to show a study that is complete with so many trials.

        It waits for the one that leads to end, which shows the study unless it was stopped.
        """
        self.take(-1)
        try:
            return (self._folder / _SHOWN).read_text() != str(trials)
        except OSError:
            return True

    def shown(self, trials: int) -> None:
        """Remember that the study has been shown, with so many trials."""
        atomic.write(self._folder / _SHOWN, str(trials).encode())


class Claims:
    """The trials that this process has claimed, kept alive by a thread, and those of others.

    ``is_free`` tells of a trial whether nobody is writing its record.
    """

    def __init__(
        self, storage: Storage, folder: Path, heartbeat: float, is_free: Callable[[int], bool]
    ) -> None:
        self._storage, self._heartbeat, self._is_free = storage, heartbeat, is_free
        self._members = Members(folder)
        self._mine: set[int] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._looked, self._alone = 0.0, True

    def __enter__(self) -> "Claims":
        self._members.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        with suppress(DatabaseGoneError):  # others see by their silence that they are free
            for number in list(self._mine):
                self.release(number)
        self._ended.set()
        self._thread.join()
        self._members.others()  # the last one that goes leaves no files of those that were killed
        self._members.__exit__(kind, error, tb)

    @property
    def alone(self) -> bool:
        """Whether no other process runs the study, as of a second ago at most."""
        if time.monotonic() - self._looked > 1.0:
            self._looked, self._alone = time.monotonic(), not self._members.others()
        return self._alone

    def take(self, number: int) -> bool:
        """Claim a trial; False where another process has."""
        if not self._storage.claim(number, self._members.name):
            _log.debug("trial %d is claimed by another process", number)
            return False
        _log.debug("trial %d is claimed", number)
        self._mine.add(number)
        return True

    def ended(self, number: int) -> None:
        """A trial of ours has ended: nobody needs to claim it again."""
        self._mine.discard(number)

    def release(self, number: int) -> None:
        """Give a trial back that has not ended; nothing happens where another has taken it."""
        _log.debug("trial %d is given back", number)
        self._mine.discard(number)
        self._storage.give_back(number, self._members.name)

    def free_abandoned(self) -> None:
        """Give back what processes had claimed that are dead, or silent and not writing."""
        freed = False
        for claim in self._storage.claims():
            if claim.number in self._mine:
                continue
            dead = claim.owner is not None and self._members.is_dead(claim.owner)
            if dead or (claim.stale and self._is_free(claim.number)):
                _log.debug("trial %d is taken from %s, which is gone", claim.number, claim.owner)
                freed |= self._storage.give_back(claim.number, claim.owner)
        if freed:
            self._storage.read()

    def _beat(self) -> None:
        while not self._ended.wait(self._heartbeat):
            # When it does not answer, the next one may reach it again.
            with suppress(sqlalchemy.exc.SQLAlchemyError):
                self._storage.beat(list(self._mine))
