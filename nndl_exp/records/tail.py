"""The epochs of a run that is being trained, read as they are written."""

import json
import os
from collections import deque
from typing import BinaryIO

from nndl_exp.records.run_directory import RunDirectory
from nndl_exp.training.epoch import JudgedBy

KEPT = 256
"""How many epochs are remembered."""

_FIRST_READ = 64 * 1024
"""Bytes of a long file, the last ones, that are read when it is first looked at."""


class EpochTail:
    """The last epochs of a run's record; each look reads only what was added since the last one.

    ``values`` are what the run is judged by, after each of the last epochs: a fraction, R² or a
    cost; ``number`` is that of the last epoch, 0 before the first. ``is_new`` says that the file
    was not there at the first look, or that it has grown since: that somebody trains the run now.
    """

    def __init__(self, directory: RunDirectory, judged_by: JudgedBy) -> None:
        self._path, self._judged_by = directory.path / "epochs.jsonl", judged_by
        self._at, self._inode = 0, 0
        self._first = True
        self.values: deque[float] = deque(maxlen=KEPT)
        self.number = 0
        self.is_new = False

    def look(self) -> None:
        """Read what was added; nothing where the file is not there, or not yet."""
        first, self._first = self._first, False
        try:
            with self._path.open("rb") as file:
                self.is_new |= self._read(file) and not first
        except OSError:  # not there; or a share that does not answer, which the next look finds
            self.is_new |= first

    def _read(self, file: BinaryIO) -> bool:
        """Whether there was anything to read."""
        status = os.fstat(file.fileno())
        if status.st_ino != self._inode or status.st_size < self._at:  # begun anew, or rewound
            self._inode, self.number = status.st_ino, 0
            self._at = max(0, status.st_size - _FIRST_READ)
            self.values.clear()
        if status.st_size == self._at:
            return False
        file.seek(self._at)
        added = file.read(status.st_size - self._at)
        whole = added[: added.rfind(b"\n") + 1]  # the rest of a line is still to come
        self._at += len(whole)
        for line in whole.splitlines():
            self._add(line)
        return bool(whole)

    def _add(self, line: bytes) -> None:
        try:
            epoch = json.loads(line)
            self.number, value = int(epoch["number"]), float(epoch[self._judged_by])
        except (ValueError, TypeError, LookupError):
            return  # the first line after a jump into the middle of a file; or damage
        self.values.append(value)
