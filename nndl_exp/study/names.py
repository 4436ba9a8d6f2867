"""The names of the studies in an output folder; nothing heavy is imported for an error line."""

from pathlib import Path


def study_names(output: Path | str) -> list[str]:
    """The studies of an output folder, in the order of their names."""
    return sorted(path.parent.name for path in Path(output).glob("studies/*/study.yaml"))


def no_such_study(output: Path | str, name: str) -> str:
    """The error line for a study that is not there, with those that are."""
    names = study_names(output)
    folder = Path(output) / "studies"
    there = f"there are {', '.join(names)}" if names else f"{folder} has none"
    return f"no such study: {name} ({there})"
