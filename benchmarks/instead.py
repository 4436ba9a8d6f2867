"""The same study written by hand: Optuna, MLflow, and scikit-learn or PyTorch.

    python -m pip install -e '.[bench]'
    python -m benchmarks.instead        # writes benchmarks/README.md

Every contender trains the same trials on mnist_5k, those that our random search proposes, one after
the other with one BLAS thread: Optuna keeps them in SQLite, MLflow the costs and accuracies of each
epoch. What is measured is a whole process, from its start to its end, and so everything that an
update comes with. Ours also writes records to reproduce the trials by, and the report.
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.readme import table, write_section

TRIALS, EPOCHS, ROUNDS, N = 40, 20, 3, 3000
SETTINGS = ("strategy=random", "pruner=none", f"study.n_trials={TRIALS}", "study.name=instead",
            f"training.epochs={EPOCHS}", "training.stopping.name=none", "workers=1")  # fmt: skip
Config = dict[str, Any]
Epochs = Iterator[dict[str, float]]
"""After each epoch the costs and accuracies that MLflow is given."""


def scikit_learn(config: Config, sets: Any) -> Epochs:
    """MLPClassifier, a call of partial_fit for each epoch."""
    from sklearn.metrics import log_loss
    from sklearn.neural_network import MLPClassifier

    (x, labels), (x_validation, labels_validation) = sets
    model = MLPClassifier(config["hidden"], activation="logistic", solver="sgd", momentum=0.0,
                          batch_size=config["mini_batch_size"], learning_rate_init=config["eta"],
                          alpha=config["lmbda"] / N * config["mini_batch_size"])  # fmt: skip
    for _ in range(EPOCHS):
        model.partial_fit(x, labels, classes=list(range(10)))
        p, q = model.predict_proba(x[:1000]), model.predict_proba(x_validation)
        yield {
            "training_cost": log_loss(labels[:1000], p, labels=range(10)),
            "training_accuracy": float((p.argmax(axis=1) == labels[:1000]).mean()),
            "validation_cost": log_loss(labels_validation, q, labels=range(10)),
            "validation_accuracy": float((q.argmax(axis=1) == labels_validation).mean()),
        }


def pytorch(config: Config, sets: Any) -> Epochs:
    """Eager PyTorch on slices of a shuffled order, which is faster than its DataLoader."""
    import torch

    torch.set_num_threads(1)
    (x, y), (x_validation, y_validation) = (
        (torch.from_numpy(np.array(x)), torch.from_numpy(np.array(labels))) for x, labels in sets
    )
    sizes, layers = (784, *config["hidden"], 10), list[Any]()
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.Sigmoid()]
    model, cost = torch.nn.Sequential(*layers[:-1]), torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=config["eta"],
                                weight_decay=config["lmbda"] / N)  # fmt: skip
    m = config["mini_batch_size"]
    for _ in range(EPOCHS):
        order = torch.randperm(len(x))
        for start in range(0, len(x), m):
            rows = order[start : start + m]
            optimizer.zero_grad()
            cost(model(x[rows]), y[rows]).backward()
            optimizer.step()
        values = {}
        with torch.no_grad():
            for name, xs, ys in (("training", x[:1000], y[:1000]),
                                 ("validation", x_validation, y_validation)):  # fmt: skip
                z = model(xs)
                values[f"{name}_cost"] = float(cost(z, ys))
                values[f"{name}_accuracy"] = float((z.argmax(dim=1) == ys).float().mean())
        yield values


CONTENDERS: dict[str, tuple[str, Callable[[Config, Any], Epochs]]] = {
    "Optuna, MLflow, scikit-learn": ("sklearn", scikit_learn),
    "Optuna, MLflow, PyTorch": ("torch", pytorch),
}


def by_hand(name: str, configs: list[Config], folder: Path) -> None:
    """A study as one writes it: an objective that trains, logs and returns."""
    import logging

    import mlflow
    import optuna

    from nndl_exp.datasets import load_dataset

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    data = load_dataset("mnist_5k")
    sets = [(np.array(part.x), np.array(part.labels)) for part in (data.training, data.validation)]
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.set_experiment("by hand")
    study = optuna.create_study(storage=f"sqlite:///{folder}/optuna.db", direction="maximize",
                                sampler=optuna.samplers.RandomSampler(seed=0))  # fmt: skip

    def objective(trial: optuna.Trial) -> float:
        config, best = configs[trial.number], 0.0
        trial.suggest_float("eta", 0.001, 10, log=True)
        trial.set_user_attr("config", config)
        with mlflow.start_run():
            mlflow.log_params(config)
            for epoch, values in enumerate(CONTENDERS[name][1](config, sets), 1):
                mlflow.log_metrics(values, step=epoch)
                best = max(best, values["validation_accuracy"])
        return best

    study.optimize(objective, n_trials=len(configs))


def proposed(folder: Path) -> list[Config]:
    """The configurations of our study's trials."""
    from nndl_exp.records import RunDirectory

    found = []
    for number in range(TRIALS):
        run = RunDirectory(folder / f"studies/instead/stages/joint/trials/{number}").config()
        t = run.training
        found.append({"eta": t.eta, "lmbda": t.lmbda, "mini_batch_size": t.mini_batch_size,
                      "hidden": list(run.network.hidden)})  # fmt: skip
    return found


def measured() -> str:
    """The table: time of an update with everything included, as a multiple of ours."""
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}  # fmt: skip
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    names = [name for name, (package, _) in CONTENDERS.items() if importlib.util.find_spec(package)]
    seconds: dict[str, list[float]] = {name: [] for name in ("nndl_exp", *names)}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as path:
            folder, file = Path(path), Path(path) / "configs.json"
            sweep = ["-m", "nndl_exp.sweep", *SETTINGS, f"output={folder}/ours"]
            seconds["nndl_exp"].append(_seconds(sweep, environment))
            configs = proposed(folder / "ours")
            file.write_text(json.dumps(configs))
            for i, name in enumerate(names):
                other = folder / str(i)
                other.mkdir()
                words = ["-m", "benchmarks.instead", "--by-hand", name, str(file), str(other)]
                seconds[name].append(_seconds(words, environment))
    updates = sum(EPOCHS * math.ceil(N / config["mini_batch_size"]) for config in configs)
    ours = statistics.median(seconds["nndl_exp"])
    rows = [
        [name, f"{1e6 * statistics.median(s) / updates:.0f} µs",
         f"{statistics.median(s) / ours:.2f}", f"{min(s) / ours:.2f} to {max(s) / ours:.2f}"]
        for name, s in seconds.items()
    ]  # fmt: skip
    return table(("", "an update, with everything", "times ours", f"of {ROUNDS} rounds"), rows)


def _seconds(words: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure, or be one of those that are measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--by-hand", nargs=3, metavar=("NAME", "CONFIGS", "FOLDER"))
    options = parser.parse_args()
    if options.by_hand:
        name, configs, folder = options.by_hand
        by_hand(name, json.loads(Path(configs).read_text()), Path(folder))
        return
    text = measured()
    print(text)
    write_section("by hand", text)


if __name__ == "__main__":
    main()
