"""A run's best network as an MLflow model, and the winner of a study as the registry's champion."""

import importlib.metadata
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import nndl_exp
from nndl_exp.config import TrackingConfig
from nndl_exp.records import RunDirectory
from nndl_exp.tracking.notes import WRITTEN, Note

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.models import ModelSignature

NAME, CHAMPION = "model", "champion"
_PACKAGES = ("mlflow", "numpy", "scipy", "pandas")
_CODE = ("__init__.py", "interrupts.py", "masking.py", "errors.py", "archive.py", "weights.py",
         "nn/*.py")  # fmt: skip
"""The modules of this package that ``served_model.py`` needs."""


def model_of(client: "MlflowClient", run_id: str) -> "LoggedModel | None":
    """The model that was logged with a run, None where there is none that is whole."""
    from mlflow.entities import LoggedModelStatus

    outputs = client.get_run(run_id).outputs
    found = outputs.model_outputs if outputs else []
    logged = [client.get_logged_model(one.model_id) for one in found]
    return next((model for model in logged if model.status == LoggedModelStatus.READY), None)


def log_model(client: "MlflowClient", run_id: str, directory: RunDirectory) -> "LoggedModel":
    """Store a run's best network with it, so that ``mlflow.pyfunc.load_model`` can load it."""
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    experiment = client.get_run(run_id).info.experiment_id
    model = client.create_logged_model(experiment, NAME, run_id)
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), directory, model)
        client.log_model_artifacts(model.model_id, str(Path(folder, NAME)))
    client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def write_model(folder: Path, directory: RunDirectory, logged: "LoggedModel") -> None:
    """Write a run's best network as a model of MLflow into ``model`` below an empty folder.

    The code that it needs goes along, so that it works where nndl_exp is not installed.
    """
    from mlflow import pyfunc
    from mlflow.models import Model

    package = Path(nndl_exp.__file__).parent
    for path in (path for pattern in _CODE for path in package.glob(pattern)):
        copy = folder / path.relative_to(package.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)  # not with its permissions: those are the umask's
    # MLflow takes the path of an artifact for an address: the output folder may have a # in it.
    weights = shutil.copyfile(directory.weights_path, folder / directory.weights_path.name)
    dataset = shutil.copyfile(directory.reading_path, folder / directory.reading_path.name)
    main = Path(shutil.copyfile(Path(__file__).with_name("served_model.py"), folder / "model.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that types and examples would be welcome
        pyfunc.save_model(
            str(folder / NAME),
            python_model=str(main),
            artifacts={"weights": str(weights), "dataset": str(dataset)},
            code_paths=[str(folder / package.name)],
            signature=_signature(directory),
            pip_requirements=[f"{name}=={importlib.metadata.version(name)}" for name in _PACKAGES],
            mlflow_model=Model(
                artifact_path=logged.artifact_location,
                run_id=logged.source_run_id,
                model_uuid=logged.model_id,
                model_id=logged.model_id,
            ),
        )  # fmt: skip


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
    client: "MlflowClient", tracking: TrackingConfig, model: "LoggedModel", note: Note
) -> None:
    """Make a model the champion of the registered model of a study, which ``note`` is of.

    What is so already stays: a run's model has one version, however often it is crowned.
    """
    name = note.name
    registered = next(iter(client.search_registered_models(f"name = '{name}'")), None)
    if registered is None:
        _, text, written = note.over(("", ""), "")
        tags = {**note.all_tags(), WRITTEN: written}
        registered = client.create_registered_model(name, tags, text)
    else:
        there = name, registered.description or ""
        _, text, written = note.over(there, registered.tags.get(WRITTEN, ""))
        if text != there[1]:
            client.update_registered_model(name, text)
            client.set_registered_model_tag(name, WRITTEN, written)
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
