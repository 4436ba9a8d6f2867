"""An experiment of MLflow, with the view that shows its best runs first.

MLflow's UI opens an experiment as one for language models, or with the newest studies first, and no
tag changes that. Its description, which is above the runs everywhere, links to the view, which is a
tag of the experiment.
"""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.tracking.client import artifact_location
from nndl_exp.tracking.entities import BEST
from nndl_exp.tracking.notes import DESCRIPTION, texts
from nndl_exp.training.accuracy import Measure

if TYPE_CHECKING:
    from mlflow import MlflowClient

_KEY = "best-first"
_VIEW = f"mlflow.sharedViewState.{_KEY}"
_KIND = "mlflow.experimentKind"
_COLUMNS = {
    "tags.`champion`": 120,
    "params.`network.hidden`": 105,
    "params.`training.eta`": 90,
    "params.`training.lmbda`": 110,
    "params.`training.mini_batch_size`": 130,
    "tags.`state`": 85,
    "tags.`ended_by`": 200,
    "tags.`kind`": 80,
}
"""The columns after what is sorted by, with their widths in pixels."""


def page_of(experiment_id: str) -> str:
    """The part of the UI's address that shows an experiment's runs, the best one first."""
    query = f"workflowType=machine_learning&viewStateShareKey={_KEY}"
    return f"#/experiments/{experiment_id}/runs?{query}"


def find_or_make(
    client: "MlflowClient",
    output: Path | str,
    tracking: TrackingConfig,
    name: str,
    measure: Measure,
) -> str:
    """The id of an experiment, created if it is not there, with its view and description.

    Unless a server keeps its artifacts they lie in ``mlflow-artifacts`` below the output folder.
    A view or a description that is there stays: a user may have changed it.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        location = None if tracking.is_server else artifact_location(output, name)
        found = client.get_experiment(client.create_experiment(name, artifact_location=location))
    experiment_id = str(found.experiment_id)
    for key, value in {
        _KIND: "custom_model_development",  # else the UI asks whether it is about language models
        _VIEW: _view(measure.renamed(BEST)),
        DESCRIPTION: texts().experiment(name, page_of(experiment_id)),
    }.items():
        if key not in found.tags:
            client.set_experiment_tag(experiment_id, key, value)
    return experiment_id


def _view(best: str) -> str:
    sorted_by, now = f"metrics.`{best}`", int(time.time() * 1000)
    widths = {sorted_by: 175, **_COLUMNS}
    state = {
        "orderByKey": sorted_by,
        "orderByAsc": False,
        "selectedColumns": [*widths],
        "columnOrder": [*widths],
        "columnWidths": widths,
    }
    view = {"name": "Best first", "createdAt": now, "updatedAt": now, "state": json.dumps(state)}
    return json.dumps(view)
