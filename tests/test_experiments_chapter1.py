"""The scripts of chapter 1, small: each shows what it claims."""

import numpy as np
import pytest

from experiments import bad_learning_rates, baselines, bitwise, classifying_digits, perceptrons
from nndl_exp.book.experiment import Experiment, lead
from nndl_exp.book.header import Header
from nndl_exp.nn.network import Network, Parts

FAST = ("dataset=mnist_5k", "seeds=2", "tracking=none", "executor=serial", "figure.formats=[png]")


def rows_of(experiment: Experiment) -> dict[str, float]:
    """Our numbers, after a check that there is a figure of some size."""
    (figure,) = experiment.draw.saved
    assert figure.stat().st_size > 10_000
    return {row.what: row.mean for row in experiment.rows}


def test_scaled_perceptrons_are_the_same_and_scaled_sigmoid_neurons_come_near(tmp_path):
    experiment = lead(perceptrons, (*FAST, f"output={tmp_path}"))
    rows = rows_of(experiment)
    assert 5 < rows["perceptrons: outputs that are 1 (%)"] < 95, "outputs that can change"
    assert rows["perceptrons: outputs that c > 0 changes"] == 0
    assert rows["sigmoid neurons: mean distance from perceptrons, c = 1"] > 0.1
    assert rows["the same, largest, c = 1e9"] < 1e-6
    assert rows["sigmoid neuron with z = 0: output, c = 1e9"] == 0.5
    assert all(row.verdict == "agrees" for row in experiment.rows if row.book is not None)


def test_a_perceptron_fires_above_0_and_a_negative_factor_changes_it():
    nand = Network([np.array([[-2.0, -2.0]])], [np.array([3.0])], Parts())
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    assert perceptrons.perceptrons(nand, x).ravel().tolist() == [1, 1, 1, 0]
    turned = perceptrons.perceptrons(perceptrons.scaled(nand, -1.0), x)
    assert turned.ravel().tolist() == [0, 0, 0, 1]
    at_zero = Network([np.array([[1.0, -1.0]])], [np.zeros(1)], Parts())
    assert perceptrons.perceptrons(at_zero, x[3:]).item() == 0, "a perceptron at 0 does not fire"


def test_the_first_networks_learn_and_a_hidden_layer_is_better_than_none(tmp_path):
    experiment = lead(
        classifying_digits, (*FAST, f"output={tmp_path}", "seeds=1", "training.epochs=10")
    )
    rows = rows_of(experiment)
    best = {
        name: max(row.mean for row in experiment.rows if name in row.what)
        for name in classifying_digits.NETWORKS
    }
    assert best["30 hidden"] > 80
    assert min(best.values()) > 40
    assert rows["after the first epoch (%)"] < best["30 hidden"]
    assert all(row.book is None for row in experiment.rows), "the book's are of all digits"
    seeds = [len(row.here) for row in experiment.rows if row.what.endswith("hidden (%)")]
    assert seeds == [2, 3], "twice and three times as many as the settings say"


def test_stuck_runs_are_counted_and_reported_with_the_others_and_without(tmp_path, monkeypatch):
    def missed(run, test):
        return [5] if run.config.seed == 1 else []

    monkeypatch.setattr(classifying_digits, "missed", missed)
    monkeypatch.setattr(classifying_digits, "NETWORKS", {"30 hidden": ("[30]", 1)})
    words = (*FAST, f"output={tmp_path}", "training.epochs=2")
    every, learned, _ = lead(classifying_digits, words).rows
    assert len(every.here) == 2
    assert every.note.startswith("1 of 2 runs are stuck: ")
    assert learned.what.endswith("not stuck (%)")
    assert learned.here == every.here[:1]
    monkeypatch.setattr(classifying_digits, "missed", lambda run, test: [5])
    (every,) = lead(classifying_digits, words).rows
    assert len(every.here) == 2
    assert every.note.startswith("2 of 2 runs are stuck: ")


def test_a_missed_digits_output_is_saturated(tmp_path):
    """The reason that classifying_digits gives: σ'(z) is nearly 0 for all images of the digit."""
    words = (*FAST, f"output={tmp_path}")
    experiment = Experiment(Header.of(classifying_digits), words)
    train = (*classifying_digits.WORDS, "network.hidden=[100]", "training.epochs=10")
    runs = experiment.train({"one": train}, times=2)["one"]
    test = experiment.data(*train).validation
    stuck = [(run, digits) for run in runs if (digits := classifying_digits.missed(run, test))]
    assert stuck, "four runs, of which most are stuck"
    for run, digits in stuck:
        a = run.directory.network().predict(test.x[np.isin(test.labels, digits)])[:, digits]
        assert np.median(a * (1 - a)) < 0.01


def test_a_network_that_never_answers_a_digit_misses_it(tmp_path):
    experiment = Experiment(Header.of(classifying_digits), (*FAST, f"output={tmp_path}"))
    words = (*classifying_digits.WORDS, "training.eta=100", "training.epochs=3")
    run = experiment.train({"one": words}, seeds=1)["one"][0]
    test = experiment.data(*words).validation
    assert len(classifying_digits.missed(run, test)) >= 8
    words = ("dataset.monitor=test", "training.epochs=5", "training.eta=0.5")
    run = experiment.train({"two": words}, seeds=1)["two"][0]
    assert classifying_digits.missed(run, test) == []


def test_a_tiny_learning_rate_crawls_and_a_huge_one_learns_nothing(tmp_path):
    words = (*FAST, f"output={tmp_path}", "training.epochs=6")
    rows = rows_of(lead(bad_learning_rates, words))
    assert rows["η = 100: last epoch (%)"] == pytest.approx(10, abs=5)
    assert abs(rows["η = 0.001: gain since the first epoch"]) < 10
    assert rows["η = 0.001: last epoch (%)"] < 35


def test_darkness_and_the_support_vector_machine_on_a_few_images(tmp_path):
    words = (*FAST, f"output={tmp_path}", "dataset.training_size=1000")
    rows = rows_of(lead(baselines, words))
    assert 15 < rows["average darkness (%)"] < 30
    assert 75 < rows["support vector machine, 1,000 training images (%)"] < 94


def test_darkness_of_the_full_digits_is_the_books_number(data_dir):
    from nndl_exp.datasets import load_dataset

    data = load_dataset("mnist", test=True)
    training, test = baselines.labelled(data.training), baselines.labelled(data.test)
    distance = np.abs(baselines.darkness(test.x)[:, None] - baselines.mean_darkness(training))
    assert baselines.right(distance.argmin(axis=1), test) == pytest.approx(22.25, abs=1e-9)


def test_four_bits_are_right_where_the_premise_holds_and_nearly_as_good_elsewhere(tmp_path):
    experiment = lead(bitwise, (*FAST, f"output={tmp_path}"))
    rows = rows_of(experiment)
    (wrong,) = [row for row in experiment.rows if row.book is not None]
    assert wrong.verdict == "agrees"
    largest = rows["test digits read by the largest output (%)"]
    assert largest > 85
    assert largest - 10 < rows["test digits read by the four bits (%)"] <= largest + 1


def test_the_bits_are_binary_digits_and_clear_in_the_worst_case():
    for digit, row in enumerate(bitwise.BITS):
        assert "".join(map(str, row)) == f"{digit:04b}"
    layer, worst = bitwise.bitwise_layer(), bitwise.premise(np.random.default_rng(0), worst=True)
    assert worst.diagonal().tolist() == [0.99] * 10
    assert np.abs(layer.predict(worst) - bitwise.BITS).max() < 0.01
    assert bitwise.read(layer, worst).tolist() == list(range(10))
    unclear = np.full((10, 10), 0.9) + 0.1 * np.eye(10)
    assert bitwise.read(layer, unclear).tolist() != list(range(10)), "no premise"


def test_the_premise_is_the_books():
    a = bitwise.premise(np.random.default_rng(3))
    right = np.eye(10) == 1
    assert (a[right] >= 0.99).all()
    assert (a[~right] < 0.01).all()


def test_bars_stand_side_by_side_for_each_label(tmp_path):
    experiment = Experiment(Header.of(bitwise), (*FAST, f"output={tmp_path}"))
    _, (axes,) = experiment.draw.figure()
    bars = {"one": [1.0, 2.0], "two": [3.0, 4.0]}
    experiment.draw.bars(axes, bars, labels="ab", x="letter", y="height")
    assert [bar.get_height() for bar in axes.patches] == [1, 2, 3, 4]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in axes.patches]
    assert middles == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "b"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["one", "two"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("letter", "height")
