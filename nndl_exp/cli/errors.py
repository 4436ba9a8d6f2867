"""How a command ends: status 0, 1 where it found a difference, 2 with one line for a mistake."""

import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec

import click

from nndl_exp.errors import UserError

P = ParamSpec("P")


def one_line_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Print a user's mistake as one line and exit with status 2; a defect keeps its traceback."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
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
        except (KeyboardInterrupt, click.Abort):
            sys.exit(130)

    return guarded


def _refuse(message: str) -> NoReturn:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(2)
