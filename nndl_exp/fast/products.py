"""The two matrix products that training spends its time in, in the sizes that BLAS is fast at.

OpenBLAS has kernels of their own for small products on processors with AVX-512. They skip the
copying that a large product starts with, and they are left behind at about a million multiply-adds
(1,200 results, where the second factor is transposed). A product that is a little larger is
therefore computed in tiles that are small enough, all by one call. Measured for 784 inputs, one
thread, float32, µs for the whole product and in tiles:

    examples x neurons     100 x 30    100 x 100    100 x 800    10 x 800
    a wᵀ                    78 / 53    204 / 156   1455 / 1198   445 / 133

    w - δᵀ a               10 x 100     10 x 800     100 x 100
    two passes, or gemm     31 / 18    270 / 155     182 / 181

On other processors tiles cost up to half as much again, so they are used where these kernels are.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg.blas import dgemm, sgemm

from nndl_exp.fast.blas import has_small_kernels, one_thread
from nndl_exp.nn.arrays import Array

MULTIPLY_ADDS = 10**6
RESULTS = 1200
"""What a product may have to be computed by a small kernel."""

_GEMM = {"f": sgemm, "d": dgemm}
_FEW_EXAMPLES, _VERY_FEW_EXAMPLES = 100, 20
_WORTHWHILE = 100


def tile(m: int, n_out: int, n_in: int) -> tuple[int, int]:
    """Rows and columns of the tiles that a wᵀ of (m, n_in) and (n_out, n_in) is computed in.

    Divisors of m and n_out that a small kernel takes: multiples of four, where there are any, since
    it works on four rows and columns at a time; (m, n_out), a single product, where there are none
    worth it, or no such kernels, or several threads to share a large product.
    """
    return _tile(m, n_out, n_in) if has_small_kernels() and one_thread() else (m, n_out)


@functools.lru_cache(maxsize=1000)
def _tile(m: int, n_out: int, n_in: int) -> tuple[int, int]:
    most = min(RESULTS, MULTIPLY_ADDS // n_in)
    if m * n_out <= most:
        return m, n_out
    fours, area, _, rows, columns = max(
        (_in_fours(i) * _in_fours(j), i * j, -abs(i - j), i, j)
        for i in _divisors(m)
        for j in _divisors(n_out)
        if i * j <= most
    )
    return (rows, columns) if fours * area >= _WORTHWHILE else (m, n_out)


def multiplier(w: Array, z: Array) -> Callable[[Array], Array]:
    """A function of a, (m, n_in) in rows, that computes a wᵀ into z, (m, n_out), in tiles."""
    (m, n_out), n_in = z.shape, w.shape[1]
    rows, columns = tile(m, n_out, n_in)
    if (rows, columns) == (m, n_out):
        w_t = w.T
        return lambda a: np.dot(a, w_t, out=z)  # half a microsecond less than matmul
    stack_of_w = w.reshape(-1, columns, n_in).swapaxes(1, 2)
    stack_of_z = z.reshape(-1, rows, n_out // columns, columns).swapaxes(1, 2)
    return lambda a: np.matmul(a.reshape(-1, 1, rows, n_in), stack_of_w, out=stack_of_z)


def gemm_for(w: Array, m: int) -> Any:
    """BLAS's gemm, where it is the faster way to subtract δᵀ a of m examples from w, (n_out, n_in):
    it saves writing the product to memory and reading it again. None where NumPy's product is."""
    few = 1
    if has_small_kernels():
        # On several threads NumPy's product is shared among them; the smallest are not.
        small = m * w.size <= MULTIPLY_ADDS
        few = _FEW_EXAMPLES if one_thread() else _VERY_FEW_EXAMPLES if small else 1
    return _GEMM[w.dtype.char] if m <= few else None


def blocks(n: int, work: int) -> list[slice]:
    """0 .. n in slices of which each, at ``work`` multiply-adds an item, is a small product."""
    size = MULTIPLY_ADDS // max(1, work)
    size = size // 4 * 4 or max(1, size)
    return [slice(i, min(i + size, n)) for i in range(0, n, size)]


def _in_fours(n: int) -> float:
    """How well n rows fill the fours that a kernel works on, up to 1."""
    return n / (-(-n // 4) * 4)


def _divisors(n: int) -> list[int]:
    return [i for i in range(1, n + 1) if n % i == 0]
