"""``python -m experiments``: the list; with ``all``: everything, and the page RESULTS.md."""

from pathlib import Path

from nndl_exp.book.results import command

if __name__ == "__main__":
    command(Path(__file__).parent)
