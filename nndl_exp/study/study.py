"""A study: an ordered list of stages. Each starts from what the ones before found."""

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import (
    RunConfig,
    StorageConfig,
    SweepConfig,
    TrackingConfig,
    seconds,
    to_mapping,
)
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.fast import kernels
from nndl_exp.run import check_parts, data_of, sizes_of
from nndl_exp.study import executors, settings, warm_start
from nndl_exp.study.executors import Pool
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.running.stop import Ended
from nndl_exp.study.search import Search, Trial, table
from nndl_exp.study.stages.chapter3 import LEAST, STAGES
from nndl_exp.study.stages.joint import Sampled
from nndl_exp.study.stages.script import Scripted, stage_options
from nndl_exp.study.stages.stage import Facts, Stage, StageSource, epoch_work
from nndl_exp.study.summary import conclude, forget
from nndl_exp.study.trial import Original
from nndl_exp.training.update_time import CONSTANTS

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_WIDTH = 100
"""Work is counted in epochs of a network with so many hidden neurons."""


class Study:
    """The study that ``config`` describes, in the folder ``studies/NAME`` of its output folder.

    Raises:
        UserError: the data can't be had, or do not fit the run.
    """

    def __init__(self, config: SweepConfig) -> None:
        if config.run.dataset.monitor == "test":
            raise UserError("dataset.monitor must be validation in a study: got test")
        self.config = config
        self.dataset = data_of(config.run)
        check_parts(config.run, self.dataset)
        self.identity = _identity(config, self.dataset)
        self.name = settings.check_name(config.study.name, config.run.dataset.title, self.identity)
        self.rows = warm_start.load(config, self.dataset, self.name, self.rows_path)

    @classmethod
    def open(
        cls,
        output: Path | str,
        name: str,
        tracking: TrackingConfig | None = None,
        storage: StorageConfig | None = None,
    ) -> "Study":
        """Open a study that exists, by its name.

        ``tracking`` and ``storage`` say where it is shown, which study.yaml does not keep.

        Raises:
            UserError: there is no study of that name, or its data have changed.
        """
        folder = Path(output) / "studies" / name
        if not settings.is_name(name) or not (folder / settings.FILE).is_file():
            raise UserError(settings.no_such_study(output, name))
        saved = settings.load(folder, output)
        config = replace(saved.config, storage=storage or saved.config.storage)
        if tracking is not None:
            there = replace(tracking, experiment=config.tracking.experiment)
            config = replace(config, tracking=there)
        study = cls(config)
        settings.check_same_data(name, saved.data, study.dataset)
        return study

    @property
    def directory(self) -> Path:
        """The study's folder."""
        return Path(self.config.output) / "studies" / self.name

    @property
    def rows_path(self) -> Path:
        """The file with the trials of the study that this one begins with."""
        return self.directory / warm_start.FILE

    @property
    def tracking(self) -> TrackingConfig:
        """Where runs are shown: in the experiment that the study has been shown in so far."""
        if not self.exists():
            return self.config.tracking
        then = settings.load(self.directory, self.config.output).config.tracking.experiment
        return replace(self.config.tracking, experiment=then)

    def exists(self) -> bool:
        """Whether the study was created before."""
        return (self.directory / settings.FILE).is_file()

    def check(self) -> None:
        """Check what the stages will do, before the first one trains.

        Raises:
            UserError: the first thing that does not fit; or a study of this name exists that has
                other settings or data, or is shown in another MLflow experiment.
        """
        _check_strategy(self.config)
        if "joint" in self.config.strategy.stages:
            first = self.config.strategy.stages[0] == "joint"
            declared = replace(facts_of(self, "joint", self.config.run), earlier=())
            source = Sampled(self.config, self.identity, declared, self.rows)
            source.check(self.rows if first else ())
        if not self.exists():
            return
        saved = settings.load(self.directory, self.config.output)
        settings.check_same_data(self.name, saved.data, self.dataset)
        if saved.identity != self.identity:
            raise UserError(settings.other_settings(self.name, saved.config, self.config))
        shown = saved.config.tracking.experiment or self.config.run.dataset.title
        if (now := self.config.tracking.experiment) not in (None, shown):
            raise UserError(
                f"tracking.experiment must be that in which the study {self.name} is shown "
                f"({shown}): got {now}"
            )

    def create(self) -> None:
        """Make the study's folder.

        Raises:
            UserError: see ``check``.
        """
        with settings.creating(self.directory):
            self.check()
            warm_start.save(self.rows, self.rows_path)
            config = replace(self.config, tracking=self.tracking)
            settings.save(self.directory, config, self.identity, self.dataset.sha256)

    def stages(self) -> Iterator[Stage]:
        """The stages in order; each has to reach its decision before the next is asked for."""
        found = self.config.run
        candidates: Sequence[RunConfig] = warm_start.best(self.rows)
        used = {found.seed, *(row.config.seed for row in self.rows)}
        spent = 0.0
        for key in self.config.strategy.stages:
            stage = self.stage(key, facts_of(self, key, found, candidates, used, spent))
            yield stage
            decision = stage.decision()
            if decision is None or decision.stop:
                return
            found, candidates = decision.config, decision.candidates
            used |= {trial.config.seed for trial in stage.search.trials()}
            spent += stage.spent

    def lead(self, pool: Pool) -> Iterator[tuple[Stage, Coordinator]]:
        """Each stage with its coordinator, to be iterated to its end before the next is asked for.

        The study's budget is for all stages together: each gets what is left of it.

        Raises:
            UserError: this process has not loaded the kernels that the study asks for.
        """
        kernels.check(self.config.run.kernels)
        self.create()
        budget, start = self.config.study.budget, time.monotonic()
        earlier: dict[RunConfig, Original] = {}
        for stage in self.stages():
            if stage.facts.earlier:  # the file may have changed meanwhile
                settings.check_same_data(self.name, self.dataset.sha256, data_of(self.config.run))
            left = None
            if budget:
                left = max(0.001, start + seconds(budget) - time.monotonic())
            if stage.decision() is None:
                forget(self.directory, stage)
            yield stage, Coordinator(stage.search, pool, earlier, left)
            for trial in stage.search.trials():
                if trial.result.state == "complete":
                    directory = stage.search.run_directory(trial.number).path.resolve()
                    original = Original(directory, f"{stage.key}/{trial.number}")
                    earlier.setdefault(trial.config, original)

    def run(self) -> Iterator[tuple[Stage, Trial]]:
        """Run the study to its end, or on from where it stopped; yields every trial in order.

        Raises:
            KeyboardInterrupt: it was interrupted; all that was trained is kept.
            UserError: workers died again and again, or the database has gone.
        """
        pool, led = executors.pool_of(self.config), list[Stage]()
        try:
            for stage, coordinator in self.lead(pool):
                led.append(stage)
                for trial in coordinator:
                    yield stage, trial
                coordinator.raise_what_stopped()
                if decision := stage.decision(
                    time_is_up=coordinator.report.ended is Ended.TIME_IS_UP
                ):
                    stage.conclude(decision)
                    conclude(self.directory, led, decision)
        finally:
            pool.close()

    def stage(self, key: str, facts: Facts) -> Stage:
        """One of the stages, given what the ones before found."""
        source: StageSource
        identity = f"{self.identity}/{key}"
        if key == "joint":
            source = Sampled(self.config, identity, facts, self.rows)
        else:
            source = Scripted(self.config, key, STAGES[key], facts)
        name, directory = f"{self.name}/{key}", self.directory / "stages" / key
        dataset = self.load(source.config.run)
        search = Search(name, directory, identity, source.config, dataset, source)
        return Stage(key, facts, source, search)

    def table(self) -> "pd.DataFrame":
        """The trials of all stages so far; see ``nndl_exp.study.search.table``."""
        return table([stage.search for stage in self.stages()])

    def load(self, config: RunConfig) -> Dataset:
        """The dataset of a run that a stage varies: most have the study's.

        Raises:
            UserError: the data have changed, or do not fit the run.
        """
        if config.dataset == self.config.run.dataset:
            dataset = self.dataset
        else:
            dataset = data_of(config)
            settings.check_same_data(self.name, self.dataset.sha256, dataset)
        check_parts(config, dataset)
        return dataset


def facts_of(
    study: Study,
    key: str,
    found: RunConfig,
    candidates: Sequence[RunConfig] = (),
    used_seeds: Collection[int] = (),
    spent: float = 0.0,
) -> Facts:
    """What a stage is told: ``found`` is the run that the stages before decided on, ``spent`` the
    work that they took."""
    dataset, stages = study.load(found), study.config.strategy.stages
    position = stages.index(key)
    left, share = _left(study, key, spent)
    return Facts(
        base=found,
        start=study.config.run,
        n=len(dataset.training),
        n_in=dataset.n_in,
        classes=dataset.n_out,
        n_validation=len(dataset.validation),
        pictures=dataset.shape is not None,
        chance=dataset.baseline(dataset.validation) or 0.0,
        share=share,
        left=left,
        earlier=stages[:position],
        later=stages[position + 1 :],
        seed=study.config.study.seed,
        candidates=tuple(candidates) or (found,),
        used_seeds=frozenset(used_seeds),
    )


def _identity(config: SweepConfig, dataset: Dataset) -> str:
    """The digest of all that decides a study's trials."""
    values = to_mapping(config)
    identity = {
        "format": settings.FORMAT,
        **{key: values[key] for key in settings.IDENTIFYING},
        "study": {
            key: value
            for key, value in values["study"].items()
            if f"study.{key}" not in settings.EXTENDABLE
        },
        "data": dataset.sha256,
        "update_time": list(CONSTANTS),
    }
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def title_of(key: str) -> str:
    """The title of a stage."""
    return STAGES[key].TITLE if key in STAGES else Sampled.title


def summary_of(key: str) -> str:
    """What a stage does, in one sentence."""
    return STAGES[key].SUMMARY if key in STAGES else Sampled.summary


def planned(study: Study) -> dict[str, float]:
    """The work of each stage if each takes its share, in multiply-adds of training; infinite for a
    search that nothing but study.n_trials limits."""
    strategy, dataset = study.config.strategy, study.dataset
    if strategy.stages == ("joint",) and "joint" not in strategy.shares:
        return {"joint": inf}
    sizes = (dataset.n_in, REFERENCE_WIDTH, dataset.n_out)
    work = strategy.epochs * epoch_work(sizes, len(dataset.training))
    total = sum(strategy.shares[key] for key in strategy.stages)
    return {key: work * strategy.shares[key] / total for key in strategy.stages}


def _left(study: Study, key: str, spent: float) -> tuple[float, float]:
    """The work that is left for a stage and those after it, and its share: what a stage leaves goes
    to those after it, and what it overspends comes from them."""
    work, stages = planned(study), study.config.strategy.stages
    if work[key] == inf:
        return inf, inf
    left = max(0.0, sum(work.values()) - spent)
    return left, left * work[key] / sum(work[other] for other in stages[stages.index(key) :])


def least(study: Study) -> int:
    """About the least ``strategy.epochs`` that the stages need, rounded to tens."""
    if inf in planned(study).values():
        return 0
    dataset, n = study.dataset, len(study.dataset.training)
    one = epoch_work(sizes_of(study.config.run, dataset), n)
    reference = epoch_work((dataset.n_in, REFERENCE_WIDTH, dataset.n_out), n)
    trials = (LEAST.get(key, (0, 0, n)) for key in study.config.strategy.stages)
    epochs = sum(count * epochs * min(images, n) / n for count, epochs, images in trials)
    return round(epochs * one / reference / 10) * 10


def expected_trials(study: Study) -> int:
    """About how many trials the study has: as many as whole runs fit into its work."""
    config, work = study.config, planned(study).values()
    epoch = epoch_work(sizes_of(config.run, study.dataset), len(study.dataset.training))
    if inf in work:
        return config.study.n_trials
    return max(len(work), round(sum(work) / (epoch * config.run.training.epochs)))


def _check_strategy(config: SweepConfig) -> None:
    """Check the names, options and shares of the stages.

    Raises:
        UserError: the first one that does not fit.
    """
    strategy, known = config.strategy, [*STAGES, "joint"]
    for key in strategy.stages:
        if key not in known:
            raise UserError(f"strategy.stages must be some of {', '.join(known)}: got {key}")
    if len(set(strategy.stages)) != len(strategy.stages) or not strategy.stages:
        raise UserError(
            f"strategy.stages must name each stage once: got {', '.join(strategy.stages)}"
        )
    for key in (*strategy.options, *strategy.shares):
        if key not in known:
            raise UserError(f"no such stage: {key} (there are {', '.join(known)})")
    for key in strategy.stages:
        if key not in strategy.shares and strategy.stages != ("joint",):
            raise UserError(f"strategy.shares must have a share for {key}: got none")
        if key != "joint":
            stage_options(STAGES[key], key, config)
    _check_run(config)


def _check_run(config: SweepConfig) -> None:
    stages = config.strategy.stages
    if config.strategy.name == "race" and config.study.warm_start is None:
        raise UserError(
            "strategy=race goes with study.warm_start=NAME, whose best trials are to race: got none"
        )
    if config.study.second_objective != "none" and stages != ("joint",):
        raise UserError(
            "study.second_objective goes with strategy=joint: stages look for one best run"
        )
    dropout = config.run.training.dropout
    if isinstance(dropout, tuple) and "architecture" in stages:
        raise UserError(
            "training.dropout must be one rate for all hidden layers where the stage architecture "
            f"changes their number: got {list(dropout)}"
        )
