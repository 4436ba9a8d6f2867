"""The core, nn, fast and training, imports and trains where nothing but NumPy and SciPy is."""

import importlib
import pkgutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

import nndl_exp.fast
import nndl_exp.nn
import nndl_exp.training

for package in (nndl_exp.nn, nndl_exp.fast, nndl_exp.training):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)

for absent in ("threadpoolctl", "pydantic", "optuna", "mlflow", "pandas", "hydra"):
    try:
        importlib.import_module(absent)
    except ImportError:
        continue
    sys.exit(f"{absent} is installed here: this environment proves nothing")

from nndl_exp.nn.network import Network, Parts  # noqa: E402
from nndl_exp.training import Settings, Streams, train  # noqa: E402

x = np.random.default_rng(0).random((200, 20), dtype=np.float32)
y = np.eye(2, dtype=np.float32)[(x[:, 0] > 0.5).astype(int)]
network = Network.initialize((20, 10, 2), Parts(), rng=Streams(0).initial_values())
settings = Settings(eta=1.0, mini_batch_size=10, epochs=100)
*_, last = train(network, (x, y), (x, y), settings, streams=Streams(0))
assert last.validation_accuracy > 0.9, last
print(f"core alone: {last.validation_accuracy:.0%} with numpy {np.__version__} and scipy only")
