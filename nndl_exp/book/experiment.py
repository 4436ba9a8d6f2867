"""The frame of a script of ``experiments/``: its settings, its runs, its figures, its table.

A script is a module with a header and a function ``study(experiment)``. The header's first line is
the title, its next paragraph "Chapter 3, "Section" · 2 minutes" and the command; what follows says
what to expect.
"""

import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from nndl_exp.book.comparison import Comparison, table
from nndl_exp.book.header import Header
from nndl_exp.book.plots import Plots
from nndl_exp.book.recorded import Recorded, train_recorded
from nndl_exp.cli.console import make_console, progress
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import Composed, compose, run
from nndl_exp.cli.output import check_output
from nndl_exp.config import RunConfig, TrackingConfig, parse, to_mapping
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory, atomic
from nndl_exp.run import check, data_of
from nndl_exp.study import executors

J = TypeVar("J")
T = TypeVar("T")
Study = Callable[["Experiment"], None]
_OF_RUN = {"dataset", "network", "training"}
"""Settings that are those of a run; the others are those of the script."""


@dataclass
class Experiment:
    """One run of a script, with the settings that ``words`` describe.

    ``full`` is whether the digits are all of the book's, rather than the 5,000 that come along.
    """

    header: Header
    words: Sequence[str] = ()
    rows: list[Comparison] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.console = make_console()
        self.settings = compose("book", self.words).settings
        first = self.whole("seed", at_least=0)
        self.seeds = range(first, first + self.whole("seeds"))
        self.output = Path(self.settings["output"])
        self.draw = Plots(self.header, self.folder, self.settings["figure"])
        self.tracking = parse(TrackingConfig, self.settings["tracking"], "tracking.")
        self._kind = str(self.settings["executor"]["name"])
        self._address = self.settings["executor"]["address"]
        self._workers = executors.count(self.settings["workers"], self._kind, self._address)
        self._base: list[str] = []
        self.full = self._has_digits()
        check_output(str(self.output))

    def whole(self, name: str, at_least: int = 1, other: str = "") -> int:
        """A setting that is a whole number; ``other`` is what else it may be, said in the error.

        Raises:
            UserError: it is none, or too small.
        """
        value = self.settings[name]
        if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
            accepted = f"a whole number of at least {at_least}" + (f", or {other}" if other else "")
            raise UserError(f"{name} must be {accepted}: got {value!r}")
        return value

    @property
    def folder(self) -> Path:
        """Where the experiment's runs, figures and result are."""
        return self.output / "experiments" / self.header.name

    def config(self, *words: str) -> RunConfig:
        """The run that a script's words describe, changed by what the user typed."""
        frame = set(self.settings) - _OF_RUN
        mine = [word for word in self.words if re.split("[.=]", word.lstrip("+~"))[0] not in frame]
        return run_of(compose("book", [*self._base, *words, *mine]))

    def data(self, *words: str, test: bool = False) -> Dataset:
        """The dataset of a run with these words."""
        return data_of(self.config(*words), test=test)

    def train(
        self,
        runs: Mapping[str, Sequence[str]],
        *,
        seeds: int | None = None,
        times: int = 1,
        alone: bool = False,
    ) -> dict[str, list[Recorded]]:
        """Train every run with every seed, or take what was recorded; by the names of ``runs``.

        Args:
            runs: the words of each run, by a name for it.
            seeds: at most how many seeds, None for as many as the settings say.
            times: how many times as many as the settings say.
            alone: whether only one is trained at a time, because its time counts.
        """
        first = self.seeds.start
        chosen = range(first, first + times * len(self.seeds))[:seeds]
        wanted = [
            (name, self._recorded(name, [*words, f"seed={seed}"], seed))
            for name, words in runs.items()
            for seed in chosen
        ]
        for _, one in wanted:
            check(one.config)
        jobs = [(one.config, one.directory.path) for _, one in wanted]
        self._map(train_recorded, jobs, 1 if alone else self._workers)
        self._track(wanted)
        found: dict[str, list[Recorded]] = {name: [] for name in runs}
        for name, one in wanted:
            found[name].append(one)
        return found

    def parallel(self, work: Callable[[str], T], names: Sequence[str]) -> list[T]:
        """What ``work``, a function of a module, gives for each name, by the workers."""
        return self._map(work, names, self._workers)

    def write(self, name: str, text: str, folder: Path | None = None) -> None:
        """Write a file beside the figures, or into another folder."""
        folder = folder or self.folder
        folder.mkdir(parents=True, exist_ok=True)
        atomic.write(folder / name, text.encode())
        self.console.print(f"saved    {folder / name}")

    def compare(
        self,
        what: str,
        book: float | None,
        here: Sequence[float] | float,
        *,
        within: float = 0.0,
        note: str = "",
    ) -> None:
        """Put a number of the book beside ours."""
        values = (here,) if isinstance(here, int | float) else here
        ours = tuple(float(v) for v in values)
        self.rows.append(Comparison(what, book, ours, within, note))

    def end(self, seconds: float) -> None:
        """Print the table and write the result down."""
        for line in table(self.rows) if self.rows else []:
            self.console.print(line)
        for path in self.draw.saved:
            self.console.print(f"saved    {path}")
        result = {
            **asdict(self.header),
            "full": self.full,
            "seconds": seconds,
            "rows": [asdict(row) for row in self.rows],
            "figures": [path.name for path in self.draw.saved],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write(self.folder / "result.json", json.dumps(result, indent=1).encode())

    def _map(self, work: Callable[[J], T], jobs: Sequence[J], workers: int) -> list[T]:
        found: list[T] = []
        pool = executors.Pool(self._kind, workers, self._address)
        try:
            with progress(self.console) as bar:
                task = bar.add_task(self.header.name, total=len(jobs))
                for one in pool.open().map(work, jobs):
                    found.append(one)
                    bar.update(task, advance=1)
        finally:
            pool.close()
        return found

    def _recorded(self, name: str, words: Sequence[str], seed: int) -> Recorded:
        config = self.config(*words)
        label = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")
        text = json.dumps(to_mapping(config), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:6]
        path = self.folder / "runs" / f"{label}-{seed}-{digest}"
        return Recorded(config, RunDirectory(path))

    def _track(self, wanted: Sequence[tuple[str, Recorded]]) -> None:
        if self.tracking.name == "none":
            return
        from nndl_exp.tracking.tracker import Tracker

        tracker = Tracker(self.output, self.tracking, f"book: {self.header.name}")
        for _, one in wanted:
            directory = one.directory
            tracker.log_run(directory.path.name, directory, data_of(one.config))

    def _has_digits(self) -> bool:
        if any(word.startswith("dataset=") for word in self.words):
            return "dataset=mnist" in self.words
        try:
            self.data()
        except UserError as e:
            self.console.print(f"the full digits are not there ({e}); on the 5,000 that come along")
            self._base = ["dataset=mnist_5k"]
            return False
        return True


def output_of(words: Sequence[str]) -> Path:
    """The output folder that the words of a command line mean."""
    return Path(compose("book", words).settings["output"])


def _with_out(words: Sequence[str]) -> list[str]:
    """``--out DIR`` as a setting."""
    given = iter(words)
    return [
        f"out={next(given, '')}" if w == "--out" else re.sub("^--out=", "out=", w) for w in given
    ]


def lead(module: ModuleType, words: Sequence[str] = ()) -> Experiment:
    """Run a script."""
    experiment, start = Experiment(Header.of(module), list(words)), time.monotonic()
    experiment.console.print(f"{experiment.header.title}\n{experiment.header.section}\n")
    study: Study = module.study
    study(experiment)
    experiment.end(time.monotonic() - start)
    return experiment


@one_line_errors
def main(study: Study) -> None:
    """The command line of a script: ``main(study)`` at its end."""

    def task(composed: Composed) -> None:
        lead(sys.modules[study.__module__], composed.words)

    run("book", _with_out(sys.argv[1:]), task)
