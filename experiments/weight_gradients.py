"""∂C/∂w as an outer product and as a Kronecker product, in both orders of vec(w).

Chapter 2, "The four fundamental equations behind backpropagation" · 0.1 minutes
    python -m experiments.weight_gradients

Expected: the matrix of ∂C/∂w is δ aᵀ. Written as one vector it is a ⊗ δ where the columns of w
follow each other (the vec of mathematics), δ ⊗ a where its rows do (NumPy's order). The Jacobian of
z = w a + b by vec(w) is aᵀ ⊗ I, n_out rows of n_out n_in columns: it lies flat. By rows it is
I ⊗ aᵀ.
"""

import numpy as np

from nndl_exp.book import Experiment, main
from nndl_exp.nn.differences import central_differences
from nndl_exp.nn.network import Network, Parts

N_IN, N_OUT = 4, 3


def study(experiment: Experiment) -> None:
    """Check each form against numerical derivatives, and draw the Jacobian in both orders."""
    rng = np.random.default_rng(0)
    network = Network.initialize((N_IN, N_OUT), Parts(), rng=rng, dtype="float64")
    x, y = rng.random((1, N_IN)), np.eye(N_OUT)[:1]
    (w,), (b,), (inputs, errors) = network.weights, network.biases, network.errors(x, y)
    a, delta = inputs[0][0], errors[0][0]

    def cost() -> float:
        return float(network.cost.value(*network.feedforward(x), y)[0])

    def off(what: str, numerical: np.ndarray, formula: np.ndarray) -> None:
        difference = float(np.abs(numerical - formula).max())
        experiment.compare(f"largest difference, {what}", 0.0, difference, within=1e-9)

    gradient = central_differences(cost, w)
    by_columns, by_rows = gradient.ravel(order="F"), gradient.ravel()
    off("matrix and δ aᵀ", gradient, np.outer(delta, a))
    off("vec by columns and a ⊗ δ", by_columns, np.kron(a, delta))
    off("vec by rows and δ ⊗ a", by_rows, np.kron(delta, a))
    mixed = float(np.abs(by_rows - np.kron(a, delta)).max())
    experiment.compare("largest difference, vec by rows and a ⊗ δ (the wrong order)", None, mixed)

    derivatives = central_differences(lambda: w @ a + b, w)
    columns = derivatives.transpose(2, 1, 0).reshape(N_OUT, -1)
    rows = derivatives.transpose(2, 0, 1).reshape(N_OUT, -1)
    flat, flat_by_rows = np.kron(a[None], np.eye(N_OUT)), np.kron(np.eye(N_OUT), a[None])
    off("Jacobian by columns and aᵀ ⊗ I", columns, flat)
    off("Jacobian by rows and I ⊗ aᵀ", rows, flat_by_rows)
    off("∂C/∂vec(w) and Jacobianᵀ δ", by_columns, columns.T @ delta)
    experiment.compare("rows of the Jacobian (n_out)", N_OUT, len(flat))
    experiment.compare("columns of the Jacobian (n_out n_in)", N_OUT * N_IN, flat.shape[1])

    figure, (upper, lower) = experiment.draw.figure(2, 1, "The Jacobian of z = w a + b by vec(w)")
    experiment.draw.matrix(upper, columns, x="number in vec(w), by columns", y="neuron j")
    upper.set_title("aᵀ ⊗ I: columns of w follow each other", fontsize=10)
    experiment.draw.matrix(lower, rows, x="number in vec(w), by rows", y="neuron j")
    lower.set_title("I ⊗ aᵀ: rows of w follow each other", fontsize=10)
    experiment.draw.save(figure)


if __name__ == "__main__":
    main(study)
