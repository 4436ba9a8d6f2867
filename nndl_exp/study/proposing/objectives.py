"""What a study optimises, and what a sampler sees of a trial's result."""

from collections.abc import Sequence

from optuna.study import StudyDirection

from nndl_exp.config import RunConfig
from nndl_exp.nn.network import count_multiply_adds, count_parameters
from nndl_exp.records import Result
from nndl_exp.study.proposing.proposer import Settled
from nndl_exp.training import Epoch
from nndl_exp.training.epoch import JudgedBy

SECOND = {"parameters": count_parameters, "multiply_adds": count_multiply_adds}
"""Second objectives, both to be kept small: functions of the layers' sizes."""


def directions(judged_by: str, second: str) -> tuple[StudyDirection, ...]:
    """Whether each objective is to be large or small."""
    accuracy = judged_by == "validation_accuracy"
    first = StudyDirection.MAXIMIZE if accuracy else StudyDirection.MINIMIZE
    return (first,) if second == "none" else (first, StudyDirection.MINIMIZE)


def names(judged_by: str, second: str) -> tuple[str, ...]:
    """What the objectives are called."""
    return (judged_by,) if second == "none" else (judged_by, second)


def settled(
    config: RunConfig, sizes: Sequence[int], result: Result, history: Sequence[Epoch], second: str
) -> Settled:
    """A trial's result as samplers and pruners see it."""
    judged_by = config.training.judged_by
    value = getattr(result, judged_by)
    complete = result.state == "complete" and value is not None
    values: tuple[float, ...] = (float(value),) if complete else ()
    if complete and second != "none":
        values = (*values, float(SECOND[second](sizes)))
    seen = scores(history, judged_by) if result.state in ("complete", "pruned") else ()
    # Reports of several objectives are not defined.
    return Settled(complete, values, seen if second == "none" else (), result.attrs)


def scores(history: Sequence[Epoch], judged_by: JudgedBy) -> tuple[float, ...]:
    """The objective after each epoch, as samplers and pruners see it; empty if it diverged."""
    if not history or history[-1].diverged:
        return ()
    return tuple(float(getattr(epoch, judged_by)) for epoch in history)
