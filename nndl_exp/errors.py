"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """A mistake that the user can mend: one line with the rule, the value and what is accepted.

    The command line prints it as ``error: ...`` and exits with status 2; nothing else is shown.
    Every other exception is a defect of the program and keeps its traceback.
    """
