"""A study in stages: each starts from what the ones before found, the last names the winner."""

import hashlib
import json
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nndl_exp.config import RunConfig, SweepConfig, seconds, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.nn.network import count_multiply_adds
from nndl_exp.run import data_of, sizes_of
from nndl_exp.study import executors, warm_start
from nndl_exp.study.executors import Pool
from nndl_exp.study.leadership import Leadership
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.stages.chapter3 import STAGES
from nndl_exp.study.stages.joint import JointStage
from nndl_exp.study.stages.script import DECISION, Facts
from nndl_exp.study.stages.scripted import ScriptedStage, stage_options
from nndl_exp.study.study import (
    FORMAT,
    SAVED,
    Study,
    Trial,
    check_name,
    check_same_data,
    creating,
    data_of_study,
    load_settings,
    other_settings,
    save_settings,
)
from nndl_exp.study.trial import Original
from nndl_exp.training.update_time import CONSTANTS

Stage = ScriptedStage | JointStage
REFERENCE_WIDTH = 100
"""The work of a study is counted in epochs of a network with so many hidden neurons."""


class StagedStudy:
    """A study that leads the stages of ``config.strategy``.

    Raises:
        UserError: a stage or an option that does not exist, data that can't be had.
    """

    def __init__(self, config: SweepConfig) -> None:
        self.config = config
        self.dataset = data_of_study(config)
        _check(config)
        self.identity = self._identity()
        self.name = check_name(config.study.name, config.run.dataset.title, self.identity)
        self.rows = warm_start.load(config, self.dataset, self.name, self.rows_path)

    @property
    def directory(self) -> Path:
        """The study's folder."""
        return Path(self.config.output) / "studies" / self.name

    @property
    def rows_path(self) -> Path:
        """Where the rows of the study that it begins with are kept."""
        return self.directory / warm_start.FILE

    def exists(self) -> bool:
        """Whether the study was created before."""
        return (self.directory / "study.yaml").is_file()

    @property
    def leadership(self) -> Leadership:
        """Held by one of the processes that run the study."""
        return Leadership(self.directory)

    def verify(self) -> None:
        """Check that the study that has this name, if there is one, is this one.

        Raises:
            UserError: it has other settings, or was begun with other data.
        """
        if not self.exists():
            return
        saved, data = load_settings(self.directory / "study.yaml", self.config.output)
        there = StagedStudy(replace(saved, study=replace(saved.study, name=self.name)))
        if there.identity != self.identity:
            raise UserError(other_settings(self.name, saved, self.config))
        check_same_data(self.name, data, self.dataset)

    def create(self) -> None:
        """Make the study's folder."""
        with creating(self.directory):
            self.verify()
            warm_start.save(self.rows, self.rows_path)
            path = self.directory / "study.yaml"
            save_settings(path, self.config, self.name, self.dataset.sha256)

    def lead(self, pool: Pool) -> Iterator[tuple[Stage, Coordinator]]:
        """Each stage with what leads it; to be iterated to its end before the next is asked for.

        The study's budget is for all stages together: each gets what is left of it.
        """
        self.create()
        budget, start = self.config.study.budget, time.monotonic()
        earlier: dict[RunConfig, Original] = {}
        for stage in self.stages():
            if budget:
                left = max(0.001, start + seconds(budget) - time.monotonic())
                settings = replace(stage.config.study, budget=f"{left:.3f}s")
                stage.config = replace(stage.config, study=settings)
            if stage.decision() is None:
                self._forget_decisions(stage.key)
            yield stage, Coordinator(stage, pool, earlier)
            for trial in stage.trials():
                if trial.result.state == "complete":
                    directory = stage.run_directory(trial.number).path.resolve()
                    original = Original(directory, f"{stage.key}/{trial.number}")
                    earlier.setdefault(trial.config, original)

    def _forget_decisions(self, first: str) -> None:
        """Delete what a stage and those after it had written down, as trials are missing now."""
        keys = self.config.strategy.stages
        for key in keys[keys.index(first) :]:
            (self.directory / "stages" / key / DECISION).unlink(missing_ok=True)

    def stages(self) -> Iterator[Stage]:
        """The stages in order; each is to be led to its decision before the next is asked for."""
        found = self.config.run
        candidates = [found]
        used = {found.seed, *(row.config.seed for row in self.rows)}
        for key in self.config.strategy.stages:
            stage = self._make(key, self._facts(key, found, candidates, used))
            yield stage
            decision = stage.decision()
            if decision is None or decision.stop:
                return
            found = decision.config
            candidates = decision.candidates or [found]
            used |= {trial.config.seed for trial in stage.trials()}

    def run(self) -> Iterator[tuple[Stage, Trial]]:
        """Lead the study to its end, or on from where it stopped; yields every trial in order.

        Raises:
            KeyboardInterrupt: it was interrupted; all that was trained is kept.
            UserError: workers died again and again, or the database has gone.
        """
        pool = executors.pool_of(self.config)
        try:
            for stage, coordinator in self.lead(pool):
                for trial in coordinator:
                    yield stage, trial
                if decision := stage.decision():
                    stage.conclude(decision)
                coordinator.raise_what_stopped()
        finally:
            pool.close()

    def stage_like(self, stage: Stage) -> Stage:
        """The same stage in this study's output folder."""
        return self._make(stage.key, stage.facts)

    def work(self) -> float:
        """The multiply-adds of training that the whole study may take."""
        return self.config.strategy.epochs * self._reference_epoch()

    def expected_trials(self) -> int:
        """About how many trials the study has: as many as whole runs fit into its work."""
        config = self.config
        epoch = 3.0 * count_multiply_adds(sizes_of(config.run, self.dataset))
        one = epoch * len(self.dataset.training) * config.run.training.epochs
        return max(len(config.strategy.stages), round(self.work() / one))

    def share(self, key: str) -> float:
        """A stage's part of the work."""
        shares = self.config.strategy.shares
        return self.work() * shares[key] / sum(shares[s] for s in self.config.strategy.stages)

    def _reference_epoch(self) -> float:
        sizes = (self.dataset.n_in, REFERENCE_WIDTH, self.dataset.n_out)
        return 3.0 * count_multiply_adds(sizes) * len(self.dataset.training)

    def _make(self, key: str, facts: Facts) -> Stage:
        stage: Stage
        if key == "joint":
            stage = JointStage(self.config, self.name, facts)
        else:
            stage = ScriptedStage(self.config, self.name, key, STAGES[key], facts)
        check_same_data(self.name, self.dataset.sha256, stage.dataset)  # each reads them anew
        return stage

    def _facts(
        self,
        key: str,
        found: RunConfig,
        candidates: list[RunConfig],
        used_seeds: Collection[int] = (),
    ) -> Facts:
        dataset, stages = data_of(found), self.config.strategy.stages
        return Facts(
            base=found,
            n=len(dataset.training),
            n_in=dataset.n_in,
            classes=dataset.n_out,
            n_validation=len(dataset.validation),
            chance=dataset.baseline(dataset.validation) or 0.0,
            share=self.share(key),
            later=tuple(stages[stages.index(key) + 1 :]),
            seed=self.config.study.seed,
            candidates=tuple(candidates),
            scores=_not_yet,
            costs=_not_yet,
            used_seeds=frozenset(used_seeds),
        )

    def _identity(self) -> str:
        identity = {
            "format": FORMAT,
            **{key: to_mapping(self.config)[key] for key in SAVED if key != "study"},
            "seed": self.config.study.seed,
            "lag": self.config.study.lag,
            "warm_start": self.config.study.warm_start,
            "data": self.dataset.sha256,
            "update_time": list(CONSTANTS),
        }
        if self.config.study.enqueue:
            identity["enqueue"] = list(self.config.study.enqueue)
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def _check(config: SweepConfig) -> None:
    """Refuse what a later stage could not do, before the first one trains.

    Raises:
        UserError: the first such thing.
    """
    strategy = config.strategy
    for key in strategy.stages:
        if key not in STAGES and key != "joint":
            raise UserError(
                f"strategy.stages must be some of {', '.join([*STAGES, 'joint'])}: got {key}"
            )
    if len(set(strategy.stages)) != len(strategy.stages) or not strategy.stages:
        raise UserError(
            f"strategy.stages must name each stage once: got {', '.join(strategy.stages)}"
        )
    for key in (*strategy.options, *strategy.shares):
        if key not in STAGES and key != "joint":
            raise UserError(f"no such stage: {key} (there are {', '.join([*STAGES, 'joint'])})")
    for key in strategy.stages:
        if key not in strategy.shares:
            raise UserError(f"strategy.shares must have a share for {key}: got none")
        if key != "joint":
            stage_options(STAGES[key], key, config)
    if "joint" in strategy.stages:
        if config.study.second_objective != "none":
            raise UserError(
                "study.second_objective goes with strategy=joint: stages look for one best run"
            )
        Study(replace(config, study=replace(config.study, warm_start=None)))
    dropout = config.run.training.dropout
    if isinstance(dropout, tuple) and "architecture" in strategy.stages:
        raise UserError(
            "training.dropout must be one rate for all hidden layers where the stage architecture "
            f"changes their number: got {list(dropout)}"
        )


def open_study(output: Path | str, name: str) -> Study | StagedStudy:
    """A study that exists, of one stage or of several.

    Raises:
        UserError: there is no study of that name.
    """
    study = Study.open(output, name)
    return StagedStudy(study.config) if is_staged(study.config) else study


def ending(config: RunConfig, stages: Sequence[Stage]) -> tuple[Stage, Trial] | None:
    """The trial that a study ended with; one of another seed if only such completed."""
    for exactly in (True, False):
        for stage in reversed(stages):
            if trial := stage.trained(config, exactly=exactly):
                return stage, trial
    return None


def is_staged(config: SweepConfig) -> bool:
    """Whether a study has stages, rather than being one search."""
    return config.strategy.stages != ("joint",)


def _not_yet(seen: Any) -> Any:
    raise AssertionError("only a stage knows where its trials are")
