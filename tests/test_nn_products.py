"""The products of nn/products.py against NumPy's, with small kernels and without, whole or not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nndl_exp.nn import blas, products


@pytest.fixture(params=[True, False], ids=["small kernels", "no small kernels"])
def kernels(request, monkeypatch):
    """Both ways are right on every processor; which one is taken is a matter of speed."""
    monkeypatch.setattr(products, "has_small_kernels", lambda: request.param)
    monkeypatch.setattr(products, "one_thread", lambda: True)
    return request.param


SHAPES = [(1, 1, 1), (10, 30, 784), (100, 100, 784), (97, 101, 784), (3, 800, 784), (1000, 16, 90),
          (50, 10, 2000), (7, 13, 120_000), (0, 5, 4)]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("m, n_out, n_in", SHAPES)
def test_products_are_those_of_numpy_to_rounding(kernels, m, n_out, n_in, dtype):
    rng = np.random.default_rng(0)
    a, w, delta = (
        rng.normal(size=shape).astype(dtype) for shape in ((m, n_in), (n_out, n_in), (m, n_out))
    )
    tolerance = {"float32": 1e-4, "float64": 1e-12}[dtype] * np.sqrt(n_in + m)
    z = products.times_transpose(a, w)
    assert z.dtype == a.dtype
    np.testing.assert_allclose(z, a.astype("float64") @ w.T.astype("float64"), atol=tolerance)
    expected = 0.5 * w.astype("float64") - 0.1 * delta.T.astype("float64") @ a
    products.subtract_product(w, 0.1, delta, a, keep=0.5)
    np.testing.assert_allclose(w, expected, atol=tolerance)


def test_arrays_that_do_not_lie_in_rows_are_multiplied_too(kernels):
    rng = np.random.default_rng(1)
    a, w, delta = (
        rng.normal(size=(784, 40)).T,
        rng.normal(size=(784, 60)).T,
        rng.normal(size=(40, 60)),
    )
    np.testing.assert_allclose(products.times_transpose(a, w), a @ w.T, atol=1e-9)
    expected = w - delta.T @ a
    products.subtract_product(w, 1.0, delta, a)
    np.testing.assert_allclose(w, expected, atol=1e-9)


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
