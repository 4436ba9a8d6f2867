"""The winner of a study, and how far it can be told from the others."""

from collections.abc import Sequence

from nndl_exp.nn.network import count_multiply_adds, count_parameters
from nndl_exp.records import Result
from nndl_exp.run import measure_of, sizes_of
from nndl_exp.study.study import Study, Trial
from nndl_exp.training.statistics import wilson_interval


def winner(study: Study, trials: Sequence[Trial]) -> Trial | None:
    """The completed trial with the best objective, the first of equals; None if none completed.

    With two objectives it is the smallest network that is nearly as good as the best one, by the
    rule of ``RULES``; a form of the one-standard-error rule.
    """
    complete = [trial for trial in trials if trial.result.state == "complete"]
    if not complete:
        return None
    best = max(complete, key=lambda trial: _goodness(study, trial.result))
    if study.config.study.second_objective == "none":
        return best
    good = [trial for trial in complete if _nearly_as_good(study, trial.result, best.result)]
    return min(good, key=lambda trial: size(study, trial))


def pareto_front(study: Study, trials: Sequence[Trial]) -> list[Trial]:
    """The completed trials that no other beats in both objectives, the smallest first."""
    front: list[Trial] = []
    complete = [trial for trial in trials if trial.result.state == "complete"]
    for trial in sorted(complete, key=lambda t: (size(study, t), -_goodness(study, t.result))):
        if not front or _goodness(study, trial.result) > _goodness(study, front[-1].result):
            front.append(trial)
    return front


def size(study: Study, trial: Trial) -> int:
    """The second objective of a trial: parameters, unless the study counts multiply-adds."""
    sizes = sizes_of(trial.config, study.dataset)
    by_work = study.config.study.second_objective == "multiply_adds"
    return count_multiply_adds(sizes) if by_work else count_parameters(sizes)


def not_distinguishable(study: Study, trials: Sequence[Trial], best: Trial) -> list[int]:
    """The completed trials whose accuracy lies inside the 95 % interval of the winner's.

    None where targets are numbers: R² is no proportion, and has no such interval.
    """
    if not measure_of(study.config.run).is_fraction:
        return []
    assert best.result.validation_accuracy is not None
    low, _ = wilson_interval(best.result.validation_accuracy, len(study.dataset.validation))
    return [
        trial.number
        for trial in trials
        if trial.number != best.number
        and trial.result.state == "complete"
        and (trial.result.validation_accuracy or 0.0) >= low
    ]


def _goodness(study: Study, result: Result) -> float:
    if study.config.run.training.judged_by == "validation_accuracy":
        return result.validation_accuracy or 0.0
    return -(result.validation_cost or 0.0)


RULES = {
    "cost": "the smallest network whose cost is at most 5 % above the lowest",
    "error": "the smallest network whose squared error is at most 5 % above the smallest",
    "interval": "the smallest network within the interval of the most accurate one",
}
"""When a network is nearly as good as the best one: judged by cost; by R²; by accuracy, inside its
95 % interval."""


def rule(study: Study) -> str:
    """The key of ``RULES`` that a study goes by."""
    if study.config.run.training.judged_by == "validation_cost":
        return "cost"
    return "interval" if measure_of(study.config.run).is_fraction else "error"


def _nearly_as_good(study: Study, result: Result, best: Result) -> bool:
    if rule(study) == "cost":
        return (result.validation_cost or 0.0) <= 1.05 * (best.validation_cost or 0.0)
    assert best.validation_accuracy is not None
    accuracy = result.validation_accuracy or 0.0
    if rule(study) == "error":  # 1 - R² is proportional to the squared error
        return 1 - accuracy <= 1.05 * (1 - best.validation_accuracy)
    low, _ = wilson_interval(best.validation_accuracy, len(study.dataset.validation))
    return accuracy >= low
