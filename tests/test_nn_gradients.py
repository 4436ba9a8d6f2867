"""Backpropagation (BP1-BP4) against central differences and against the book's loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.costs import OUTPUTS_OF
from nndl_exp.nn.network import Network, Parts
from nndl_exp.nn.regularizers import REGULARIZERS, Regularization
from nndl_exp.training.sgd import Optimizer, update_mini_batch

PAIRS = [(cost, output) for cost, outputs in OUTPUTS_OF.items() for output in outputs]


def network_and_batch(
    parts: Parts, sizes: tuple[int, ...], seed: int = 0
) -> tuple[Network, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    network = Network.initialize(sizes, parts, rng=rng, dtype="float64")
    x = rng.random((5, sizes[0]))
    y = np.eye(sizes[-1])[rng.integers(0, sizes[-1], 5)]
    return network, x, y


def total_cost(network: Network, x: np.ndarray, y: np.ndarray) -> float:
    z, a = network.feedforward(x)
    return float(network.cost.value(z, a, y).sum())


def central_difference(network: Network, parameter: np.ndarray, x, y) -> np.ndarray:
    gradient, h = np.zeros_like(parameter), 1e-6
    for i in np.ndindex(parameter.shape):
        before = parameter[i]
        parameter[i] = before + h
        above = total_cost(network, x, y)
        parameter[i] = before - h
        below = total_cost(network, x, y)
        parameter[i] = before
        gradient[i] = (above - below) / (2 * h)
    return gradient


@pytest.mark.parametrize("hidden", [(), (4,), (5, 3)], ids=["no hidden layer", "one", "two"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("cost", "output"), PAIRS)
def test_gradients_are_the_central_differences(cost, output, activation, hidden):
    network, x, y = network_and_batch(Parts(activation, output, cost), (6, *hidden, 3))
    nabla_b, nabla_w = network.backprop(x, y)
    for parameter, nabla in zip(network.biases + network.weights, nabla_b + nabla_w, strict=True):
        np.testing.assert_allclose(
            nabla, central_difference(network, parameter, x, y), rtol=1e-6, atol=1e-7
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("regularizer", REGULARIZERS)
@pytest.mark.parametrize("hidden", [(), (4,), (5, 3)], ids=["no hidden layer", "one", "two"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("cost", "output"), PAIRS)
def test_a_step_goes_down_the_central_differences_of_the_whole_cost(
    cost, output, activation, hidden, regularizer, dtype
):
    """C = 1/m Σ C_x + λ/n R, differenced in float64; the step is taken in ``dtype``."""
    network, x, y = network_and_batch(Parts(activation, output, cost), (6, *hidden, 3))
    for array in network.weights + network.biases + [x]:
        array[...] = array.astype(dtype)
    stepped = Network(
        [w.astype(dtype) for w in network.weights],
        [b.astype(dtype) for b in network.biases],
        network.parts,
    )
    eta, lmbda, n = 0.5, 3.0, 20
    regularization = Regularization(regularizer, lmbda, n)
    update_mini_batch(
        stepped, x.astype(dtype), y.astype(dtype), eta=eta, regularization=regularization
    )
    h, tolerance = 1e-6, {"float32": 3e-6, "float64": 1e-8}[dtype]
    for before, after in zip(
        network.weights + network.biases, stepped.weights + stepped.biases, strict=True
    ):
        slope = central_difference(network, before, x, y) / len(x)
        for i in np.ndindex(before.shape):
            at = before[i]
            before[i] = at + h
            above = regularization.term(network.weights)
            before[i] = at - h
            slope[i] += (above - regularization.term(network.weights)) / (2 * h)
            before[i] = at
        np.testing.assert_allclose(after, before - eta * slope, atol=tolerance)


@given(st.permutations(range(5)), st.sampled_from(PAIRS), st.sampled_from(sorted(ACTIVATIONS)))
def test_the_order_in_a_mini_batch_does_not_matter_beyond_rounding(order, pair, activation):
    network, x, y = network_and_batch(Parts(activation, pair[1], pair[0]), (6, 4, 3))
    for given_, permuted in zip(
        network.backprop(x, y), network.backprop(x[order], y[order]), strict=True
    ):
        for a, b in zip(given_, permuted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("cost", "output"), PAIRS)
def test_a_batch_is_the_sum_of_its_examples(cost, output, activation):
    network, x, y = network_and_batch(Parts(activation, output, cost), (6, 4, 3))
    whole = network.backprop(x, y)
    one_by_one = [network.backprop(x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
    for kind in (0, 1):
        for layer in range(2):
            total = sum(gradient[kind][layer] for gradient in one_by_one)
            np.testing.assert_allclose(whole[kind][layer], total, rtol=1e-12, atol=1e-14)


def test_the_books_loop_gives_the_same_gradient():
    """Section 2.6 of the notes: one example at a time, column vectors, sigmoid and quadratic."""
    network, x, y = network_and_batch(Parts(cost="quadratic"), (6, 4, 3))

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    sums_w = [np.zeros_like(w) for w in network.weights]
    for example, target in zip(x, y, strict=True):
        activations, zs = [example[:, None]], []
        for b, w in zip(network.biases, network.weights, strict=True):
            zs.append(w @ activations[-1] + b[:, None])
            activations.append(sigmoid(zs[-1]))
        delta = (activations[-1] - target[:, None]) * sigmoid(zs[-1]) * (1 - sigmoid(zs[-1]))
        sums_w[1] += delta @ activations[1].T
        delta = network.weights[1].T @ delta * sigmoid(zs[0]) * (1 - sigmoid(zs[0]))
        sums_w[0] += delta @ activations[0].T
    for ours, theirs in zip(network.backprop(x, y)[1], sums_w, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.8, True)])
def test_sgd_steps_are_those_of_scikit_learn(momentum, nesterov):
    """An independent implementation: MLPClassifier, logistic hidden layer, softmax, L2."""
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(3)
    x, labels = rng.random((40, 6)), rng.permutation(np.arange(40) % 3)
    eta, alpha, m = 0.3, 0.7, 10
    theirs = MLPClassifier(
        (4,), activation="logistic", solver="sgd", alpha=alpha, batch_size=m, shuffle=False,
        learning_rate_init=eta, momentum=momentum, nesterovs_momentum=nesterov, max_iter=1,
        random_state=0,
    )  # fmt: skip
    theirs.partial_fit(x[:m], labels[:m], classes=[0, 1, 2])  # makes its arrays
    network = Network(
        [w.T.copy() for w in theirs.coefs_],
        [b.copy() for b in theirs.intercepts_],
        Parts("sigmoid", "softmax", "log_likelihood"),
    )
    y = np.eye(3)[labels]
    optimizer = Optimizer(momentum, nesterov)
    # Their velocities after the first step, in the order of ours.
    velocity = optimizer.velocity(network)
    for ours, v in zip(velocity, getattr(theirs._optimizer, "velocities", ()), strict=False):
        ours[...] = v.T
    for i in range(0, 40, m):
        theirs.partial_fit(x[i : i + m], labels[i : i + m])
        # scikit-learn's penalty is alpha/2 w² over the mini-batch: λ/n is alpha/m here
        update_mini_batch(
            network, x[i : i + m], y[i : i + m], eta=eta,
            regularization=Regularization("l2", alpha, m), optimizer=optimizer, velocity=velocity,
        )  # fmt: skip
    for ours, w in zip(network.weights, theirs.coefs_, strict=True):
        np.testing.assert_allclose(ours, w.T, rtol=0, atol=1e-10)
    for ours, b in zip(network.biases, theirs.intercepts_, strict=True):
        np.testing.assert_allclose(ours, b, rtol=0, atol=1e-10)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradients_with_dropout_are_the_central_differences(activation):
    """The masks are fixed: then the thinned network is a function like any other."""
    from nndl_exp.nn.dropout import draw_masks

    parts = Parts(activation, "softmax", "log_likelihood")
    network, x, y = network_and_batch(parts, (6, 5, 4, 3))
    masks = draw_masks(np.random.default_rng(2), (0.5, 0.25), (5, 4), len(x), "float64")

    def cost() -> float:
        a = x
        for layer, (w, b) in enumerate(zip(network.weights, network.biases, strict=True)):
            z = a @ w.T + b
            a = network.activations[layer].value(z)
            if layer < 2:
                a = a * masks[layer]
        return float(network.cost.value(z, a, y).sum())

    nabla_b, nabla_w = network.backprop(x, y, masks)
    for parameter, nabla in zip(network.biases + network.weights, nabla_b + nabla_w, strict=True):
        for i in np.ndindex(parameter.shape):
            before = parameter[i]
            parameter[i] = before + 1e-6
            above = cost()
            parameter[i] = before - 1e-6
            below = cost()
            parameter[i] = before
            assert nabla[i] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-7)


def test_the_gradient_of_the_input_is_the_central_difference():
    network, x, y = network_and_batch(Parts(), (6, 4, 3))
    gradient = network.input_gradient(x, y)
    assert gradient.shape == x.shape
    np.testing.assert_allclose(gradient, central_difference(network, x, x, y), rtol=1e-6, atol=1e-8)
