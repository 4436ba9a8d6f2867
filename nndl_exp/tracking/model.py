"""A run's best network as an MLflow model, and the winner of a study as the registry's champion."""

import importlib.metadata
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import nndl_exp
from nndl_exp.config import TrackingConfig, to_yaml
from nndl_exp.records import RunDirectory
from nndl_exp.tracking import pyfunc_model
from nndl_exp.tracking.caption import NOTE, Caption

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

NAME, CHAMPION = "model", "champion"
_PACKAGES = ("mlflow", "numpy", "scipy", "pandas")
_CODE = (
    "__init__.py", "interrupts.py", "masking.py", "errors.py", "nn/*.py", "tracking/__init__.py",
    "tracking/pyfunc_model.py",
)  # fmt: skip
"""What ``pyfunc_model`` needs of this package."""


def model_of(client: "MlflowClient", run_id: str) -> "LoggedModel | None":
    """The model that was logged with a run, None where there is none that is whole."""
    from mlflow.entities import LoggedModelStatus

    outputs = client.get_run(run_id).outputs
    found = outputs.model_outputs if outputs else []
    logged = [client.get_logged_model(one.model_id) for one in found]
    return next((model for model in logged if model.status == LoggedModelStatus.READY), None)


def log_model(client: "MlflowClient", run_id: str, directory: RunDirectory) -> "LoggedModel":
    """Store a run's best network with it, so that ``mlflow.pyfunc.load_model`` can load it.

    Not by ``mlflow.pyfunc.log_model``, which imports Git and looks through every installed package
    to compare versions that are given: five times as long as all of the rest.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment, NAME, run_id)
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), directory, model)
        client.log_model_artifacts(model.model_id, folder)
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def write_model(folder: Path, directory: RunDirectory, logged: "LoggedModel") -> None:
    """Write a run's best network into an empty folder, as the files of a model of MLflow.

    What it needs of this package goes along, so that it works where nndl_exp is not installed.
    """
    from mlflow import pyfunc
    from mlflow.models import Model

    data = folder / "data"
    data.mkdir()
    shutil.copy(directory.weights_path, data / pyfunc_model.WEIGHTS)
    shutil.copy(directory.reading_path, data / pyfunc_model.READING)
    package = Path(nndl_exp.__file__).parent
    for path in (path for pattern in _CODE for path in package.glob(pattern)):
        copy = folder / "code" / path.relative_to(package.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    versions = (f"{name}=={importlib.metadata.version(name)}" for name in _PACKAGES)
    (folder / "requirements.txt").write_text("\n".join([*versions, ""]))
    environment = {
        "python": platform.python_version(),
        "build_dependencies": ["pip", "setuptools", "wheel"],
        "dependencies": ["-r requirements.txt"],
    }
    (folder / "python_env.yaml").write_text(to_yaml(environment))
    model = Model(
        artifact_path=logged.artifact_location,
        run_id=logged.source_run_id,
        signature=_signature(directory),
        model_uuid=logged.model_id,
        model_id=logged.model_id,
    )
    pyfunc.add_to_model(
        model, pyfunc_model.__name__, data="data", code="code", python_env="python_env.yaml"
    )
    model.save(str(folder / "MLmodel"))


def _signature(directory: RunDirectory) -> "ModelSignature":
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
    return ModelSignature(Schema([inputs]), Schema(columns))


def crown(
    client: "MlflowClient", tracking: TrackingConfig, model: "LoggedModel", caption: Caption
) -> None:
    """Make a model the champion of the registered model of a study, which ``caption`` is of.

    What is so already stays: a run's model has one version, however often it is crowned.
    """
    name = caption.name
    description = caption.all_tags()[NOTE]
    registered = next(iter(client.search_registered_models(f"name = '{name}'")), None)
    if registered is None:
        registered = client.create_registered_model(name, dict(caption.tags), description)
    elif registered.description != description:
        client.update_registered_model(name, description)
    versions = client.search_model_versions(f"name = '{name}'")
    version = next((v for v in versions if v.run_id == model.source_run_id), None)
    if version is None:
        # A database is given the place itself: it would ask the one that MLflow uses by default.
        uri = f"models:/{model.model_id}" if tracking.is_server else model.artifact_location
        version = client.create_model_version(
            name, uri, model.source_run_id, model_id=model.model_id, await_creation_for=0
        )
    if str(registered.aliases.get(CHAMPION)) != str(version.version):
        client.set_registered_model_alias(name, CHAMPION, str(version.version))
