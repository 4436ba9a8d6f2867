"""A network as MLflow loads and serves it: the model's code, which MLflow copies and runs.

The part of this package that it needs goes along with the model.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from nndl_exp.weights import load_network


class NetworkModel(PythonModel):
    """Predicts a class and a probability for each class, or numbers, from rows of inputs.

    The inputs are those of the network: pixels as grey values / 256, columns standardised.
    """

    def load_context(self, context: Any) -> None:
        """Load the weights, and how targets that are numbers were standardised."""
        weights = Path(context.artifacts["weights"]).resolve()
        _step_back(weights.parent.parent / "code")
        self.network = load_network(weights)
        encoding = json.loads(Path(context.artifacts["dataset"]).read_text())["encoding"]
        self.target = encoding.get("target")

    def predict(self, context: Any, model_input: np.ndarray, params: Any = None) -> pd.DataFrame:
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


def _step_back(code: Path) -> None:
    """Put the model's code behind the package that is installed, if one is.

    MLflow puts it in front, where processes that this one starts would find it and no more: a study
    led after a model was loaded had no workers.
    """
    before = [entry for entry in sys.path if Path(entry).resolve() != code]
    if len(before) < len(sys.path):
        sys.path[:] = [*before, str(code)]


set_model(NetworkModel())
