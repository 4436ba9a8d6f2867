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
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from nndl_exp.book.comparison import Comparison, table
from nndl_exp.cli.console import make_console, progress
from nndl_exp.cli.errors import one_line_errors
from nndl_exp.cli.fitting import run_of
from nndl_exp.cli.hydra_config import compose, compose_all
from nndl_exp.cli.output import check_output
from nndl_exp.cli.tracker import make_tracker
from nndl_exp.config import RunConfig, TrackingConfig, parse, to_mapping
from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.nn import Network
from nndl_exp.nn.arrays import Array
from nndl_exp.records import RunDirectory, atomic
from nndl_exp.report.book import (
    draw_bars,
    draw_histogram,
    draw_lines,
    draw_matrix,
    make_figure,
    save_figure,
)
from nndl_exp.run import Run, check, data_of
from nndl_exp.study import executors
from nndl_exp.training import Epoch

J = TypeVar("J")
T = TypeVar("T")
Study = Callable[["Experiment"], None]
_OF_FRAME = ("seed", "seeds", "workers", "executor", "output", "out", "published",
             "svm_images", "figure", "tracking")  # fmt: skip
"""Settings that are not those of a run."""
_HEADER = re.compile(r"^(Chapter .+?) · ([\d.]+) minutes?$", re.MULTILINE)


@dataclass(frozen=True)
class Header:
    """What a script says of itself: its name, title, section of the book, and minutes."""

    name: str
    title: str
    section: str
    minutes: float

    @classmethod
    def of(cls, module: ModuleType) -> "Header":
        """The header of a script.

        Raises:
            ValueError: it has none of this form.
        """
        text = module.__doc__ or ""
        found = _HEADER.search(text)
        if found is None:
            raise ValueError(f'{module.__file__} must say: Chapter N, "Section" · M minutes')
        name = Path(str(module.__file__)).stem
        return cls(name, text.splitlines()[0].rstrip("."), found[1], float(found[2]))


@dataclass(frozen=True)
class Recorded:
    """A run of an experiment that has ended, and its record."""

    config: RunConfig
    directory: RunDirectory

    @property
    def epochs(self) -> list[Epoch]:
        """Its epochs."""
        return self.directory.epochs()

    def curve(self, name: str) -> Array:
        """A measurement after each epoch, such as ``validation_accuracy``, a fraction."""
        return np.array([getattr(epoch, name) for epoch in self.epochs])

    @property
    def network(self) -> Network:
        """Its network after the last epoch."""
        last = self.directory.path / "weights_last.npz"
        return Network.load(last) if last.exists() else self.directory.network()

    def best(self) -> float:
        """The best accuracy, in percent, on the set that is monitored."""
        return 100 * float(self.curve("validation_accuracy").max())


def _whole(settings: Mapping[str, Any], name: str, at_least: int = 1, other: str = "") -> int:
    value = settings[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        accepted = f"a whole number of at least {at_least}" + (f", or {other}" if other else "")
        raise UserError(f"{name} must be {accepted}: got {value!r}")
    return value


@dataclass
class Experiment:
    """One run of a script, with the settings that ``words`` describe.

    ``full`` is whether the digits are all of the book's, rather than the 5,000 that come along.
    """

    header: Header
    words: Sequence[str] = ()
    rows: list[Comparison] = field(default_factory=list)
    figures: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.console = make_console()
        settings = compose("book", self.words).settings
        first = _whole(settings, "seed", at_least=0)
        self.seeds = range(first, first + _whole(settings, "seeds"))
        self.output = Path(settings["output"])
        self.style = settings["figure"]
        self.tracking = parse(TrackingConfig, settings["tracking"], "tracking.")
        self._out = settings["out"]
        self.published = Path(settings["published"]) if settings["published"] else None
        everything = settings["svm_images"] == "all"
        self.svm_images = sys.maxsize if everything else _whole(settings, "svm_images", 100, "all")
        self._kind = str(settings["executor"]["name"])
        self._address = settings["executor"]["address"]
        self._workers = executors.count(settings["workers"], self._kind, self._address)
        self._base: list[str] = []
        self.full = self._has_digits()
        check_output(str(self.output))

    @property
    def folder(self) -> Path:
        """Where the experiment's runs, figures and result are."""
        return self.output / "experiments" / self.header.name

    def config(self, *words: str) -> RunConfig:
        """The run that a script's words describe, changed by what the user typed."""
        mine = [word for word in self.words if not _is_of_frame(word)]
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
        self._map(_train, jobs, 1 if alone else self._workers)
        self._track(wanted)
        found: dict[str, list[Recorded]] = {name: [] for name in runs}
        for name, one in wanted:
            found[name].append(one)
        return found

    def parallel(self, work: Callable[[str], T], names: Sequence[str]) -> list[T]:
        """What ``work``, a function of a module, gives for each name, by the workers."""
        return self._map(work, names, self._workers)

    def write(self, name: str, text: str) -> None:
        """Write a file beside the figures, or into the folder of ``--out``."""
        folder = Path(self._out) if self._out else self.folder
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

    def figure(self, rows: int = 1, columns: int = 1, title: str = "") -> tuple[Any, list[Any]]:
        """A figure of so many plots, and the plots row by row."""
        width, height = self.style["width"], self.style["height"]
        return make_figure(rows, columns, width, height, title or self.header.title)

    def lines(
        self,
        axes: Any,
        lines: Mapping[str, ArrayLike | tuple[ArrayLike, ArrayLike]],
        *,
        x: str,
        y: str,
        colours: Sequence[str] = ("first", "second", "third", "fourth", "fifth"),
        whole: bool = True,
    ) -> None:
        """Draw curves by their names: (x values, y values), or a value for each epoch.

        ``colours`` are names of the settings; ``whole`` is whether x counts something.
        """
        points = {
            name: line if isinstance(line, tuple) else (np.arange(1, np.size(line) + 1), line)
            for name, line in lines.items()
        }
        draw_lines(axes, points, self._colours(colours), x=x, y=y, whole=whole)

    def matrix(self, axes: Any, values: ArrayLike, *, x: str, y: str) -> None:
        """Draw a matrix as coloured squares with their numbers."""
        draw_matrix(axes, values, x=x, y=y)

    def bars(
        self,
        axes: Any,
        bars: Mapping[str, ArrayLike],
        *,
        labels: Sequence[str],
        x: str,
        y: str,
        colours: Sequence[str] = ("first", "second", "third", "fourth", "fifth"),
    ) -> None:
        """Draw bars by their names: a height for each label."""
        draw_bars(axes, bars, self._colours(colours), labels=labels, x=x, y=y)

    def histogram(
        self,
        axes: Any,
        values: Mapping[str, Array],
        *,
        x: str,
        y: str = "density",
        limits: tuple[float, float] | None = None,
        colours: Sequence[str] = ("first", "second", "third", "fourth", "fifth"),
    ) -> None:
        """Draw how values are distributed, by their names; the bins lie between ``limits``."""
        draw_histogram(axes, values, self._colours(colours), x=x, y=y, limits=limits)

    def save(self, figure: Any, name: str = "") -> None:
        """Write a figure in the formats of the settings."""
        formats = self.style["formats"]
        self.figures += save_figure(figure, self.folder, name or self.header.name, formats)

    def end(self, seconds: float) -> None:
        """Print the table and write the result down."""
        for line in table(self.rows) if self.rows else []:
            self.console.print(line)
        for path in self.figures:
            self.console.print(f"saved    {path}")
        result = {
            **asdict(self.header),
            "full": self.full,
            "seconds": seconds,
            "rows": [asdict(row) for row in self.rows],
            "figures": [path.name for path in self.figures],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        atomic.write(self.folder / "result.json", json.dumps(result, indent=1).encode())

    def _colours(self, names: Sequence[str]) -> list[str]:
        return [self.style["colours"].get(name, name) for name in names]

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
        tracker = make_tracker(str(self.output), self.tracking, f"book: {self.header.name}")
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


def _train(job: tuple[RunConfig, Path]) -> None:
    config, path = job
    with Run(config, RunDirectory(path), check(config)) as run:
        for _ in run:
            pass


def output_of(words: Sequence[str]) -> Path:
    """The output folder that the words of a command line mean."""
    return Path(compose("book", words).settings["output"])


def _with_out(words: Sequence[str]) -> list[str]:
    """``--out DIR`` as a setting."""
    given = iter(words)
    return [
        f"out={next(given, '')}" if w == "--out" else re.sub("^--out=", "out=", w) for w in given
    ]


def _is_of_frame(word: str) -> bool:
    return re.split("[.=]", word)[0] in _OF_FRAME


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
    words = _with_out(sys.argv[1:])
    if compose_all("book", words) is not None:
        lead(sys.modules[study.__module__], words)
