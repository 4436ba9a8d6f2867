"""Ctrl-C in a command: the first one unwinds it, the next ends the process at once.

Neither prints a traceback: also not one that comes while modules are imported, in a finalizer, or
while the interpreter ends.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

STATUS = 128 + signal.SIGINT
_SCRIPTS = {"nndl", "nndl-train", "nndl-sweep"}
_ends_next = False


def claim_process() -> None:
    """End this process at once when it is interrupted outside of ``unwinding``.

    A handler that is not Python's own stays: some processes have to ignore interrupts.
    """
    main = threading.current_thread() is threading.main_thread()
    if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def claim_process_of_command() -> None:
    """Claim the process if it runs one of our commands, rather than a program that imports us."""
    words = sys.orig_argv[1:]
    module = "".join(words[words.index("-m") + 1 :][:1]) if "-m" in words else ""
    if module.partition(".")[0] == "nndl_exp" or Path(sys.argv[0]).name in _SCRIPTS:
        claim_process()


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise KeyboardInterrupt for the first interrupt, in a process that was claimed.

    An error that came of it, such as that of a module which was half imported, is one too.
    """
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    hook = sys.unraisablehook

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        if issubclass(args.exc_type, KeyboardInterrupt):  # raised in a finalizer: nobody gets it
            _end()
        hook(args)

    sys.unraisablehook = unraisable
    signal.signal(signal.SIGINT, _raise)
    try:
        yield
    except Exception as e:
        if _was_interrupted(e):
            raise KeyboardInterrupt from e
        raise
    finally:
        signal.signal(signal.SIGINT, _end)
        sys.unraisablehook = hook


def end_at_next() -> None:
    """End the process at once at the next interrupt: the command is stopping already."""
    global _ends_next
    _ends_next = True


def _was_interrupted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _raise(number: int, frame: FrameType | None) -> None:
    if _ends_next:
        _end()
    end_at_next()
    logging.disable()  # libraries log what was interrupted as an error of theirs
    raise KeyboardInterrupt


def _end(number: int = signal.SIGINT, frame: FrameType | None = None) -> NoReturn:
    """End as if killed, which loses nothing."""
    os._exit(STATUS)
