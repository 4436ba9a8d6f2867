"""Writing a measured table into benchmarks/README.md."""

from pathlib import Path

README = Path(__file__).with_name("README.md")


def write_section(name: str, text: str) -> None:
    """Put ``text`` between the marks of a section, in place of what stood there."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end {name} -->"
    head, mark, rest = README.read_text().partition(begin)
    if not mark or end not in rest:
        raise SystemExit(f"{README} must have the lines {begin.strip()} and {end}")
    README.write_text(head + mark + text + "\n" + end + rest.partition(end)[2])
