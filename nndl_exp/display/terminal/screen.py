"""Where a command prints: lines that scroll, and below them a region that is drawn anew.

The region is drawn, and while it is there the lines are printed, by a thread of its own: whoever
leads a study never waits for a terminal. Where there is no terminal, lines are printed at once.
"""

import enum
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console, ConsoleOptions, ConsoleRenderable, Group, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment
from rich.text import Text

from nndl_exp.escaping import printable

SECONDS_BETWEEN_DRAWINGS = 0.25
WARNING = "yellow"
"""How lines are printed that warn, on a terminal."""

SHARE = 0.004
"""Of a processor, that drawing takes at most."""

_log = logging.getLogger(__name__)


class Verbosity(enum.IntEnum):
    """How much a command tells."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


class Screen:
    """Lines on a console, as many as ``verbosity`` lets through."""

    def __init__(self, console: Console, verbosity: Verbosity = Verbosity.NORMAL) -> None:
        self.console, self.verbosity = console, verbosity
        self._drawer: _Drawer | None = None

    @property
    def is_live(self) -> bool:
        """Whether a region is shown now."""
        return self._drawer is not None

    def print(self, line: str = "", *, style: str = "", minor: bool = False) -> None:
        """A line that -q leaves out; one that is ``minor`` also where a region shows as much."""
        hidden = minor and self.is_live and self.verbosity < Verbosity.VERBOSE
        if self.verbosity > Verbosity.QUIET and not hidden:
            self.tell(line, style=style)

    def tell(self, line: str, *, style: str = "") -> None:
        """A line that is always shown: a verdict, or a warning."""
        line = "\n".join(map(printable, line.split("\n")))
        if self._drawer:
            self._drawer.put(Text(line, style, no_wrap=True, overflow="ignore"))
        else:
            self.console.print(line, style=style or None)

    def change(self, action: Callable[[], None]) -> None:
        """Change what the region shows, in the thread that draws it; nothing without a region."""
        if self._drawer:
            self._drawer.put(action)

    def calm(self) -> None:
        """End the region now, although its context has not ended: lines still come in order."""
        if self._drawer:
            self._drawer.put(None)

    @contextmanager
    def live(self, region: ConsoleRenderable) -> Iterator[None]:
        """Show a region below the lines, where the output is a terminal that can; gone at the end.

        The cursor stays on all the time, so that a process that is killed leaves it on.
        """
        can = self.console.is_interactive and self.console.is_terminal
        if not can or self.verbosity == Verbosity.QUIET:
            yield
            return
        self._drawer = drawer = _Drawer(self.console, region)
        drawer.start()
        try:
            yield
        finally:
            drawer.end()
            self._drawer = None
            _log.debug(
                "drew %d times in %.2f s of processor time", drawer.drawn, drawer.processor_time
            )


class _Drawer(threading.Thread):
    """Prints and draws what is put into its queue: at most four times a second, and the less often
    the longer it takes."""

    def __init__(self, console: Console, region: ConsoleRenderable) -> None:
        super().__init__(name="screen", daemon=True)
        self._console, self._region = console, _Measured(region)
        self._queue: queue.SimpleQueue[Text | Callable[[], None] | None] = queue.SimpleQueue()
        self._live = Live(
            self._region, console=console, auto_refresh=False, transient=True,
            vertical_overflow="crop",
        )  # fmt: skip
        self._pending: list[Text] = []
        self._over = False
        self._error: BaseException | None = None
        self.drawn, self.processor_time = 0, 0.0

    def put(self, item: Text | Callable[[], None] | None) -> None:
        """A line, something to be done, or None: the end of the region. Also from a signal."""
        self._queue.put(item)

    def end(self) -> None:
        """Print what is left, remove the region, and wait for that."""
        self._over = True
        self.put(None)
        self.join()
        if self._error is not None and not isinstance(self._error, OSError):
            raise self._error  # a defect; a terminal that has gone is no reason to end a study

    def run(self) -> None:
        """Until ``end``."""
        try:
            self._live.start()
            self._console.show_cursor(True)
            try:
                self._work()
            finally:
                self._live.stop()
        except BaseException as e:
            self._error = e
            with suppress(OSError):  # without a region; but the lines still come
                self._work()
        self.processor_time = time.thread_time()

    def _work(self) -> None:
        due = time.monotonic()
        while not (self._over and self._queue.empty()):
            try:
                item = self._queue.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                before = time.thread_time()
                self._draw()
                cost = time.thread_time() - before
                due = time.monotonic() + max(SECONDS_BETWEEN_DRAWINGS, cost / SHARE)
                continue
            if isinstance(item, Text):
                self._pending.append(item)
            elif item is None:
                if not self._over:
                    self._live.stop()
            elif self._live.is_started:
                item()
            if not self._live.is_started:
                self._draw()
        self._draw()

    def _draw(self) -> None:
        pending, self._pending = self._pending, []
        with self._console:  # one write, so that nothing is ever half drawn
            if self._live.is_started:
                self._console.control(*self._region.grown(self._console.width))
                self.drawn += 1
            if pending:
                self._console.print(Group(*pending))
            elif self._live.is_started:
                self._live.refresh()


class _Measured:
    """A region that remembers how wide the lines are that it drew."""

    def __init__(self, region: ConsoleRenderable) -> None:
        self._region, self._widths = region, [0]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._region, options, pad=False)[: options.size.height]
        self._widths = [Segment.get_line_length(line) for line in lines]
        for line in lines:
            yield from line
            yield Segment.line()

    def grown(self, width: int) -> Iterator[Control]:
        """What erases the rows that the lines take more in a window that was made narrower.

        Terminals break lines that have become too long, and Rich does not know; XTerm cuts them.
        """
        rows = sum(max(0, drawn - 1) // width for drawn in self._widths)
        if rows and "XTERM_VERSION" not in os.environ:
            up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            yield Control(ControlType.CARRIAGE_RETURN, *up * rows)
