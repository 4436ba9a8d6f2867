"""Proposing the 5,000th trial against Optuna's own in-memory ask at that size.

Both have the same trials, the default search space, and TPE with its default settings; Optuna's
study keeps one sampler and is told of every trial. A proposal is ask and a value for every
parameter: Optuna samples where the first one is asked for. Ours is made by the view that the
coordinator asks; then also with all that the coordinator does on the disk for it: looking whether
another process has recorded it, recording it. In alternation, in one process.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import optuna

from benchmarks.readme import table
from nndl_exp.api import load_study
from nndl_exp.study.proposing.algorithms import sampler_for
from nndl_exp.study.proposing.proposer import OptunaProposer, Proposal, Settled
from nndl_exp.study.search import Search

TRIALS = 5000
_EPOCHS = 20


@dataclass(frozen=True)
class Past:
    """Trials that were proposed, and their results."""

    proposals: list[Proposal]
    settled: list[Settled]

    @classmethod
    def of(cls, search: Search, n: int) -> "Past":
        """``n`` trials at random places, with values that a learner could have had."""
        proposer = OptunaProposer(replace(search.plan, sampler={"name": "random"}, lag=n + 1))
        proposals = [proposer.ask([]) for _ in range(n)]
        rng = np.random.default_rng(search.plan.seed)
        scores = np.sort(rng.random((n, _EPOCHS)), axis=1)
        settled = [Settled(True, (row[-1],), tuple(row)) for row in scores.tolist()]
        return cls(proposals, settled)

    def frozen(self, search: Search) -> list[optuna.trial.FrozenTrial]:
        """The same as Optuna has them."""
        space = search.space.distributions
        return [
            optuna.trial.create_trial(
                params=p.params,
                distributions={name: space[name] for name in p.params},
                value=s.values[0],
                intermediate_values=dict(enumerate(s.scores, 1)),
            )
            for p, s in zip(self.proposals, self.settled, strict=True)
        ]


@dataclass(frozen=True)
class Times:
    """Seconds for a proposal: Optuna's own, our view's, and with its record."""

    optunas: float
    view: float
    recorded: float


def measure(trials: int, rounds: int, *words: str) -> Times:
    """Medians over proposals number ``trials``, ``trials`` + 1 and so on."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = load_study(["strategy=joint", "tracking=none", f"output={folder}", *words])
        study.create()
        search = next(study.stages()).search
        past = Past.of(search, trials - 1)
        contenders = (_optunas(search, past), _view(search, past), _recorded(search, past))
        seconds = [[_timed(propose) for propose in contenders] for _ in range(rounds + 1)]
    return Times(*(statistics.median(column) for column in zip(*seconds[1:], strict=True)))


def _timed(propose: Callable[[], object]) -> float:
    start = time.perf_counter()
    propose()
    return time.perf_counter() - start


def _optunas(search: Search, past: Past) -> Callable[[], object]:
    plan = search.plan
    sampler = sampler_for(plan.sampler, plan.space, plan.seed, 0)
    own = optuna.create_study(sampler=sampler, directions=list(plan.directions))
    own.add_trials(past.frozen(search))

    def propose() -> None:
        trial = own.ask()
        search.space.suggest(trial)
        own.tell(trial, 0.5)

    return propose


def _view(search: Search, past: Past) -> Callable[[], Proposal]:
    proposer, settled = OptunaProposer(search.plan), [*past.settled]
    proposer.restore(past.proposals, past.settled)

    def propose() -> Proposal:
        proposal = proposer.ask(settled)
        settled.append(Settled(True, (0.5,)))
        return proposal

    return propose


def _recorded(search: Search, past: Past) -> Callable[[], None]:
    """As the coordinator does it."""
    propose, number = _view(search, past), len(past.proposals)

    def recorded() -> None:
        nonlocal number
        assert search.proposal(number) is None
        assert search.record(propose())
        number += 1

    return recorded


def measured(rounds: int) -> str:
    """The table."""
    found = measure(TRIALS, 10 * rounds)
    times = [f"{1000 * t:.0f} ms" for t in (found.optunas, found.view, found.recorded)]
    ratios = [f"{t / found.optunas:.2f}" for t in (found.view, found.recorded)]
    row = [times[0], f"{times[1]} ({ratios[0]})", f"{times[2]} ({ratios[1]})"]
    return table(["Optuna's own ask", "ours (ratio)", "ours with its record (ratio)"], [row])
