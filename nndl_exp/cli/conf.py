"""The folder of the configs: inside the package when installed from a wheel, else beside it."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
CONF = next(
    (path for path in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if path.is_dir()),
    _PACKAGE / "conf",
)
GROUPS = tuple(sorted(path.name for path in CONF.iterdir() if path.is_dir()))
