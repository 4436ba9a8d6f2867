"""How a command ends: status 0, 1 where it found a difference, 2 with one line for a mistake."""

import errno
import functools
import io
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, ParamSpec

import click

from nndl_exp import interrupts
from nndl_exp.errors import UserError
from nndl_exp.escaping import printable

P = ParamSpec("P")

_OF_THE_USER = (
    errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC,
    errno.EDQUOT,
)  # fmt: skip
"""What is wrong with a folder or a name that a user gave, wherever it shows first."""


def command_line(command: click.Command) -> Callable[..., None]:
    """The function that runs a command: with these words, by default those of this process."""

    def main(words: Sequence[str] | None = None) -> None:
        command(words, standalone_mode=False)

    return one_line_errors(main)


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Print a user's mistake as one line and exit with status 2; a defect keeps its traceback."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        _open_closed_streams()
        _replace_what_can_not_be_encoded()
        _show_warnings_of_libraries()
        try:
            with interrupts.unwinding():
                command(*args, **kwargs)
        except UserError as e:
            _refuse(str(e))
        except click.ClickException as e:
            _refuse(f"{e.format_message()} (--help explains)")
        except MemoryError as e:
            _refuse(f"there is not enough memory for this: {e}")
        except BrokenPipeError:  # the reader, a pager or head, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as e:
            if e.errno not in _OF_THE_USER:
                raise
            _refuse(f"{e.filename or 'a file'} can't be used: {e.strerror}")
        except (KeyboardInterrupt, click.Abort):
            sys.exit(interrupts.status())

    return guarded


def _open_closed_streams() -> None:
    """Open the null device where the process was started without a standard stream (``>&-``), also
    for its children; else the first file to be opened would get the stream's number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode)  # noqa: SIM115 (open until the process ends)
            if stream.fileno() == number:
                os.set_inheritable(number, True)
            setattr(sys, name, stream)


def _show_warnings_of_libraries() -> None:
    """With ``-W error`` show the warnings of other packages, which nobody here can mend, and raise
    our own."""
    if any(word.startswith("error") for word in sys.warnoptions):
        warnings.filterwarnings("default", module=r"(?!nndl_exp\b)")


def _replace_what_can_not_be_encoded() -> None:
    """Print "?" for a character that the output's encoding lacks, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="replace")


def report_error(message: str) -> None:
    """Print a user's mistake as one line on standard error."""
    print(f"error: {printable(' '.join(message.split()))}", file=sys.stderr)


def _refuse(message: str) -> NoReturn:
    report_error(message)
    sys.exit(2)
