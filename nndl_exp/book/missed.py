"""The digits that a network does not read at all: those of an output that is stuck at 0."""

from nndl_exp.book.recorded import Recorded
from nndl_exp.datasets.dataset import Examples, Labelled


def missed(run: Recorded, test: Examples) -> list[int]:
    """The digits of which the run's network reads fewer than one in ten."""
    assert isinstance(test, Labelled)
    read = run.directory.network().predict(test.x).argmax(axis=1)
    return [d for d in range(10) if (read == d)[test.labels == d].mean() < 0.1]
