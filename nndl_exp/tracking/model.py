"""Logging the winner's network as an MLflow model."""

import importlib.metadata
import warnings
from pathlib import Path

import nndl_exp
from nndl_exp.config import TrackingConfig
from nndl_exp.records import RunDirectory
from nndl_exp.tracking.client import tracking_uri

NAME = "model"


def log_model(
    output: Path | str, tracking: TrackingConfig, run_id: str, directory: RunDirectory
) -> None:
    """Store a run's best network with it, so that ``mlflow.pyfunc.load_model`` can load it.

    The package itself goes along as code, so that the model works where nndl_exp is not installed.
    """
    import mlflow
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    network, reading = directory.network(), directory.reading()
    names = [f"p{i}" for i in range(network.sizes[-1])]
    columns: list[ColSpec | TensorSpec] = [ColSpec(DataType.long, "label")]
    if reading.target is not None:
        columns, names = [], [f"y{i}" for i in range(network.sizes[-1])]
    columns += [ColSpec(DataType.double, name) for name in names]
    inputs = TensorSpec(np.dtype("float32"), (-1, network.sizes[0]))
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking_uri(output, tracking))
    try:
        with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
            # It asks for an input example and for type hints; the signature says what they would.
            warnings.simplefilter("ignore", UserWarning)
            mlflow.pyfunc.log_model(
                name=NAME,
                python_model=str(Path(__file__).with_name("pyfunc_model.py")),
                artifacts={
                    "weights": str(directory.weights_path),
                    "reading": str(directory.reading_path),
                },
                signature=ModelSignature(Schema([inputs]), Schema(columns)),
                code_paths=[str(Path(nndl_exp.__file__).parent)],
                pip_requirements=[
                    f"{package}=={importlib.metadata.version(package)}"
                    for package in ("mlflow", "numpy", "scipy", "pandas")
                ],
            )
    finally:
        mlflow.set_tracking_uri(before)
