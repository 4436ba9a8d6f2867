"""The winner of a search, and how far it can be told from the others."""

from collections.abc import Sequence

from nndl_exp.config import short_name
from nndl_exp.nn.network import count_parameters
from nndl_exp.records import Result
from nndl_exp.run import measure_of, sizes_of
from nndl_exp.study.proposing import objectives
from nndl_exp.study.search import Search, Trial, ranked
from nndl_exp.training.statistics import wilson_interval


def winner(search: Search, trials: Sequence[Trial]) -> Trial | None:
    """The completed trial with the best objective, the first of equals; None if none completed.

    With two objectives it is the smallest network that is nearly as good as the best one, by the
    rule of ``RULES``; a form of the one-standard-error rule.
    """
    complete = ranked(trials)
    if not complete or search.config.study.second_objective == "none":
        return complete[0] if complete else None
    good = [
        trial for trial in complete if _nearly_as_good(search, trial.result, complete[0].result)
    ]
    return min(good, key=lambda trial: (size(search, trial), trial.number))


def pareto_front(search: Search, trials: Sequence[Trial]) -> list[Trial]:
    """The completed trials that no other beats in both objectives, the smallest first."""
    front: list[Trial] = []
    for trial in sorted(ranked(trials), key=lambda trial: size(search, trial)):
        if not front or trial.goodness > front[-1].goodness:
            front.append(trial)
    return front


def size(search: Search, trial: Trial) -> int:
    """The second objective of a trial: parameters, unless the study counts multiply-adds."""
    second = objectives.SECOND.get(search.config.study.second_objective, count_parameters)
    return second(sizes_of(trial.config, search.dataset))


def not_distinguishable(search: Search, trials: Sequence[Trial], best: Trial) -> list[int]:
    """The completed trials whose accuracy lies inside the 95 % interval of the winner's.

    None where targets are numbers: R² is no proportion, and has no such interval.
    """
    if not measure_of(search.config.run).is_fraction:
        return []
    return [
        trial.number
        for trial in trials
        if trial.number != best.number
        and trial.result.state == "complete"
        and _inside_interval(search, trial.result, best.result)
    ]


_FEW = 6
RULES = {
    "cost": "the smallest network whose cost is at most 5 % above the lowest",
    "error": "the smallest network whose squared error is at most 5 % above the smallest",
    "interval": "the smallest network within the interval of the most accurate one",
}
"""When a network is nearly as good as the best one: judged by cost; by R²; by accuracy, inside its
95 % interval."""


def rule(search: Search) -> str:
    """The key of ``RULES`` that a study goes by."""
    if search.config.run.training.judged_by == "validation_cost":
        return "cost"
    return "interval" if measure_of(search.config.run).is_fraction else "error"


def _nearly_as_good(search: Search, result: Result, best: Result) -> bool:
    if rule(search) == "cost":
        return (result.validation_cost or 0.0) <= 1.05 * (best.validation_cost or 0.0)
    if rule(search) == "error":  # 1 - R² is proportional to the squared error
        assert best.validation_accuracy is not None
        return 1 - (result.validation_accuracy or 0.0) <= 1.05 * (1 - best.validation_accuracy)
    return _inside_interval(search, result, best)


def _inside_interval(search: Search, result: Result, best: Result) -> bool:
    """Whether an accuracy reaches into the 95 % interval of the best."""
    assert best.validation_accuracy is not None
    low, _ = wilson_interval(best.validation_accuracy, len(search.dataset.validation))
    return (result.validation_accuracy or 0.0) >= low


def verdict(search: Search, trials: Sequence[Trial], best: Trial) -> list[str]:
    """How the winner of a search compares with the other trials, and where it lies, in words."""
    words = list[str]()
    if others := not_distinguishable(search, trials, best):
        several = f"{len(others)} other trials lie" if len(others) > 1 else "1 other trial lies"
        shown = ", ".join(map(str, others[:_FEW])) + (", ..." if len(others) > _FEW else "")
        words.append(f"{several} within its 95 % interval ({shown})")
    pruned = [t for t in trials if t.result.state == "pruned" and t.reached > best.goodness]
    words += [f"trial {t.number} was pruned although it had reached more: {_reached(t)}"
              for t in pruned[:_FEW]]  # fmt: skip
    edges = search.space.at_edges(search.space.params_of(search.varied(best.config)))
    words.append(
        f"at the edge of the search space in {', '.join(map(short_name, edges))}: a wider one may "
        "hold a better trial" if edges else "inside the search space on every side"
    )  # fmt: skip
    if search.config.study.second_objective != "none":
        shown = ", ".join(
            f"{t.number} ({size(search, t):,}: {_reached(t)})" for t in pareto_front(search, trials)
        )
        words += [RULES[rule(search)], f"Pareto front: {shown}"]
    return words


def _reached(trial: Trial) -> str:
    return measure_of(trial.config).text(trial.result.validation_accuracy or 0.0)
