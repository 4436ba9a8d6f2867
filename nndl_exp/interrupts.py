"""Ctrl-C and SIGTERM in a command: the first one unwinds it, the next ends the process at once.

Neither prints a traceback: also not one that comes while modules are imported, in a finalizer, or
while the interpreter ends. The exit status is 128 and the signal's number.
"""

import os
import signal
import sys

_DEFAULTS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
_SCRIPTS = {"nndl", "nndl-train", "nndl-sweep"}
_first: int | None = None
"""The signal that the command is stopping for already."""


def claim_process() -> None:
    """End this process at once when it is interrupted outside of ``unwinding``.

    A handler that is not Python's own stays: some processes have to ignore interrupts.
    """
    for number, default in _DEFAULTS.items():
        if signal.getsignal(number) is default:
            try:
                signal.signal(number, _end)
            except ValueError:  # not in the main thread
                return
    # The process that looks after semaphores warns of those that are left by one that ends at once.
    filters = (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, filters))


def _runs_a_command() -> bool:
    """Whether the process runs one of our commands, rather than a program that imports us."""
    words = sys.orig_argv[1:]
    module = "".join(words[words.index("-m") + 1 :][:1]) if "-m" in words else ""
    return module.partition(".")[0] == "nndl_exp" or sys.argv[0].rpartition(os.sep)[2] in _SCRIPTS


def _end(number: int, frame: object = None) -> None:
    """End as if killed, which loses nothing."""
    os._exit(128 + number)


if _runs_a_command():
    claim_process()  # before other modules are imported, which takes a while

import logging  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from types import FrameType  # noqa: E402
from typing import Any  # noqa: E402


class Interrupted(KeyboardInterrupt):
    """A KeyboardInterrupt that leaves the exit status to us.

    Where a plain one passes through ``exec``, as in a dataclass that is being made, Python ends by
    killing itself with SIGINT, whatever becomes of it.
    """


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise KeyboardInterrupt for the first signal, in a process that was claimed.

    An error that came of it, such as that of a module which was half imported, is one too.
    """
    claimed = [number for number in _DEFAULTS if signal.getsignal(number) is _end]
    if not claimed:
        yield
        return
    hook = sys.unraisablehook

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        if issubclass(args.exc_type, KeyboardInterrupt):  # raised in a finalizer: nobody gets it
            os._exit(status())
        hook(args)

    sys.unraisablehook = unraisable
    for number in claimed:
        signal.signal(number, _raise)
    try:
        yield
    except Exception as e:
        if _was_interrupted(e):
            raise Interrupted from e
        raise
    finally:
        for number in claimed:
            signal.signal(number, _end)
        sys.unraisablehook = hook


class Deferred:
    """Notes the first signal, for work that stops by itself soon; the next ends the process.

    As a context, in the main thread. ``say`` tells what is waited for. It is called in a thread,
    since the signal may come while this one prints; a signal that is ignored stays so.
    """

    def __init__(self, say: Callable[[], None]) -> None:
        self.signal: int | None = None
        self._say, self._noted = say, threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Deferred":
        self._thread.start()
        if threading.current_thread() is threading.main_thread():
            for number in _DEFAULTS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._noted.set()
        self._thread.join()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            _end(number)
        self.signal = number
        end_at_next(number)
        self._noted.set()

    def _tell(self) -> None:
        self._noted.wait()
        if self.signal is not None:
            self._say()


def end_at_next(number: int = signal.SIGINT) -> None:
    """End the process at once at the next signal: the command is stopping already."""
    global _first
    _first = number


def status() -> int:
    """The exit status of a command that was stopped by a signal, Ctrl-C if it is not known."""
    return 128 + (_first or signal.SIGINT)


def _was_interrupted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _raise(number: int, frame: FrameType | None) -> None:
    if _first is not None:
        _end(number)
    end_at_next(number)
    logging.disable()  # libraries log what was interrupted as an error of theirs
    raise Interrupted
