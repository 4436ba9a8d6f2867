"""The settings that a command line describes, as Hydra hands them to a task."""

from tempfile import TemporaryDirectory

from nndl_exp.cli.hydra_config import Composed, run


def composed_all(name: str, words: list[str]) -> list[Composed]:
    """The combinations that are run, in their order; none where Hydra only answers."""
    found: list[Composed] = []
    with TemporaryDirectory() as folder:
        placed = any(word.startswith("output=") for word in words)
        several = "-m" in words or "--multirun" in words
        more = [f"hydra.sweep.dir={folder}"] if several and not placed else []
        try:
            run(name, [*words, *more], found.append)
        except SystemExit as end:  # after --help
            assert not end.code
    return found
