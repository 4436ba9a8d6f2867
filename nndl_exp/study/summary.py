"""How a study stands, and how it ends: with a run, in best.yaml, and the trial that trained it.

A summary needs no data: it is made from a study's settings and records alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from nndl_exp.config import RunConfig, SweepConfig, to_mapping
from nndl_exp.errors import UserError
from nndl_exp.records import Result, RunDirectory, atomic
from nndl_exp.run import measure_of
from nndl_exp.study import settings
from nndl_exp.study.running.members import is_running
from nndl_exp.study.search import Trial, ranked
from nndl_exp.study.stages.stage import DECISION, Decision, Stage
from nndl_exp.yaml_file import read_yaml, to_yaml

BEST = "best.yaml"
"""The file in a study's folder with the run that it recommends; there only if it has a winner."""
State = Literal["running", "complete", "not complete"]


@dataclass(frozen=True)
class Summary:
    """A study: its settings, the trials that have finished, its best run so far, and its state.

    ``finished`` are the trials of all stages with their records. ``best`` is the run that the study
    ended with, or the best of its last search. ``ended`` is when the last trial did, in seconds
    since 1970, None where none has.
    """

    name: str
    config: SweepConfig
    finished: tuple[tuple[Trial, RunDirectory], ...]
    best: RunDirectory | None
    state: State
    ended: float | None

    @property
    def result(self) -> Result | None:
        """How the best run ended."""
        return self.best.result() if self.best else None

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return Path(self.config.output) / "studies" / self.name

    @property
    def is_finished(self) -> bool:
        """Whether it has ended with a winner: complete, or as its budget was spent."""
        return (self.folder / BEST).is_file() and self.state != "running"

    @property
    def trials(self) -> int:
        """How many trials have finished."""
        return len(self.finished)

    def decided(self) -> Iterator[tuple[str, list[str]]]:
        """What each stage that has ended decided, in words, by its key."""
        for key in self.config.strategy.stages:
            path = self.folder / "stages" / key / DECISION
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
            for trial, run in _finished(self.folder / "stages" / "winner")
            if trial.replicates(config)
        ]
        return found or [self.best]


def mean_accuracy(runs: Sequence[RunDirectory]) -> float | None:
    """The validation accuracy of some runs in the mean, each at its best epoch; None where no epoch
    had finite costs."""
    results = [run.result() for run in runs]
    found = [r.validation_accuracy for r in results if r and r.validation_accuracy is not None]
    return fmean(found) if found else None


def summary(output: Path | str, name: str, *, at_end: bool = False) -> Summary:
    """One study of an output folder.

    ``at_end`` is said by the process that runs the study when all of it is done but this: then it
    is not running, though that process still holds it.

    Raises:
        UserError: there is none of that name, or its settings or a record are damaged.
    """
    if name not in settings.study_names(output):
        raise UserError(settings.no_such_study(output, name))
    folder = Path(output) / "studies" / name
    config = settings.load(folder, output).config
    parts = [folder / "stages" / key for key in config.strategy.stages]
    finished = tuple(trial for part in parts for trial in _finished(part))
    ended = max((trial.result.ended for trial, _ in finished), default=None)
    best = _ended_with(folder) or _best(parts)
    state = "running" if is_running(folder) and not at_end else _state(parts)
    return Summary(name, config, finished, best, state, ended)


def _finished(part: Path) -> Iterator[tuple[Trial, RunDirectory]]:
    numbers = sorted(int(p.name) for p in part.glob("trials/*") if p.name.isdecimal())
    for number in numbers:
        run = RunDirectory(part / "trials" / str(number))
        if (result := run.result()) is not None:
            yield Trial(number, run.config(), result), run


def _ended_with(folder: Path) -> RunDirectory | None:
    """The run that best.yaml names."""
    path = folder / BEST
    origin = read_yaml(path).get("origin") if path.is_file() else None
    name = str(origin.get("run") or "") if isinstance(origin, dict) else ""
    _, stage, number = name.split("/") if name.count("/") == 2 else ("", "", "")
    run = RunDirectory(folder / "stages" / stage / "trials" / number)
    return run if number and run.config_path.is_file() else None


def _best(parts: list[Path]) -> RunDirectory | None:
    """The best completed trial of the last stage that has one."""
    for part in reversed(parts):
        found = list(_finished(part))
        runs = {trial.number: run for trial, run in found}
        if best := ranked(trial for trial, _ in found):
            return runs[best[0].number]
    return None


def _state(parts: list[Path]) -> State:
    decided = [read_yaml(path) for part in parts if (path := part / DECISION).is_file()]
    stopped = any(decision.get("stop") for decision in decided)
    whole = len(decided) == len(parts) and all(decision.get("complete") for decision in decided)
    return "complete" if stopped or whole else "not complete"


def conclude(folder: Path, stages: Sequence[Stage], decision: Decision) -> bool:
    """Write best.yaml into a study's folder if its last stage has decided on a run; whether it has.

    Args:
        folder: the study's folder.
        stages: the stages that have decided, in order.
        decision: that of the last of them.
    """
    if decision.stop or stages[-1].facts.later:
        return False
    origin: dict[str, Any] = {"study": folder.name, "run": None}  # where no trial trained it
    if ended := ending(decision.config, stages):
        stage, trial = ended
        accuracy = measure_of(trial.config).renamed("validation_accuracy")
        origin |= {
            "run": f"{stage.search.name}/{trial.number}",
            "epochs": trial.result.epochs,
            accuracy: trial.result.validation_accuracy,
            "weights_sha256": trial.result.weights["best"],
        }
    head = f"# the winner of {folder.name}: {origin['run'] or 'not trained yet'}\n"
    head += "# train it:  python -m nndl_exp.train from=THIS_FILE [SETTING=VALUE ...]\n"
    text = head + to_yaml({**to_mapping(decision.config), "origin": origin})
    atomic.write(folder / BEST, text.encode())
    return True


def ending(config: RunConfig, stages: Sequence[Stage]) -> tuple[Stage, Trial] | None:
    """The trial that a study ended with; one of another seed if only such completed."""
    for exactly in (True, False):
        for stage in reversed(stages):
            if trial := stage.search.trained(config, exactly=exactly):
                return stage, trial
    return None


def forget(folder: Path, first: Stage) -> None:
    """Delete what a stage and those after it had decided, as trials are missing now."""
    for key in (first.key, *first.facts.later):
        (folder / "stages" / key / DECISION).unlink(missing_ok=True)
    (folder / BEST).unlink(missing_ok=True)
