"""The output folder."""

import os
from pathlib import Path

from nndl_exp.errors import UserError


def check_output(output: str) -> None:
    """Make the output folder if it is not there.

    Raises:
        UserError: it can't be made or written.
    """
    folder = Path(output)
    try:
        for part in (folder, folder / "runs", folder / "studies"):
            if part != folder and not part.exists():
                continue
            part.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise UserError(f"output must be a folder: got {output} ({e.strerror})") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"output must be a folder that can be written: got {output}")
