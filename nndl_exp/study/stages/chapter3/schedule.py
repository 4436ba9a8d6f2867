"""The learning-rate schedule: halving down to 1/128 of the first η against a constant one.

"Hold the learning rate constant until the validation accuracy starts to get worse. Then decrease
the learning rate by some amount" (chapter 3, "Learning rate schedule"); the exercise halves at no
improvement in 10 epochs and ends at 1/128.
"""

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.chapter3.settings import judged
from nndl_exp.study.stages.script import Script
from nndl_exp.study.stages.stage import Decision, Facts

TITLE = "learning-rate schedule"
SUMMARY = "Halving down to 1/128 of the first η against a constant one."


@dataclass(frozen=True, config=STRICT)
class Options:
    """The epochs without improvement after which η is halved."""

    patience: tuple[Size, ...] = (3, 5)


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found so far, without early stopping: a schedule ends by itself."""
    return settings.without_stopping(facts.base, facts.base.training.epochs)


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """The schedule and its n."""
    return {
        "training.schedule.name": CategoricalDistribution(("constant", "plateau")),
        "training.schedule.n": IntDistribution(1, 1000),
    }


def script(facts: Facts, options: Options) -> Script:
    """Constant, and halving with each n; halving where it is better by half a standard error."""
    # Constant to the last epoch; halving comes to its end about half-way.
    if (2 + len(options.patience)) * facts.likely_work(facts.base) > facts.share:
        return Decision(facts.base, (f"halving was not tried: {settings.NOT_PAID}",))
    trials = yield [
        {
            "training.schedule.name": "constant",
            "training.schedule.n": facts.base.training.schedule.n,
        },
        *(
            {"training.schedule.name": "plateau", "training.schedule.n": n}
            for n in options.patience
        ),
    ]
    if not any(trial.ok for trial in trials):
        return settings.nothing(facts, trials)
    constant, *halving = trials
    best = settings.best_of(halving)
    words = f"halving {judged(best)}, constant {judged(constant)}"
    if best.goodness <= constant.goodness + constant.standard_error / 2:
        return Decision(facts.base, (f"{words}: it stays constant",))
    t = best.config.training
    config = settings.training(facts.base, schedule=t.schedule, stopping=t.stopping)
    return Decision(config, (f"{words}: halve at no improvement in {t.schedule.n}, to 1/128",))
