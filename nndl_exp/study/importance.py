"""Which hyper-parameters decide whether a trial is one of the best: Optuna's PED-ANOVA.

Watanabe, Bansal and Hutter, IJCAI 2023 (arXiv:2304.10255). It compares where the best trials lie
with where all completed ones do, a parameter at a time, so that a sampler's own preference is not
taken for an effect. No random number is drawn: the same trials give the same shares. A parameter
that only some trials have, such as the width of a second hidden layer, counts by how many have it.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field

import optuna
from optuna.distributions import BaseDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection
from optuna.trial import create_trial

from nndl_exp.study.proposing.search_space import Params

FEWEST = 10
"""So many completed trials are needed: half of them make the five best that Optuna recommends."""
# Optuna's tenth would be seven trials of a default study, which chance orders: see the intervals.
_BEST, _BEST_FRACTION = 5, 0.25


@dataclass(frozen=True)
class Importances:
    """The share of each parameter, the largest first; they sum to 1, or there are none.

    ``note`` says what the shares are of, or why there are none.
    """

    note: str
    shares: dict[str, float] = field(default_factory=dict)


def importances(
    distributions: dict[str, BaseDistribution],
    direction: StudyDirection,
    trials: Sequence[tuple[Params, float]],
) -> Importances:
    """How much each parameter matters to be in the best quarter of the trials, or the best five.

    Args:
        distributions: the search space.
        direction: whether values are to be large or small.
        trials: the parameters and the objective of each completed trial; a parameter may be
            missing where it does not apply.
    """
    values = [value for _, value in trials]
    present = [name for name in distributions if any(name in params for params, _ in trials)]
    if len(trials) < FEWEST:
        return Importances(f"needs {FEWEST} completed trials: there are {len(trials)}")
    if len(set(values)) == 1:
        return Importances(f"all {len(trials)} completed trials are equally good")
    raw = _ped_anova(distributions, direction, trials, present)
    total = math.fsum(raw.values())
    if total <= 0.0:
        return Importances("the best trials lie where all of them do")
    shares = {name: raw[name] / total for name in present}
    return Importances(
        f"of being among the best {_best(values, direction)} of {len(trials)} completed "
        "trials (PED-ANOVA)",
        dict(sorted(shares.items(), key=lambda item: -item[1])),
    )


def _ped_anova(
    distributions: dict[str, BaseDistribution],
    direction: StudyDirection,
    trials: Sequence[tuple[Params, float]],
    names: list[str],
) -> dict[str, float]:
    study = optuna.create_study(direction=direction)
    study.add_trials(
        create_trial(
            params=params, distributions={n: distributions[n] for n in params}, value=value
        )
        for params, value in trials
    )
    with warnings.catch_warnings():
        # That few trials have a parameter, or that all are equally good: the note says so.
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return get_param_importances(
            study, evaluator=evaluator(len(trials)), params=names, normalize=False
        )


def evaluator(completed: int) -> PedAnovaImportanceEvaluator:
    """Optuna's evaluator for so many completed trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return PedAnovaImportanceEvaluator(target_quantile=_fraction(completed))


def _fraction(completed: int) -> float:
    return max(_BEST_FRACTION, _BEST / completed)


def _best(values: Sequence[float], direction: StudyDirection) -> int:
    """The number of trials that are as good as the last one of the best fraction."""
    ordered = sorted(values, reverse=direction == StudyDirection.MAXIMIZE)
    last = ordered[math.ceil(_fraction(len(values)) * len(values)) - 1]
    return ordered.index(last) + ordered.count(last)
