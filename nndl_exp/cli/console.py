"""The terminal: lines that scroll, and what is drawn below them where there is a terminal."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from nndl_exp.display.terminal.screen import Screen, Verbosity
from nndl_exp.escaping import printable


class _PlainConsole(Console):
    """A console that shows what a terminal would obey, in a name or a label, as escapes."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print lines of text, or what Rich draws."""
        super().print(*(_lines(o) if isinstance(o, str) else o for o in objects), **options)


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def make_console() -> Console:
    """Plain text: no markup, no colours of its own, no wrapping of lines that one may copy."""
    # Notebooks set FORCE_COLOR for what they run, which is no terminal all the same.
    terminal = sys.stdout.isatty()
    return _PlainConsole(
        highlight=False, markup=False, emoji=False, soft_wrap=True, force_terminal=terminal
    )


def make_screen(verbosity: Verbosity = Verbosity.NORMAL) -> Screen:
    """A screen on standard output.

    With -v it also shows what the package logs: among its lines where both outputs are terminals,
    else on standard error.
    """
    screen = Screen(make_console(), verbosity)
    if verbosity == Verbosity.VERBOSE:
        together = screen.console.is_terminal and sys.stderr.isatty()
        handler = _ScreenHandler(screen) if together else logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger = logging.getLogger("nndl_exp")
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    return screen


class _ScreenHandler(logging.Handler):
    """Prints what is logged among the lines of a screen."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        self._screen.print(self.format(record), style="dim")


@contextmanager
def progress(console: Console | Screen) -> Iterator[Progress]:
    """A progress bar, gone when done; nothing at all where the output is not a terminal, or -q.

    The cursor stays on, so that a process that is killed leaves it on.
    """
    quiet = isinstance(console, Screen) and console.verbosity == Verbosity.QUIET
    console = console.console if isinstance(console, Screen) else console
    bar = Progress(
        TextColumn("  "),
        BarColumn(bar_width=max(5, min(36, console.width - 60))),
        MofNCompleteColumn(),
        TextColumn("·"),
        TimeElapsedColumn(),
        TextColumn("·"),
        TimeRemainingColumn(compact=True),
        TextColumn("left · {task.description}"),
        console=console,
        transient=True,
        refresh_per_second=4,
        disable=quiet or not console.is_interactive,
    )
    with bar:
        if not bar.disable:
            console.show_cursor(True)
        yield bar
