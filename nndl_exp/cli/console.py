"""The terminal: lines that scroll, and a progress bar below them where there is a terminal."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def make_console() -> Console:
    """Plain text: no markup, no colours of its own, no wrapping of lines that one may copy."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True)


def progress(console: Console) -> Progress:
    """A progress bar, gone when done; nothing at all where the output is not a terminal."""
    return Progress(
        TextColumn("  "),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TextColumn("·"),
        TimeElapsedColumn(),
        TextColumn("·"),
        TimeRemainingColumn(compact=True),
        TextColumn("left · {task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
