"""The scripts of experiments/ for chapter 3, run small: what each of them claims."""

import importlib

import pytest

from nndl_exp.book.experiment import lead

FAST = ("dataset=mnist_5k", "tracking=none", "executor=serial", "figure.formats=[png]")


@pytest.fixture
def run(tmp_path):
    """Run a script small; the rows of its table by what they say, and its figure is there."""

    def led(name, *words):
        script = importlib.import_module(f"experiments.{name}")
        experiment = lead(script, (*FAST, f"output={tmp_path}", *words))
        assert (experiment.folder / f"{name}.png").stat().st_size > 10_000
        return {row.what: row for row in experiment.rows}

    return led


def test_cross_entropy_and_the_quadratic_cost_both_learn_the_digits(run):
    rows = run("cross_entropy", "seeds=2", "training.epochs=4")
    small, large = (
        rows[f"cross-entropy, {hidden} hidden: test accuracy, best epoch (%)"]
        for hidden in (30, 100)
    )
    assert small.book is None
    assert len(small.here) == 2
    assert 70 < small.mean < large.mean
    assert rows["quadratic cost, 30 hidden: test accuracy, best epoch (%)"].mean > 60


def test_regularization_closes_the_gap_between_training_and_test_accuracy(run):
    rows = run("regularization", "seeds=1", "training.epochs=40", "training.eta=0.5",
               "network.hidden=[30]")  # fmt: skip
    learned = rows["λ = 0: training accuracy, best epoch (%)"].mean
    plain = rows["λ = 0: test accuracy, best epoch (%)"].mean
    regularized = rows["λ = 5: test accuracy, best epoch (%)"].mean
    gap = rows["λ = 5: training minus test accuracy in the end (points)"].mean
    assert learned > plain + 5
    assert regularized > plain
    assert gap < learned - plain


def test_default_weights_are_ahead_after_an_epoch_and_keep_neurons_from_saturating(run):
    rows = run("weight_initialization", "seeds=1", "training.epochs=3")
    large, default = (
        rows[f"{name}, 30 hidden: accuracy after the first epoch (%)"].mean
        for name in ("large", "default")
    )
    assert default > large + 5
    for name, exact in (("large", 22.383), ("default", 1.2247)):
        row = rows[f"{name}: deviation of z"]
        assert row.book == pytest.approx(exact, abs=1e-3)
        assert row.verdict == "agrees"
