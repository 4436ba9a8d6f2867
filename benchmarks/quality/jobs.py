"""One contender on one set with one seed: what it recommends in which time, and how good that is.

A folder has the examples of each set in ``sets/``, the strategy's studies in ``studies/``, and in
``results/SET/SEED/CONTENDER.json`` the outcomes of each job, written when it is done.
"""

import json
import time
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import sets
from benchmarks.quality.judging import test_scores
from benchmarks.quality.search import recommended, run_of, search, with_techniques
from benchmarks.quality.searchers import make_searcher
from nndl_exp.api import RunConfig, load_config, load_study
from nndl_exp.config import StoppingConfig, to_mapping
from nndl_exp.fast.blas import blas_threads
from nndl_exp.records import atomic
from nndl_exp.run import data_of
from nndl_exp.study.proposing.search_space import SearchSpace, nearest

BUDGETS = {"quarter": 0.25, "full": 1.0}
"""The parts of the strategy's budget that contenders are read at."""


@dataclass(frozen=True)
class Outcome:
    """What a contender recommends after ``seconds`` of training, and how good that is.

    ``scores`` are the test scores of three networks in points, ``trials`` the trials that had ended
    by then, ``run`` the recommended configuration. ``stages`` are the mean test scores, in points,
    of the configurations that each stage of the strategy decided on; the first is the start.
    """

    seconds: float
    scores: list[float]
    trials: int
    run: dict[str, Any]
    stages: dict[str, float] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The mean test score."""
        return float(np.mean(self.scores))


@dataclass(frozen=True)
class Job:
    """A contender on a set with a seed; ``epochs`` is the strategy's budget, ``techniques`` whether
    the contender searches those of the strategy, too."""

    folder: Path
    name: str
    seed: int
    contender: str
    epochs: int
    techniques: bool = False

    @property
    def path(self) -> Path:
        """The file with its outcomes."""
        which = f"{self.contender}{', techniques' if self.techniques else ''}.json"
        return self.folder / "results" / self.name / str(self.seed) / which

    def outcomes(self) -> dict[str, Outcome]:
        """The outcome of each budget, of a job that is done."""
        found = json.loads(self.path.read_text())
        return {budget: Outcome(**values) for budget, values in found.items()}

    def words(self) -> list[str]:
        """The words of the command line for the start of a search."""
        return sets.words(self.name, self.seed, self.folder)


def run(job: Job) -> None:
    """Do a job and write its outcomes, unless they are there."""
    if job.path.exists():
        return
    began = time.monotonic()
    do = {"chapter3": strategy, "untuned": untuned}.get(job.contender, searched)
    with blas_threads(1):
        outcomes = do(job)
    job.path.parent.mkdir(parents=True, exist_ok=True)
    data = {budget: asdict(outcome) for budget, outcome in outcomes.items()}
    atomic.write(job.path, json.dumps(data, indent=1).encode())
    took, full = time.monotonic() - began, outcomes["full"]
    print(
        f"{job.path.relative_to(job.folder / 'results')}: {full.score:.2f} after {full.seconds:.1f}"
        f" s of training in {full.trials} trials; the job took {took:.0f} s", flush=True
    )  # fmt: skip


def strategy(job: Job) -> dict[str, Outcome]:
    """The default strategy with each budget."""
    return {budget: _study(job, budget) for budget in BUDGETS}


def _study(job: Job, budget: str) -> Outcome:
    study = load_study([
        *job.words(), "strategy=chapter3", "executor=serial", "workers=1", "tracking=none",
        f"strategy.epochs={max(1, round(BUDGETS[budget] * job.epochs))}",
        f"study.seed={job.seed}", f"output={(job.folder / 'studies').resolve()}",
        f"study.name={job.name.replace(' ', '_')}-{job.seed}-{budget}",
    ])  # fmt: skip
    for _ in study.run():
        pass
    decided, trials = {"start": study.config.run}, []
    for stage in study.stages():
        trials += stage.search.trials()
        if decision := stage.decision():
            decided[stage.key] = decision.config
    dataset = data_of(study.config.run, test=True)
    judged = list(decided.values()) if budget == "full" else [*decided.values()][-1:]
    scores = {config: test_scores(config, dataset) for config in dict.fromkeys(judged)}
    stages = {key: float(np.mean(scores[c])) for key, c in decided.items() if budget == "full"}
    seconds = sum(trial.result.seconds for trial in trials)
    return Outcome(seconds, scores[judged[-1]], len(trials), to_mapping(judged[-1]), stages)


def untuned(job: Job) -> dict[str, Outcome]:
    """The start, trained for long."""
    config = for_long(load_config(job.words()))
    scores = test_scores(config, data_of(config, test=True))
    return dict.fromkeys(BUDGETS, Outcome(0.0, scores, 0, to_mapping(config)))


def for_long(run: RunConfig) -> RunConfig:
    """The run with at most 60 epochs, until none of 20 is better."""
    stopping = StoppingConfig("no_improvement", 20)
    return replace(run, training=replace(run.training, epochs=60, stopping=stopping))


def searched(job: Job) -> dict[str, Outcome]:
    """A search for the time that the strategy took, read at both times."""
    strategys = replace(job, contender="chapter3", techniques=False).outcomes()
    pruner = ["pruner=hyperband"] if job.contender == "TPE, Hyperband" else []
    config = load_study([*job.words(), *pruner, f"study.seed={job.seed}"]).config
    start, entries = config.run, config.search_space
    dataset = data_of(start, test=True)
    if job.techniques:
        start, entries = for_long(start), with_techniques(entries, dataset)
    space = SearchSpace.parse(entries, start)
    first = nearest(space, start)
    assert first is not None
    searcher = make_searcher(job.contender, space, first, config, start.training.epochs)
    limit = max(outcome.seconds for outcome in strategys.values())
    ended = search(searcher, partial(run_of, space, start), dataset, limit)
    found = {}
    for budget in BUDGETS:
        within = strategys[budget].seconds
        best, trials = recommended(ended, within), sum(one.seconds <= within for one in ended)
        scores = test_scores(best.config, dataset)
        found[budget] = Outcome(within, scores, trials, to_mapping(best.config))
    return found
