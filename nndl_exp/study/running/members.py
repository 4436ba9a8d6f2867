"""The processes that run a search: each holds a locked file in its folder while it lives."""

import os
import socket
import time
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

FOLDER = ".members"
_SILENT = 60.0
"""After so many seconds without a touch the file of a process on another host tells nothing."""


class Member:
    """This process, by a name that no other process has on any host."""

    def __init__(self, directory: Path) -> None:
        self._folder = directory / FOLDER
        self.name = f"{socket.gethostname()}-{uuid.uuid4().hex}"
        self._lock = FileLock(self._folder / self.name)

    def __enter__(self) -> "Member":
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

    def touch(self) -> None:
        """Tell other hosts that this process lives."""
        with suppress(OSError):
            os.utime(self._folder / self.name)

    def is_dead(self, name: str) -> bool:
        """Whether a process is known to have ended. One of another host may only be silent."""
        path = self._folder / name
        return name != self.name and _is_here(name) and path.exists() and not _is_locked(path)

    def dead(self) -> list[str]:
        """The processes whose files can be removed: they have ended, or their host is silent."""
        return [path.name for path in self._folder.iterdir() if not is_alive(path)]

    def remove(self, name: str) -> None:
        """Remove the file of a process that has ended."""
        (self._folder / name).unlink(missing_ok=True)


def is_run(directory: Path) -> bool:
    """Whether any process runs the search in a folder."""
    return any(is_alive(path) for path in (directory / FOLDER).glob("*"))


def is_alive(path: Path) -> bool:
    """Whether the process lives whose file this is; nothing that it needs is taken from it."""
    try:
        return _is_locked(path) if _is_here(path.name) else not _is_old(path)
    except OSError:  # it has just ended, or its folder can only be read
        return False


def _is_here(name: str) -> bool:
    return name.rpartition("-")[0] == socket.gethostname()


def _is_old(path: Path) -> bool:
    return abs(time.time() - path.stat().st_mtime) > _SILENT


def _is_locked(path: Path) -> bool:
    """Its owner locks it once, waiting for as long as it takes; so a look can not disturb that."""
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
