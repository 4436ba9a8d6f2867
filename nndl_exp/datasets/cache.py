"""The user's cache: downloaded files, and each source prepared once as memory-mapped arrays."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from nndl_exp.nn.arrays import Array

FORMAT = 3
"""To be raised when a source is prepared in another way, so that no old copy is taken for it."""


@dataclass(frozen=True)
class Source:
    """All images of a source, in the order training, validation, test.

    ``pixels`` are uint8 of shape (n, height * width), ``labels`` of shape (n,).
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def sha256(self) -> str:
        """The digest of every pixel and label, in order."""
        sha = hashlib.sha256(self.pixels.tobytes())
        sha.update(self.labels.tobytes())
        return sha.hexdigest()


@dataclass(frozen=True)
class Prepared:
    """The examples of a source as a network takes them: training, then validation, then test.

    ``x`` is float32 of shape (n, n_in). ``y`` holds labels of shape (n,), int64, or numbers of
    shape (n, n_out), float32. ``sizes`` are those of the three sets, ``classes`` the names of the
    labels (none for numbers), ``shape`` the (height, width) of an example that is a picture.
    ``sha256`` is the digest of what was read, ``encoding`` how it became x and y, in plain values.
    ``notes`` say in words what a user's own file was taken for, ``warnings`` what in it is
    suspicious.
    """

    x: Array
    y: NDArray[Any]
    sizes: tuple[int, int, int]
    sha256: str
    classes: tuple[str, ...] = ()
    shape: tuple[int, int] | None = None
    encoding: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def task(self) -> Literal["classes", "numbers"]:
        """What is to be predicted."""
        return "classes" if self.classes else "numbers"


def cache_dir() -> Path:
    """The folder ``NNDL_CACHE_DIR``, by default the user's cache folder of the system."""
    return Path(os.environ.get("NNDL_CACHE_DIR") or user_cache_path("nndl_exp"))


def prepared(key: str, prepare: Callable[[], Prepared]) -> Prepared:
    """What ``prepare`` returns, from the cache where it has been prepared before.

    ``key`` stands for all that decides the arrays. ``x`` is mapped from the disk, so processes on
    one machine share it.
    """
    source = cached(key)
    if source is None:
        _save(_folder(key), prepare())
        source = cached(key)
        assert source is not None
    return source


def cached(key: str) -> Prepared | None:
    """What was prepared under a key before, None where nothing was."""
    folder = _folder(key)
    if not folder.exists():
        return None
    # A plain array over the mapped file: slicing the memmap subclass itself is slow.
    x = np.asarray(np.load(folder / "x.npy", mmap_mode="r", allow_pickle=False))
    y = np.load(folder / "y.npy", allow_pickle=False)
    facts = json.loads((folder / "facts.json").read_text())
    return Prepared(
        x,
        y,
        sizes=tuple(facts["sizes"]),
        sha256=facts["sha256"],
        classes=tuple(facts["classes"]),
        shape=tuple(facts["shape"]) if facts["shape"] else None,
        encoding=facts["encoding"],
        notes=tuple(facts["notes"]),
        warnings=tuple(facts["warnings"]),
    )


def _folder(key: str) -> Path:
    return cache_dir() / f"prepared-{FORMAT}" / key


def _save(folder: Path, made: Prepared) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        np.save(new / "x.npy", made.x)
        np.save(new / "y.npy", made.y)
        facts = {
            "sizes": made.sizes,
            "sha256": made.sha256,
            "classes": made.classes,
            "shape": made.shape,
            "encoding": dict(made.encoding),
            "notes": made.notes,
            "warnings": made.warnings,
        }
        (new / "facts.json").write_text(json.dumps(facts))
        try:
            new.rename(folder)
        except OSError:  # another process was faster, and has prepared the same
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
