"""One trial, as a worker runs it."""

import socket
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import Timeout

from nndl_exp.config import RunConfig
from nndl_exp.errors import UserError
from nndl_exp.records import Result, RunDirectory
from nndl_exp.run import Run, check
from nndl_exp.study.proposing.objectives import scores
from nndl_exp.study.proposing.proposer import Judge, Plan, Settled

OF_THE_CONFIGURATION = (UserError, ArithmeticError, np.linalg.LinAlgError)
"""Errors in training that make a failed trial. Any other is the machine's, and the trial is run
again, or a defect of ours, which has to be seen; it is trained once that is mended."""
_PATIENCE = 1.0
"""How long a worker waits, in seconds, for another one to leave the trial's folder."""


@dataclass(frozen=True)
class Original:
    """A run that completed with a config that is asked for again, and what it is called."""

    directory: Path
    name: str


@dataclass(frozen=True)
class Task:
    """All that a worker needs to run a trial, by value; ``data`` is the SHA-256 of the dataset.

    ``pruning`` is what prunes the trial, if anything does; ``settled`` are the results that it may
    look at, trials 0 .. number - L.
    ``same_as`` is the first run of the study that completed with this very config, if there is one.
    Training is suspended between two epochs once ``stop_flag`` exists, which asks all trials to
    stop, or ``lost_flag``, which asks this one, or the clock passes ``deadline`` (seconds since
    1970).
    """

    number: int
    config: RunConfig
    data: str
    directory: Path
    pruning: Plan | None
    settled: tuple[Settled, ...]
    stop_flag: Path
    lost_flag: Path
    deadline: float
    same_as: Original | None = None


@dataclass(frozen=True)
class Outcome:
    """What a worker reports: the result, or None where the trial was suspended; and its time.

    ``elsewhere`` says that another process, which had claimed the trial before, still trains it.
    """

    result: Result | None
    started: float
    ended: float
    elsewhere: bool = False


def run_trial(task: Task) -> Outcome:
    """Train a trial to its end, resuming what an earlier attempt left, unless told to stop.

    A config that an earlier run completed with is not trained again: its record is taken over.

    Raises:
        UserError: this machine does not see the study's folder, or has other data.
    """
    started = time.time()
    _check_shared(task)
    mark = mark_of(task.directory)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    try:
        result = _result(task)
    except Timeout:
        return Outcome(None, started, time.time(), elsewhere=True)
    finally:
        mark.unlink(missing_ok=True)
    return Outcome(result, started, time.time())


def mark_of(directory: Path) -> Path:
    """The file beside a trial's folder that is there while a worker runs the trial, and stays where
    the worker dies: from the data's being loaded on, before there is a folder."""
    return directory.with_name(f".{directory.name}.begun")


def _check_shared(task: Task) -> None:
    folder = task.stop_flag.parent  # the study's own, which is made before any trial
    if not folder.is_dir():
        raise UserError(
            "output must be one folder that all workers see under the same path: got "
            f"{folder}, which is not there on {socket.gethostname()}"
        )


def _result(task: Task) -> Result | None:
    if task.same_as is not None:
        return _take_over(task, task.same_as)
    dataset = check(task.config)
    if dataset.sha256 != task.data:
        raise UserError("the dataset must stay as it is while a study runs: it has been changed")
    with Run(task.config, RunDirectory(task.directory), dataset, _PATIENCE) as run:
        if run.result is None:
            try:
                _train(task, run)
            except OF_THE_CONFIGURATION as e:
                run.fail(str(e) if isinstance(e, UserError) else f"{type(e).__name__}: {e}")
    return run.result


def _take_over(task: Task, original: Original) -> Result:
    directory = RunDirectory(task.directory)
    with directory.lock(_PATIENCE):
        source = RunDirectory(original.directory)
        return directory.result() or directory.copy(source, original.name)


def _train(task: Task, run: Run) -> None:
    judge = Judge(task.pruning, task.number, task.settled) if task.pruning else None
    if _must_stop(task):
        return
    for _ in run:
        prunes = judge and judge.prunes(scores(run.history, task.config.training.judged_by))
        if run.is_over():
            if judge:
                run.note(judge.attrs())
        elif judge and prunes:
            run.prune(judge.reason(), judge.attrs())
        elif _must_stop(task):
            run.suspend()
            return


def _must_stop(task: Task) -> bool:
    flags = task.stop_flag.exists() or task.lost_flag.exists()
    return flags or time.time() >= task.deadline
