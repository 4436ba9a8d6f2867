"""The sets that contenders search on: pools of examples, which each seed splits in its own way."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn import datasets

from nndl_exp.api import load_dataset
from nndl_exp.datasets.dataset import Labelled
from nndl_exp.nn.arrays import Array, Indices

Pool = tuple[Array | Indices, Array | Indices]
"""x of shape (n, features), or (n, height, width) of pictures, and y of shape (n,)."""


@dataclass(frozen=True)
class Problem:
    """A set, and the words of the command line that describe where a search on it starts.

    ``pool`` loads its examples, ``seeds`` is how many splits are made of them by default.
    """

    pool: Callable[[], Pool]
    seeds: int = 8
    words: tuple[str, ...] = ()


def pictures(name: str, white: int, n: int | None = None) -> Pool:
    """The first n pictures of a source as whole numbers, of which ``white`` stands for 1."""
    whole = load_dataset(name, test=True)
    parts = [part for part in (whole.training, whole.validation, whole.test) if part is not None]
    assert whole.shape is not None
    x = np.concatenate([part.x for part in parts])[:n]
    labels = np.concatenate([part.labels for part in parts if isinstance(part, Labelled)])[:n]
    return np.rint(white * x).astype(np.uint8).reshape(-1, *whole.shape), labels


def cancer() -> Pool:
    """The 569 rows of breast_cancer."""
    found = datasets.load_breast_cancer()
    return found.data, found.target


def diabetes() -> Pool:
    """The 442 rows of diabetes, with numbers to predict."""
    found = datasets.load_diabetes()
    return found.data, found.target


def noisy() -> Pool:
    """Rows of which one in ten has a wrong label, with 100 columns, 10 of them informative."""
    x, labels = datasets.make_classification(
        3000, 100, n_informative=10, flip_y=0.2, random_state=0
    )
    return x, labels


REGRESSION = (
    "dataset.task=numbers", "network.output=linear", "network.cost=quadratic", "training.eta=0.05",
)  # fmt: skip
MNIST = partial(pictures, "mnist_5k", 256)

PROBLEMS = {
    "mnist_5k": Problem(MNIST, 3),
    "digits_8x8": Problem(partial(pictures, "digits_8x8", 16)),
    "breast_cancer": Problem(cancer),
    "diabetes": Problem(diabetes, words=REGRESSION),
    # 5,000 images and 300 rows to search on; all others test.
    "fashion_mnist": Problem(
        partial(pictures, "fashion_mnist", 256, 20_000), 3, ("dataset.fractions=[0.2,0.05,0.75]",)
    ),
    "noisy table": Problem(noisy, words=("dataset.fractions=[0.08,0.02,0.9]",)),
    "hard start": Problem(MNIST, 3, ("training.eta=10", "training.lmbda=1000")),
}


def words(name: str, seed: int, folder: Path) -> list[str]:
    """The words of the command line for a set with the split of a seed, where a search starts."""
    path = _file(name, folder)
    split = [f"dataset.path={path}", f"dataset.split_seed={seed}", f"seed={seed}"]
    return ["dataset=npz", *split, *PROBLEMS[name].words]


def write_pool(name: str, folder: Path) -> None:
    """Write the examples of a set into a folder, unless they are there."""
    path = _file(name, folder)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        x, y = PROBLEMS[name].pool()
        np.savez(path, x=x, y=y)


def _file(name: str, folder: Path) -> Path:
    return (folder / "sets" / f"{name.replace(' ', '_')}.npz").resolve()
