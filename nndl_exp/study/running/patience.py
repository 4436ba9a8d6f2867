"""Waiting for a database that went away while it was in use."""

import threading
from collections.abc import Callable
from typing import TypeVar

import tenacity
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from nndl_exp import database

T = TypeVar("T")
_SECONDS_UNSAID = 1.0
_LONGEST_PAUSE = 2.0


class DatabaseGoneError(Exception):
    """A database did not answer for as long as is waited for it; the message is one line."""


class Patience:
    """Calls again what a database did not answer, for ``seconds`` at most.

    Only a server is waited for: what a file refuses, a full disk for one, it refuses again. ``say``
    gets a line when the wait has taken a second, and when it is over. What is called must do no
    harm when it is called again although it was done before and only the answer was lost.
    """

    def __init__(self, url: str, seconds: float, say: Callable[[str], None]) -> None:
        self._url, self._say = url, say
        self._seconds = seconds if database.is_postgresql(url) else 0.0
        self._over = threading.Event()

    def end(self) -> None:
        """Wait no longer: neither now nor at the next call."""
        self._over.set()

    def __call__(self, work: Callable[[], T]) -> T:
        """What ``work`` returns, once the database answers.

        Raises:
            DatabaseGoneError: it did not.
        """
        said = False

        def say(state: tenacity.RetryCallState) -> None:
            nonlocal said
            if not said and (state.seconds_since_start or 0.0) > _SECONDS_UNSAID:
                said = True
                self._say(
                    f"{_what(self._url, state)}; waiting for it, {self._seconds:g} s at most "
                    "(storage.patience) ..."
                )

        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(went_away),
            wait=tenacity.wait_exponential(multiplier=0.1, max=_LONGEST_PAUSE),
            stop=tenacity.stop_after_delay(self._seconds)
            | tenacity.stop_when_event_set(self._over),
            sleep=tenacity.sleep_using_event(self._over),
            before_sleep=say,
            retry_error_callback=self._give_up,
        )
        result: T = attempts(work)
        if said:
            seconds = attempts.statistics["delay_since_first_attempt"]
            self._say(f"the database answers again after {seconds:.0f} s")
        return result

    def _give_up(self, state: tenacity.RetryCallState) -> None:
        self.end()
        raise DatabaseGoneError(_what(self._url, state)) from None


def _what(url: str, state: tenacity.RetryCallState) -> str:
    error = state.outcome.exception() if state.outcome else None
    return database.refusal(url, _of_the_driver(error) or error or Exception())


def went_away(error: BaseException) -> bool:
    """Whether a database did not answer, as opposed to answering that something is wrong."""
    return _of_the_driver(error) is not None


def _of_the_driver(error: BaseException | None) -> DBAPIError | None:
    """The driver's error behind one of Optuna's, or behind a line of our own."""
    while error is not None:
        gone = isinstance(error, DBAPIError) and error.connection_invalidated
        if isinstance(error, OperationalError | InterfaceError) or gone:
            assert isinstance(error, DBAPIError)
            return error
        error = error.__cause__ or error.__context__
    return None
