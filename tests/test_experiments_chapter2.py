"""The scripts about backpropagation, the single neuron, the cross-entropy and softmax."""

from dataclasses import replace

import numpy as np
import pytest

from experiments import (
    backpropagation,
    cross_entropy_derived,
    modified_neurons,
    numerical_gradients,
    saturating_neuron,
    softmax,
    weight_gradients,
    whole_mini_batches,
)
from nndl_exp.book.comparison import Comparison
from nndl_exp.book.experiment import lead
from nndl_exp.book.loop import backprop_by_example
from nndl_exp.book.neuron import learn
from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.costs import OUTPUTS_OF
from nndl_exp.nn.differences import central_differences, forward_differences


@pytest.fixture
def rows(tmp_path):
    """Run a script: its rows by what they say, after a look at its figures."""

    def run(module, *figures: str) -> dict[str, Comparison]:
        words = ("tracking=none", "executor=serial", "figure.formats=[png]", "dataset=mnist_5k")
        experiment = lead(module, (*words, f"output={tmp_path}"))
        names = [path.stem for path in experiment.draw.saved]
        assert names == list(figures or (experiment.header.name,))
        assert all(path.stat().st_size > 10_000 for path in experiment.draw.saved)
        assert len({row.what for row in experiment.rows}) == len(experiment.rows)
        return {row.what: row for row in experiment.rows}

    return run


def differing(rows: dict[str, Comparison]) -> list[str]:
    return [what for what, row in rows.items() if row.verdict == "differs"]


def test_differences_are_the_derivatives_and_leave_the_array_as_it_was():
    x = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]])
    before = x.copy()
    np.testing.assert_allclose(central_differences(lambda: (x**3).sum(), x), 3 * x**2, atol=1e-9)
    found = central_differences(lambda: x[0] * x[1], x)
    assert found.shape == (2, 3, 3)
    np.testing.assert_allclose(found[0], np.diag(x[1]), atol=1e-10)
    found = forward_differences(lambda: (x**2).sum(), x, (x**2).sum())
    np.testing.assert_allclose(found, 2 * x, atol=1e-5)
    assert (x == before).all()


def test_every_combination_is_checked_and_right(rows):
    found = rows(backpropagation)
    for cost, outputs in OUTPUTS_OF.items():
        for output in outputs:
            for activation in ACTIVATIONS:
                row = found[f"largest relative error, {activation}, {output} output, {cost}"]
                assert 0 < row.mean < 1e-7
    assert len(found) == 35
    assert not differing(found)


def test_a_wrong_slope_of_one_activation_is_seen_where_it_is_used(rows, monkeypatch):
    wrong = replace(ACTIVATIONS["tanh"], slope=ACTIVATIONS["sigmoid"].slope)
    monkeypatch.setitem(ACTIVATIONS, "tanh", wrong)
    found = rows(backpropagation)
    assert differing(found) == [what for what in found if "tanh" in what]


def test_the_error_of_central_differences_falls_as_the_square_of_the_step():
    parts = backpropagation.Parts()
    for far, near, tiny in zip(
        *(backpropagation.relative_errors(parts, h) for h in (1e-2, 1e-3, 1e-9)), strict=True
    ):
        assert far / near == pytest.approx(100, rel=0.05)
        assert tiny > near, "rounding"


def test_matrices_and_loop_have_the_same_gradient(rows):
    found = rows(whole_mini_batches)
    what = "largest difference of the gradients, as a fraction of the largest derivative"
    assert 0 <= found[what].mean < 1e-13
    assert not differing(found)
    assert all(row.mean > 0 for what, row in found.items() if what.startswith("times as fast"))


def test_a_loop_that_forgets_an_example_is_seen(rows, monkeypatch):
    def short(network, x, y):
        return backprop_by_example(network, x[1:], y[1:])

    monkeypatch.setattr(whole_mini_batches, "backprop_by_example", short)
    monkeypatch.setattr(whole_mini_batches, "BATCHES", (10, 200))
    assert len(differing(rows(whole_mini_batches))) == 1


def test_a_numerical_gradient_takes_a_forward_pass_for_each_parameter_and_one(rows, monkeypatch):
    monkeypatch.setattr(numerical_gradients, "HIDDEN", (1, 3, 10))
    found = rows(numerical_gradients)
    assert not differing(found)
    assert found["forward passes, 760 weights and biases"].here == (
        64 * 10 + 10 + 10 * 10 + 10 + 1,
    )
    assert found["largest difference of the two gradients"].mean < 1e-5


def test_the_order_of_a_kronecker_product_is_that_of_vec(rows):
    found = rows(weight_gradients)
    assert not differing(found)
    wrong = found["largest difference, vec by rows and a ⊗ δ (the wrong order)"]
    assert wrong.mean > 0.01
    right = [row.mean for what, row in found.items() if what.startswith("largest") and row != wrong]
    assert len(right) == 6
    assert max(right) < 1e-9


def test_the_neuron_learns_as_the_table_says(rows):
    found = rows(saturating_neuron, "saturating_neuron", "saturating_neuron_facets",
                 "saturating_neuron_animation")  # fmt: skip
    assert len(found) == 12
    assert {row.verdict for row in found.values()} == {"agrees"}


def test_the_neuron_s_state_after_the_last_update_is_kept():
    path = learn("quadratic", (2.0, 2.0), 0.15, 300)
    assert {len(values) for values in path.values()} == {301}
    before, after = (path["weight"][i] for i in (-2, -1))
    a = path["output"][-2]
    assert before - after == pytest.approx(0.15 * a * a * (1 - a), rel=1e-9)
    assert path["cost"][-1] == pytest.approx(path["output"][-1] ** 2 / 2)


def test_the_quadratic_cost_learns_slowly_where_it_is_saturated_and_the_cross_entropy_does_not():
    slow, fast = (
        learn(cost, (2.0, 2.0), 0.15, 100)["output"] for cost in ("quadratic", "cross_entropy")
    )
    assert slow[100] > 0.95
    assert fast[100] < 0.1


def test_the_wanted_slope_integrates_to_the_cross_entropy(rows, monkeypatch):
    found = rows(cross_entropy_derived)
    assert not differing(found)
    for y in ("0", "0.3", "1"):
        assert found[f"largest difference of integral and formula, y = {y}"].mean < 1e-12
    monkeypatch.setattr(cross_entropy_derived, "wanted", lambda a, y: a - y)
    assert len(differing(rows(cross_entropy_derived))) == 3, "the notes' dC/da, a - y"


def test_softmax_has_the_properties_of_the_book(rows):
    found = rows(softmax)
    assert {row.verdict for row in found.values()} == {"agrees"}
    assert found["least rank of 100 Jacobians, K = 10"].mean == 9
    assert found["largest rank of 100 Jacobians, K = 10"].mean == 9


def test_a_softmax_jacobian_of_its_diagonal_alone_is_seen(rows, monkeypatch):
    wrong = replace(ACTIVATIONS["softmax"], normalized=False)
    monkeypatch.setitem(ACTIVATIONS, "softmax", wrong)
    assert differing(rows(softmax)) == [
        "largest difference of the Jacobian, diag(a) - a aᵀ and differences",
        "least rank of 100 Jacobians, K = 10",
        "largest rank of 100 Jacobians, K = 10",
    ]


def test_a_modified_neuron_changes_its_own_slope_only(rows):
    found = rows(modified_neurons)
    assert len(found) == 6
    assert {row.verdict for row in found.values()} == {"agrees"}


def test_a_modified_neuron_without_its_own_slope_is_seen(rows, monkeypatch):
    made = modified_neurons.modified()
    wrong = replace(made, slope=ACTIVATIONS["sigmoid"].slope)
    monkeypatch.setattr(modified_neurons, "modified", lambda: wrong)
    assert differing(rows(modified_neurons)) == [
        f"largest difference of δ, {name} hidden layer" for name in ("first", "second")
    ]
