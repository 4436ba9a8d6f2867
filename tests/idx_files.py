"""Small sets in MNIST's format, with noise for pictures."""

import gzip
import hashlib
from pathlib import Path

import numpy as np

from nndl_exp.datasets.mnist import Files


def small_files(training: int, test: int) -> dict[str, bytes]:
    """The four files by their names; labels are 0, 1, ... 9, 0, 1, ..."""
    rng = np.random.default_rng(0)
    files = {}
    for part, n in (("train", training), ("t10k", test)):
        header = b"".join(size.to_bytes(4, "big") for size in (0x803, n, 28, 28))
        files[f"{part}-images-idx3-ubyte"] = header + rng.bytes(n * 784)
        header = (0x801).to_bytes(4, "big") + n.to_bytes(4, "big")
        files[f"{part}-labels-idx1-ubyte"] = header + bytes(i % 10 for i in range(n))
    return files


def set_of(title: str, folder: str, files: dict[str, bytes]) -> Files:
    """The set that has these files, and no mirror."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return Files(title, folder, (), digests)


def write(folder: Path, files: dict[str, bytes], suffix: str = ".gz") -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)
    return folder
