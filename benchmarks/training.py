"""One training step here and elsewhere: the same network, data, mini-batches and updates.

    python -m pip install -e '.[bench]'
    NNDL_DATA_DIR=... python -m benchmarks.training    # writes benchmarks/README.md
    python -m benchmarks.training --fit                # only the constants of estimated seconds

Each contender runs in a process of its own, one after another in alternation, so that a change in
the machine's speed hits all of them; medians over the rounds. A contender that is not installed is
left out with a line. Cross-entropy, L2, float32 (the book's loop: float64).
"""

import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.readme import write_section

CASES = [((784, 30, 10), 10), ((784, 100, 10), 10), ((784, 100, 10), 100), ((784, 800, 10), 100),
         ((784, 100, 100, 10), 100), ((784, 100, 10), 1000)]  # fmt: skip
ETA, LMBDA, N = 0.1, 5.0, 50_000
FITTED = [((n_in, *hidden, 10), m)
          for n_in in (30, 64, 784)
          for hidden in ((), (30,), (100,), (400,), (100, 100))
          for m in (1, 5, 10, 20, 50, 100, 500)]  # fmt: skip
FITTED_N = 3000
Step = Callable[[int], None]
"""Trains on mini-batch number i."""


def data(m: int, dtype: str) -> tuple[list[Any], list[Any]]:
    """Mini-batches of shuffled digits, at most 5,000 images of them."""
    from nndl_exp.datasets import load_dataset

    name = "mnist" if os.environ.get("NNDL_DATA_DIR") else "mnist_5k"
    x, y = load_dataset(name).training.examples(10)
    rows = np.random.default_rng(0).permutation(len(x))[: max(5000, 2 * m)]
    x, y = x[rows].astype(dtype), y[rows].astype(dtype)
    starts = range(0, len(x) - m + 1, m)
    return [x[i : i + m] for i in starts], [y[i : i + m] for i in starts]


def weights(sizes: tuple[int, ...], dtype: str) -> tuple[list[Any], list[Any]]:
    """The same initial weights and biases for everyone."""
    rng = np.random.default_rng(1)
    w = [rng.normal(0, n_in**-0.5, (n, n_in)).astype(dtype) for n_in, n in pairwise(sizes)]
    return w, [rng.normal(0, 1, n).astype(dtype) for n in sizes[1:]]


def nndl_exp(sizes: tuple[int, ...], m: int) -> Step:
    """This project's step, as ``train`` takes it."""
    from nndl_exp.fast.fused import FusedStep
    from nndl_exp.nn.network import Network, Parts

    network = Network(*weights(sizes, "float32"), Parts())
    xs, ys = data(m, "float32")
    step = FusedStep(network, m, ETA, ETA * LMBDA / N)
    return lambda i: step(xs[i % len(xs)], ys[i % len(xs)])


def plain_numpy(sizes: tuple[int, ...], m: int) -> Step:
    """Vectorised over the mini-batch, as one would write it down."""
    (w, b), (xs, ys) = weights(sizes, "float32"), data(m, "float32")
    decay, rate = np.float32(1 - ETA * LMBDA / N), np.float32(ETA / m)

    def step(i: int) -> None:
        a = [xs[i % len(xs)]]
        for wl, bl in zip(w, b, strict=True):
            a.append(1 / (1 + np.exp(-(a[-1] @ wl.T + bl))))
        delta = a[-1] - ys[i % len(xs)]
        for layer in range(len(w) - 1, -1, -1):
            nabla_w, nabla_b = delta.T @ a[layer], delta.sum(axis=0)
            if layer:
                delta = delta @ w[layer] * (a[layer] * (1 - a[layer]))
            w[layer] = decay * w[layer] - rate * nabla_w
            b[layer] = b[layer] - rate * nabla_b

    return step


def the_books_loop(sizes: tuple[int, ...], m: int) -> Step:
    """One example at a time with column vectors, float64 (section 2.6 of the notes)."""
    (w, b), (xs, ys) = weights(sizes, "float64"), data(m, "float64")
    b = [bl[:, None] for bl in b]

    def backprop(x: Any, y: Any) -> tuple[list[Any], list[Any]]:
        a, zs = [x], []
        for wl, bl in zip(w, b, strict=True):
            zs.append(np.dot(wl, a[-1]) + bl)
            a.append(1 / (1 + np.exp(-zs[-1])))
        delta = a[-1] - y
        nabla_b, nabla_w = [delta], [np.dot(delta, a[-2].T)]
        for layer in range(2, len(w) + 1):
            s = 1 / (1 + np.exp(-zs[-layer]))
            delta = np.dot(w[-layer + 1].T, delta) * (s * (1 - s))
            nabla_b.insert(0, delta)
            nabla_w.insert(0, np.dot(delta, a[-layer - 1].T))
        return nabla_b, nabla_w

    def step(i: int) -> None:
        sum_b, sum_w = [np.zeros_like(bl) for bl in b], [np.zeros_like(wl) for wl in w]
        for x, y in zip(xs[i % len(xs)], ys[i % len(xs)], strict=True):
            nabla_b, nabla_w = backprop(x[:, None], y[:, None])
            sum_b[:] = [s + n for s, n in zip(sum_b, nabla_b, strict=True)]
            sum_w[:] = [s + n for s, n in zip(sum_w, nabla_w, strict=True)]
        w[:] = [(1 - ETA * LMBDA / N) * wl - ETA / m * n for wl, n in zip(w, sum_w, strict=True)]
        b[:] = [bl - ETA / m * n for bl, n in zip(b, sum_b, strict=True)]

    return step


def pytorch(sizes: tuple[int, ...], m: int) -> Step:
    """Eager PyTorch: nn.Sequential, BCEWithLogitsLoss, SGD with weight decay on the weights."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    layers: list[Any] = []
    for w, b in zip(*weights(sizes, "float32"), strict=True):
        layer = torch.nn.Linear(w.shape[1], w.shape[0])
        layer.weight.data, layer.bias.data = torch.from_numpy(w), torch.from_numpy(b)
        layers += [layer, torch.nn.Sigmoid()]
    model = torch.nn.Sequential(*layers[:-1])
    groups = [{"params": [p for p in model.parameters() if p.ndim == 2], "weight_decay": LMBDA / N},
              {"params": [p for p in model.parameters() if p.ndim == 1]}]  # fmt: skip
    optimizer = torch.optim.SGD(groups, lr=ETA)
    loss = torch.nn.BCEWithLogitsLoss(reduction="sum")
    xs, ys = ([torch.from_numpy(part) for part in parts] for parts in data(m, "float32"))

    def step(i: int) -> None:
        optimizer.zero_grad()
        (loss(model(xs[i % len(xs)]), ys[i % len(xs)]) / m).backward()
        optimizer.step()

    return step


def scikit_learn(sizes: tuple[int, ...], m: int) -> Step:
    """MLPClassifier.partial_fit on blocks of mini-batches (softmax: it has no other output)."""
    from sklearn.neural_network import MLPClassifier

    xs, ys = data(m, "float32")
    x, labels = np.concatenate(xs), np.concatenate(ys).argmax(axis=1)
    model = MLPClassifier(sizes[1:-1], activation="logistic", solver="sgd", batch_size=m,
                          alpha=LMBDA / N * m, learning_rate_init=ETA, momentum=0.0,
                          nesterovs_momentum=False, shuffle=False)  # fmt: skip
    model.partial_fit(x[:m], labels[:m], classes=list(range(10)))
    # A call costs as much as several steps: it is given all mini-batches at once.
    return lambda i: model.partial_fit(x, labels) if i % len(xs) == 0 else None


def jax_scan(sizes: tuple[int, ...], m: int) -> Step:
    """JAX: a jitted scan over all mini-batches."""
    import jax
    import jax.numpy as jnp

    xs, ys = (jnp.asarray(np.stack(part)) for part in data(m, "float32"))
    parameters = [
        (jnp.asarray(w), jnp.asarray(b)) for w, b in zip(*weights(sizes, "float32"), strict=True)
    ]

    def cost(p: Any, x: Any, y: Any) -> Any:
        for w, b in p[:-1]:
            x = jax.nn.sigmoid(x @ w.T + b)
        z = x @ p[-1][0].T + p[-1][1]
        return (jax.nn.softplus(z) - y * z).sum() / m

    def update(p: Any, batch: Any) -> tuple[Any, None]:
        gradient = jax.grad(cost)(p, *batch)
        decay = 1 - ETA * LMBDA / N
        return [(decay * w - ETA * gw, b - ETA * gb)
                for (w, b), (gw, gb) in zip(p, gradient, strict=True)], None  # fmt: skip

    epoch = jax.jit(lambda p: jax.lax.scan(update, p, (xs, ys))[0])

    def step(i: int) -> None:
        nonlocal parameters
        if i % len(xs) == 0:
            parameters = jax.block_until_ready(epoch(parameters))

    return step


def bare_products(sizes: tuple[int, ...], m: int) -> Step:
    """Only the matrix products of a step, into buffers: the limit."""
    (w, _), (xs, _) = weights(sizes, "float32"), data(m, "float32")
    a = [np.ones((n, m), np.float32) for n in sizes[1:]]
    nabla = [np.empty_like(wl) for wl in w]
    back = [np.empty((n, m), np.float32) for n in sizes[1:]]

    def step(i: int) -> None:
        inputs = xs[i % len(xs)].T
        for layer, wl in enumerate(w):
            np.matmul(wl, inputs, out=a[layer])
            inputs = a[layer]
        for layer in range(len(w) - 1, 0, -1):
            np.matmul(w[layer].T, a[layer], out=back[layer - 1])
        for layer in range(len(w)):
            rows = xs[i % len(xs)] if layer == 0 else a[layer - 1].T
            np.matmul(a[layer], rows, out=nabla[layer])

    return step


CONTENDERS: dict[str, tuple[Callable[[tuple[int, ...], int], Step], str | None]] = {
    "nndl_exp": (nndl_exp, None),
    "bare matrix products": (bare_products, None),
    "plain NumPy": (plain_numpy, None),
    "JAX, jit and scan": (jax_scan, "jax"),
    "scikit-learn": (scikit_learn, "sklearn"),
    "PyTorch, eager": (pytorch, "torch"),
    "the book's loop": (the_books_loop, None),
}


def measure(name: str, sizes: tuple[int, ...], m: int) -> float:
    """Microseconds a step of one contender, in this process: the median of five epochs."""
    step = CONTENDERS[name][0](sizes, m)
    per_epoch = len(data(m, "float32")[0])
    if name == "the book's loop":
        per_epoch = min(per_epoch, max(2, 1000 // m))
    times = []
    for epoch in range(6):
        start = time.perf_counter()
        for i in range(per_epoch):
            step(i)
        times.append((time.perf_counter() - start) / per_epoch * 1e6)
        if epoch == 0:
            continue  # compiles, warms the caches
    return statistics.median(times[1:])


def in_a_process(name: str, sizes: tuple[int, ...], m: int, threads: int) -> float:
    """``measure`` in a process of its own with so many threads, pinned to as many processors."""
    names = ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM", "NUMEXPR")
    environment = {**os.environ, **{f"{n}_NUM_THREADS": str(threads) for n in names}}
    environment["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    for variable in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        environment.pop(variable, None)  # as on a user's machine, where nothing sets them
    command = [sys.executable, "-m", "benchmarks.training", "--measure", name, str(m)]
    command += map(str, sizes)
    pin = (lambda: os.sched_setaffinity(0, set(range(threads)))) if _can_pin() else None
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True,
                          preexec_fn=pin)  # fmt: skip
    return float(json.loads(done.stdout.splitlines()[-1]))


def _can_pin() -> bool:
    return hasattr(os, "sched_setaffinity")


def table(rounds: int, threads: int) -> str:
    """All cases as a Markdown table of ratios, with our own time."""
    names = [n for n, (_, module) in CONTENDERS.items() if _installed(n, module)]
    lines = ["| network, mini-batch | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for sizes, m in CASES:
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name in names:
                times[name].append(in_a_process(name, sizes, m, threads))
        medians = {name: statistics.median(values) for name, values in times.items()}
        own = medians["nndl_exp"]
        cells = [f"{own:.0f} µs"] + [f"{medians[n] / own:.2f}" for n in names[1:]]
        lines.append(f"| {list(sizes)}, {m} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _installed(name: str, module: str | None) -> bool:
    if module is None or importlib.util.find_spec(module):
        return True
    print(f"{name} is left out: {module} is not installed")
    return False


def fit() -> str:
    """``CONSTANTS`` of ``nndl_exp.training.update_time`` as a table, and how well they fit.

    Least squares of the logarithm over ``FITTED``, in which single outliers count less.
    """
    from scipy.optimize import least_squares

    from nndl_exp.fast.blas import blas_threads
    from nndl_exp.training.update_time import CONSTANTS, time_terms

    with blas_threads(1):
        times = np.log([update_seconds(sizes, m) for sizes, m in FITTED])
    terms = np.array([time_terms(sizes, m) for sizes, m in FITTED], dtype=float)
    found = least_squares(lambda logs: np.log(terms @ np.exp(logs)) - times, np.log(CONSTANTS),
                          loss="soft_l1", f_scale=0.3).x  # fmt: skip
    ratios = np.exp(np.log(terms @ np.exp(found)) - times)
    quantiles = np.quantile(ratios, (0.5, 0.1, 0.9))
    cells = [f"{value:.3g}" for value in np.exp(found)] + [f"{value:.2f}" for value in quantiles]
    return "\n".join(
        [
            "| UPDATE | WEIGHT | PRODUCT | NEURON | estimated / measured: median | 10 % | 90 % |",
            "|---" * 7 + "|",
            "| " + " | ".join(cells) + " |",
        ]
    )


def update_seconds(sizes: tuple[int, ...], m: int) -> float:
    """Processor seconds of an update in epochs of ``train``; the median of five epochs."""
    from nndl_exp.nn.network import Network, Parts
    from nndl_exp.training import Streams, train

    rng = np.random.default_rng(0)
    x = rng.random((FITTED_N, sizes[0]), dtype=np.float32)
    y = np.eye(sizes[-1], dtype=np.float32)[rng.integers(sizes[-1], size=FITTED_N)]
    network = Network(*weights(sizes, "float32"), Parts())
    epochs = train(network, (x, y), (x[:1], y[:1]), eta=ETA, mini_batch_size=m, epochs=6,
                   lmbda=LMBDA, monitor_size=1, order=Streams(0).order)  # fmt: skip
    times = []
    for _ in range(6):
        start = time.process_time()
        next(epochs)
        times.append(time.process_time() - start)
    return statistics.median(times[1:]) / math.ceil(FITTED_N / m)


def main() -> None:
    """Measure on one thread and on all, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fit", action="store_true", help="only fit the time of an update")
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name, m, *sizes = arguments.measure
        print(json.dumps(measure(name, tuple(map(int, sizes)), int(m))))
        return
    write_section("time of an update", fit())
    if arguments.fit:
        return
    for section, threads in (("one thread", 1), ("all threads", os.cpu_count() or 1)):
        print(f"{section}: {threads}", flush=True)
        write_section(section, table(arguments.rounds, threads))


if __name__ == "__main__":
    main()
