"""What there is to say of a study without its data: from its settings and records alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from nndl_exp.config import SweepConfig, read_yaml, run_config
from nndl_exp.errors import UserError
from nndl_exp.records import Result, RunDirectory
from nndl_exp.study.leadership import is_running
from nndl_exp.study.names import no_such_study, study_names
from nndl_exp.study.proposing.search_space import SearchSpace
from nndl_exp.study.study import load_settings, total_of

State = Literal["running", "complete", "not complete"]


@dataclass(frozen=True)
class Summary:
    """A study: its settings, how many trials have settled, its best run so far, and its state.

    ``best`` is the run that it ended with, or the best of its last search. ``ended`` is when the
    last trial did, in seconds since 1970, None where none has.
    """

    name: str
    config: SweepConfig
    trials: int
    best: RunDirectory | None
    state: State
    ended: float | None

    @property
    def result(self) -> Result | None:
        """How the best run ended."""
        return self.best.result() if self.best else None

    @property
    def staged(self) -> bool:
        """Whether it has stages, rather than being one search."""
        return self.config.strategy.stages != ("joint",)

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return Path(self.config.output) / "studies" / self.name

    def decided(self) -> Iterator[tuple[str, list[str]]]:
        """What each stage that has ended decided, in words, by its key."""
        for key in self.config.strategy.stages if self.staged else ():
            path = self.folder / "stages" / key / "decision.yaml"
            if path.is_file():
                yield key, [str(words) for words in read_yaml(path).get("decided", [])]

    def replicates(self) -> list[RunDirectory]:
        """The runs of the best configuration with new seeds, where a stage trained it again; else
        the best run itself."""
        if self.best is None:
            return []
        config = self.best.config()
        found = [
            run
            for _, run, result in _settled(self.folder / "stages" / "winner")
            if result.state == "complete" and replace(run.config(), seed=config.seed) == config
        ]
        return found or [self.best]


def summaries(output: Path | str) -> list[Summary]:
    """All studies of an output folder, in the order of their names."""
    return [summary(output, name) for name in study_names(output)]


def summary(output: Path | str, name: str) -> Summary:
    """One study of an output folder.

    Raises:
        UserError: there is none of that name, or its settings or a record are damaged.
    """
    if name not in study_names(output):
        raise UserError(no_such_study(output, name))
    folder = Path(output) / "studies" / name
    config, _ = load_settings(folder / "study.yaml", output)
    keys = [] if config.strategy.stages == ("joint",) else list(config.strategy.stages)
    parts = [folder / "stages" / key for key in keys] or [folder]
    settled = [one for part in parts for one in _settled(part)]
    ended = max((result.ended for _, _, result in settled), default=None)
    best = _ended_with(folder, parts) or _best(config, parts)
    return Summary(name, config, len(settled), best, _state(config, folder, parts), ended)


def _settled(part: Path) -> Iterator[tuple[int, RunDirectory, Result]]:
    numbers = sorted(int(p.name) for p in part.glob("trials/*") if p.name.isdecimal())
    for number in numbers:
        run = RunDirectory(part / "trials" / str(number))
        if (result := run.result()) is not None:
            yield number, run, result


def _ended_with(folder: Path, parts: list[Path]) -> RunDirectory | None:
    """The run that a study ended with: the last decision, or the trial that best.yaml names."""
    if (decision := parts[-1] / "decision.yaml").is_file():
        config = run_config(read_yaml(decision)["run"])
        runs = [
            run
            for part in reversed(parts)
            for _, run, result in _settled(part)
            if result.state == "complete"
        ]
        same = [run for run in runs if replace(run.config(), seed=config.seed) == config]
        return next((run for run in same if run.config() == config), next(iter(same), None))
    path = folder / "best.yaml"
    origin = read_yaml(path).get("origin") if path.is_file() else None
    if not isinstance(origin, dict) or type(origin.get("trial")) is not int:
        return None
    run = RunDirectory(folder / "trials" / str(origin["trial"]))
    return run if run.config_path.is_file() else None


def _best(config: SweepConfig, parts: list[Path]) -> RunDirectory | None:
    """The best completed trial of the last stage that has one."""
    by_cost = config.run.training.judged_by == "validation_cost"
    for part in reversed(parts):
        ranked = [
            (result.validation_cost if by_cost else -result.validation_accuracy, number, run)
            for number, run, result in _settled(part)
            if result.state == "complete"
            and result.validation_accuracy is not None
            and result.validation_cost is not None
        ]
        if ranked:
            return min(ranked, key=lambda one: one[:2])[2]
    return None


def _state(config: SweepConfig, folder: Path, parts: list[Path]) -> State:
    if is_running(folder):
        return "running"
    if config.strategy.stages == ("joint",):
        total = total_of(config, SearchSpace.parse(config.search_space, config.run))
        there = all(
            RunDirectory(folder / "trials" / str(i)).result() is not None for i in range(total)
        )
        return "complete" if there else "not complete"
    return "complete" if (parts[-1] / "decision.yaml").is_file() else "not complete"
