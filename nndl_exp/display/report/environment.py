"""Where, with what and on which data a run was trained, as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from nndl_exp.datasets import Dataset
from nndl_exp.errors import UserError
from nndl_exp.escaping import printable
from nndl_exp.records import RunDirectory

_MOST_CLASSES = 30


def environment(
    best: RunDirectory | None, dataset: Dataset | None, why: str
) -> list[tuple[str, str]]:
    """The data and the circumstances of a run, a (name, value) each; ``why`` the data are not
    there, where they are not."""
    if best is None:
        return []
    return [*_data(best, dataset, why), *_circumstances(best)]


def _data(best: RunDirectory, dataset: Dataset | None, why: str) -> list[tuple[str, str]]:
    config, rows = best.config().dataset, list[tuple[str, str]]()
    rows.append(("Data", config.title))
    if config.path:
        rows.append(("File", printable(str(config.path))))
    if dataset is None:
        rows.append(("Examples", f"can't be told: {why}"))
    else:
        sizes = f"{len(dataset.training):,} to train, {len(dataset.validation):,} to validate"
        rows.append(("Examples", sizes))
    try:
        reading = best.reading()
    except UserError as e:
        return [*rows, ("Inputs", f"can't be told: {e}")]
    what = f"{reading.n_in:,} numbers"
    if reading.shape is not None:
        what = f"pictures of {reading.shape[0]} x {reading.shape[1]}"
    rows.append(("Inputs", what))
    if not reading.classes:
        return [*rows, ("Targets", "numbers")]
    return [*rows, ("Classes", _shortened(reading.classes))]


def _shortened(names: Sequence[str]) -> str:
    more = len(names) - _MOST_CLASSES
    return ", ".join(names[:_MOST_CLASSES]) + (f" and {more} more" if more > 0 else "")


def _circumstances(best: RunDirectory) -> list[tuple[str, str]]:
    try:
        facts = best.provenance()
    except UserError as e:
        return [("Circumstances", f"can't be told: {e}")]
    rows = [("Data's SHA-256", str(facts["data"]))] if "data" in facts else []
    names = {"python": "Python", "system": "System", "cpu": "Processor", "blas": "BLAS"}
    rows += [(title, _text(facts[key])) for key, title in names.items() if facts.get(key)]
    if facts.get("packages"):
        rows.append(("Packages", _text(facts["packages"])))
    git = facts.get("git")
    if isinstance(git, Mapping):
        changed = ", with changes that were not committed" if git.get("dirty") else ""
        rows.append(("Commit", f"{git.get('commit')}{changed}"))
    return rows


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {version}" for name, version in value.items() if version)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
