"""The circumstances of a run: what else, beside its config, its last bits may depend on."""

import functools
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

from nndl_exp.fast.kernels import features, libraries
from nndl_exp.masking import masked

_PACKAGES = ("nndl_exp", "numpy", "scipy", "optuna", "mlflow", "pandas", "hydra-core")
_LONGEST_DIFF = 200_000


@functools.cache
def provenance() -> dict[str, Any]:
    """Versions, BLAS, processor and code, as plain JSON values.

    Weights are identical to the bit only where the kernels of ``blas`` are of one family, and of
    float64 also ``simd`` is the same; a difference in the others explains one in the results.
    """
    return {
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "blas": list(libraries()),
        "simd": features(),
        "git": _git(),
    }


def numerics() -> dict[str, str]:
    """What the last bits of a training depend on, beside its config and data; the same everywhere
    in a study."""
    packages = {name: str(_version(name)) for name in ("nndl_exp", "numpy", "scipy", "optuna")}
    return {**packages, "BLAS": ", ".join(libraries()), "SIMD": " ".join(features())}


def differences(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What is not as it was, a line each: ``blas: ... then, ... now``."""
    keys = [key for key in now if key != "git"] + ["git"]
    lines = []
    for key in keys:
        a, b = then.get(key), now.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            lines += [
                f"{key} {name}: {a.get(name)} then, {b[name]} now"
                for name in b
                if name != "diff" and a.get(name) != b[name]
            ]
        elif a != b:
            lines.append(f"{key}: {a} then, {b} now")
    return lines


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _git() -> dict[str, Any] | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None  # installed from a wheel: the version of the package says it all
    try:
        commit = _run(root, "rev-parse", "HEAD").strip()
        diff = _run(root, "diff", "HEAD")
        untracked = _run(root, "ls-files", "--others", "--exclude-standard", "nndl_exp", "conf")
    except (OSError, subprocess.SubprocessError):
        return None
    dirty = bool(diff or untracked)
    return {"commit": commit, "dirty": dirty, "diff": masked(diff[:_LONGEST_DIFF])}


def _run(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
