"""Every pinned package is installed in its version, under a licence that goes with ours (MIT).

    python .ci/licences.py [CONSTRAINTS]

Read from the installed metadata: License-Expression (PEP 639), else the classifiers, else the field
License. Without a network. Exits with 1 and a line for each package that is not in order.
"""

import re
import sys
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib",
}  # fmt: skip
"""SPDX identifiers; permissive, or copyleft of single files that we do not change. "BSD" is what
old metadata say of two or three clauses."""

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
VAGUE = {"OSI Approved", "DFSG approved"}

READ_BY_HAND = {"asttokens": "Apache-2.0", "huey": "MIT", "skops": "MIT"}
"""Packages whose metadata say nothing, or not in these words; their licence files do."""

EXCEPTIONS = dict.fromkeys(("psycopg", "psycopg-binary", "psycopg-pool"), "LGPL-3.0-only")
"""Licences that one package may have, and no other: optional, imported unchanged, not shipped."""


def pinned(text: str) -> dict[str, str]:
    """The versions of a constraints file by name."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return {name: version for name, _, version in (line.partition("==") for line in lines) if name}


def licence_of(name: str, facts: PackageMetadata) -> str:
    """The licence of a package as an SPDX expression, or what stands in its place."""
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    if expression := facts.get("License-Expression"):
        return str(expression)
    said = [c for c in facts.get_all("Classifier") or [] if c.startswith("License ::")]
    named = [c.rpartition(" :: ")[2] for c in said]
    # Several classifiers may be a choice or not: all have to be allowed.
    if found := [CLASSIFIERS.get(c, c) for c in named if c not in VAGUE]:
        return " AND ".join(found)
    first = (str(facts.get("License") or "").strip().splitlines() or ["nothing"])[0]
    return CLASSIFIERS.get(first, first)


def allowed(expression: str, also: str | None = None) -> bool:
    """Whether an SPDX expression can be satisfied with what is allowed; AND binds closer than OR.

    >>> allowed("GPL-3.0-only OR (MIT AND Zlib)"), allowed("MIT AND GPL-3.0-only")
    (True, False)
    """
    innermost = re.search(r"\(([^()]*)\)", expression)
    if innermost:
        inside = "MIT" if allowed(innermost[1], also) else "none"
        rest = f"{expression[: innermost.start()]}{inside}{expression[innermost.end() :]}"
        return allowed(rest, also)
    return any(
        all(name.strip() in {*ALLOWED, also} for name in re.split(r"\s+AND\s+", choice))
        for choice in re.split(r"\s+OR\s+", expression)
    )


def complaints(versions: dict[str, str]) -> list[str]:
    """What is not in order, a line each."""
    lines = []
    for name, version in versions.items():
        try:
            facts = metadata(name)
        except PackageNotFoundError:
            continue  # for another system or Python
        if facts["Version"] != version:
            lines.append(f"{name} must be {version}: got {facts['Version']}")
        licence = licence_of(name, facts)
        if not allowed(licence, EXCEPTIONS.get(name.lower())):
            lines.append(f"{name} must have one of the licences of .ci/licences.py: got {licence}")
    return lines


def main(path: Path) -> int:
    """Print what is not in order; the exit status."""
    versions = pinned(path.read_text())
    lines = complaints(versions)
    print("\n".join(lines) or f"licences and versions of {len(versions)} packages are in order")
    return 1 if lines else 0


if __name__ == "__main__":
    default = Path(__file__).resolve().parents[1] / "constraints.txt"
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else default))
