"""Every activation, cost, initializer and regularizer keeps its promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nndl_exp.errors import UserError
from nndl_exp.nn.activations import ACTIVATIONS, softmax
from nndl_exp.nn.costs import OUTPUTS_OF, pair
from nndl_exp.nn.initializers import INITIALIZERS
from nndl_exp.nn.regularizers import REGULARIZERS, Regularization

ROWS = hnp.arrays(np.float64, (3, 4), elements=st.floats(-30, 30))
PAIRS = [(cost, output) for cost, outputs in OUTPUTS_OF.items() for output in outputs]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_keeps_the_dtype_and_is_finite(name, dtype):
    z = np.array([[-1e4, -1.0, 0.0, 1.0, 1e4]], dtype=dtype)
    a = ACTIVATIONS[name].value(z.copy())
    assert a.dtype == dtype
    assert np.isfinite(a).all()
    assert ACTIVATIONS[name].backward(np.ones_like(a), a).dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("cost", "output"), PAIRS)
def test_a_cost_is_finite_where_its_output_saturates(cost, output, dtype):
    z = np.array([[-1e4, 1e4, 0.0], [1e4, -1e4, 3.0]], dtype=dtype)
    y = np.array([[1, 0, 0], [1, 0, 0]], dtype=dtype)
    value = pair(cost, output).value(z, ACTIVATIONS[output].value(z), y)
    assert value.shape == (2,)
    assert value.dtype == dtype
    assert np.isfinite(value).all()
    assert (value >= 0).all()


@pytest.mark.parametrize(("cost", "output"), PAIRS)
def test_the_error_vanishes_at_the_target(cost, output):
    y = np.eye(3)
    assert not pair(cost, output).delta(y, y).any()


@given(ROWS, hnp.arrays(np.float64, (3, 4), elements=st.floats(0.01, 0.99)))
def test_costs_are_never_negative_and_least_where_the_output_is_the_target(z, y):
    for cost, output in PAIRS:
        value, activation = pair(cost, output).value, ACTIVATIONS[output].value
        target = y / y.sum(axis=1, keepdims=True) if output == "softmax" else y
        at_target = {
            "sigmoid": np.log(target / (1 - target)),
            "tanh": np.arctanh(target),
            "softmax": np.log(target),
        }.get(output, target)
        least = value(at_target, activation(at_target), target)
        here = value(z, activation(z), target)
        assert (least >= 0).all()
        assert (here >= least - 1e-9).all(), (cost, output)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slope_is_the_derivative_and_has_its_largest_value(name):
    z, h = np.linspace(-3, 3, 61)[:, np.newaxis] + [0.013, 0.0, 0.5], 1e-6
    a, moved = ACTIVATIONS[name].value(z.copy()), z.copy()
    moved[:, 0] += h
    back = z.copy()
    back[:, 0] -= h
    derivative = (ACTIVATIONS[name].value(moved) - ACTIVATIONS[name].value(back))[:, 0] / (2 * h)
    slope = ACTIVATIONS[name].slope(a)
    np.testing.assert_allclose(slope[:, 0], derivative, atol=1e-8)
    assert slope.max() <= ACTIVATIONS[name].steepest


@pytest.mark.parametrize("n", [10, 999, 1000, 5000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_sigmoid_of_many_is_the_sigmoid_of_few(n, dtype):
    z = np.linspace(-800, 800, n).astype(dtype)
    expected = np.concatenate([ACTIVATIONS["sigmoid"].value(z[i : i + 1]) for i in range(n)])
    a = ACTIVATIONS["sigmoid"].value(z)
    np.testing.assert_allclose(a, expected, rtol=1e-6 if dtype == "float32" else 1e-14, atol=1e-37)


def test_a_pair_that_is_not_allowed_is_refused_with_those_that_are():
    with pytest.raises(UserError, match="log_likelihood does not go with sigmoid outputs; allowed"):
        pair("log_likelihood", "sigmoid")
    with pytest.raises(UserError, match=r"a cost must be one of quadratic, .*: got hinge"):
        pair("hinge", "sigmoid")
    with pytest.raises(UserError, match=r"an output activation must be one of .*: got step"):
        pair("quadratic", "step")


@given(ROWS, st.floats(-100, 100))
def test_softmax_sums_to_one_inverts_and_ignores_a_shift(z, c):
    a = softmax(z)
    np.testing.assert_allclose(a.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(softmax(z + c), a, rtol=1e-9, atol=1e-300)
    ln_a = np.log(a)  # z_j = ln a_j + ln Z: equal up to a shift of the row
    np.testing.assert_allclose(ln_a - ln_a[:, :1], z - z[:, :1], atol=1e-9)


@given(ROWS)
def test_cross_entropy_is_its_definition(z):
    a = ACTIVATIONS["sigmoid"].value(z)
    y = np.tile([1.0, 0.0, 0.5, 0.0], (3, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        direct = -(y * np.log(a) + (1 - y) * np.log1p(-a)).sum(axis=1)
    value = pair("cross_entropy", "sigmoid").value(z, a, y)
    inside = np.isfinite(direct)
    np.testing.assert_allclose(value[inside], direct[inside], rtol=1e-3)


@pytest.mark.parametrize("name", REGULARIZERS)
def test_the_gradient_of_a_penalty_is_its_differences(name):
    w, h = np.array([[0.3, -0.2], [1.5, -2.0]]), 1e-6
    penalty, expected = REGULARIZERS[name].penalty, np.zeros((2, 2))
    for i in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[i] = h
        expected[i] = (penalty(w + step) - penalty(w - step)) / (2 * h)
    np.testing.assert_allclose(REGULARIZERS[name].gradient(w), expected, atol=1e-8)
    regularization = Regularization(name, lmbda=3.0, n=20)
    np.testing.assert_allclose(regularization.step(w, 0.5), 0.5 * 3 / 20 * expected, atol=1e-8)
    assert regularization.term([w, 2 * w]) == pytest.approx(3 / 20 * (penalty(w) + penalty(2 * w)))


DEVIATIONS = {
    "default": 500**-0.5,
    "large": 1.0,
    "glorot": (2 / 900) ** 0.5,
    "he": (2 / 500) ** 0.5,
}


def test_every_initializer_is_tested():
    assert set(DEVIATIONS) == set(INITIALIZERS)


@pytest.mark.parametrize(("name", "deviation"), DEVIATIONS.items())
def test_initial_weights_have_their_deviation(name, deviation):
    rng = np.random.default_rng(0)
    w, b = INITIALIZERS[name].weights(rng, 400, 500), INITIALIZERS[name].biases(rng, 400)
    assert b.any() == (name in ("default", "large")), "only the book's biases are random"
    assert w.shape == (400, 500)
    assert abs(w.mean()) < 5 * deviation / np.sqrt(w.size)
    assert w.std() == pytest.approx(deviation, rel=0.01)


def test_the_spread_of_z_is_that_of_the_book():
    """Chapter 3: 500 inputs on of 1,000 give z a deviation of √501 = 22.4, or √1.5 = 1.22."""
    rng = np.random.default_rng(0)
    x = np.zeros(1000)
    x[:500] = 1
    for name, expected in (("large", np.sqrt(501)), ("default", np.sqrt(1.5))):
        z = INITIALIZERS[name].weights(rng, 20_000, 1000) @ x + rng.standard_normal(20_000)
        assert z.std() == pytest.approx(expected, rel=0.02)
