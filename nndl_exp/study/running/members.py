"""The processes that run a search: each holds a locked file in its folder while it lives."""

import socket
import uuid
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = ".members"


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


def is_run(directory: Path) -> bool:
    """Whether any process runs the search in a folder, as far as this host can tell."""
    return any(_is_locked(path) for path in (directory / FOLDER).glob("*"))


def _is_locked(path: Path) -> bool:
    """A look: its owner locks the file once, and waits for it, so nothing is taken from it."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:  # a folder that can only be read
        return False
