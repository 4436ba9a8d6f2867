"""The winner: a race of the best few, trained again with new seeds, and what can be said of them.

The best of many trials is partly luck: it was chosen by the very examples and the one seed that it
was judged with. So each finalist is trained again with seeds that the search did not use, the same
for each, and compared on each validation example (``nndl_exp.study.verdict``). The run that the
study started from is one of them: what tuning brought is the first question.

It is a race: after 3 and 5 seeds those that are clearly worse drop out, and it ends as soon as one
is better than all others. Each look at the results spends a part of the 5 % that the verdict may
be wrong by.
"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Annotated, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from pydantic import Field
from pydantic.dataclasses import dataclass

from nndl_exp.config import STRICT, RunConfig, Size
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import count_parameters
from nndl_exp.run import measure_of
from nndl_exp.study.proposing.search_space import Params
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.script import Batch, Script, Seen
from nndl_exp.study.stages.stage import Decision, Facts
from nndl_exp.study.verdict import Comparison, compare, mean_interval

TITLE = "the winner"
SUMMARY = "A race of the best few, which are trained again with new seeds."
FIRST_SEED = 1000
"""Where the new seeds start; see ``new_seeds``."""
LOOKS = {3: 0.01, 5: 0.015}
"""The error that is spent after so many seeds; the last look spends what is left of ``ERROR``."""
ERROR = 0.05
FEWEST = 3
"""Seeds: two tell hardly anything of how far seeds spread."""


@dataclass(frozen=True, config=STRICT)
class Options:
    """So many ``candidates`` of the search race with the start, with so many ``seeds`` at most.

    ``margin``, in points (of R²: in hundredths), is a difference that does not matter: the race
    ends when all differences are smaller, and a smaller network that is at most so much worse is
    recommended. With ``smaller`` it is also recommended where it may be worse by more.
    """

    candidates: Size = 3
    seeds: Annotated[int, Field(ge=FEWEST)] = 5
    margin: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.2
    smaller: bool = False


def start(facts: Facts, options: Options) -> RunConfig:
    """The run as found."""
    return facts.base


def space(facts: Facts, options: Options) -> dict[str, BaseDistribution]:
    """Every setting in which the finalists differ, and the seed."""
    varied = settings.differences(_finalists(facts, options))
    return {
        **{name: CategoricalDistribution(tuple(values)) for name, values in varied.items()},
        "seed": settings.seeds(),
    }


def script(facts: Facts, options: Options) -> Script:
    """Train all finalists with 3 seeds, those that are left with 5, and so on; then recommend."""
    finalists = _finalists(facts, options)
    race, seeds = Race(facts, finalists), new_seeds(facts, options.seeds)
    varied, begun = settings.differences(finalists), FEWEST
    first = yield from _trained(race, varied, seeds[:FEWEST])
    paid = FEWEST * facts.share / max(facts.spent(first), 1.0)
    for look, level in looks(int(max(FEWEST, min(options.seeds, paid)))):
        if look > begun:
            yield from _trained(race, varied, seeds[begun:look])
            begun = look
        if race.look(level, options.margin / 100):
            break
    if not any(map(race.completed, range(len(finalists)))):
        return settings.nothing(facts, first)
    return _decision(race, options)


def _trained(
    race: "Race", varied: dict[str, list[Any]], seeds: Sequence[int]
) -> Generator[Batch, list[Seen], list[Seen]]:
    """Train the finalists that are left with these seeds."""
    runs = [(i, seed) for i in race.racing for seed in seeds]
    trials = yield [_params(race.finalists[i], varied, seed) for i, seed in runs]
    for (i, _), trial in zip(runs, trials, strict=True):
        race.trials[i].append(trial)
    return trials


class Race:
    """What became of the finalists, by their positions; ``begin`` is that of the start.

    ``racing`` are those that are left, ``pairs`` the last comparison of every two: of one that has
    dropped out, when it did.
    """

    def __init__(self, facts: Facts, finalists: Sequence[RunConfig]) -> None:
        self.facts, self.finalists = facts, finalists
        self.trials: list[list[Seen]] = [[] for _ in finalists]
        self.racing, self.begin = list(range(len(finalists))), len(finalists) - 1
        self.pairs: dict[tuple[int, int], Comparison] = {}

    def scores(self, i: int) -> Array:
        """What each example adds to the accuracy of finalist i, (seeds, examples)."""
        return settings.scores(self.trials[i])

    def completed(self, i: int) -> bool:
        """Whether any training of finalist i came to its end."""
        return any(trial.ok for trial in self.trials[i])

    def size(self, i: int) -> int:
        """The number of parameters of finalist i."""
        sizes = (self.facts.n_in, *self.finalists[i].network.hidden, self.facts.classes)
        return count_parameters(sizes)

    def mean(self, i: int) -> float:
        """The accuracy of finalist i, in the mean of its seeds."""
        return float(self.scores(i).mean())

    def look(self, level: float, margin: float) -> bool:
        """Compare those that are left, and drop the clearly worse; whether the race is over.

        It is when one is left, or when all differ by less than the margin.
        """
        if len(self.racing) == 1:
            return True
        left = self.racing
        found = [
            replace(pair, a=left[pair.a], b=left[pair.b])
            for pair in compare([self.scores(i) for i in left], level)
        ]
        self.pairs |= {(pair.a, pair.b): pair for pair in found}
        worse = {
            pair.b if pair.better == pair.a else pair.a for pair in found if pair.better is not None
        }
        self.racing = [i for i in left if i not in worse]
        return len(self.racing) == 1 or all(
            -margin < pair.low and pair.high < margin for pair in found
        )

    def difference(self, a: int, b: int) -> Comparison:
        """What a gains over b, as of the last look at both."""
        pair = self.pairs[min(a, b), max(a, b)]
        if a < b:
            return pair
        return Comparison(a, b, -pair.difference, -pair.high, -pair.low)


def looks(seeds: int) -> list[tuple[int, float]]:
    """After how many seeds the race is looked at, and the level of that look's intervals.

    By Bonferroni's inequality the chance of a false winner at any look is at most ``ERROR``.
    """
    early = {look: error for look, error in LOOKS.items() if look < seeds}
    last = ERROR - sum(early.values())
    return [(look, 1 - error) for look, error in {**early, seeds: last}.items()]


def _finalists(facts: Facts, options: Options) -> list[RunConfig]:
    """The candidates and, last, the start: with one seed, since the race has seeds of its own.

    Fewer candidates where the share is not likely to pay for so many: seeds tell more than they do.
    """
    some = [*facts.candidates[: options.candidates], facts.start]
    some = list({replace(one, seed=facts.base.seed): None for one in reversed(some)})[::-1]
    while len(some) > 2 and options.seeds * sum(map(facts.likely_work, some)) > facts.share:
        del some[-2]
    return some


def _params(config: RunConfig, varied: dict[str, list[Any]], seed: int) -> Params:
    return {**settings.point(config, *varied), "seed": seed}


def new_seeds(facts: Facts, n: int) -> list[int]:
    """The first n seeds from 1000 + the study's seed on that nothing has been trained with.

    Left out are the run's seed and those of every trial of an earlier stage, or of the study that
    this one began with: a candidate was chosen by how well it did with those.
    """
    used = {facts.base.seed, *facts.used_seeds}
    free = (seed for seed in count(FIRST_SEED + facts.seed) if seed not in used)
    return list(islice(free, n))


def _decision(race: Race, options: Options) -> Decision:
    """Recommend a finalist, and say how it compares with the others."""
    means = [race.mean(i) for i in range(len(race.finalists))]
    chosen, how = _chosen(race, options, means)
    names = settings.names(race.finalists, race.finalists[race.begin])
    values = [measure_of(race.facts.base).text(mean) for mean in means]
    others = sorted((i for i in range(len(means)) if i != chosen), key=lambda i: -means[i])
    seeds, facts = [len(group) for group in race.trials], race.facts
    first = f"{how}{names[chosen]}: {values[chosen]}{_interval(race, chosen)}"
    judged = f"in the mean of {seeds[chosen]} new seeds on {facts.n_validation:,} examples"
    words = [f"{first} {judged}{settings.baseline(facts)}"]
    words += [_compared(race, chosen, i, f"{names[i]} ({values[i]})") for i in others]
    words += _detectable(race, chosen, options.margin / 100)
    differences = {
        f"difference_{pair.a}_{pair.b}": [pair.low, pair.difference, pair.high]
        for pair in race.pairs.values()
    }
    numbers = {"means": means, "seeds": seeds, **differences}
    return Decision(race.finalists[chosen], tuple(words), numbers)


def _chosen(race: Race, options: Options, means: Sequence[float]) -> tuple[int, str]:
    """The finalist that is recommended, and what the verdict begins with.

    It is the best in the mean; the start, where the best is not shown to be better; and a smaller
    network, where that is shown to be hardly worse.
    """
    begin, usable = race.begin, [i for i in race.racing if race.completed(i)]
    if begin in usable:
        tuned = len(race.finalists) > 1
        return begin, "tuning brought no improvement that can be shown; keep " if tuned else ""
    # Where only those are left that never came to their end, the best one that did.
    completed = usable or [i for i in range(len(means)) if race.completed(i)]
    best = max(completed, key=lambda i: (means[i], -i))
    smaller = [i for i in usable if race.size(i) < race.size(best)]
    how = "the smallest network that is not shown to be worse: "
    if not options.smaller:
        smaller = [i for i in smaller if race.difference(best, i).high < options.margin / 100]
        how = f"a smaller network, at most {_plain(race.facts, options.margin / 100)} worse: "
    if smaller:
        return min(smaller, key=lambda i: (race.size(i), -means[i])), how
    return best, ""


def _compared(race: Race, chosen: int, other: int, name: str) -> str:
    """How the recommended finalist compares with another."""
    if not race.completed(other):
        return f"no training of {name} came to its end"
    pair, seeds = race.difference(chosen, other), len(race.trials[other])
    verdict = "statistically tied with"
    if pair.better is not None:
        verdict = "better than" if pair.better == chosen else "worse than"
    dropped = f" (after {seeds} seeds)" if seeds < len(race.trials[chosen]) else ""
    ends = measure_of(race.facts.base).difference(pair.low, pair.high)
    return f"{verdict} {name}: the difference is {ends}{dropped}"


def _detectable(race: Race, chosen: int, margin: float) -> list[str]:
    """What the race could detect, where a finalist is tied with the recommended one."""
    tied = [race.difference(chosen, i) for i in race.racing if i != chosen]
    tied = [pair for pair in tied if pair.better is None]
    if not tied:
        return []
    if all(-margin < pair.low and pair.high < margin for pair in tied):
        return [f"tied for practical purposes: within {_plain(race.facts, margin)}"]
    widest = max((pair.high - pair.low) / 2 for pair in tied)
    return [
        f"with {len(race.trials[chosen])} seeds and {race.facts.n_validation:,} examples, "
        f"differences below {_plain(race.facts, widest)} cannot be detected"
    ]


def _interval(race: Race, i: int) -> str:
    """The interval of a finalist's accuracy, in words; nothing where it has none."""
    measure = measure_of(race.facts.base)
    found = mean_interval(race.scores(i)) if measure.is_fraction else None
    return f" (95 % interval {measure.interval(*found)})" if found else ""


def _plain(facts: Facts, difference: float) -> str:
    return measure_of(facts.base).difference(difference, form=".2g")
