"""Small, imbalanced and noisy data: ranges fit, learning is seen, no interval is made up."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification, make_regression

from nndl_exp.api import load_config, load_study
from nndl_exp.display.report.verdict import sentence
from nndl_exp.display.words import accuracy_text
from nndl_exp.nn.costs import constant_cost, pair
from nndl_exp.run import data_of
from nndl_exp.study.stages.joint import centred
from nndl_exp.study.summary import summary
from nndl_exp.sweep import main
from nndl_exp.training.accuracy import MEASURES
from nndl_exp.yaml_file import read_yaml

QUICK = ("tracking=none", "executor=serial", "workers=1", "study.name=small")
FEW = ("dataset=digits_8x8", "dataset.training_size=50")


def sweep(output: Path, capsys, *words: str) -> tuple[int, str, str]:
    """The exit status of a sweep in this process, and what it prints."""
    with pytest.raises(SystemExit) as ended:
        main([*QUICK, *words, f"output={output}"])
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def write(path: Path, x: np.ndarray, y: np.ndarray) -> str:
    pd.DataFrame(x).add_prefix("x").assign(y=y).to_csv(path, index=False)
    return f"dataset.path={path}"


# Ranges that nobody typed


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), {"low": 5, "high": 40, "log": True}),
        (("strategy=joint",), {"low": 5, "high": 40, "log": True}),
        (("strategy=joint", "search_space=techniques"), {"low": 20, "high": 40, "log": True}),
        (("strategy=grid",), {"choices": [10]}),
    ],
)
def test_ranges_that_nobody_typed_end_at_the_size_of_the_training_set(tmp_path, words, expected):
    few = ("dataset=digits_8x8", "dataset.training_size=40")
    study = load_study([*QUICK, *few, *words, f"output={tmp_path}"])
    assert study.config.search_space["training"]["mini_batch_size"] == expected
    study.create()
    recorded = read_yaml(study.directory / "study.yaml")
    assert recorded["search_space"]["training"]["mini_batch_size"] == expected


def test_a_small_table_is_studied_with_the_defaults(tmp_path, capsys):
    path = write(tmp_path / "few.csv", *make_classification(60, random_state=0))
    words = ("dataset=table", path, "dataset.target=y", "strategy=joint", "study.n_trials=3",
             "training.epochs=2")  # fmt: skip
    status, out, err = sweep(tmp_path, capsys, *words)
    assert (status, err) == (0, "")
    n = int(re.search(r"([\d,]+) train ·", out).group(1))
    assert f"mini-batches of at most {n}: there are no more training rows" in out
    assert f"mini_batch_size 5..{n} log" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("search_space.training.mini_batch_size.high=60",),
         "search_space.training.mini_batch_size must not exceed the size of the training set (50)"),
        (("search_space.training.mini_batch_size={low: 5, high: 60}",),
         "search_space.training.mini_batch_size must not exceed the size of the training set (50)"),
        (("training.mini_batch_size=60",), "training.mini_batch_size must lie between 1 and"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("strategy", ["joint", "chapter3"])
def test_a_range_that_was_typed_is_refused(tmp_path, capsys, words, message, strategy):
    status, out, err = sweep(tmp_path, capsys, *FEW, f"strategy={strategy}", *words)
    assert (status, out) == (2, "")
    assert message in err
    assert not list(tmp_path.iterdir())


def test_the_default_mini_batch_is_at_most_the_training_set():
    seven = ["dataset=digits_8x8", "dataset.training_size=7"]
    assert load_config(seven).training.mini_batch_size == 7
    assert load_config([*seven, "training.mini_batch_size=10"]).training.mini_batch_size == 10
    assert load_config(["dataset=digits_8x8"]).training.mini_batch_size == 10


def test_the_joint_search_stays_inside_the_data_where_the_found_batch_is_large(tmp_path):
    """200 is outside of the declared 5..100, so the range reaches 4 times as far: to 800 of 250."""
    words = [*QUICK, "dataset=digits_8x8", "dataset.training_size=250", "study.n_trials=2",
             "training.mini_batch_size=200", "training.epochs=1", f"output={tmp_path}",
             "strategy.stages=[any_learning,joint]"]  # fmt: skip
    study = load_study(words)
    entries, _ = centred(study.config.search_space, study.config.run, 250)
    assert entries["training"]["mini_batch_size"]["high"] == 250


# Learning is judged by cost


def imbalanced(path: Path) -> str:
    x, y = make_classification(1200, 6, n_informative=4, weights=[0.95], class_sep=0.8,
                               flip_y=0.01, random_state=3)  # fmt: skip
    return write(path, x, np.array(["no", "yes"])[y])


def noisy(path: Path, draw: int) -> str:
    x, y = make_classification(3000, 100, n_informative=12, n_redundant=10, n_classes=3,
                               flip_y=0.1, random_state=11)  # fmt: skip
    rows = np.random.default_rng(draw).permutation(3000)[:500]
    return write(path, x[rows], np.array(list("abc"))[y[rows]])


LEARN = ("dataset=table", "dataset.target=y", "strategy.stages=[any_learning,epochs]",
         "strategy.options.epochs.epochs=10")  # fmt: skip


def test_imbalanced_classes_are_learned_and_stand_beside_the_baseline(tmp_path, capsys):
    path = imbalanced(tmp_path / "t.csv")
    status, out, _ = sweep(tmp_path, capsys, *LEARN, path)
    assert status == 0, out
    assert "nothing learns" not in out
    found = re.search(r"training cost ([\d.]+), of a constant prediction ([\d.]+)", out)
    assert float(found.group(1)) < 0.99 * float(found.group(2))
    plan = re.search(r"always naming the commonest class: ([\d.]+) % of the validation rows", out)
    assert 90 < float(plan.group(1)) < 98
    study = summary(tmp_path, "small")
    assert study.best is not None
    text, _ = sentence(study, data_of(study.best.config()), ())
    assert f"always naming the commonest class: {plan.group(1)} %" in text
    words = ("dataset=table", "dataset.target=y", path, "strategy=joint", "study.name=one",
             "study.n_trials=2", "training.epochs=2")  # fmt: skip
    status, out, _ = sweep(tmp_path, capsys, *words)
    assert status == 0, out
    assert f"always naming the commonest class: {plan.group(1)} %" in out.split("\nplan ")[0]
    text, _ = sentence(summary(tmp_path, "one"), data_of(study.best.config()), ())
    assert f"always naming the commonest class: {plan.group(1)} %" in text


@pytest.mark.parametrize("draw", range(3))
def test_a_noisy_table_with_few_validation_rows_is_not_called_unlearnable(tmp_path, capsys, draw):
    status, out, _ = sweep(tmp_path, capsys, *LEARN, noisy(tmp_path / "t.csv", draw))
    assert status == 0, out
    assert "nothing learns" not in out
    assert "where it started" in out


def test_a_start_that_can_t_learn_ends_the_study_and_says_why(tmp_path, capsys):
    rng = np.random.default_rng(0)
    path = write(tmp_path / "t.csv", rng.random((200, 3)), rng.choice(["a", "b"], 200))
    words = ("training.eta=1e-40", "strategy.options.any_learning.rounds=1")
    status, out, _ = sweep(tmp_path, capsys, *LEARN, path, *words)
    assert status == 1
    assert "no winner  nothing learns" in out.splitlines()[-1]


def test_the_book_s_start_that_does_not_learn_is_seen_and_rescued(tmp_path, capsys):
    words = ("training.eta=10", "training.lmbda=1000", "strategy.stages=[any_learning]",
             "network.hidden=[30]", "dataset.validation_size=200")  # fmt: skip
    status, out, _ = sweep(tmp_path, capsys, *words)
    assert status == 0, out
    assert "where it started" not in out
    assert re.search(r"after [12] rounds? by tens", out)


@pytest.mark.parametrize(("cost", "output"), [("cross_entropy", "sigmoid"),
                         ("log_likelihood", "softmax"), ("quadratic", "tanh")])  # fmt: skip
def test_no_constant_prediction_has_a_smaller_cost(cost, output):
    rng = np.random.default_rng(0)
    y = np.eye(3)[rng.choice(3, 200, p=[0.7, 0.25, 0.05])]
    least, value = constant_cost(cost, output, y), pair(cost, output).value
    inverse = {"sigmoid": lambda a: np.log(a / (1 - a)), "softmax": np.log, "tanh": np.arctanh}
    for _ in range(200):
        a = rng.dirichlet(np.ones(3) * 5, 1)
        z = np.broadcast_to(inverse[output](a), y.shape)
        assert value(z, np.broadcast_to(a, y.shape), y).mean() >= least - 1e-12
    mean = y.mean(axis=0)[None]
    z = np.broadcast_to(inverse[output](mean), y.shape)
    assert value(z, np.broadcast_to(mean, y.shape), y).mean() == pytest.approx(least)


def test_a_constant_prediction_of_a_class_that_does_not_occur_costs_nothing_for_it():
    y = np.eye(3)[[0, 0, 1, 1]]
    assert constant_cost("log_likelihood", "softmax", y) == pytest.approx(np.log(2))
    assert constant_cost("cross_entropy", "sigmoid", y) == pytest.approx(2 * np.log(2))
    assert constant_cost("quadratic", "linear", np.array([[1.0], [3.0]])) == 0.5


# No interval where none is valid


def verdict_of(tmp_path: Path, capsys, *words: str) -> tuple[str, str, str]:
    """The verdict on the page of a study that ended with the stage winner, what it rests on, and
    what the study printed."""
    small = ("strategy.stages=[joint,winner]", "study.n_trials=4", "strategy.epochs=100",
             "training.epochs=8", "network.hidden=[8]",
             "dataset=table", "dataset.target=y")  # fmt: skip
    status, out, _ = sweep(tmp_path, capsys, *small, *words)
    assert status == 0, out
    found = summary(tmp_path, "small")
    assert found.best is not None
    assert len(found.replicates()) > 1
    return *sentence(found, data_of(found.best.config()), ()), out


def test_r2_of_several_seeds_has_no_interval(tmp_path, capsys):
    path = write(tmp_path / "t.csv", *make_regression(300, 4, random_state=0))
    text, rests_on, _ = verdict_of(tmp_path, capsys, path)
    assert "reaches R²" in text
    assert "interval" not in text
    assert rests_on.startswith("No interval: ")
    assert "R² may come out above 1" in rests_on


def test_an_accuracy_that_all_rows_agree_on_has_no_interval(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = np.repeat(rng.choice([-3.0, 3.0], (175, 1)), 3, axis=1) + 0.1 * rng.random((175, 3))
    path = write(tmp_path / "t.csv", x, np.where(x[:, 0] > 0, "a", "b"))
    text, rests_on, out = verdict_of(tmp_path, capsys, path, "dataset.validation_size=35")
    assert "classifies 100.00 %" in text
    assert "interval" not in text
    assert "only 0 of the rows are read wrong" in rests_on
    assert "+0 to +0" not in out


def test_plus_minus_stays_inside_0_to_100_percent():
    measure = MEASURES["classes"]
    assert accuracy_text(measure, 1.0, 35) == "100.0"
    assert accuracy_text(measure, 0.0, 35) == "0.0"
    assert accuracy_text(measure, 0.9, 100) == "90.0 ±6.0"
