"""Files that are there whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path


def write(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Put ``data`` at ``path`` in one step: a reader sees the old content or the new one.

    With ``durable`` it has reached the disk when this returns, and survives a power cut.
    """
    # Not the process id: another host that shares the folder may have the same one.
    new = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with new.open("wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)
    except BaseException as e:
        new.unlink(missing_ok=True)
        if isinstance(e, OSError) and e.filename is None:
            e.filename = str(path)  # a full disk does not say of what file
        raise
    if durable:
        _sync_directory(path.parent)


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
