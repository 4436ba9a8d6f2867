"""A network as MLflow loads it: the ``loader_module`` of the models that ``model.py`` writes."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nndl_exp.nn import Network

WEIGHTS, READING = "weights.npz", "dataset.json"


class NetworkModel:
    """Predicts a class and a probability for each class, or numbers, from rows of inputs.

    The inputs are those of the network: pixels as grey values / 256, columns standardised.
    ``folder`` holds the weights, and how numbers were standardised.
    """

    def __init__(self, folder: Path) -> None:
        self.network = Network.load(folder / WEIGHTS)
        reading = json.loads((folder / READING).read_text())
        self.target = reading["encoding"].get("target")

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """A table with the column ``label`` and the columns ``p0``, ``p1``, ...; or, of numbers in
        the unit of the target, the columns ``y0``, ``y1``, ..."""
        x = np.asarray(model_input, dtype=self.network.dtype).reshape(len(model_input), -1)
        if self.target is not None:
            z = self.network.predict(x).astype(np.float64)
            y = z * np.array(self.target["deviation"]) + np.array(self.target["mean"])
            return pd.DataFrame(y, columns=[f"y{i}" for i in range(y.shape[1])])
        p = self.network.probabilities(x)
        table = pd.DataFrame(p, columns=[f"p{i}" for i in range(p.shape[1])])
        table.insert(0, "label", p.argmax(axis=1))
        return table


def _load_pyfunc(path: str) -> NetworkModel:
    """What MLflow calls with the folder of the model's data."""
    _step_back(Path(path).resolve().parent / "code")
    return NetworkModel(Path(path))


def _step_back(code: Path) -> None:
    """Put the model's code behind the package that is installed, if one is.

    MLflow puts it in front, where processes that this one starts would find it and no more: a study
    led after a model was loaded had no workers.
    """
    before = [entry for entry in sys.path if Path(entry).resolve() != code]
    if len(before) < len(sys.path):
        sys.path[:] = [*before, str(code)]
