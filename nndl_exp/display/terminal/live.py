"""What a terminal shows below the lines while a study runs: the best trials, what trains, how far
it is.

All of it is changed and drawn in the thread that draws (see ``nndl_exp.display.terminal.screen``).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from nndl_exp.config import RunConfig, settings_text
from nndl_exp.display.terminal.pace import Pace
from nndl_exp.display.terminal.sparkline import sparkline
from nndl_exp.display.terminal.trials import TrialLines
from nndl_exp.display.terminal.watch import Training, Watch
from nndl_exp.display.words import counted, seconds_text
from nndl_exp.study.search import Search, Trial, ranked

_BEST, _TRAINING = 5, 4
"""How many trials of each kind are shown at most."""

_OTHER_ROWS = 8
"""Rows besides those of trials."""

_LOWEST = 12
"""Rows of a terminal below which only the line that says how far it is is shown."""

_NARROWEST_BAR, _WIDEST_BAR = 6, 40


@dataclass(frozen=True)
class Watched:
    """A search that is being run, as it is shown.

    Its trials are to take ``total`` in all, of which one of so many epochs takes ``amount(config,
    epochs)``; ``counts`` says that this is a number of trials. ``later`` are the titles of the
    stages yet to come, and what each is to take.
    """

    search: Search
    watch: Watch
    lines: TrialLines
    heading: str
    total: float
    amount: Callable[[RunConfig, int], float]
    counts: bool
    later: Sequence[tuple[str, float]] = ()


@dataclass
class _Shown:
    """What is shown of a search. Rows are made when they are drawn first, and drawn many times."""

    watched: Watched
    trials: int = 0
    best: list[Trial] = field(default_factory=list)
    last: Trial | None = None
    settings: dict[int, str] = field(default_factory=dict)
    done: float = 0.0
    _rows: list[Text] | None = None

    def add(self, trial: Trial) -> None:
        """A trial has settled: it is among the best, or the last one."""
        self.trials, self.last, self._rows = self.trials + 1, trial, None
        self.settings.pop(trial.number, None)
        self.best = ranked([*self.best, trial])[:_BEST]

    def rows(self) -> list[Text]:
        """The headings, the best trials, and the one that settled last."""
        if self._rows is None and self.last is not None:
            lines = self.watched.lines
            self._rows = [Text(lines.short_header(), "dim")]
            self._rows += [Text(lines.row(t), "" if i else "bold") for i, t in enumerate(self.best)]
            if self.last not in self.best:
                self._rows.append(Text(lines.row(self.last), "dim"))
        return self._rows or []

    def varied(self, training: Training) -> str:
        """The settings of a trial that is being trained."""
        if training.number not in self.settings:
            varied = self.watched.search.varied(training.config)
            self.settings[training.number] = settings_text(varied)
        return self.settings[training.number]


class StudyRegion:
    """The region below the lines of a study."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._shown: _Shown | None = None
        self._training: list[Training] = []
        self._doing = ""

    def begin(self, watched: Watched) -> None:
        """A search begins."""
        self._shown, self._training, self._doing = _Shown(watched), [], ""
        self._pace.begin()

    def add(self, trial: Trial) -> None:
        """A trial of the search has settled."""
        shown = self._shown
        assert shown is not None
        amount = shown.watched.amount(trial.config, trial.result.epochs)
        shown.done += amount
        self._pace.add(amount, trial.result.ended)
        shown.add(trial)

    def doing(self, what: str) -> None:
        """The search is over; this is being done with what it found."""
        self._doing, self._training = what, []
        self._pace.end()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        shown = self._shown
        if shown is None:
            return
        if not self._doing:
            self._training = shown.watched.watch.look(shown.trials)
        # The lines above are not broken, as one may want to copy them; these are cut.
        options = options.update(no_wrap=False, overflow="ellipsis")
        width = options.max_width
        height = options.size.height
        room = max(0, height - _OTHER_ROWS - min(len(self._training), _TRAINING))
        if height >= _LOWEST:
            for row in (*self._trials(shown, room), *self._now(shown, width)):
                row.no_wrap, row.overflow = True, "ellipsis"
                yield from console.render(row, options)
        yield from console.render(self._progress(shown, width), options)
        if height >= _LOWEST and shown.watched.later and not self._doing:
            yield from console.render(self._to_come(shown), options)

    def _trials(self, shown: _Shown, room: int) -> Iterator[Text]:
        if (rows := shown.rows()) and room:
            yield Text()
            yield from rows[: room + 1]

    def _now(self, shown: _Shown, width: int) -> Iterator[Text]:
        several = self._training[:_TRAINING]
        if several:
            yield Text()
        for training in several:
            yield self._curve(shown, training, max(8, width // 4))
        if more := len(self._training) - len(several):
            yield Text(f"      and {more} more", "dim")

    def _curve(self, shown: _Shown, training: Training, width: int) -> Text:
        tail, config = training.tail, training.config
        value = shown.watched.lines.number(tail.values[-1]) if tail.values else ""
        row = Text(f"{training.number:>4}  {value:<6}  ")
        row.append(f"{sparkline(tail.values, width):<{width}}", "cyan")
        row.append(f"  epoch {tail.number} of {config.training.epochs}")
        row.append(f"  {shown.varied(training)}", "dim")
        return row

    def _progress(self, shown: _Shown, width: int) -> Table:
        search, running = shown.watched, 0.0
        if not search.counts:
            running = sum(search.amount(t.config, t.tail.number) for t in self._training)
        done = min(search.total, shown.done + running)
        tail = f"{self._doing} ..." if self._doing else self._counted(shown, done)
        table = Table.grid(padding=(0, 1))
        cells: list[RenderableType] = [Text(search.heading, "bold")]
        room = width - len(search.heading) - len(tail) - 3
        if room >= _NARROWEST_BAR:
            cells.append(
                ProgressBar(
                    search.total, done, width=min(_WIDEST_BAR, room),
                    complete_style="cyan", finished_style="cyan",
                )
            )  # fmt: skip
        table.add_row(*cells, Text(tail, no_wrap=True, overflow="ellipsis"))
        return table

    def _counted(self, shown: _Shown, done: float) -> str:
        search, n = shown.watched, shown.trials
        parts = [f"{n}/{search.total:.0f}" if search.counts else counted(n, "trial")]
        parts.append(_clock(self._pace.elapsed))
        left = self._pace.seconds(search.total - done)
        if left is not None and done < search.total:
            parts.append(f"{'about' if search.counts else 'up to'} {seconds_text(left)} left")
        return " · ".join(parts)

    def _to_come(self, shown: _Shown) -> Text:
        later = shown.watched.later
        titles = []
        for title, amount in later:
            seconds = self._pace.seconds(amount)
            titles.append(title if seconds is None else f"{title} {seconds_text(seconds)}")
        return Text(f"      then {' · '.join(titles)}", "dim", overflow="fold")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
