"""The network: weights, biases, feedforward and backpropagation (BP1 to BP4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from nndl_exp.errors import UserError, one_of
from nndl_exp.nn.activations import ACTIVATIONS
from nndl_exp.nn.arrays import Array, as_inputs
from nndl_exp.nn.costs import pair
from nndl_exp.nn.initializers import INITIALIZERS

ROWS_AT_ONCE = 500
"""Examples that go through the network at a time where there are many: they stay in the cache."""

_DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Parts:
    """The names of what a network is made of; see ``ACTIVATIONS``, ``OUTPUTS_OF``."""

    activation: str = "sigmoid"
    output: str = "sigmoid"
    cost: str = "cross_entropy"


class Network:
    """A feed-forward network.

    Args:
        weights: for each layer after the input an array ``w`` of shape (n_out, n_in).
        biases: for each of them an array ``b`` of shape (n_out,).
        parts: the activations and the cost.

    The arrays are kept, not copied: training changes them in place. All have one dtype, and inputs
    are taken in it; inputs of uint8 are pictures in 256 shades of grey (``as_inputs``).

    Raises:
        UserError: the shapes or dtypes do not fit together, or output activation and cost do not.
    """

    def __init__(self, weights: Sequence[Array], biases: Sequence[Array], parts: Parts) -> None:
        _check_shapes(weights, biases)
        self.weights = list(weights)
        self.biases = list(biases)
        self.parts = parts
        self.cost = pair(parts.cost, parts.output)
        hidden = one_of(ACTIVATIONS, parts.activation, "an activation")
        self.activations = [hidden] * (len(weights) - 1) + [ACTIVATIONS[parts.output]]

    @classmethod
    def initialize(
        cls,
        sizes: Sequence[int],
        parts: Parts,
        *,
        rng: np.random.Generator,
        initializer: str = "default",
        dtype: str = "float32",
    ) -> "Network":
        """A network of ``sizes`` neurons a layer with random weights and biases.

        All biases are drawn first, then all weights, layer by layer, in float64; the result is
        rounded to ``dtype``.

        Raises:
            UserError: fewer than two sizes, or one that is less than 1; no such initializer, dtype
                or part.
        """
        if len(sizes) < 2 or min(sizes) < 1:
            raise UserError(
                f"a network has at least two layers of at least one neuron: got {sizes}"
            )
        if dtype not in _DTYPES:
            raise UserError(f"a network's dtype must be one of {', '.join(_DTYPES)}: got {dtype}")
        draw = one_of(INITIALIZERS, initializer, "an initializer")
        biases = [draw.biases(rng, n) for n in sizes[1:]]
        weights = [draw.weights(rng, n, n_in) for n_in, n in pairwise(sizes)]
        return cls([w.astype(dtype) for w in weights], [b.astype(dtype) for b in biases], parts)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons in each layer, the input first."""
        return (self.weights[0].shape[1], *(len(b) for b in self.biases))

    @property
    def dtype(self) -> np.dtype[np.floating]:
        """float32 or float64."""
        return self.weights[0].dtype

    def copy(self) -> "Network":
        """The same network with weights and biases of its own."""
        weights, biases = [w.copy() for w in self.weights], [b.copy() for b in self.biases]
        return Network(weights, biases, self.parts)

    def feedforward(self, x: Array) -> tuple[Array, Array]:
        """The output layer's weighted input z and its activation a, both (m, n_out), for x (m, n).

        Raises:
            UserError: ``x`` is not a batch of rows with as many features as input neurons.
        """
        for z, a in self._layers(x):  # noqa: B007 (the last of them)
            pass
        return z, a

    def layers(self, x: Array) -> list[Array]:
        """The activations of every layer after the input, each (m, n), for a batch x (m, n_in).

        Raises:
            UserError: as for ``feedforward``.
        """
        return [a for _, a in self._layers(x)]

    def _layers(self, x: Array) -> Iterator[tuple[Array, Array]]:
        """Weighted input z and activation a of one layer after the other."""
        a = self._batch(x)
        for w, b, activation in zip(self.weights, self.biases, self.activations, strict=True):
            z = a @ w.T + b
            a = activation.value(z)
            yield z, a

    def predict(self, x: Array) -> Array:
        """The outputs a, of shape (m, n_out), for a batch x of shape (m, n), however large.

        Raises:
            UserError: ``x`` is not such a batch, or holds values that are not finite.
        """
        self._check_batch(x)
        a = np.empty((len(x), self.sizes[-1]), self.dtype)
        for i in range(0, len(x), ROWS_AT_ONCE):
            rows = self._batch(x[i : i + ROWS_AT_ONCE])
            if not np.isfinite(rows).all():
                raise UserError("a batch must hold finite values: got NaN or infinity")
            a[i : i + ROWS_AT_ONCE] = self.feedforward(rows)[1]
        return a

    def probabilities(self, x: Array) -> Array:
        """A probability for each class, (m, n_out), rows summing to 1, for a batch x (m, n).

        Softmax outputs are probabilities already. Other outputs are divided by their sum, after
        negative ones have been set to 0; where nothing is left, all classes are equally likely.
        """
        a = np.maximum(self.predict(x), 0).astype(np.float64)
        total = a.sum(axis=1, keepdims=True)
        p: Array = np.where(total > 0, a / np.where(total > 0, total, 1), 1 / a.shape[1])
        return p

    def backprop(
        self, x: Array, y: Array, masks: Sequence[Array] | None = None
    ) -> tuple[list[Array], list[Array]]:
        """(Σ ∂C_x/∂b, Σ ∂C_x/∂w) over the mini-batch, layer by layer, shaped as b and w.

        ``x`` is (m, n), ``y`` (m, n_out), rows are examples; ``masks`` are those of ``draw_masks``.
        A whole mini-batch goes through as one matrix (the problem "fully matrix-based approach" of
        chapter 2), so the outer products δ aᵀ of BP4 are summed by one matrix product.
        """
        activations, deltas = self.errors(x, y, masks)
        nabla_b: list[Array] = [delta.sum(axis=0) for delta in deltas]  # BP3
        nabla_w: list[Array] = [d.T @ a for d, a in zip(deltas, activations, strict=True)]  # BP4
        return nabla_b, nabla_w

    def errors(
        self, x: Array, y: Array, masks: Sequence[Array] | None = None
    ) -> tuple[list[Array], list[Array]]:
        """For each layer its input activations a^(l-1), (m, n_in), and its errors δ^l, (m, n_out).

        Both lists start with the first hidden layer. They are all that BP3 and BP4 need.

        Raises:
            UserError: x and y are not batches of equally many rows that fit the network.
        """
        a = self._batch(x)
        expected = (len(x), len(self.biases[-1]))
        if y.shape != expected:
            raise UserError(f"targets must have the shape {expected}: got {y.shape}")
        inputs, outputs = [a], []
        for layer, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            a = self.activations[layer].value(inputs[-1] @ w.T + b)
            outputs.append(a)
            inputs.append(a * masks[layer] if masks and layer < len(masks) else a)
        deltas = [self.cost.delta(inputs.pop(), y.astype(self.dtype, copy=False))]  # BP1
        for layer in range(len(self.weights) - 1, 0, -1):
            nabla_a = deltas[-1] @ self.weights[layer]
            if masks:
                nabla_a *= masks[layer - 1]
            # σ' is a function of the activation before dropout
            deltas.append(self.activations[layer - 1].backward(nabla_a, outputs[layer - 1]))  # BP2
        return inputs, deltas[::-1]

    def input_gradient(self, x: Array, y: Array) -> Array:
        """∂C_x/∂x of each example, shaped as x: which pixels would change the cost, and how.

        Raises:
            UserError: as for ``errors``.
        """
        nabla_x: Array = self.errors(x, y)[1][0] @ self.weights[0]
        return nabla_x

    def _batch(self, x: Array) -> Array:
        self._check_batch(x)
        return as_inputs(x, self.dtype)

    def _check_batch(self, x: Array) -> None:
        if x.ndim != 2 or x.shape[1] != self.weights[0].shape[1]:
            raise UserError(
                f"a batch must have the shape (examples, {self.sizes[0]}): got {x.shape}"
            )


def count_parameters(sizes: Sequence[int]) -> int:
    """Weights and biases of a network with these layers."""
    return sum((n_in + 1) * n for n_in, n in pairwise(sizes))


def count_multiply_adds(sizes: Sequence[int]) -> int:
    """Multiply-adds of one example's forward pass: one for each weight."""
    return sum(n_in * n for n_in, n in pairwise(sizes))


def _check_shapes(weights: Sequence[Array], biases: Sequence[Array]) -> None:
    if not weights or len(weights) != len(biases):
        raise UserError(f"{len(weights)} weight matrices need as many biases: got {len(biases)}")
    n_in = weights[0].shape[-1]
    for w, b in zip(weights, biases, strict=True):
        if w.ndim != 2 or w.shape[1] != n_in or b.shape != w.shape[:1]:
            raise UserError(
                f"w (n_out, {n_in}) and b (n_out,) do not fit: got {w.shape} and {b.shape}"
            )
        n_in = w.shape[0]
    dtypes = {array.dtype.name for array in (*weights, *biases)}
    if len(dtypes) > 1 or not dtypes <= set(_DTYPES):
        found = ", ".join(sorted(dtypes))
        raise UserError(f"weights and biases must all be float32, or all float64: got {found}")
