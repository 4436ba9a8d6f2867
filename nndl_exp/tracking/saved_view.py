"""The view of an experiment that the UI opens with: what columns there are, and the best on top.

The UI keeps a saved view as a tag of the experiment, and shows it where its address has the key.
"""

import json
import time
from typing import TYPE_CHECKING

from nndl_exp.tracking.entities import BEST
from nndl_exp.training.accuracy import Measure

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY = "best-first"
_TAG = f"mlflow.sharedViewState.{KEY}"
_KIND = "mlflow.experimentKind"
_COLUMNS = {
    "params.`network.hidden`": 105,
    "params.`training.eta`": 90,
    "params.`training.lmbda`": 110,
    "params.`training.mini_batch_size`": 130,
    "tags.`state`": 85,
    "tags.`ended_by`": 200,
}
"""The columns after what is sorted by, with their widths in pixels."""


def save_view(client: "MlflowClient", experiment_id: str, measure: Measure) -> None:
    """Give an experiment its view, unless it has it: a user may have changed it since."""
    tags = client.get_experiment(experiment_id).tags
    if _KIND not in tags:  # else the UI asks whether it is about language models
        client.set_experiment_tag(experiment_id, _KIND, "custom_model_development")
    if _TAG not in tags:
        now = int(time.time() * 1000)
        view = {"name": "Best first", "createdAt": now, "updatedAt": now}
        view["state"] = json.dumps(_state(measure.renamed(BEST)))
        client.set_experiment_tag(experiment_id, _TAG, json.dumps(view))


def _state(best: str) -> dict[str, object]:
    sorted_by = f"metrics.`{best}`"
    widths = {sorted_by: 175, **_COLUMNS}
    return {
        "orderByKey": sorted_by,
        "orderByAsc": False,
        "selectedColumns": [*widths],
        "columnOrder": [*widths],
        "columnWidths": widths,
    }
