"""The joint search: Optuna over all hyper-parameters, in ranges around what the stages found."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.study import StudyDirection

from nndl_exp.config import RunConfig, SweepConfig, flatten, to_mapping, to_yaml
from nndl_exp.errors import UserError
from nndl_exp.records import atomic
from nndl_exp.study.chapter3 import settings
from nndl_exp.study.ranges import describe, is_at_edge
from nndl_exp.study.script import Decision, Facts, Seen
from nndl_exp.study.search_space import SearchSpace
from nndl_exp.study.study import SAVED, Study, Trial, load_settings
from nndl_exp.study.view import Plan, Proposal, Settled, View
from nndl_exp.study.winner import winner

FACTORS = {
    "training.eta": 8.0,
    "training.lmbda": 10.0,
    "training.mini_batch_size": 4.0,
    "network.hidden": 2.5,
}
"""How far a range reaches from what was found, up and down; other ranges stay as declared."""
CANDIDATES = 5
WIDEN_EVERY = 20
"""At trials 20, 40, ... a range whose edge the best trial lies at is widened by its factor."""


class JointStage(Study):
    """The declared search space, centred on ``facts.base``, searched until the work is spent."""

    title = "joint search"
    key = "joint"

    def __init__(self, config: SweepConfig, parent: str, facts: Facts) -> None:
        self._parent, self.facts = parent, facts
        entries, self.centred = centred(config.search_space, facts.base)
        space = SearchSpace.parse(entries, facts.base)
        joint = replace(
            config,
            run=facts.base,
            search_space=entries,
            study=replace(config.study, enqueue=(_inside(space, facts.base),)),
        )
        super().__init__(joint)

    @property
    def directory(self) -> Path:
        """The stage's folder, in that of its study."""
        return Path(self.config.output) / "studies" / self._parent / "stages" / self.key

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

    def proposer(self) -> "Widening":
        """What proposes the trials, in ranges that grow."""
        return Widening(self.plan, len(self.dataset.training))

    def trials(self) -> list[Trial]:
        """The settled trials; ``space`` is then the one that the next trial is proposed in."""
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
        spent = 0.0
        for number in range(min(settled, self.n_trials)):
            directory = self.run_directory(number)
            result = directory.result()
            assert result is not None
            spent += self.facts.work(directory.config(), result.epochs)
            if spent >= self.facts.share:
                return min(number + self.plan.lag, self.n_trials)
        return self.n_trials

    def decision(self) -> Decision | None:
        """The best trial; None while trials are missing."""
        trials = self.trials()
        if len(trials) < self.total(len(trials)):
            return None
        best = winner(self, trials)
        if best is None:
            return Decision(self.facts.base, ("no trial trained to its end",))
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

    def _name(self) -> str:
        return f"{self._parent}/{self.key}"

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


class Widening:
    """A ``View`` that is made again in a wider space where the best trial lies at an edge.

    Optuna's samplers drop a hyper-parameter from the joint search when its range has changed; so
    the trials before are stated again in the new ranges. When, and how far, is a function of the
    settled trials that the next proposal may see.
    """

    def __init__(self, plan: Plan, largest_batch: int) -> None:
        self._plan, self._largest_batch = plan, largest_batch
        self._space = plan.space
        self._view = View(plan)
        self._proposals: list[Proposal] = []

    def __len__(self) -> int:
        return len(self._view)

    @property
    def space(self) -> SearchSpace:
        """What the last trial was proposed in."""
        return self._space

    def restore(self, proposals: Sequence[Proposal], settled: Sequence[Settled]) -> None:
        """Go on after these proposals, given the results of the first trials."""
        self._proposals, self._space = list(proposals), self._plan.space
        # The check at the very next number is made when that trial is asked for.
        for number in range(WIDEN_EVERY, len(proposals), WIDEN_EVERY):
            self._widen(number, settled)
        self._view = View(replace(self._plan, space=self._space))
        self._view.restore(proposals, settled)

    def ask(self, settled: Sequence[Settled]) -> Proposal:
        """The next trial, given the results of the first trials."""
        number = len(self._proposals)
        if number and number % WIDEN_EVERY == 0 and self._widen(number, settled):
            self._view = View(replace(self._plan, space=self._space))
            self._view.restore(self._proposals, settled)
        proposal = self._view.ask(settled)
        self._proposals.append(proposal)
        return proposal

    def _widen(self, number: int, settled: Sequence[Settled]) -> bool:
        self._space, changed = widened(
            self._space, self._plan, self._proposals, settled, number, self._largest_batch
        )
        return changed


def widened(
    space: SearchSpace,
    plan: Plan,
    proposals: Sequence[Proposal],
    settled: Sequence[Settled],
    number: int,
    largest_batch: int,
) -> tuple[SearchSpace, bool]:
    """The space for trial ``number`` and those after it, and whether it is another one.

    It is decided by trials 0 .. number - L, which have settled whatever the workers did.
    """
    seen = range(max(0, number - plan.lag + 1))
    complete = [i for i in seen if settled[i].complete]
    if not complete or len(plan.directions) > 1:
        return space, False
    sign = 1 if plan.directions[0] == StudyDirection.MAXIMIZE else -1
    best = max(complete, key=lambda i: (sign * settled[i].values[0], -i))
    distributions = dict(space.distributions)
    for name, value in proposals[best].params.items():
        if is_at_edge(distributions[name], value):
            wider = _wider_range(name, distributions[name], value, largest_batch)
            for other in distributions:
                if other == name or _same_width(other, name):
                    distributions[other] = wider
    changed = repr(distributions) != repr(space.distributions)
    return (SearchSpace(distributions), True) if changed else (space, False)


def _same_width(name: str, other: str) -> bool:
    """All hidden layers have the same range of widths."""
    prefix = "network.hidden.width_"
    return name.startswith(prefix) and other.startswith(prefix)


def _wider_range(
    name: str, distribution: BaseDistribution, value: Any, largest_batch: int
) -> BaseDistribution:
    setting = "network.hidden" if name.startswith("network.hidden.width_") else name
    if setting not in FACTORS or not isinstance(distribution, FloatDistribution | IntDistribution):
        return distribution
    low, high, factor = distribution.low, distribution.high, FACTORS[setting]
    if value < (low * high) ** 0.5:
        low = low / factor
    else:
        high = high * factor
    if isinstance(distribution, FloatDistribution):
        return FloatDistribution(low, high, log=distribution.log)
    most = largest_batch if setting == "training.mini_batch_size" else 10**6
    return IntDistribution(max(1, int(low)), min(int(high), most), log=distribution.log)


def centred(entries: dict[str, Any], found: RunConfig) -> tuple[dict[str, Any], list[str]]:
    """The entries of a search space narrowed to around a run, and what was said about them."""
    values = dict(flatten(to_mapping(found)))
    said: list[str] = []

    def walk(inner: dict[str, Any], prefix: str) -> dict[str, Any]:
        result = {}
        for key, entry in inner.items():
            name = f"{prefix}{key}"
            if isinstance(entry, dict) and name in FACTORS:
                result[key] = _around(name, entry, values[name], said)
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


def _inside(space: SearchSpace, found: RunConfig) -> dict[str, Any]:
    """The found point as the settings of a first trial, moved to the nearest end where outside."""
    values = dict(flatten(to_mapping(found)))
    point = {}
    for name in space.settings:
        value = values[name]
        distribution = space.distributions.get(name)
        low, high = getattr(distribution, "low", None), getattr(distribution, "high", None)
        if low is not None and high is not None:
            value = min(max(value, low), high)
        point[name] = value
    return point


def write_decision(folder: Path, key: str, decision: Decision) -> None:
    """Write what a stage decided, for a reader."""
    record = {
        "stage": key,
        "decided": list(decision.words),
        "numbers": decision.numbers,
        "run": to_mapping(decision.config),
    }
    atomic.write(folder / "decision.yaml", to_yaml(record).encode(), durable=True)
