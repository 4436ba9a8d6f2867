"""The strategy against Optuna's TPE and random search, each with the same training time.

    NNDL_DATA_DIR=... python -m benchmarks.strategy --keep FOLDER    # writes benchmarks/README.md

On the full digits from a start that does not learn (eta = 10, lmbda = 1000, [784, 30, 10]), and on
the 5,000. A study has one worker and one BLAS thread; two studies run at a time. What counts is
training time: the sum of the seconds that all epochs of all trials took until then, without
measuring, searching and storing. Studies that are in FOLDER already are not run again.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from benchmarks.quality.tables import interval
from benchmarks.readme import write_section
from nndl_exp.api import RunDirectory

START = ["training.eta=10", "training.lmbda=1000", "network.hidden=[30]"]
CONTENDERS = {
    "chapter3": ["strategy=chapter3", *START],
    "TPE": ["strategy=joint"],
    "random": ["strategy=random"],
}


@dataclass(frozen=True)
class Case:
    """A dataset, how many seeds, the training time that counts, the time by the clock that each
    study has for it, searching, storing and measuring included, and the strategy's work."""

    dataset: str
    seeds: int
    seconds: float
    clock: str
    epochs: int

    def words(self, contender: str, seed: int) -> list[str]:
        """The sweep of one contender."""
        words = [f"dataset={self.dataset}", f"seed={seed}", f"study.seed={seed}"]
        words += ["workers=1", "executor=serial", "tracking=none", "study.n_trials=5000"]
        words += [f"study.budget={self.clock}", *CONTENDERS[contender]]
        return [*words, f"strategy.epochs={self.epochs}"] if contender == "chapter3" else words


FULL = Case("mnist", 5, 300.0, "360s", 1050)
SMALL = Case("mnist_5k", 10, 40.0, "60s", 5000)


def run(case: Case, contender: str, seed: int, folder: Path) -> Path:
    """Lead one study, unless it is there already; its folder."""
    name = f"{contender.lower()}-{case.dataset}-{seed}"
    output, done = folder / name, folder / f"{name}.done"
    if not done.exists():
        env = dict(os.environ, OMP_NUM_THREADS="1")
        for key in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            env.pop(key, None)
        words = [*case.words(contender, seed), f"study.name={name}", f"output={output}"]
        command = [sys.executable, "-m", "nndl_exp.sweep", *words]
        with (folder / f"{name}.log").open("w") as log:
            subprocess.run(command, env=env, stdout=log, stderr=log, check=True)
        done.touch()
    return output / "studies" / name


def epochs(study: Path) -> Iterator[dict[str, float]]:
    """Every epoch of every trial of a study, in the order in which one worker trained them."""
    directories = [RunDirectory(path.parent) for path in study.glob("**/trials/*/result.json")]
    ended = [(result, one.path) for one in directories if (result := one.result())]
    for result, trial in sorted(ended, key=lambda pair: pair[0].started):
        if not result.is_copy:
            for line in (trial / "epochs.jsonl").read_text().splitlines():
                yield json.loads(line)


@dataclass(frozen=True)
class Course:
    """The best validation accuracy so far, after each epoch, against training time in seconds."""

    seconds: np.ndarray
    best: np.ndarray

    @classmethod
    def of(cls, study: Path) -> "Course":
        """The course of a study."""
        rows = [(epoch["seconds"], epoch["validation_accuracy"]) for epoch in epochs(study)]
        seconds, accuracy = np.array(rows).T
        return cls(np.cumsum(seconds), np.maximum.accumulate(accuracy))

    def time_to(self, accuracy: float, limit: float) -> float:
        """The training time until an accuracy is reached; infinite where it is not in time."""
        there = np.flatnonzero((self.best >= accuracy) & (self.seconds <= limit))
        return float(self.seconds[there[0]]) if len(there) else np.inf

    def at(self, seconds: float) -> float:
        """The best accuracy within a training time."""
        return float(self.best[max(0, np.searchsorted(self.seconds, seconds, side="right") - 1)])


def courses(case: Case, folder: Path) -> dict[str, list[Course]]:
    """The courses of every contender, a seed each; all studies that are missing are run."""
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(contender, seed) for seed in range(case.seeds) for contender in CONTENDERS]
    with ThreadPoolExecutor(2) as pool:
        studies = list(pool.map(lambda job: run(case, *job, folder), jobs))
    found: dict[str, list[Course]] = {contender: [] for contender in CONTENDERS}
    for (contender, _), study in zip(jobs, studies, strict=True):
        found[contender].append(Course.of(study))
    return found


def time_table(case: Case, found: dict[str, list[Course]]) -> str:
    """Training time to two accuracies, and the accuracy in the end, by contender and seed."""
    seeds = " | ".join(f"seed {seed}" for seed in range(case.seeds))
    lines = [f"| | {seeds} | median |", "|---" * (case.seeds + 2) + "|"]
    for accuracy in (0.975, 0.98):
        for contender, some in found.items():
            times = [course.time_to(accuracy, case.seconds) for course in some]
            cells = " | ".join(_seconds(time) for time in [*times, float(np.median(times))])
            lines.append(f"| {contender}, to {100 * accuracy:.1f} % | {cells} |")
    for contender, some in found.items():
        best = [course.at(case.seconds) for course in some]
        cells = " | ".join(f"{100 * value:.2f} %" for value in [*best, float(np.median(best))])
        lines.append(f"| {contender}, after {case.seconds:.0f} s | {cells} |")
    return "\n".join(lines)


def found_table(case: Case, folder: Path) -> str:
    """What the strategy found for the book's network, by seed."""
    seeds = range(case.seeds)
    lines = ["| | " + " | ".join(f"seed {seed}" for seed in seeds) + " | the book |"]
    lines.append("|---" * (case.seeds + 2) + "|")
    rows = (
        ("learning rate at which the cost stops falling", "learning_rate", "threshold", "0.5"),
        ("half of it", "learning_rate", "eta", "0.25"),
        ("lmbda", "regularization", "lmbda", "5"),
    )
    for title, stage, key, book in rows:
        cells = []
        for seed in seeds:
            path = run(case, "chapter3", seed, folder) / "stages" / stage / "decision.yaml"
            cells.append(f"{yaml.safe_load(path.read_text())['numbers'][key]:.3g}")
        lines.append(f"| {title} | {' | '.join(cells)} | {book} |")
    return "\n".join(lines)


def difference_table(case: Case, found: dict[str, list[Course]]) -> str:
    """The strategy's accuracy minus each other's, over seeds, at two times."""
    lines = [
        "| training time | chapter3 | against | its | difference, 95 % interval |",
        "|---" * 5 + "|",
    ]
    for share, name in ((0.25, "a quarter"), (1.0, "all of it")):
        ours = np.array([course.at(share * case.seconds) for course in found["chapter3"]])
        for contender in ("TPE", "random"):
            its = np.array([course.at(share * case.seconds) for course in found[contender]])
            mean, low, high = interval(ours - its)
            lines.append(
                f"| {name} ({share * case.seconds:.3g} s) | {100 * ours.mean():.2f} % "
                f"| {contender} | {100 * its.mean():.2f} % | {100 * mean:+.2f} points, "
                f"{100 * low:+.2f} to {100 * high:+.2f} |"
            )
    return "\n".join(lines)


def _seconds(time: float) -> str:
    return f"{time:.1f} s" if np.isfinite(time) else "never"


def main() -> None:
    """Run what is missing and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, required=True, help="where the studies are kept")
    parser.add_argument("--only", choices=("mnist", "mnist_5k"), help="one of the two tables")
    options = parser.parse_args()
    tables = {"full digits": (FULL, time_table), "5,000 digits": (SMALL, difference_table)}
    for title, (case, table) in tables.items():
        if options.only in (None, case.dataset):
            text = table(case, courses(case, options.keep))
            if case is FULL:
                text += "\n\n" + found_table(case, options.keep)
            write_section(title, text)
            print(text)


if __name__ == "__main__":
    main()
