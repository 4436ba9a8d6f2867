"""Proposing the 5,000th trial against Optuna's own in-memory ask at that size.

Both have the same trials, the default search space, and TPE with its default settings; Optuna's
study keeps one sampler and is told of every trial. A proposal is ask and a value for every
parameter: Optuna samples where the first one is asked for. Ours is made by the view that the
coordinator asks; then also with all that the coordinator does in the database for it: the lock,
reading what other processes may have written, storing it. In alternation, in one process.
"""

import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import optuna

from benchmarks.scaling.sweeps import on_postgresql, stored_name, table
from nndl_exp.api import load_study
from nndl_exp.study.proposing.proposer import Proposal, Settled, View
from nndl_exp.study.proposing.samplers import sampler_for
from nndl_exp.study.running.patience import Patience
from nndl_exp.study.running.storage import Storage, url_of
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
        view = View(replace(search.plan, sampler={"name": "random"}, lag=n + 1))
        proposals = [view.ask([]) for _ in range(n)]
        rng = np.random.default_rng(search.plan.seed)
        scores = np.sort(rng.random((n, _EPOCHS)), axis=1)
        settled = [Settled(True, (row[-1],), tuple(row)) for row in scores.tolist()]
        return cls(proposals, settled)

    def frozen(self, search: Search, *, scores: bool = True) -> list[optuna.trial.FrozenTrial]:
        """The same as Optuna has them; our database has no ``scores``, which the records keep."""
        space = search.space.distributions
        return [
            optuna.trial.create_trial(
                params=p.params,
                distributions={name: space[name] for name in p.params},
                value=s.values[0],
                intermediate_values=dict(enumerate(s.scores, 1)) if scores else {},
            )
            for p, s in zip(self.proposals, self.settled, strict=True)
        ]


@dataclass(frozen=True)
class Times:
    """Seconds for a proposal: Optuna's own, our view's, and with the database."""

    optunas: float
    view: float
    stored: float


def measure(trials: int, rounds: int, *words: str) -> Times:
    """Medians over proposals number ``trials``, ``trials`` + 1 and so on."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = load_study(["strategy=joint", "tracking=none", f"output={folder}", *words])
        study.create()
        search = next(study.stages()).search
        past = Past.of(search, trials - 1)
        contenders = (_optunas(search, past), _view(search, past), _stored(search, past))
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
    view, settled = View(search.plan), [*past.settled]
    view.restore(past.proposals, past.settled)

    def propose() -> Proposal:
        proposal = view.ask(settled)
        settled.append(Settled(True, (0.5,)))
        return proposal

    return propose


def _stored(search: Search, past: Past) -> Callable[[], None]:
    """As ``Coordinator._propose`` does it where other processes work at the study, too."""
    propose, url = _view(search, past), url_of(search.config)
    storage = Storage(url, search, Patience(url, 60.0, print))
    # One by one, claimed and settled, it would take long; Optuna alone asks for no number.
    backend = optuna.storages.RDBStorage(url)
    own = optuna.load_study(study_name=stored_name(search, backend), storage=backend)
    own.add_trials(past.frozen(search, scores=False))
    backend.engine.dispose()
    storage.read()

    def stored() -> None:
        with storage.exclusive():
            storage.read()
            assert storage.add(propose(), search.space.distributions)

    return stored


def measured(rounds: int) -> str:
    """The table, a row for each database; PostgreSQL's where there is one."""
    databases = {"SQLite": (), "PostgreSQL": on_postgresql()}
    rows = []
    for title, words in databases.items():
        if words is None:
            continue
        found = measure(TRIALS, 10 * rounds, *words)
        times = [f"{1000 * t:.0f} ms" for t in (found.optunas, found.view, found.stored)]
        ratios = [f"{t / found.optunas:.2f}" for t in (found.view, found.stored)]
        rows.append([title, times[0], f"{times[1]} ({ratios[0]})", f"{times[2]} ({ratios[1]})"])
    return table(["", "Optuna's own ask", "ours (ratio)", "ours with the database (ratio)"], rows)
