"""What each setting is for, as ``--help`` prints it: from the docstrings of ``nndl_exp.config``."""

import ast
import inspect
from textwrap import wrap
from typing import Any, get_type_hints

from nndl_exp import config

_WIDTH = 34


def help_of(name: str) -> str:
    """A line for each setting of ``train`` or ``sweep``: its name, and what it means."""
    top = config.SweepConfig if name == "sweep" else config.TrainConfig
    return "\n".join(_lines(config.RunConfig, "") + _lines(top, ""))


def _lines(cls: type, prefix: str) -> list[str]:
    lines, said = [], attribute_docstrings(cls)
    for key, hint in get_type_hints(cls).items():
        if key == "run":
            continue
        if hasattr(hint, "__dataclass_fields__"):
            lines += _lines(hint, f"{prefix}{key}.")
        else:
            meaning = wrap(" ".join(said.get(key, "").replace("``", "").split()), 100 - _WIDTH)
            lines.append(f"{prefix}{key} ".ljust(_WIDTH) + f"\n{' ' * _WIDTH}".join(meaning))
    return lines


def attribute_docstrings(cls: type[Any]) -> dict[str, str]:
    """The text below each field of a dataclass."""
    (node,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(node, ast.ClassDef)
    found = {}
    for field, text in zip(node.body, node.body[1:], strict=False):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=said)):
                found[name] = str(said)
    return found
