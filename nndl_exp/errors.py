"""Exceptions of our own: a user's mistake, and a lost call."""

from collections.abc import Mapping
from typing import TypeVar

from nndl_exp.masking import masked

T = TypeVar("T")


class UserError(Exception):
    """A mistake that the user can mend: one line with the rule, the value and what is accepted.

    The command line prints it as ``error: ...`` and exits with status 2; nothing else is shown.
    Every other exception is a defect of the program and keeps its traceback. A password in an
    address is masked, wherever the message got it from.
    """

    def __init__(self, message: str) -> None:
        super().__init__(masked(message))


class LostTrialError(Exception):
    """A call that an executor gave up since its workers died; its other calls go on.

    An executor that is broken as a whole raises ``BrokenExecutor``.
    """


def one_of(table: Mapping[str, T], name: str, what: str) -> T:
    """The entry of a table of alternatives.

    Raises:
        UserError: there is none of that name; the message says what ``what`` can be.
    """
    if name not in table:
        raise UserError(f"{what} must be one of {', '.join(table)}: got {name}")
    return table[name]
