"""How a study ends: with a run, in best.yaml, and the trial that trained it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nndl_exp.config import RunConfig, to_mapping, to_yaml
from nndl_exp.records import atomic
from nndl_exp.run import measure_of
from nndl_exp.study.search import Trial
from nndl_exp.study.stages.stage import DECISION, Decision, Stage
from nndl_exp.study.summary import BEST


def conclude(folder: Path, stages: Sequence[Stage], decision: Decision) -> bool:
    """Write best.yaml into a study's folder if its last stage has decided on a run; whether it has.

    Args:
        folder: the study's folder.
        stages: the stages that have decided, in order.
        decision: that of the last of them.
    """
    if decision.stop or stages[-1].facts.later:
        return False
    origin: dict[str, Any] = {"study": folder.name, "run": None}  # where no trial trained it
    if ended := ending(decision.config, stages):
        stage, trial = ended
        accuracy = measure_of(trial.config).renamed("validation_accuracy")
        origin |= {
            "run": f"{stage.search.name}/{trial.number}",
            "epochs": trial.result.epochs,
            accuracy: trial.result.validation_accuracy,
            "weights_sha256": trial.result.weights["best"],
        }
    head = f"# the winner of {folder.name}: {origin['run'] or 'not trained yet'}\n"
    head += "# train it:  python -m nndl_exp.train from=THIS_FILE [SETTING=VALUE ...]\n"
    text = head + to_yaml({**to_mapping(decision.config), "origin": origin})
    atomic.write(folder / BEST, text.encode())
    return True


def ending(config: RunConfig, stages: Sequence[Stage]) -> tuple[Stage, Trial] | None:
    """The trial that a study ended with; one of another seed if only such completed."""
    for exactly in (True, False):
        for stage in reversed(stages):
            if trial := stage.search.trained(config, exactly=exactly):
                return stage, trial
    return None


def forget(folder: Path, first: Stage) -> None:
    """Delete what a stage and those after it had decided, as trials are missing now."""
    for key in (first.key, *first.facts.later):
        (folder / "stages" / key / DECISION).unlink(missing_ok=True)
    (folder / BEST).unlink(missing_ok=True)
