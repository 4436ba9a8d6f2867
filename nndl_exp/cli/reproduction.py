"""Training a run or a study again from its record, and comparing, bit for bit."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nndl_exp.cli.console import progress
from nndl_exp.config import RunConfig
from nndl_exp.display.terminal.screen import Screen
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.records.provenance import differences, provenance
from nndl_exp.run import Run, check, measure_of, recorded_data
from nndl_exp.study import executors
from nndl_exp.study.executors import Pool
from nndl_exp.study.search import Search, Trial
from nndl_exp.study.stages.stage import Stage
from nndl_exp.study.study import Study
from nndl_exp.study.trial import Task, run_trial
from nndl_exp.weights import digest


@dataclass(frozen=True)
class Line:
    """One line of the comparison: what, how much of it is the same, whether all is."""

    what: str
    text: str
    identical: bool


def reproduce_run(name: str, directory: RunDirectory, screen: Screen) -> bool:
    """Train a run again in a folder of its own, as far as it was recorded, and compare."""
    recorded = directory.epochs()
    if not recorded:
        raise UserError(f"{name} has no recorded epoch to compare with")
    dataset = recorded_data(directory)
    # A record may come without its weights, which are made again; a file must be what it speaks of.
    if directory.result() is not None and directory.weights_path.exists():
        directory.network()
    with tempfile.TemporaryDirectory(prefix="nndl-exp-") as folder:
        again = RunDirectory(Path(folder) / "run")
        start = time.monotonic()
        weights = _train(again, directory, screen)
        seconds = time.monotonic() - start
        lines = [*_compare_epochs(directory, again), *_compare_weights(directory, weights)]
    screen.print(
        f"{name} on {dataset.name} · {len(recorded)} epochs · trained again in {seconds:.1f} s"
    )
    return show(lines, directory, screen)


def _train(again: RunDirectory, directory: RunDirectory, screen: Screen) -> dict[str, str]:
    """Train to the last recorded epoch; the digests of the weights then."""
    config, recorded = directory.config(), len(directory.epochs())
    with Run(config, again, check(config)) as run, progress(screen) as bar:
        task = bar.add_task("", total=recorded)
        for epoch in run:
            bar.update(task, completed=epoch.number)
            if epoch.number == recorded:
                break
        return {"best": digest(run.best), "last": digest(run.network)}


def _compare_epochs(directory: RunDirectory, again: RunDirectory) -> Iterator[Line]:
    """What was measured after each recorded epoch against what is measured this time."""
    config = directory.config()
    measure, monitor = measure_of(config).name, config.dataset.monitor
    whats = {
        "training_cost": "training cost",
        "training_accuracy": f"training {measure}",
        "validation_cost": f"{monitor} cost",
        "validation_accuracy": f"{monitor} {measure}",
        "within": "inside epochs",
        "layers": "layers",
    }
    epochs = directory.epochs(), again.epochs()
    for name, what in whats.items():
        then, now = ([getattr(epoch, name) for epoch in each] for each in epochs)
        if any(value != () for value in then):
            yield Line(what, *_compare_values(then, now))


def _compare_values(then: list[Any], now: list[Any]) -> tuple[str, bool]:
    same = [repr(a) == repr(b) for a, b in zip(then, now, strict=False)]
    if sum(same) == len(then) == len(now):
        return f"identical ({len(then)} of {len(then)} epochs)", True
    text = f"different from epoch {[*same, False].index(False) + 1} on"
    if same and isinstance(then[0], float):
        largest = max(abs(a - b) for a, b in zip(then, now, strict=False))
        text += f", by up to {largest:.3g}"
    return text, False


def _compare_weights(directory: RunDirectory, weights: dict[str, str]) -> Iterator[Line]:
    result = directory.result()
    for which, what in (("best", "weights, best"), ("last", "weights, last")):
        if result is None:
            yield Line(what, "not recorded: the run has not ended", True)
        elif weights[which] == result.weights[which]:
            yield Line(what, f"identical (sha256 {weights[which][:12]}...)", True)
        else:
            text = f"different (sha256 {result.weights[which][:12]}... then, "
            yield Line(what, f"{text}{weights[which][:12]}... now)", False)


def show(lines: list[Line], directory: RunDirectory, screen: Screen) -> bool:
    """Print a comparison; where something differs, also what differs in the environment."""
    for line in lines:
        say = screen.print if line.identical else screen.tell
        say(f"  {line.what:<20} {line.text}")
    identical = all(line.identical for line in lines)
    if not identical:
        changed = differences(directory.provenance(), provenance())
        screen.print("what differs in the environment:" if changed else "the environment is equal")
        for text in changed:
            screen.print(f"  {text}")
    return identical


def reproduce_study(output: str, name: str, screen: Screen) -> bool:
    """Repeat a study in a folder of its own: every trial is proposed and trained again.

    Each is proposed and pruned by the recorded results of the trials before it.
    """
    study, identical, found = Study.open(output, name), True, 0
    with (
        tempfile.TemporaryDirectory(prefix="nndl-exp-") as folder,
        closing(executors.pool_of(study.config)) as pool,
    ):
        for stage in study.stages():
            if not (trials := stage.search.trials()):
                break
            found += len(trials)
            again = Path(folder) / stage.key
            try:
                _train_stage(stage, again, pool, screen)
            except KeyboardInterrupt:
                screen.tell("stopping after the trials that are being trained ...")
                raise
            identical = _compare_stage(stage, again, screen) and identical
    if not found:
        raise UserError(f"the study {name} has no finished trial to compare with")
    return identical


def _train_stage(stage: Stage, again: Path, pool: Pool, screen: Screen) -> None:
    """Run the trials of a stage again, each in a folder of its number below ``again``."""
    again.mkdir()
    tasks = _tasks(stage.search, again)
    with progress(screen) as bar:
        task = bar.add_task(stage.title, total=len(tasks))
        for _ in pool.open().map(run_trial, tasks):
            bar.update(task, advance=1)


def _tasks(search: Search, again: Path) -> list[Task]:
    """The tasks of a search's workers once more: all trials are trained, also those that were
    copied, and none is stopped."""
    trials = search.trials()
    settled = tuple(search.settled(trial) for trial in trials)
    return [
        Task(
            number=trial.number,
            config=_without_clock(trial),
            data=search.dataset.sha256,
            directory=again / str(trial.number),
            pruning=None if trial.result.is_copy else search.pruning,  # a copy was not judged
            settled=settled[: search.visible(trial.number)],
            stop_flag=again / ".stop",
            lost_flag=again / ".lost",
            deadline=float("inf"),
        )
        for trial in trials
    ]


def _without_clock(trial: Trial) -> RunConfig:
    """A trial's config; where a clock may have ended it, the recorded epochs take its place."""
    training, result = trial.config.training, trial.result
    if training.max_seconds is None:
        return trial.config
    epochs = result.epochs if result.state == "complete" else training.epochs
    return replace(trial.config, training=replace(training, max_seconds=None, epochs=epochs))


def _compare_stage(stage: Stage, again: Path, screen: Screen) -> bool:
    """Say which trials of a stage differ, and what it decides."""
    search, trials = stage.search, stage.search.trials()
    differing = sorted({*_differing(search, again), *_proposed_otherwise(search)})
    decided = stage.decision()
    said = decided.words[0] if decided else "no decision yet"
    screen.print(
        f"{stage.title}: {len(trials) - len(differing)} of {len(trials)} trials "
        f"identical · decided again: {said}"
    )
    for number in differing:
        screen.tell(f"  trial {number} is different")
    if differing:
        directory = search.run_directory(differing[0])
        show([Line("table", "different", False)], directory, screen)
    return not differing


def _proposed_otherwise(search: Search) -> list[int]:
    """The numbers of the trials that would not be proposed again, given the record."""
    trials, proposer = search.trials(), search.proposer()
    settled = [search.settled(trial) for trial in trials]
    configs = [search.space.apply(search.config.run, proposer.ask(settled).params) for _ in trials]
    pairs = zip(trials, configs, strict=True)
    return [trial.number for trial, config in pairs if trial.config != config]


def _differing(search: Search, again: Path) -> list[int]:
    """The numbers of the trials that differ in any epoch, in how they ended or in the weights."""

    def outcome(directory: RunDirectory) -> object:
        result = directory.result()
        epochs = repr([epoch.results() for epoch in directory.epochs()])  # NaN is equal to itself
        return result and (result.state, result.weights, epochs)

    numbers = (trial.number for trial in search.trials())
    return [
        n
        for n in numbers
        if outcome(search.run_directory(n)) != outcome(RunDirectory(again / str(n)))
    ]
