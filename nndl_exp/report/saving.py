"""Writing a figure: whole or not at all, since a picture that is there is not drawn again."""

import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from nndl_exp.records import atomic


def save(figure: Figure, path: Path, **options: Any) -> None:
    """Write a figure in the format of its file's suffix; ``options`` are those of ``savefig``."""
    file = io.BytesIO()
    figure.savefig(file, format=path.suffix.removeprefix("."), **options)
    atomic.write(path, file.getvalue())
