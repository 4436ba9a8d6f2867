"""Files that are there whole or not at all."""

import errno
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
"""What a file system without hard links answers."""


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put ``data`` at ``path`` in one step: a reader sees the old content or the new one.

    With ``durable`` it has reached the disk when this returns, and survives a power cut.
    """
    with _written(path, data, durable=durable) as new:
        new.replace(path)
    if durable:
        _sync_directory(path.parent)


def create(path: Path, data: bytes) -> bool:
    """Put ``data`` at ``path`` unless a file is there; returns False if one is.

    Of several processes one succeeds. The content has reached the disk before the file appears.
    """
    with _written(path, data, durable=True) as new:
        try:
            os.link(new, path)
        except (FileExistsError, FileNotFoundError):  # not found: the winner has tidied the folder
            if not path.exists():
                raise
            return False
        except OSError as e:
            if e.errno not in _NO_LINKS:
                raise
            return _move_unless_there(new, path)
    return True


def _move_unless_there(new: Path, path: Path) -> bool:
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            return False
        new.replace(path)
        return True


@contextmanager
def _written(path: Path, data: bytes, *, durable: bool) -> Iterator[Path]:
    """A new file beside ``path`` that holds ``data``, deleted in the end unless it was moved."""
    # Not the process id: another host that shares the folder may have the same one.
    new = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with new.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield new
    except OSError as e:
        if e.filename is None:
            e.filename = str(path)  # a full disk does not say of what file
        raise
    finally:
        new.unlink(missing_ok=True)


def unfinished(folder: Path) -> Iterator[Path]:
    """What processes that were killed while they wrote left in a folder."""
    return folder.glob(f".*-{'[0-9a-f]' * 32}")


def _sync_directory(folder: Path) -> None:
    if os.name != "posix":  # Windows can't open a directory
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
