"""What is never shown: passwords in addresses."""

import re

_IN_FRONT = re.compile(r"(:/{1,2}[^\s/@:'\"]*):\S+@")  # a path has one slash of it
_BEHIND = re.compile(r"([?&][\w.-]*(?:password|passwd|pwd|secret|token|key)=)[^\s&'\"]+", re.I)


def masked(text: str) -> str:
    """A text in which every password of an address is ``***``.

    Of ``scheme://user:password@host`` all up to the last @ of the word is taken for the password:
    one with slashes in it, which no address may have unquoted, is a user's mistake to be shown.
    """
    return _BEHIND.sub(r"\1***", _IN_FRONT.sub(r"\1:***@", text))
