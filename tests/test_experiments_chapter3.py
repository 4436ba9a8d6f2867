"""The scripts of experiments/ for chapter 3, run small: what each of them claims."""

import importlib

import pytest
from sklearn.svm import SVC

from nndl_exp.book import svm
from nndl_exp.book.experiment import Experiment, lead
from nndl_exp.book.header import Header

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
    learned = rows["not regularized: training accuracy, best epoch (%)"].mean
    plain = rows["not regularized: test accuracy, best epoch (%)"].mean
    regularized = rows["regularized: test accuracy, best epoch (%)"].mean
    gap = rows["regularized: training minus test accuracy in the end (points)"].mean
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


@pytest.mark.long
def test_l1_brings_weights_to_zero_l2_shrinks_the_large_ones_and_dropout_gains(run):
    rows = run("dropout_and_l1", "seeds=2")
    zero = {name: rows[f"{name}: weights below 0.001 (%)"].mean for name in ("none", "L2", "L1")}
    assert zero["L1"] > 50
    assert zero["none"] < zero["L2"] < 20
    largest = {name: rows[f"{name}: largest weight"].mean for name in ("none", "L2", "L1")}
    assert largest["L2"] < 0.8 * largest["none"]
    assert largest["L1"] > 0.9 * largest["none"]
    best, cost = (
        {name: rows[f"{name}: {what}"].mean for name in ("none", "dropout")}
        for what in ("validation accuracy, best epoch (%)", "lowest validation cost")
    )
    assert best["dropout"] > best["none"]
    assert cost["dropout"] < cost["none"]


@pytest.mark.long
def test_shifted_pictures_improve_the_accuracy(run):
    rows = run("expanding_the_data", "seeds=2")
    assert len(rows["gain by the shifts (points)"].here) == 2
    assert rows["gain by the shifts (points)"].mean > 0
    assert rows["15,000 images: validation accuracy, best epoch (%)"].mean > 90


@pytest.mark.long
def test_accuracy_rises_with_the_number_of_images(run):
    rows = run("more_data", "seeds=2", "training.epochs=15", "network.initializer=default")
    network, machine = (
        [row.mean for what, row in rows.items() if what.startswith(name)]
        for name in ("network", "SVM")
    )
    assert len(network) == len(machine) == 5, "100, 200, 500, 1,000 and 2,000"
    assert network == sorted(network)
    assert machine == sorted(machine)
    assert network[-1] > network[0] + 8
    assert network[-1] > machine[-1]


def test_pairs_of_digits_vote_as_the_whole_machine_does(tmp_path):
    words = (*FAST, f"output={tmp_path}")
    experiment = Experiment(Header.of(importlib.import_module("experiments.more_data")), words)
    training, validation = svm.labelled(experiment.config())
    whole = SVC(gamma="auto").fit(training.x[:500], training.labels[:500])
    expected = 100 * whole.score(validation.x, validation.labels)
    assert svm.accuracies(experiment, [200, 500])[1] == pytest.approx(expected, abs=1e-9)


def test_momentum_speeds_up_below_1_explodes_above_and_slows_down_below_0(run):
    rows = run("momentum", "seeds=1")
    cost = {mu: rows[f"μ = {mu}: training cost in the end"].mean for mu in (-0.9, 0.0, 0.5, 0.9)}
    assert cost[0.9] < cost[0.5] < cost[0.0] < cost[-0.9]
    exploded = rows["μ = 1.02: training cost in the end"].mean
    assert not exploded < 10
    assert rows["μ = 1.02: validation accuracy, best epoch (%)"].mean < 60


def test_the_activation_functions_learn_nearly_equally_well(run):
    rows = run("activations", "seeds=1")
    neurons = ("sigmoid", "tanh", "ReLU")
    best = [rows[f"{name}: validation accuracy, best epoch (%)"].mean for name in neurons]
    assert max(best) - min(best) < 3
    assert min(best) > 89
    cost = {name: rows[f"{name}: training cost in the end"].mean for name in neurons}
    assert cost["ReLU"] < cost["sigmoid"]


def test_large_weights_decay_by_the_factor_at_first_and_then_no_more(run):
    rows = run("large_weights_decay", "seeds=1")
    for lmbda, factor in ((2, 0.9048), (5, 0.7788)):
        for epoch in ("first", "second"):
            row = rows[f"λ = {lmbda}: factor of the {epoch} epoch"]
            assert row.book == pytest.approx(factor, abs=1e-4)
            assert row.verdict == "agrees"
    assert rows["λ = 5: factor of the last epoch"].verdict == "agrees"
    end = rows["λ = 5: mean length in the end"]
    assert end.book == pytest.approx(0.00648, abs=1e-5)
    assert end.verdict == "differs"
    assert end.book < end.mean < 0.5 * rows["λ = 5: factor of the first epoch"].mean


def test_softmax_and_sigmoid_outputs_learn_equally_well(run):
    rows = run("log_likelihood", "seeds=2", "training.epochs=15")
    softmax, sigmoid = "softmax, log-likelihood", "sigmoid, cross-entropy"
    best = {name: rows[f"{name}: validation accuracy, best epoch (%)"].mean
            for name in (softmax, sigmoid)}  # fmt: skip
    assert min(best.values()) > 87
    assert abs(best[softmax] - best[sigmoid]) < 2
    off = {name: rows[f"{name}: largest distance of a sum of outputs from 1"].mean for name in best}
    assert off[softmax] < 1e-5
    assert off[sigmoid] > 0.1


@pytest.mark.long
def test_large_rotations_confuse_6_and_9_and_small_ones_help(run, monkeypatch):
    rotations = importlib.import_module("experiments.rotations")
    monkeypatch.setattr(rotations, "ANGLES", (0, 15, 180))
    rows = run("rotations", "seeds=2", "dataset.training_size=500", "training.epochs=40")
    none, small, large = (
        rows[f"up to {angle} degrees: validation accuracy, best epoch (%)"].mean
        for angle in (0, 15, 180)
    )
    assert small > none
    assert large < none - 2
    mixed = [rows[f"up to {angle} degrees: 6 read as 9, or 9 as 6 (%)"].mean for angle in (0, 180)]
    assert mixed[1] > mixed[0] + 3
