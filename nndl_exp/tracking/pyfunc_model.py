"""A network as an MLflow model "from code": this file is stored with the weights, no pickle."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from nndl_exp.nn import Network


class DigitClassifier(PythonModel):
    """Predicts a class and a probability for each class from rows of pixels (grey value / 256)."""

    def load_context(self, context: Any) -> None:
        """Read the weights that were logged with the model."""
        self.network = Network.load(Path(context.artifacts["weights"]))

    # The bare np.ndarray is a hint that MLflow accepts without inferring a schema from it.
    def predict(
        self,
        context: Any,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """A table with the column ``label`` and the columns ``p0``, ``p1``, ..."""
        x = np.asarray(model_input, dtype=self.network.dtype).reshape(len(model_input), -1)
        p = self.network.probabilities(x)
        table = pd.DataFrame(p, columns=[f"p{i}" for i in range(p.shape[1])])
        table.insert(0, "label", p.argmax(axis=1))
        return table


set_model(DigitClassifier())
