"""What docs/notes-errata.md corrects in the reading notes, by numbers."""

import re
from pathlib import Path

import numpy as np
import pytest

from nndl_exp.book.loop import backprop_by_example
from nndl_exp.book.neuron import learn
from nndl_exp.book.streams import Orders
from nndl_exp.nn.activations import ACTIVATIONS, sigmoid, softmax
from nndl_exp.nn.costs import cross_entropy
from nndl_exp.nn.differences import central_differences
from nndl_exp.nn.initializers import INITIALIZERS
from nndl_exp.nn.network import Network, Parts
from nndl_exp.nn.regularizers import Regularization
from nndl_exp.training.sgd import update_mini_batch
from nndl_exp.training.streams import Streams

PAGE = Path(__file__).resolve().parents[1] / "docs" / "notes-errata.md"


@pytest.fixture
def case():
    """A network of quadratic cost with one example."""
    rng = np.random.default_rng(0)
    parts = Parts(cost="quadratic")
    network = Network.initialize((4, 5, 3, 2), parts, rng=rng, dtype="float64")
    return network, rng.random((1, 4)), np.array([[1.0, 0.0]])


def cost_of(network, x, y):
    return lambda: network.cost.value(*network.feedforward(x), y).sum()


@pytest.mark.skipif(not PAGE.is_file(), reason="a source distribution has no docs")
def test_the_page_names_the_tests_and_none_is_missing():
    named = set(re.findall(r"`(test_\d\w+)`", PAGE.read_text()))
    assert named == {name for name in globals() if re.match(r"test_\d", name)}


@pytest.mark.parametrize("order", [Streams(0).order, Orders(0).order], ids=["ours", "the book's"])
def test_1_4_each_epoch_has_its_own_mini_batches(order):
    first, second = (
        {frozenset(batch) for batch in order(epoch, 20).reshape(4, 5).tolist()} for epoch in (1, 2)
    )
    assert first != second
    assert set().union(*first) == set().union(*second) == set(range(20))


def test_2_3_the_error_is_a_product_of_matrices(case):
    network, x, y = case
    inputs, deltas = network.errors(x, y)
    outputs = [*(a[0] for a in inputs[1:]), network.feedforward(x)[1][0]]
    slopes = [a * (1 - a) for a in outputs]
    _, w2, w3 = network.weights
    nabla_a = outputs[-1] - y[0]
    chain = np.diag(slopes[0]) @ w2.T @ np.diag(slopes[1]) @ w3.T @ np.diag(slopes[2])
    np.testing.assert_allclose(chain @ nabla_a, deltas[0][0], rtol=1e-12)
    numerical = central_differences(cost_of(*case), network.biases[0])
    np.testing.assert_allclose(chain @ nabla_a, numerical, rtol=1e-7)
    with pytest.raises(ValueError, match="could not be broadcast"):
        w2.T * slopes[0]


def jacobian_of_z(w, a):
    """∂z/∂vec(w) with the columns of w one after the other."""
    return central_differences(lambda: w @ a, w).transpose(2, 1, 0).reshape(len(w), -1)


def test_2_5_the_jacobian_lies_flat(case):
    network, x, _ = case
    w, a = network.weights[0], x[0]
    found = jacobian_of_z(w, a)
    side_by_side = np.hstack([np.diag(np.full(5, a_k)) for a_k in a])
    assert found.shape == (5, 5 * 4)
    np.testing.assert_allclose(found, side_by_side, atol=1e-9)
    np.testing.assert_allclose(found, np.kron(a[None], np.eye(5)), atol=1e-9)
    stacked = np.vstack([np.diag(np.full(5, a_k)) for a_k in a])
    assert stacked.shape != found.shape


def test_2_5_the_order_of_the_kronecker_product_is_that_of_vec(case):
    network, x, y = case
    a, delta = x[0], network.errors(x, y)[1][0][0]
    gradient = central_differences(cost_of(*case), network.weights[0])
    np.testing.assert_allclose(gradient.ravel(order="F"), np.kron(a, delta), atol=1e-9)
    np.testing.assert_allclose(gradient.ravel(), np.kron(delta, a), atol=1e-9)
    assert np.abs(gradient.ravel() - np.kron(a, delta)).max() > 1e-4


def test_2_5_the_matrix_of_derivatives_is_an_outer_product(case):
    network, x, y = case
    inputs, deltas = network.errors(x, y)
    for w, a, delta in zip(network.weights, inputs, deltas, strict=True):
        gradient = central_differences(cost_of(*case), w)
        np.testing.assert_allclose(gradient, np.outer(delta[0], a[0]), atol=1e-9)


def test_2_6_functions_of_a_module_have_no_self(case):
    listed: dict = {"np": np}
    exec("def sigmoid(self, z):\n    return 1 / (1 + np.exp(-z))", listed)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        listed["sigmoid"](0.0)
    network, x, y = case
    for ours, corrected in zip(network.backprop(x, y), backprop_by_example(*case), strict=True):
        for a, b in zip(ours, corrected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_3_1_the_last_state_is_recorded():
    w, b, outputs = 0.6, 0.9, []
    for _ in range(300):
        a = 1 / (1 + np.exp(-(w + b)))
        outputs.append(a)
        w, b = w - 0.15 * a**2 * (1 - a), b - 0.15 * a**2 * (1 - a)
    path = learn("quadratic", (0.6, 0.9), 0.15, 300)
    assert len(path["output"]) == len(outputs) + 1
    np.testing.assert_allclose(path["output"][:-1], outputs, rtol=1e-12)
    assert path["weight"][-1] == pytest.approx(w, rel=1e-12)
    assert path["output"][-1] < outputs[-1]


def test_3_1_a_class_cannot_use_its_own_name_in_its_body():
    with pytest.raises(NameError, match="single_neuron"):
        exec("class single_neuron(object):\n    sn1 = single_neuron()", {})


def test_3_4_a_minus_y_is_the_slope_by_z():
    z, y = np.array([-1.5, 0.2, 2.0]), 0.3
    a = sigmoid(z)

    def cost():
        return -(y * np.log(a) + (1 - y) * np.log(1 - a)).sum()

    by_z = central_differences(lambda: cross_entropy(z[:, None], a, np.full((3, 1), y)).sum(), z)
    by_a = central_differences(cost, a)
    np.testing.assert_allclose(by_z, a - y, atol=1e-8)
    np.testing.assert_allclose(by_a, (a - y) / (a * (1 - a)), rtol=1e-7)
    assert np.abs(by_a - (a - y)).max() > 0.1
    a[:] = y
    np.testing.assert_allclose(central_differences(cost, a), 0, atol=1e-8)


def test_3_8_the_softmax_jacobian_is_right():
    z = np.array([0.5, -1.0, 2.0, 0.0])
    a = softmax(z)
    jacobian = np.diag(a) - np.outer(a, a)
    np.testing.assert_allclose(central_differences(lambda: softmax(z), z).T, jacobian, atol=1e-10)
    ours = ACTIVATIONS["softmax"].backward(np.eye(4), a[None])
    np.testing.assert_allclose(ours, jacobian, atol=1e-15)
    assert (jacobian == jacobian.T).all()
    assert np.linalg.matrix_rank(jacobian) == 3


def test_3_9_the_weight_decays(case):
    network, x, y = case
    eta, lmbda, n = 0.5, 3.0, 20
    w = network.weights[1]
    before, plain = w.copy(), cost_of(*case)
    slope_of_c0 = central_differences(plain, w)
    slope = central_differences(lambda: plain() + lmbda / (2 * n) * (w**2).sum(), w)
    np.testing.assert_allclose(slope, slope_of_c0 + lmbda / n * w, atol=1e-8)
    update_mini_batch(network, x, y, eta=eta, regularization=Regularization("l2", lmbda, n))
    np.testing.assert_allclose(w, before - eta * slope, atol=1e-8)
    np.testing.assert_allclose(w, (1 - eta * lmbda / n) * before - eta * slope_of_c0, atol=1e-8)
    assert np.abs(w - (before - eta * (slope_of_c0 - lmbda / n * before))).max() > 0.1


def test_3_10_the_deviation_is_one_by_the_root_of_n_in():
    w = INITIALIZERS["default"].weights(np.random.default_rng(0), 200, 400)
    assert w.std() == pytest.approx(400**-0.5, rel=0.02)
    assert w.var() == pytest.approx(1 / 400, rel=0.04)
