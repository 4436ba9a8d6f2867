"""The update of ``nndl_exp.training.sgd`` without an allocation, for networks of the book.

It computes the same update to rounding: gradient descent with or without momentum, regularization
and dropout; not Nesterov's, nor a bound on the norms. It gains by

- buffers, and views of them in the tiles of ``fast.products``, that are made once;
- weight decay, scaling by η/m and accumulation in one call of BLAS (gemm with alpha and beta), and
  the step of the biases in another (gemv), for small m.

``benchmarks/training.py`` measures it.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from scipy.linalg.blas import dgemv, sgemv

from nndl_exp.fast.products import blocks, gemm_for, multiplier
from nndl_exp.nn.activations import Activation
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network

_GEMV = {"f": sgemv, "d": dgemv}


def can_fuse(network: Network, velocity: Sequence[Array] = ()) -> bool:
    """True if ``FusedStep`` computes the updates of this network: BLAS changes arrays in place only
    where they lie in rows, and does so even where they are read-only."""
    hidden = network.activations[:-1]
    arrays = (*network.weights, *network.biases, *velocity)
    return not any(activation.normalized for activation in hidden) and all(
        array.flags.c_contiguous and array.flags.writeable for array in arrays
    )


class FusedStep:
    """Updates ``network`` in place by mini-batches of exactly ``m`` examples.

    ``decay`` is ηλ/n of L2, or of L1 with ``l1``; 0 for no regularization. With ``momentum`` μ > 0
    ``velocity`` has an array for each of the weights, then the biases, which are changed in place.
    """

    def __init__(
        self,
        network: Network,
        m: int,
        eta: float,
        decay: float,
        momentum: float = 0.0,
        velocity: Sequence[Array] = (),
        *,
        l1: bool = False,
    ) -> None:
        self._cost, layers = network.cost, len(network.weights)
        self._layers = [
            _Layer(w, b, activation, m, eta / m, decay, l1=l1)
            for w, b, activation in zip(
                network.weights, network.biases, network.activations, strict=True
            )
        ]
        if momentum:
            for layer, v_w, v_b in zip(
                self._layers, velocity[:layers], velocity[layers:], strict=True
            ):
                layer.keep_velocity(momentum, v_w, v_b)
        pairs = ((layer, before) for before, layer in pairwise(self._layers))
        self._backwards = list(enumerate(pairs))[::-1]

    def __call__(self, x: Array, y: Array, masks: Sequence[Array] | None = None) -> None:
        """One update; ``x`` has shape (m, n_in), ``y`` (m, n_out), both contiguous rows; ``masks``
        are those of ``draw_masks``."""
        inputs = [x]
        for i, layer in enumerate(self._layers):
            a = layer.forward(inputs[-1])
            inputs.append(np.multiply(a, masks[i], out=layer.dropped)
                          if masks and i < len(masks) else a)  # fmt: skip
        last = self._layers[-1]
        if self._cost.matched:
            np.subtract(last.a, y, out=last.delta)  # BP1
        else:
            last.delta[...] = self._cost.delta(last.a, y)
        for i, (layer, before) in self._backwards:  # BP2
            delta = np.dot(layer.delta, layer.w, out=before.delta)
            if masks:
                delta *= masks[i]
            delta *= before.slope(before.a, out=before.slopes)
        for layer, a in zip(self._layers, inputs, strict=False):  # BP3, BP4
            layer.descend(a)


class _Layer:
    """The weights of a layer, and the buffers that a mini-batch passes through.

    ``target_w`` and ``target_b`` are what the gradient is subtracted from: the weights and biases,
    or their velocities; ``keep`` is what those are multiplied by.
    """

    def __init__(
        self,
        w: Array,
        b: Array,
        activation: Activation,
        m: int,
        rate: float,
        decay: float,
        *,
        l1: bool,
    ) -> None:
        self.w, self._b, self._value, self.slope = w, b, activation.value, activation.slope
        self.a, self.dropped, self.delta, self.slopes = (
            np.empty((m, len(b)), w.dtype) for _ in range(4)
        )
        self._multiply = multiplier(w, self.a)
        self._rate, self._decay, self._l1 = rate, decay, l1
        self._product, self._pulled = np.empty_like(w), np.empty_like(w)
        self._gemm = gemm_for(w, m)
        self._gemv, self._ones = _GEMV[w.dtype.char], np.ones(m, w.dtype)
        self._has_velocity = False
        self._aim_at(w, b, 1 if l1 else 1 - decay, 1)

    def keep_velocity(self, momentum: float, v_w: Array, v_b: Array) -> None:
        self._has_velocity = True
        self._aim_at(v_w, v_b, momentum, momentum)

    def _aim_at(self, target_w: Array, target_b: Array, keep_w: float, keep_b: float) -> None:
        self._target_w, self._target_b = target_w, target_b
        self._keep_w, self._keep_b = keep_w, keep_b
        m, n_in = len(self.a), self.w.shape[1]
        self._blocks = [
            (self.delta[:, rows].T, target_w[rows].T) for rows in blocks(len(self.w), m * n_in)
        ]

    def forward(self, inputs: Array) -> Array:
        self._multiply(inputs)
        a = self.a
        a += self._b
        return self._value(a, out=a)

    def descend(self, inputs: Array) -> None:
        pull = self._pull() if self._decay and (self._l1 or self._has_velocity) else None
        self._subtract(inputs)
        if pull is not None:
            self._target_w -= pull
        if self._has_velocity:
            self.w += self._target_w
            self._b += self._target_b

    def _pull(self) -> Array:
        """ηλ/n ∂R/∂w of the weights as they are before the update."""
        pull = np.sign(self.w, out=self._pulled) if self._l1 else self.w
        return np.multiply(pull, self._decay, out=self._pulled)

    def _subtract(self, inputs: Array) -> None:
        """target ← keep · target - η/m δᵀ a, and the same of the biases."""
        delta, rate, target_b = self.delta, self._rate, self._target_b
        if self._gemm is not None:
            self._gemv(-rate, delta.T, self._ones, self._keep_b, target_b, 0, 1, 0, 1, 0, 1)
            inputs = inputs.T
            for delta_t, target_t in self._blocks:
                self._gemm(-rate, inputs, delta_t, self._keep_w, target_t, 0, 1, 1)
            return
        delta *= rate
        product, target_w = np.matmul(delta.T, inputs, out=self._product), self._target_w
        if self._keep_w != 1:
            target_w *= self._keep_w
        target_w -= product
        if self._keep_b != 1:
            target_b *= self._keep_b
        target_b -= np.add.reduce(delta, axis=0)
