"""Writing a measured table into benchmarks/README.md, or another page."""

from pathlib import Path

README = Path(__file__).with_name("README.md")


def write_section(name: str, text: str, page: Path = README) -> None:
    """Put ``text`` between the marks of a section, in place of what stood there."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    head, mark, rest = page.read_text().partition(begin)
    if not mark or end not in rest:
        raise SystemExit(f"{page} must have the lines {begin.strip()} and {end}")
    page.write_text(head + mark + text + "\n" + end + rest.partition(end)[2])
