"""The instructions that BLAS and NumPy compute with, which decide the last bits of a training.

OpenBLAS chooses its kernels by the processor when it is loaded, with NumPy, unless
OPENBLAS_CORETYPE says which. Haswell's and Zen's give the same bits, and so do SkylakeX's and
Cooperlake's; the two families, and older ones, do not. NumPy's own functions have variants too: of
float64 those for AVX-512 give other bits than those for AVX2, of float32 the same.
"""

import functools
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from nndl_exp.errors import UserError

CORE, FEATURES = "OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES"
"""The variables that OpenBLAS and NumPy read when they are loaded."""
PORTABLE = "Haswell"
"""What every x86-64 processor with AVX2 can run."""
_AVX512 = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
_FAMILIES = {"Zen": "Haswell", "Cooperlake": "SkylakeX"}
_NEEDS = {"Nehalem": "X86_V2", "Haswell": "X86_V3", "SkylakeX": "X86_V4"}
"""What NumPy calls the instructions of a family."""


def choose(kernels: str) -> None:
    """Have BLAS and NumPy load with these; without effect where they have been loaded already."""
    if kernels == "portable" and "numpy" not in sys.modules:
        os.environ |= {CORE: PORTABLE, FEATURES: " ".join(_AVX512)}


def check(kernels: str) -> None:
    """Check that what was loaded is what a run asks for.

    Raises:
        UserError: it is something else.
    """
    if kernels == "portable" and (loaded() != PORTABLE or set(features()) & set(_AVX512)):
        raise UserError(
            f"kernels=portable needs OpenBLAS with the kernels {PORTABLE}, and NumPy without "
            f"AVX-512: got {loaded()} and {' '.join(features())}; start this process with "
            f"{CORE}={PORTABLE} {FEATURES}='{' '.join(_AVX512)}', since NumPy is loaded already"
        )


def variables(recorded: Mapping[str, Any]) -> dict[str, str] | None:
    """The environment of a process that computes as a record says; None if this one does.

    Args:
        recorded: the record's provenance: ``blas`` as of ``libraries``, ``simd`` as of
            ``features``; what is not there is not asked for.

    Raises:
        LookupError: this processor can't, or another process would not either.
    """
    then, simd = family(recorded["blas"]), recorded.get("simd")
    too_many = [name for name in features() if simd is not None and name not in simd]
    if then == loaded() and not too_many:
        return None
    wanted = {CORE: then, FEATURES: " ".join(too_many)} if too_many else {CORE: then}
    if not _can_run(then) or all(os.environ.get(key) == value for key, value in wanted.items()):
        raise LookupError(then)
    return wanted


def loaded() -> str:
    """The family of the kernels of NumPy and SciPy, or what else they compute with."""
    return family(libraries())


def family(found: Sequence[str]) -> str:
    """The family of some libraries as ``libraries`` names them; all of them, if they differ."""
    names = {_family(*text.split()) for text in found}
    return names.pop() if len(names) == 1 else ", ".join(sorted(names)) or "an unknown BLAS"


def _family(library: str, *more: str) -> str:
    architecture = more[-1] if len(more) > 1 else ""
    if library != "openblas" or not architecture:
        return " ".join((library, *more))
    return _FAMILIES.get(architecture, architecture)


@functools.cache
def libraries() -> tuple[str, ...]:
    """The BLAS libraries of NumPy and SciPy: openblas 0.3.31 Haswell."""
    import numpy  # noqa: F401  (it must be loaded to be seen)
    import scipy.linalg.blas  # noqa: F401

    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return ()
    return tuple(sorted(
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in threadpool_info() if pool["user_api"] == "blas"
    ))  # fmt: skip


def features() -> list[str]:
    """The instructions beyond the least of x86-64 that NumPy uses, by its names."""
    return [str(name) for name in _extensions()["found"]]


def _can_run(name: str) -> bool:
    """True if this processor has the instructions of a family of kernels."""
    return _NEEDS.get(name) in [*_extensions()["baseline"], *_extensions()["found"]]


@functools.cache
def _extensions() -> dict[str, list[str]]:
    import numpy as np

    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return {key: list(found.get(key, ())) for key in ("baseline", "found")}  # type: ignore[call-overload]
