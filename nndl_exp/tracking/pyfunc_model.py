"""A network as an MLflow model "from code": this file is stored with the weights, no pickle."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from nndl_exp.nn import Network


class NetworkModel(PythonModel):
    """Predicts a class and a probability for each class, or numbers, from rows of inputs.

    The inputs are those of the network: pixels as grey values / 256, columns standardised.
    """

    def load_context(self, context: Any) -> None:
        """Read the weights that were logged with the model, and how numbers were standardised."""
        self.network = Network.load(Path(context.artifacts["weights"]))
        reading = json.loads(Path(context.artifacts["reading"]).read_text())
        self.target = reading["encoding"].get("target")

    # The bare np.ndarray is a hint that MLflow accepts without inferring a schema from it.
    def predict(
        self,
        context: Any,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
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


set_model(NetworkModel())
