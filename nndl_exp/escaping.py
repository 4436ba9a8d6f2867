"""Text from a user's files, safe to print and to draw."""


def printable(text: str) -> str:
    """The text with every unprintable character as an escape: ``\\x1b`` for the escape character.

    A terminal obeys control characters, and XML forbids most of them.
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
