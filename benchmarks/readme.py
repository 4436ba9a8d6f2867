"""Making a measured table, and writing it into benchmarks/README.md or another page."""

from collections.abc import Iterable, Sequence
from pathlib import Path

README = Path(__file__).with_name("README.md")


def write_section(name: str, text: str, page: Path = README) -> None:
    """Put ``text`` between the marks of a section, in place of what stood there."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    head, mark, rest = page.read_text().partition(begin)
    if not mark or end not in rest:
        raise SystemExit(f"{page} must have the lines {begin.strip()} and {end}")
    page.write_text(head + mark + text + "\n" + end + rest.partition(end)[2])


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in lines)
