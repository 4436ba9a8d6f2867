"""The experiments of chapter 3's last section, run small, show what they are called after."""

from pathlib import Path

import numpy as np

from nndl_exp.book.experiment import lead
from nndl_exp.book.hyper_parameters import slope_of_lmbda
from nndl_exp.book.results import scripts
from nndl_exp.config import run_config
from nndl_exp.nn import Network
from nndl_exp.nn.network import Parts
from nndl_exp.nn.regularizers import Regularization
from nndl_exp.training import evaluate
from nndl_exp.yaml_file import read_yaml

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = {header.name: module for module, header in scripts(ROOT / "experiments")}
FAST = ("dataset=mnist_5k", "seeds=1", "tracking=none", "executor=serial", "figure.formats=[png]")


def run(name, tmp_path, *words):
    experiment = lead(SCRIPTS[name], (*FAST, f"output={tmp_path}", *words))
    assert (experiment.folder / f"{name}.png").stat().st_size > 10_000
    return experiment, {row.what: row for row in experiment.rows}


def test_mini_batch_sizes_are_compared_at_a_common_accuracy(tmp_path):
    experiment, rows = run("mini_batch_sizes", tmp_path, "training.epochs=3")
    ratios = [row.mean for row in rows.values()]
    assert min(ratios) == 1
    assert len(ratios) == 4
    configs = [run_config(read_yaml(path)) for path in experiment.folder.glob("runs/*/config.yaml")]
    ratios = {c.training.eta / c.training.mini_batch_size for c in configs}
    assert ratios == {0.005}, "η is scaled with m"


def test_halving_ends_at_a_small_part_of_the_first_learning_rate(tmp_path):
    _, rows = run("schedules", tmp_path, "training.epochs=40", "training.schedule.n=3")
    assert np.isclose(np.log2(rows["smallest η, as a part of the first"].mean) % 1, 0)
    assert rows["smallest η, as a part of the first"].mean < 1 / 8
    ends = [rows[f"no improvement in {n}: epochs"].mean for n in (5, 10, 20)]
    lost = [rows[f"no improvement in {n}: points lost"].mean for n in (5, 10, 20)]
    assert ends == sorted(ends), "more patience, more epochs"
    assert lost == sorted(lost, reverse=True), "and no more lost"


def test_the_rescue_starts_at_chance_and_ends_tuned(tmp_path):
    _, rows = run("rescue", tmp_path, "training.epochs=6")
    assert rows["validation accuracy at the start, last epoch (%)"].mean < 20
    assert rows["validation accuracy, tuned (%)"].mean > 88
    assert 0.05 < rows["lmbda"].mean < 50
    assert 0.1 <= rows["threshold of the learning rate"].mean <= 10


def test_descent_takes_lmbda_to_zero_and_eta_to_what_is_best_for_a_single_step(
    tmp_path, monkeypatch
):
    script = SCRIPTS["descent_on_hyper_parameters"]
    monkeypatch.setattr(script, "ETAS", np.logspace(-1, 1, 7))
    monkeypatch.setattr(script, "EPOCHS", 40)
    _, rows = run("descent_on_hyper_parameters", tmp_path)
    assert rows["least ∂C/∂λ of all epochs"].mean > 0
    assert rows["λ in the end, by descent"].mean == 0
    kept, descended = (
        {what: rows[f"{what}, λ {name}"].mean
         for what in ("training cost without λ", "validation accuracy (%)")}
        for name in ("kept", "descended")
    )  # fmt: skip
    assert descended["training cost without λ"] < 0.5 * kept["training cost without λ"]
    assert descended["validation accuracy (%)"] < kept["validation accuracy (%)"] - 1
    step, epochs = (rows[f"best η, {name} ahead"].mean for name in ("1 mini-batch", "10 epochs"))
    assert step < 0.5 * epochs
    assert rows["cost at 2 times the best η, as a multiple"].mean > 1.5


def test_the_slope_of_lmbda_is_that_of_the_cost():
    rng = np.random.default_rng(0)
    network = Network.initialize((4, 3, 2), Parts(), rng=rng, dtype="float64")
    examples, h, n = (rng.random((5, 4)), rng.random((5, 2))), 1e-3, 5
    up, down = (evaluate(network, examples, Regularization("l2", 1 + d, n))[0] for d in (h, -h))
    slope = slope_of_lmbda(network, n)
    assert np.isclose(slope, (up - down) / (2 * h), rtol=1e-9)
    assert slope > 0
