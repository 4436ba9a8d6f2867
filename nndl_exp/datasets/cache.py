"""The user's cache: downloaded files, and each source prepared once as memory-mapped arrays."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from nndl_exp.nn.arrays import Array, Indices

FORMAT = 1
"""To be raised when a source is prepared in another way, so that no old copy is taken for it."""


@dataclass(frozen=True)
class Source:
    """All images of a source, in the order training, validation, test.

    ``pixels`` are uint8 of shape (n, 784), ``labels`` of shape (n,), ``sizes`` the three sizes.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def sha256(self) -> str:
        """The digest of every pixel and label, in order."""
        sha = hashlib.sha256(self.pixels.tobytes())
        sha.update(self.labels.tobytes())
        return sha.hexdigest()


def cache_dir() -> Path:
    """The folder ``NNDL_CACHE_DIR``, by default the user's cache folder of the system."""
    return Path(os.environ.get("NNDL_CACHE_DIR") or user_cache_path("nndl_exp"))


def prepared(name: str, read: Callable[[], Source]) -> tuple[Array, Indices, str]:
    """(x, labels, sha256) of a source: float32 pixels / 256, the book's scale, and labels.

    ``read`` is called only when the cache does not have the source yet. ``x`` is mapped from the
    disk, so processes on one machine share it.
    """
    folder = cache_dir() / f"prepared-{FORMAT}" / name
    if not folder.exists():
        _prepare(folder, read())
    # A plain array over the mapped file: slicing the memmap subclass itself is slow.
    x = np.asarray(np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False))
    labels = np.load(folder / "labels.npy", allow_pickle=False)
    return x, labels, (folder / "sha256").read_text()


def _prepare(folder: Path, source: Source) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        x = np.divide(source.pixels, 256, dtype=np.float32)
        np.save(new / "x.npy", x)
        np.save(new / "labels.npy", source.labels.astype(np.int64))
        (new / "sha256").write_text(source.sha256())
        try:
            new.rename(folder)
        except OSError:  # another process was faster, and has prepared the same
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
