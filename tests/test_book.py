"""The frame of the scripts in experiments/, and the book's own random numbers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from nndl_exp.book.comparison import Comparison, table
from nndl_exp.book.experiment import lead
from nndl_exp.book.header import Header
from nndl_exp.book.results import page, scripts, write_page
from nndl_exp.book.streams import Orders, Values
from nndl_exp.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = {header.name: module for module, header in scripts(ROOT / "experiments")}
FAST = ("dataset=mnist_5k", "seeds=2", "tracking=none", "executor=serial", "figure.formats=[png]")


def test_orders_go_on_from_epoch_to_epoch_and_a_slice_begins_anew():
    order, again = Orders(), Orders()
    first, second = order.order(1, 50).copy(), order.order(2, 50).copy()
    assert sorted(first) == sorted(second) == list(range(50))
    assert (first != second).any()
    assert (again.order(1, 50) == first).all()
    order.fresh(50)
    assert (order.order(3, 50) != again.order(2, 50)).any(), (
        "other random numbers, another beginning"
    )


def test_the_order_is_python_2s_shuffle():
    """Of the list 0 .. 9 with seed 1, as Python 2.7 gives it; Python 3 shuffles otherwise."""
    assert list(Orders(1).order(1, 10)) == [8, 0, 3, 4, 5, 2, 9, 6, 7, 1]


def test_biases_are_drawn_before_weights_and_large_weights_after_the_default_ones():
    rng = np.random.RandomState(7)
    biases = [rng.randn(3, 1)[:, 0], rng.randn(2, 1)[:, 0]]
    weights = [rng.randn(3, 4) / 2, rng.randn(2, 3) / np.sqrt(3)]
    default = Values(7).default((4, 3, 2), "cross_entropy")
    for ours, drawn in zip((*default.biases, *default.weights), (*biases, *weights), strict=True):
        assert (ours == drawn).all()
    more = rng.randn(3, 1)[:, 0]
    assert (Values(7).switched((4, 3, 2), "cross_entropy").biases[0] == more).all()
    values = Values(7)
    values.default((4, 3, 2), "cross_entropy")
    large = values.large((4, 3, 2), "cross_entropy")  # after the default ones, which were used
    assert (large.biases[0] == more).all()
    assert large.dtype == np.float64


def test_the_published_curves_begin_as_published(data_dir):
    from nndl_exp.book.replay import multiple_eta, overfitting

    test_cost, test_right, training_cost, training_right = overfitting(epochs=2)
    assert (round(test_cost[0], 4), test_right[0]) == (2.0763, 5887)
    assert (round(training_cost[0], 4), training_right[0]) == (1.8434, 690)
    assert round(multiple_eta(epochs=1)[0][2][0], 4) == 0.8781


def test_large_weights_are_drawn_after_the_default_ones_that_were_trained(data_dir, monkeypatch):
    """The published counts after the first epoch of both, without the 29 epochs between them."""
    from nndl_exp.book import replay

    def one_epoch(network, training, evaluation, order, **settings):
        found = replayed(network, training, evaluation, order, **settings | {"epochs": 1})
        for epoch in range(29):
            order.order(epoch + 2, len(training[0]))
        return found

    replayed = replay.curves
    monkeypatch.setattr(replay, "curves", one_epoch)
    found = replay.weight_initialization(30)
    assert found["default_weight_initialization"][1] == [9270]
    assert found["large_weight_initialization"][1] == [8643]


def test_the_published_cost_of_the_evaluated_set_divides_lambda_by_its_size(data_dir):
    from nndl_exp.book.replay import overfitting

    plain, regularized = (overfitting(lmbda=lmbda, epochs=1) for lmbda in (0.0, 0.1))
    difference = regularized[0][0] - plain[0][0]
    inside = regularized[2][0] - plain[2][0]
    assert 0 < difference < inside / 5, "10,000 test images, 1,000 to train with"


@pytest.mark.parametrize(
    ("book", "here", "within", "verdict"),
    [
        (95.0, (94.0, 95.0, 96.0), 0.0, "agrees"),
        (90.0, (94.0, 95.0, 96.0), 0.0, "differs"),
        (95.0, (95.2,), 0.0, "differs"),
        (95.0, (95.2,), 0.3, "agrees"),
        (None, (1.0, 2.0), 0.0, "no number"),
    ],
)
def test_a_number_agrees_where_one_more_run_could_have_given_it(book, here, within, verdict):
    row = Comparison("what", book, here, within)
    assert row.verdict == verdict
    assert verdict in table([row])[-1]


def test_the_interval_is_where_one_more_run_lies():
    rng, inside = np.random.default_rng(0), 0
    for _ in range(2000):
        *here, new = rng.normal(size=6)
        inside += Comparison("", float(new), tuple(here)).verdict == "agrees"
    assert 0.93 < inside / 2000 < 0.97


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_has_a_header_and_is_short(name):
    header = Header.of(SCRIPTS[name])
    text = Path(SCRIPTS[name].__file__).read_text()
    assert f"python -m experiments.{name}" in SCRIPTS[name].__doc__
    assert "Expected: " in SCRIPTS[name].__doc__
    assert 0 < header.minutes <= 10
    assert len(text.splitlines()) <= 80
    assert "import matplotlib" not in text, "figures come from the library"


def test_overfitting_shows_what_it_is_called_after(tmp_path):
    words = (*FAST, f"output={tmp_path}", "training.epochs=60", "dataset.training_size=300")
    experiment = lead(SCRIPTS["overfitting"], words)
    rows = {row.what: row for row in experiment.rows}
    learned = rows["training accuracy, last epoch (%)"]
    assert learned.verdict == "agrees"
    assert learned.mean > rows["test accuracy, best epoch (%)"].mean + 10
    assert rows["test accuracy, best epoch (%)"].book is None, "the book's number is of all digits"
    folder = tmp_path / "experiments" / "overfitting"
    assert (folder / "overfitting.png").stat().st_size > 10_000
    config = yaml.safe_load(next(folder.glob("runs/*/config.yaml")).read_text())
    assert config["dataset"]["monitor"] == "test"
    assert json.loads((folder / "result.json").read_text())["full"] is False
    text = page(tmp_path, experiment.header, tmp_path)
    assert "| test accuracy, best epoch (%) | - |" in text
    assert (tmp_path / "figures" / "overfitting.png").is_file()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/result.json")}
    lead(SCRIPTS["overfitting"], words)
    after = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/result.json")}
    assert before == after, "what was recorded is not trained again"


def test_a_large_learning_rate_wavers_and_a_small_one_is_slow(tmp_path):
    words = (*FAST, f"output={tmp_path}", "training.epochs=8", "seeds=1")
    rows = {row.what: row.mean for row in lead(SCRIPTS["learning_rates"], words).rows}
    cost = {eta: rows[f"training cost in the end, η = {eta}"] for eta in (0.025, 0.25, 2.5)}
    assert cost[0.25] < cost[0.025]
    assert cost[0.25] < cost[2.5]
    assert rows["epochs in which the cost rises, η = 2.5"] >= 1


def test_a_study_never_monitors_the_test_set():
    from nndl_exp.api import load_study

    for strategy in ("chapter3", "joint"):
        with pytest.raises(UserError, match="must be validation in a study: got test"):
            load_study([f"strategy={strategy}", "dataset.monitor=test"])


@pytest.mark.long
def test_the_list_names_every_script():
    done = subprocess.run([sys.executable, "-m", "experiments"], cwd=ROOT, text=True,
                          capture_output=True, check=True)  # fmt: skip
    for name in SCRIPTS:
        assert name in done.stdout
    wrong = subprocess.run([sys.executable, "-m", "experiments", "foo"], cwd=ROOT, text=True,
                           capture_output=True, check=False)  # fmt: skip
    assert wrong.returncode == 2
    assert wrong.stderr.startswith(
        "error: python -m experiments takes nothing, all or page: got foo"
    )
    assert len(wrong.stderr.splitlines()) == 1


def test_the_page_of_results_has_every_script_and_explains_what_differs():
    text = (ROOT / "experiments/RESULTS.md").read_text()
    minutes = 0.0
    for name, module in SCRIPTS.items():
        title = Header.of(module).title
        (part,) = re.findall(rf"^## {re.escape(title)}$\n(.*?)(?=^## |\Z)", text, re.M | re.S)
        assert f"python -m experiments.{name}`" in part
        minutes += float(re.search(r"· ([\d.]+) minutes, the full digits", part)[1])
        for picture in re.findall(r"\]\((figures/.*?)\)", part):
            assert (ROOT / "experiments" / picture).stat().st_size > 10_000
    assert 0 < minutes < 40
    verdicts = re.findall(r"\| (agrees|differs|no number)(: .+)? \|$", text, re.M)
    assert len(verdicts) > 100
    assert [kind for kind, why in verdicts if kind == "differs" and not why] == []


def test_the_page_of_results_needs_a_result_of_every_script(tmp_path):
    with pytest.raises(UserError, match=r"got none of .*activations, .*weight_initialization"):
        write_page(ROOT / "experiments", [f"output={tmp_path}"])


@pytest.mark.parametrize(
    ("script", "word", "message"),
    [
        ("overfitting", "seeds=0", "seeds must be a whole number of at least 1: got 0"),
        ("overfitting", "seed=first", "seed must be a whole number of at least 0: got 'first'"),
        (
            "more_data",
            "svm_images=-5",
            "svm_images must be a whole number of at least 100, or all: got -5",
        ),
        (
            "more_data",
            "svm_images=null",
            "svm_images must be a whole number of at least 100, or all: got None",
        ),
    ],
)
def test_a_wrong_setting_of_an_experiment_is_refused(script, word, message, tmp_path):
    with pytest.raises(UserError) as error:
        lead(SCRIPTS[script], (*FAST, word, f"output={tmp_path}"))
    assert str(error.value) == message
    assert not list(tmp_path.iterdir())
