"""What a script of ``experiments/`` says of itself in its docstring."""

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

_HEADER = re.compile(r"^(Chapter .+?) · ([\d.]+) minutes?$", re.MULTILINE)


@dataclass(frozen=True)
class Header:
    """What a script says of itself: its name, title, section of the book, and minutes."""

    name: str
    title: str
    section: str
    minutes: float

    @classmethod
    def of(cls, module: ModuleType) -> "Header":
        """The header of a script.

        Raises:
            ValueError: it has none of this form.
        """
        # From the source: python -OO drops docstrings.
        text = ast.get_docstring(ast.parse(inspect.getsource(module))) or ""
        found = _HEADER.search(text)
        if found is None:
            raise ValueError(f'{module.__file__} must say: Chapter N, "Section" · M minutes')
        name = Path(str(module.__file__)).stem
        return cls(name, text.splitlines()[0].rstrip("."), found[1], float(found[2]))
