"""Which processes run a search or a study, and which of them leads.

Each holds a locked file in the folder while it lives.
"""

import socket
import uuid
from pathlib import Path

from filelock import FileLock, Timeout

from nndl_exp.errors import UserError
from nndl_exp.records import atomic

FOLDER = ".members"
_SHOWN = ".shown"


class Member:
    """This process, by a name that no other process has on any host."""

    def __init__(self, directory: Path) -> None:
        self._folder, self._host = directory / FOLDER, socket.gethostname()
        self.name = f"{self._host}-{uuid.uuid4().hex}"
        self._lock = FileLock(self._folder / self.name)

    def arrive(self) -> None:
        """Lock the file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock.acquire()

    def leave(self) -> None:
        """Unlock the file; until it is removed the process counts as dead."""
        self._lock.release()

    def is_dead(self, name: str) -> bool:
        """Whether a process is known to have ended: of another host locks may tell nothing."""
        path = self._folder / name
        is_here = name.rpartition("-")[0] == self._host
        return is_here and path.exists() and not _is_locked(path)

    def unlocked(self) -> list[str]:
        """The processes whose files are not locked, as far as this host can tell."""
        return [path.name for path in self._folder.iterdir() if not _is_locked(path)]

    def remove(self, name: str) -> None:
        """Remove the file of a process that has ended."""
        (self._folder / name).unlink(missing_ok=True)


class Leadership:
    """Held by one process of a study, the leader: it writes what they share, views and report."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock, self._member = FileLock(folder / ".lock"), Member(folder)

    def take(self, seconds: float = 0.0) -> bool:
        """Whether this process leads; it waits so long for another one to end, -1 for ever."""
        if not self._lock.is_locked:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(seconds)
            except Timeout:
                return False
            self._member.arrive()  # others look at this file, not at the lock, which they may want
        return True

    def release(self) -> None:
        """Let another process lead."""
        if self._lock.is_locked:
            self._lock.release()
            self._member.leave()
            self._member.remove(self._member.name)

    def succeeds(self, trials: int) -> bool:
        """Whether this process is to show a study that is complete with so many trials.

        It waits for the leader to end, which shows the study unless it was stopped.
        """
        self.take(-1)
        try:
            return (self._folder / _SHOWN).read_text() != str(trials)
        except OSError:
            return True

    def shown(self, trials: int) -> None:
        """Remember that the study has been shown, with so many trials."""
        atomic.write(self._folder / _SHOWN, str(trials).encode())


def is_running(folder: Path) -> bool:
    """Whether any process runs the study or search in a folder, as far as this host can tell."""
    there = (*folder.glob(f"{FOLDER}/*"), *folder.glob(f"stages/*/{FOLDER}/*"))
    return any(map(_is_locked, there))


def check_not_running(folder: Path) -> None:
    """Check that no process runs the study in a folder, which is to be deleted.

    Raises:
        UserError: one does.
    """
    if is_running(folder):
        raise UserError(f"{folder.name} must not be running to be deleted: a process runs it")


def _is_locked(path: Path) -> bool:
    """A look: its owner locks the file once, and waits for it, so nothing is taken from it."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that can only be read
        return False
