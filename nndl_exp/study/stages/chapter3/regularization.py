"""The regularization parameter λ: from none by tens, refined; then η again.

"Start initially with no regularization (λ = 0.0) ... use the validation data to select a good value
for λ. I'd start by trialling λ = 1.0, and then increase or decrease by factors of 10" (chapter 3,
"The regularization parameter, λ"). It is done on some of the images; λ is then rescaled with n, as
the book does for its 1,000 and 50,000 images (λ = 0.1 and 5.0).

Of the powers of ten the largest is gone on with that is within a standard error of the best one
(Breiman et al. 1984, section 3.4.3): by noise alone each of them may be first, and a little too
much regularization harms less than none.
"""

from collections.abc import Generator

from optuna.distributions import BaseDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, Positive, RunConfig, Size, value_text
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.chapter3.settings import best_of, judged
from nndl_exp.study.stages.script import Batch, Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts

TITLE = "regularization"
SUMMARY = "λ from 0 by factors of ten, then refined; then η again."
TRIALS = 9
"""What it takes as a rule."""


@dataclass(frozen=True, config=STRICT)
class Options:
    """The images and epochs of each training at most, the first λ for so many images, and how many
    tens away from it the stage goes."""

    images: Size = 5_000
    epochs: Size = 30
    first: Positive = 1.0
    decades: Size = 4


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found so far, on fewer images."""
    return settings.shorter(facts, options.images, options.epochs, TRIALS)


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """λ, and η."""
    return {"training.lmbda": settings.lmbda(), "training.eta": settings.eta()}


def script(facts: Facts, options: Options) -> Script:
    """λ = 0 and around the first by tens, towards the best until it lies inside; then η."""
    eta = facts.base.training.eta
    seen = yield from _walk(facts, options)
    best = _largest_within_error(facts, seen)
    if found := best.params["training.lmbda"]:
        trials = yield [_at(found / 3, eta), _at(found * 3, eta)]
        seen |= {trial.params["training.lmbda"]: trial for trial in trials}
        best = best_of([best, *trials])
        found = best.params["training.lmbda"]
    if len({trial.goodness for trial in seen.values() if trial.ok}) == 1:
        tie = f"{judged(best)} with every lmbda (tried {_tried(seen)}): it stays as it was"
        return Decision(facts.base, (tie,))
    trials = yield [_at(found, eta / 2), _at(found, eta * 2)]
    best = best_of([best, *trials])
    if not best.ok:
        return settings.nothing(facts, [*seen.values(), *trials])
    return _decision(facts, best, seen)


def _walk(facts: Facts, options: Options) -> Generator[Batch, list[Seen], dict[float, Seen]]:
    """Try λ by tens until the best lies inside; the trials by their λ."""
    eta, first = facts.base.training.eta, options.first
    seen: dict[float, Seen] = {}
    batch = [0.0, first / 10, first, first * 10]
    for _ in range(options.decades):
        trials = yield [_at(lmbda, eta) for lmbda in batch]
        seen |= {trial.params["training.lmbda"]: trial for trial in trials}
        best = _largest_within_error(facts, seen)
        found, tried = best.params["training.lmbda"], sorted(seen)
        if not best.ok or facts.spent(list(seen.values())) > 0.5 * facts.share:
            break
        if found == tried[-1]:
            batch = [found * 10]
        elif found == tried[1]:
            batch = [found / 10]
        else:
            break
    return seen


def _at(lmbda: float, eta: float) -> Params:
    return {"training.lmbda": lmbda, "training.eta": eta}


def _decision(facts: Facts, best: Seen, seen: dict[float, Seen]) -> Decision:
    found, images = best.params["training.lmbda"], best.config.dataset.training_size
    lmbda = settings.on_all_images(best, facts)
    config = settings.training(facts.base, lmbda=lmbda, eta=best.params["training.eta"])
    words = [
        f"{judged(best)} at lmbda {value_text(found)} and eta {value_text(config.training.eta)}, "
        f"{judged(seen[0.0])} without regularization (tried {_tried(seen)})"
    ]
    if lmbda != found:
        words.append(
            f"that was with {images:,} images: lmbda {value_text(lmbda)} for all {facts.n:,}"
        )
    return Decision(config, tuple(words), {"lmbda": lmbda, "eta": config.training.eta})


def _largest_within_error(facts: Facts, seen: dict[float, Seen]) -> Seen:
    """The trial with the largest λ that is within a standard error of the best, if any completed;
    else that without regularization."""
    best = best_of(list(seen.values()))
    if not best.ok:
        return seen[0.0]
    least = best.goodness - best.standard_error
    return seen[max(lmbda for lmbda, trial in seen.items() if trial.goodness >= least)]


def _tried(seen: dict[float, Seen]) -> str:
    return ", ".join(map(value_text, sorted(seen)))
