"""The meaning of each setting as ``--help`` prints it: the docstrings of ``nndl_exp.config``."""

import ast
import inspect
from textwrap import wrap
from typing import Any, get_type_hints

from nndl_exp import config

_WIDTH = 34


def help_of(name: str) -> str:
    """The settings of ``train``, ``sweep`` or ``book`` by name, each with its meaning."""
    top = config.SweepConfig if name == "sweep" else config.TrainConfig
    lines = [*_lines(config.RunConfig, ""), *_lines(top, "")]
    if name != "book":
        start = "A run's config.yaml, or a study's best.yaml, to start from."
        lines.append("from".ljust(_WIDTH) + start)
    return "\n".join(lines)


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
