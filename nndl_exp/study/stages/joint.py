"""The joint search: Optuna over all hyper-parameters, in ranges around what the stages found."""

from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from typing import Any

from nndl_exp.config import RunConfig, SweepConfig, flatten, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.study.proposing.entries import at_most
from nndl_exp.study.proposing.proposer import Proposal
from nndl_exp.study.proposing.ranges import describe
from nndl_exp.study.proposing.search_space import SearchSpace
from nndl_exp.study.proposing.widening import FACTORS, WIDEN_EVERY, Widening, widened
from nndl_exp.study.stages.chapter3 import settings
from nndl_exp.study.stages.script import Decision, Facts, Seen, write_decision
from nndl_exp.study.study import SAVED, Study, Trial, load_settings
from nndl_exp.study.warm_start import FILE
from nndl_exp.study.winner import winner

CANDIDATES = 5


class JointStage(Study):
    """The declared search space, centred on ``facts.base``, searched until the work is spent."""

    title = "joint search"
    key = "joint"

    def __init__(self, config: SweepConfig, parent: str, facts: Facts) -> None:
        self._parent, self.facts = parent, facts
        self._spent: list[float] = []
        entries, self.centred = centred(config.search_space, facts.base, facts.n)
        space = SearchSpace.parse(entries, facts.base)
        joint = replace(
            config,
            run=facts.base,
            search_space=entries,
            study=replace(config.study, enqueue=self._first(space, config)),
        )
        super().__init__(joint)
        if self.rows:
            self.centred.append(
                f"{len(self.plan.known)} of {len(self.rows)} trials of {config.study.warm_start} "
                "are known: they lie inside these ranges, with the same settings otherwise"
            )

    def _first(self, space: SearchSpace, config: SweepConfig) -> tuple[dict[str, Any], ...]:
        """What is tried first: the found point, then what the user asked for where it fits."""
        first = list(_inside(space, self.facts.base))
        for asked in config.study.enqueue:
            try:
                space.params_of(asked)
                first.append(asked)
            except UserError:
                said = settings.in_words(asked)
                self.centred.append(f"not tried: {said} of study.enqueue lies outside these ranges")
        return tuple(first)

    @property
    def directory(self) -> Path:
        """The stage's folder, in that of its study."""
        return Path(self.config.output) / "studies" / self._parent / "stages" / self.key

    @property
    def rows_path(self) -> Path:
        """Where the rows of the study that this one begins with are kept: by its own study."""
        return Path(self.config.output) / "studies" / self._parent / FILE

    def verify(self) -> None:
        """Check that the search that was begun here is this one.

        Raises:
            UserError: the stages before decide otherwise now: the program or a record has changed.
        """
        path = self.directory / "study.yaml"
        if not path.is_file():
            return
        saved, _ = load_settings(path, self.config.output)
        for key in SAVED:
            if key != "study" and getattr(saved, key) != getattr(self.config, key):
                raise UserError(
                    f"{self.name} was begun with another {key} than the stages before decide on "
                    "now: the program or a record has changed; give another study.name"
                )

    def proposer(self) -> Widening:
        """What proposes the trials, in ranges that grow."""
        return Widening(self.plan, len(self.dataset.training))

    def trials(self) -> list[Trial]:
        """The settled trials; ``space`` is then the one that the last of them was proposed in."""
        trials, space = super().trials(), self.plan.space
        proposals: list[Proposal] = []
        settled = [self.settled(trial) for trial in trials]
        for trial in trials:
            if trial.number and trial.number % WIDEN_EVERY == 0:
                space, _ = widened(
                    space, self.plan, proposals, settled, trial.number, len(self.dataset.training)
                )
            params = space.params_of(self.varied(trial.config))
            proposals.append(Proposal(trial.number, params))
        self.space = space
        return trials

    def total(self, settled: int) -> int:
        """Trials are proposed until those that a proposal may see have spent the share."""
        known = min(settled, self.n_trials)
        while len(self._spent) < known:  # each record is read once
            directory = self.run_directory(len(self._spent))
            result = directory.result()
            assert result is not None
            before = self._spent[-1] if self._spent else 0.0
            work = self.facts.work(directory.config(), result.epochs)
            self._spent.append(before + work)
        enough = bisect_left(self._spent, self.facts.share, hi=known)
        return min(enough + self.plan.lag, self.n_trials) if enough < known else self.n_trials

    def decision(self) -> Decision | None:
        """The best trial; None while trials are missing."""
        trials = self.trials()
        if len(trials) < self.total(len(trials)):
            return None
        best = winner(self, trials)
        if best is None:
            states = settings.states([trial.result.state for trial in trials])
            why = f"no trial trained to its end ({states})"
            return Decision(self.facts.base, (why,), stop=True)
        ranked = sorted(
            (trial for trial in trials if trial.result.state == "complete"),
            key=lambda trial: (-self._seen(trial).goodness, trial.number),
        )
        seen = self._seen(best)
        words = [
            f"{settings.judged(seen)} by trial {best.number} of {len(trials)}: "
            f"{settings.in_words(self.varied(best.config))}"
        ]
        edges = self.space.at_edges(self.space.params_of(self.varied(best.config)))
        words += self._wider()
        if edges:
            words.append(f"at the edge of its range in {', '.join(edges)}")
        candidates = list(dict.fromkeys(trial.config for trial in ranked))[:CANDIDATES]
        return Decision(best.config, tuple(words), {"trial": best.number}, candidates=candidates)

    def times_its_share(self) -> float:
        """How often what it has spent goes into the work that it was given."""
        return self.facts.spent([self._seen(trial) for trial in self.trials()]) / self.facts.share

    def conclude(self, decision: Decision) -> None:
        """Write the decision down, for a reader: the study itself decides it again."""
        write_decision(self.directory, self.key, decision)

    def _name(self, identity: str) -> str:
        return f"{self._parent}/{self.key}"

    def _check_known(self) -> None:
        """What the stages before found decides how many of the rows tell; it is said above."""

    def _wider(self) -> list[str]:
        """The ranges that were widened, since the best trial lay at their edge."""
        before, now = self.plan.space.distributions, self.space.distributions
        return [
            f"{name} was widened from {describe(before[name])} to {describe(now[name])}, as the "
            "best trial lay at its edge"
            for name in now
            if repr(before[name]) != repr(now[name])
        ]

    def _seen(self, trial: Trial) -> Seen:
        epochs = tuple(self.run_directory(trial.number).epochs())
        return Seen(trial.number, {}, trial.config, trial.result, epochs)


def centred(entries: dict[str, Any], found: RunConfig, n: int) -> tuple[dict[str, Any], list[str]]:
    """The entries of a search space narrowed to around a run, and what was said about them.

    ``n`` training examples are the most that a mini-batch may have.
    """
    values = dict(flatten(to_mapping(found)))
    said: list[str] = []

    def walk(inner: dict[str, Any], prefix: str) -> dict[str, Any]:
        result = {}
        for key, entry in inner.items():
            name = f"{prefix}{key}"
            if isinstance(entry, dict) and name in FACTORS:
                around = _around(name, entry, values[name], said)
                result[key] = at_most(around, n) if name == "training.mini_batch_size" else around
            elif isinstance(entry, dict) and not {"low", "choices"} & set(entry):
                result[key] = walk(entry, f"{name}.")
            else:
                result[key] = entry
        return result

    return walk(entries, ""), said


def _around(name: str, entry: dict[str, Any], value: Any, said: list[str]) -> dict[str, Any]:
    factor = FACTORS[name]
    if set(entry) == {"layers", "width"}:
        layers, width = entry["layers"], entry["width"]
        middle = max(value) if value else width["low"]
        most = max(int(layers["high"]), len(value))
        narrowed = _range(f"{name}.width", width, middle, factor, said)
        return {"layers": {**layers, "high": most}, "width": narrowed}
    if "low" not in entry:
        return entry
    return _range(name, entry, value, factor, said)


def _range(
    name: str, entry: dict[str, Any], value: float, factor: float, said: list[str]
) -> dict[str, Any]:
    low, high = entry["low"], entry["high"]
    if value == 0:  # λ: none was best, so small ones are searched
        return {**entry, "high": min(high, max(low * factor, low + 1))}
    if not low <= value <= high:
        said.append(f"{name} {value:.3g} was found outside its declared range {low:g}..{high:g}")
        low, high = min(low, value / factor), max(high, value * factor)
    whole = isinstance(entry["low"], int) and isinstance(entry["high"], int)
    ends = (max(low, value / factor), min(high, value * factor))
    if whole:
        return {**entry, "low": max(1, int(ends[0])), "high": int(ends[1])}
    return {**entry, "low": float(ends[0]), "high": float(ends[1])}


def _inside(space: SearchSpace, found: RunConfig) -> tuple[dict[str, Any], ...]:
    """The found point as the settings of a first trial, moved to the nearest end where outside.

    None where a setting has choices and the found value is not among them.
    """
    values = dict(flatten(to_mapping(found)))
    point = {}
    for name in space.settings:
        value = values[name]
        distribution = space.distributions.get(name)
        low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
        if low is not None and high is not None:
            value = min(max(value, low), high)
        point[name] = value
    try:
        space.params_of(point)
    except UserError:
        return ()
    return (point,)
