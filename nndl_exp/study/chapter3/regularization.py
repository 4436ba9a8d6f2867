"""The regularization parameter λ: from none by tens, refined; then η again.

"Start initially with no regularization (λ = 0.0) ... use the validation data to select a good value
for λ. I'd start by trialling λ = 1.0, and then increase or decrease by factors of 10" (chapter 3,
"The regularization parameter, λ").
"""

from optuna.distributions import BaseDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, Positive, RunConfig, Size
from nndl_exp.study.chapter3 import settings
from nndl_exp.study.chapter3.settings import best_of, judged, number
from nndl_exp.study.script import Decision, Facts, Script, Seen
from nndl_exp.study.search_space import Params

TITLE = "regularization"


@dataclass(frozen=True, config=STRICT)
class Options:
    """The first λ, and how many tens away from it the stage goes."""

    first: Positive = 1.0
    decades: Size = 4


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found so far."""
    return facts.base


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """λ, and η."""
    return {"training.lmbda": settings.lmbda(), "training.eta": settings.eta()}


def script(facts: Facts, options: Options) -> Script:
    """λ = 0 and around the first by tens, towards the best until it lies inside; then η."""
    eta = facts.base.training.eta

    def at(lmbda: float, eta: float = eta) -> Params:
        return {"training.lmbda": lmbda, "training.eta": eta}

    first = options.first
    seen: dict[float, Seen] = {}
    batch = [0.0, first / 10, first, first * 10]
    for _ in range(options.decades):
        trials = yield [at(lmbda) for lmbda in batch]
        seen |= {trial.params["training.lmbda"]: trial for trial in trials}
        best = best_of(seen.values())
        found, tried = best.params["training.lmbda"], sorted(seen)
        if facts.spent(list(seen.values())) > 0.5 * facts.share:
            break
        if found == tried[-1]:
            batch = [found * 10]
        elif found == tried[1]:
            batch = [found / 10]
        else:
            break
    if found:
        trials = yield [at(found / 3), at(found * 3)]
        seen |= {trial.params["training.lmbda"]: trial for trial in trials}
        best = best_of(seen.values())
        found = best.params["training.lmbda"]
    trials = yield [at(found, eta / 2), at(found, eta * 2)]
    best = best_of([best, *trials])
    none = seen[0.0]
    config = settings.training(facts.base, lmbda=found, eta=best.params["training.eta"])
    gain = f"{judged(best)} at lmbda {number(found)} and eta {number(config.training.eta)}"
    tried_text = ", ".join(number(lmbda) for lmbda in sorted(seen))
    words = (f"{gain}, {judged(none)} without regularization (tried {tried_text})",)
    return Decision(config, words, {"lmbda": found, "eta": config.training.eta})
