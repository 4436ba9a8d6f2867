"""The faster form of the update against the one that is read, with small kernels and without."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nndl_exp.errors import UserError
from nndl_exp.fast import blas, products
from nndl_exp.fast.fused import FusedStep, can_fuse
from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.dropout import draw_masks
from nndl_exp.nn.network import Network, Parts
from nndl_exp.nn.regularizers import Regularization
from nndl_exp.training import Settings, Streams, loop, train
from nndl_exp.training.sgd import Optimizer, update_mini_batch

RNG = np.random.default_rng(0)
X = RNG.random((90, 8))
Y = np.eye(3)[(X[:, 0] * 3).astype(int)]


def make(parts=None, sizes=(8, 5, 3), dtype="float64") -> Network:
    rng = Streams(1).initial_values()
    return Network.initialize(sizes, parts or Parts(), rng=rng, dtype=dtype)


@pytest.fixture(params=[True, False], ids=["small kernels", "no small kernels"])
def kernels(request, monkeypatch):
    """Both ways are right on every processor; which one is taken is a matter of speed."""
    monkeypatch.setattr(products, "has_small_kernels", lambda: request.param)
    monkeypatch.setattr(products, "one_thread", lambda: True)
    return request.param


PARTS = [
    Parts("sigmoid", "sigmoid", "cross_entropy"),
    Parts("tanh", "softmax", "log_likelihood"),
    Parts("relu", "linear", "quadratic"),
    Parts("linear", "linear", "quadratic"),
    Parts("sigmoid", "sigmoid", "quadratic"),
]


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize(("regularizer", "lmbda"), [("none", 0.0), ("l2", 2.0), ("l1", 2.0)])
@pytest.mark.parametrize("sizes", [(8, 3), (8, 5, 3), (8, 6, 5, 3)])
@pytest.mark.parametrize("parts", PARTS, ids=lambda parts: f"{parts.activation}-{parts.cost}")
@pytest.mark.parametrize("m", [1, 10, 60])
@pytest.mark.parametrize("drops", [False, True])
def test_the_fused_step_is_the_plain_one(
    kernels, drops, m, parts, sizes, regularizer, lmbda, momentum
):
    network, oracle = make(parts, sizes), make(parts, sizes)
    optimizer, eta = Optimizer(momentum), 0.01
    ours, theirs = optimizer.velocity(network), optimizer.velocity(oracle)
    assert can_fuse(network)
    step = FusedStep(network, m, eta, eta * lmbda / 90, momentum, ours, l1=regularizer == "l1")
    for start in range(0, 90 - m + 1, m):
        x, y = X[start : start + m], Y[start : start + m]
        rates = [0.3] * (len(sizes) - 2)
        masks = (
            draw_masks(np.random.default_rng(start), rates, sizes[1:-1], m, "float64")
            if drops
            else None
        )
        step(x, y, masks)
        update_mini_batch(oracle, x, y, masks, eta=eta, optimizer=optimizer, velocity=theirs,
                          regularization=Regularization(regularizer, lmbda, 90))  # fmt: skip
    for a, b in zip((*network.weights, *network.biases, *ours),
                    (*oracle.weights, *oracle.biases, *theirs), strict=True):  # fmt: skip
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("m", "hidden"), [(100, 30), (10, 800), (120, 100), (97, 101)])
def test_products_in_tiles_and_blocks_are_the_plain_ones(kernels, m, hidden, dtype):
    """Sizes at which tiles and several blocks are taken, or a prime number forbids them."""
    rng = np.random.default_rng(0)
    x = rng.random((m, 784)).astype(dtype)
    y = np.eye(10)[rng.integers(0, 10, m)].astype(dtype)
    network, oracle = (make(sizes=(784, hidden, 10), dtype=dtype) for _ in range(2))
    FusedStep(network, m, 0.5, 0.01)(x, y)
    update_mini_batch(oracle, x, y, eta=0.5, regularization=Regularization("l2", 0.02, 1))
    for a, b in zip(network.weights + network.biases, oracle.weights + oracle.biases, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 if dtype == "float32" else 1e-12)


def test_what_cannot_be_fused_is_not():
    assert not can_fuse(make(Parts("softmax")))
    strided = make()
    strided.biases[0] = np.zeros(10)[::2]
    assert not can_fuse(strided)
    read_only = make()
    read_only.biases[1].flags.writeable = False
    assert not can_fuse(read_only)
    in_columns = make()
    in_columns.weights[0] = np.asfortranarray(in_columns.weights[0])
    assert not can_fuse(in_columns)


PLAIN = Settings(eta=0.5, mini_batch_size=10, epochs=1, lmbda=2.0)


@pytest.mark.parametrize(
    ("settings", "fuses"),
    [(PLAIN, True), (replace(PLAIN, momentum=0.9), True), (replace(PLAIN, lmbda=0.0), True),
     (replace(PLAIN, regularizer="none"), True), (replace(PLAIN, regularizer="l1"), True),
     (replace(PLAIN, regularizer="l1", lmbda=0.0), True),
     (replace(PLAIN, momentum=0.9, nesterov=True), False), (replace(PLAIN, max_norm=1.0), False),
     (replace(PLAIN, dropout=(0.5,)), True), (replace(PLAIN, input_dropout=0.1), True)],
)  # fmt: skip
def test_the_fused_step_runs_where_it_computes_the_same(monkeypatch, settings, fuses):
    made = []
    monkeypatch.setattr(loop, "FusedStep", lambda *a, **k: made.append(a) or FusedStep(*a, **k))
    network, plain = make(), make()
    list(train(network, (X, Y), (X, Y), settings, streams=Streams(0)))
    assert bool(made) == fuses
    monkeypatch.setattr(loop, "can_fuse", lambda *arguments: False)
    list(train(plain, (X, Y), (X, Y), settings, streams=Streams(0)))
    for a, b in zip(network.weights + network.biases, plain.weights + plain.biases, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_strided_biases_are_trained_as_others():
    network, usual = make(), make()
    network.biases[0] = np.repeat(network.biases[0], 2)[::2]
    for one in (network, usual):
        list(train(one, (X, Y), (X, Y), PLAIN, streams=Streams(0)))
    np.testing.assert_allclose(network.biases[0], usual.biases[0], atol=1e-12)
    assert (network.biases[0] != make().biases[0]).all()


def test_velocities_of_any_layout_are_changed_in_place(kernels):
    settings, found = replace(PLAIN, momentum=0.9), []
    for lay_out in (
        np.copy,
        lambda v: np.asfortranarray(v) if v.ndim == 2 else np.repeat(v, 2)[::2],
    ):
        network = make()
        velocity = [lay_out(v) for v in settings.optimizer.velocity(network)]
        list(train(network, (X, Y), (X, Y), settings, streams=Streams(0), velocity=velocity))
        found.append([*network.weights, *network.biases, *velocity])
    for a, b in zip(*found, strict=True):
        assert a.any()
        np.testing.assert_allclose(a, b, atol=1e-12)
    velocity[0].flags.writeable = False
    with pytest.raises(UserError, match="in place: got read-only ones"):
        next(train(make(), (X, Y), (X, Y), settings, streams=Streams(0), velocity=velocity))


@pytest.mark.parametrize("which", ["weights", "biases"])
def test_read_only_parameters_are_refused_and_stay(which):
    network = make()
    getattr(network, which)[0].flags.writeable = False
    before = getattr(network, which)[0].copy()
    with pytest.raises(UserError, match=r"in place: got read-only ones; train a copy\(\)"):
        next(train(network, (X, Y), (X, Y), PLAIN, streams=Streams(0)))
    np.testing.assert_array_equal(getattr(network, which)[0], before)


SHAPES = [(1, 1, 1), (10, 30, 784), (100, 100, 784), (97, 101, 784), (3, 800, 784), (1000, 16, 90),
          (50, 10, 2000), (7, 13, 120_000)]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m, n_out, n_in", SHAPES)
def test_products_are_those_of_numpy_to_rounding(kernels, m, n_out, n_in, dtype):
    rng = np.random.default_rng(0)
    a, w = (rng.normal(size=shape).astype(dtype) for shape in ((m, n_in), (n_out, n_in)))
    tolerance = {"float32": 1e-4, "float64": 1e-12}[dtype] * np.sqrt(n_in + m)
    z = np.empty((m, n_out), dtype)
    products.multiplier(w, z)(a)
    np.testing.assert_allclose(z, a.astype("float64") @ w.T.astype("float64"), atol=tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_the_same_in_place(name):
    z = np.random.default_rng(0).normal(size=(40, 50))
    activation, slopes = ACTIVATIONS[name], np.empty((40, 50))
    a, out = activation.value(z.copy()), z.copy()
    assert activation.value(out, out=out) is out
    np.testing.assert_array_equal(out, a)
    assert activation.slope(a, out=slopes) is slopes
    np.testing.assert_array_equal(slopes, activation.slope(a))


@settings(max_examples=300)
@given(st.integers(1, 1200), st.integers(1, 1000), st.integers(1, 5000))
def test_tiles_divide_the_result_and_fit_a_small_kernel(m, n_out, n_in):
    rows, columns = products._tile(m, n_out, n_in)
    assert m % rows == 0 and n_out % columns == 0
    whole = (rows, columns) == (m, n_out)
    assert whole or (
        rows * columns <= products.RESULTS and rows * columns * n_in <= products.MULTIPLY_ADDS
    )


@given(st.integers(0, 1000), st.integers(1, 2 * 10**6))
def test_blocks_cover_all_rows_once(n, work):
    covered = [i for block in products.blocks(n, work) for i in range(n)[block]]
    assert covered == list(range(n))


def test_several_threads_share_whole_products(monkeypatch):
    monkeypatch.setattr(products, "has_small_kernels", lambda: True)
    with blas.blas_threads(2):
        assert not blas.one_thread()
        assert products.tile(100, 100, 784) == (100, 100)
        with blas.blas_threads(1):
            assert products.tile(100, 100, 784) == (20, 20)
        assert products.tile(100, 100, 784) == (100, 100)
