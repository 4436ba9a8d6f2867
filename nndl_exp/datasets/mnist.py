"""MNIST and Fashion-MNIST: four IDX files, from a folder, the cache, or a public mirror.

The split is the book's: the first 50,000 training images train, the last 10,000 validate, the
10,000 test images test.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nndl_exp.datasets.cache import Source, cache_dir
from nndl_exp.datasets.idx import parse_images, parse_labels, read_bytes
from nndl_exp.errors import UserError

SIZES = (50_000, 10_000, 10_000)


@dataclass(frozen=True)
class Files:
    """A set in MNIST's format.

    ``folder`` is its name below ``NNDL_DATA_DIR`` and the cache, ``sha256`` maps each file to the
    digest of its uncompressed bytes, ``system`` is a folder where packages of the system put it.
    """

    title: str
    folder: str
    mirrors: tuple[str, ...]
    sha256: dict[str, str]
    system: Path | None = None


MNIST = Files(
    title="MNIST",
    folder="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    sha256={
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    },
)


FASHION_MNIST = Files(
    title="Fashion-MNIST",
    folder="fashion-mnist",
    mirrors=(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/fashion-mnist/",
    ),
    sha256={
        "train-images-idx3-ubyte": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
    system=Path("/usr/share/datasets/fashion-mnist"),  # Debian's package dataset-fashion-mnist
)


def read(files: Files) -> Source:
    """All 70,000 images, in the official order.

    Raises:
        UserError: a file is missing and can't be downloaded, or is damaged or not the right one.
    """
    folder = find(files) or download(files, files.mirrors)
    parts = [read_pair(files, folder, part) for part in ("train", "t10k")]
    return Source(
        np.concatenate([pixels for pixels, _ in parts]),
        np.concatenate([labels for _, labels in parts]),
    )


def read_pair(files: Files, folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The images and the labels of one part, "train" or "t10k", checked.

    Raises:
        UserError: a file is damaged, the two differ in length, or one is not the official file.
    """
    images_name, labels_name = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    images_path, labels_path = _locate(folder, images_name), _locate(folder, labels_name)
    images_data, labels_data = read_bytes(images_path), read_bytes(labels_path)
    images = parse_images(images_data, images_path)
    labels = parse_labels(labels_data, labels_path)
    if len(images) != len(labels):
        raise UserError(
            f"{images_path} and {labels_path} must have the same length: "
            f"got {len(images)} images and {len(labels)} labels"
        )
    _check(images_data, files.sha256[images_name], images_path)
    _check(labels_data, files.sha256[labels_name], labels_path)
    return images, labels


def find(files: Files) -> Path | None:
    """The first folder that has all four files, None if there is none."""
    data_dir = os.environ.get("NNDL_DATA_DIR")
    folders = [Path(data_dir) / files.folder] if data_dir else []
    folders += [cache_dir() / files.folder] + ([files.system] if files.system else [])
    for folder in folders:
        if all(_locate(folder, name).is_file() for name in files.sha256):
            return folder
    return None


def download(files: Files, mirrors: Sequence[str]) -> Path:
    """Fetch the four files from the first mirror that has them into the cache, and check them.

    Nothing is left in the cache unless all four arrived whole.

    Raises:
        UserError: no mirror could be reached, or what arrived is not the official data.
    """
    import pooch  # only a first use of the full set needs it

    folder = cache_dir() / files.folder
    cache_dir().mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("ERROR")
    failures = []
    for mirror in mirrors:
        new = Path(tempfile.mkdtemp(prefix=f".{files.folder}-", dir=cache_dir()))
        try:
            for name in files.sha256:
                downloader = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=20)
                pooch.retrieve(f"{mirror}{name}.gz", None, f"{name}.gz", new, downloader=downloader)
            for part in ("train", "t10k"):
                read_pair(files, new, part)
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
            return folder
        except (OSError, UserError) as e:  # requests' exceptions are OSErrors
            failures.append(e)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    raise UserError(
        f"the {files.title} files are not in {folder} and could not be downloaded "
        f"({_cause(failures)}). Put the four .gz files there, or in "
        f"{files.folder}/ below the folder that NNDL_DATA_DIR names, or use dataset=mnist_5k"
    )


def _cause(failures: Sequence[Exception]) -> str:
    for failure in failures:
        if isinstance(failure, UserError):
            return str(failure)
    return "no connection" if failures else "no mirror is known"


def _locate(folder: Path, name: str) -> Path:
    plain = folder / name
    return plain if plain.is_file() else folder / f"{name}.gz"


def _check(data: bytes, expected: str, path: Path) -> None:
    got = hashlib.sha256(data).hexdigest()
    if got != expected:
        raise UserError(
            f"{path} must have the SHA-256 {expected[:12]}... when uncompressed: got {got[:12]}..."
        )
