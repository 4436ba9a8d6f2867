"""The settings that a command line describes, as Hydra hands them to a task."""

from nndl_exp.cli.hydra_config import Composed, run


def composed_all(name: str, words: list[str]) -> list[Composed]:
    """The combinations that are run, in their order; none where Hydra only answers."""
    found: list[Composed] = []
    try:
        run(name, words, found.append)
    except SystemExit as end:  # after --help
        assert not end.code
    return found
