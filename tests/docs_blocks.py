"""The blocks of a page of documentation, run as a reader would: one after the other, in one folder.

Sybil finds them. A page says in comments what is different from what it shows:

    <!-- skip: next "why it can't be run here" -->
    <!-- with: training.epochs=2 -->      words added to each train and sweep of the next block
    <!-- picture: MADE SHOWN -->           the file MADE is the picture SHOWN of docs/
    <!-- in a copy of the program -->      the page changes the program: it gets a copy of it

What a block prints is compared with the next block of kind ``text``, where a line of dots stands
for lines that are left out.
"""

import contextlib
import importlib
import io
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Document, Example, Region
from sybil.parsers.markdown import SkipParser
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

ROOT = Path(__file__).resolve().parents[1]
DOTS = "..."
HARMLESS = {"tracking=none", "executor=serial", "study.dry_run=true"}
"""Words that change nothing of what is computed."""
INFO = re.compile(r"(?P<kind>[\w-]*)(?P<options>[^\n]*)\n")
TITLE = re.compile(r'title="([^"]+)"')
VARYING = (
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d(:\d\d)?)?", "DATE"),
    (r"(?<=[ (])[\d.,]+ (s|ms|min)\b(?! of)", "TIME"),
    (r"\d+ workers?", "WORKERS"),
    (r"^( +\d+  .*?)\d+\.\d+(?=  [a-z])", r"\1TIME"),  # the column s of trials
    (r"^( +\d+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +)\d+\.\d\d$", r"\1TIME"),  # that of epochs
)
"""What may be different each time: dates, seconds, processors."""


def steady(line: str) -> str:
    """A line without what may be different each time."""
    for pattern, name in VARYING:
        line = re.sub(pattern, name, line)
    return " ".join(line.split())


def difference(shown: str, came: str) -> str:
    """How what came differs from what is shown, '' where it does not."""
    there = [steady(line) for line in came.strip("\n").splitlines()]
    parts = [part.strip("\n") for part in re.split(rf"^{re.escape(DOTS)}$", shown, flags=re.M)]
    wanted = [[steady(line) for line in part.splitlines()] for part in parts]
    if len(wanted) == 1:
        same = wanted[0] == there
    else:
        head, tail = wanted[0], wanted[-1]
        same = there[: len(head)] == head and (not tail or there[-len(tail) :] == tail)
        same = same and all(_contains(there, middle) for middle in wanted[1:-1])
    return "" if same else f"shown:\n{shown}\ncame:\n{came}"


def _contains(lines: list[str], part: list[str]) -> bool:
    return any(lines[i : i + len(part)] == part for i in range(len(lines)))


OURS = re.compile(r"python -m nndl_exp\.(?P<module>\w+)(?P<words>(?: [^|&;<>`$]*)?)")
"""One of our commands alone."""


def call(module: str, words: list[str]) -> None:
    """What ``python -m nndl_exp.MODULE`` does, without a second for its imports."""
    name = {"demo": "demo.__main__"}.get(module, module)
    try:
        importlib.import_module(f"nndl_exp.{name}").main(words)
    except SystemExit as end:
        assert not end.code, f"{module} {words} ended with {end.code}"


class Page:
    """A page whose blocks are run in ``folder``; our commands in this process, if that will do."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder, self.printed = path, folder, ""
        self.in_this_process = False
        self.names: dict[str, object] = {"__name__": "__main__"}
        self.updates: list[tuple[int, int, str]] = []
        self._added, self._changed = "", False
        self.document = Document.parse(
            str(path), self._fences, SkipParser(), self._with, self._pictures, encoding="utf-8"
        )

    @property
    def examples(self) -> list[Example]:
        return list(self.document.examples())

    def run(self) -> None:
        """Run the blocks in order; one that is excused has a reason."""
        for example in self.examples:
            try:
                example.evaluate()
            except SkipTest as excused:
                assert len(str(excused)) > 10, "an excuse is a reason"
        if os.environ.get("NNDL_WRITE_DOCS"):
            self._write()

    def _write(self) -> None:
        """Put what came into the page, in the place of what it shows."""
        text = self.document.text
        for start, end, came in reversed(self.updates):
            text = text[:start] + came + text[end:]
        self.path.write_text(text)

    def _fences(self, document: Document) -> Iterator[Region]:
        for region in RawFencedCodeBlockLexer(INFO)(document):
            region.parsed = (region.lexemes["kind"], region.lexemes["options"])
            region.evaluator = self._run
            yield region

    def _with(self, document: Document) -> Iterator[Region]:
        for region in DirectiveInHTMLCommentLexer("with")(document):
            region.parsed = region.lexemes["arguments"]
            region.evaluator = self._add
            yield region

    def _add(self, example: Example) -> None:
        self._added = example.parsed
        self._changed = self._changed or not set(self._added.split()) <= HARMLESS

    def _pictures(self, document: Document) -> Iterator[Region]:
        for region in DirectiveInHTMLCommentLexer("picture")(document):
            region.parsed = region.lexemes["arguments"].split()
            region.evaluator = self._picture
            yield region

    def _picture(self, example: Example) -> None:
        pattern, shown = example.parsed
        (made,) = self.folder.glob(pattern)
        assert made.read_bytes().startswith(b"\x89PNG"), made
        if os.environ.get("NNDL_WRITE_DOCS"):
            shutil.copyfile(made, ROOT / "docs" / shown)

    def _run(self, example: Example) -> None:
        kind, options = example.parsed
        source = str(example.region.lexemes["source"])
        title = TITLE.search(options)
        added, self._added = self._added, ""
        if title and kind != "diff":
            path = self.folder / title[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source)
        elif kind == "diff":
            self._call(["git", "apply", "--recount", "-"], source)
        elif kind == "sh":
            self.printed = self.bash(extended(source, added))
        elif kind == "python":
            self.printed = self._python(source)
        elif kind == "text":
            self._compare(example, source)
        else:
            pytest.fail(f"{where(example)}: a block of kind {kind!r} is neither run nor excused")

    def bash(self, source: str) -> str:
        """What commands print, all of which succeed."""
        ours = [OURS.fullmatch(line.strip()) for line in source.strip().splitlines()]
        if self.in_this_process and all(ours):
            with contextlib.chdir(self.folder), contextlib.redirect_stdout(io.StringIO()) as out:
                for command in ours:
                    call(command["module"], shlex.split(command["words"], comments=True))
            return out.getvalue()
        return self._call(["bash", "-e", "-o", "pipefail", "-c", source])

    def _call(self, command: list[str], source: str = "") -> str:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        here = {"PATH": path, "MPLBACKEND": "agg", "COLUMNS": "200"}
        if (self.folder / "nndl_exp").is_dir():
            here["PYTHONPATH"] = str(self.folder)
        done = subprocess.run(
            command, input=source, cwd=self.folder, env=os.environ | here, text=True,
            capture_output=True, timeout=900, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _python(self, source: str) -> str:
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(source, str(self.path), "exec"), self.names)
        return out.getvalue()

    def _compare(self, example: Example, shown: str) -> None:
        assert not self._changed, f"{where(example)}: what is shown is not what a reader would get"
        if os.environ.get("NNDL_WRITE_DOCS"):
            start = example.start + example.document.text[example.start :].index(shown)
            self.updates.append((start, start + len(shown), written(shown, self.printed)))
            return
        if difference(shown, self.printed):
            recorded = re.search(r"^<!-- numbers of ([^>]+) -->$", self.document.text, re.M)
            if recorded and recorded[1] != kernels():
                raise SkipTest(f"the page has the numbers of {recorded[1]}, not of {kernels()}")
            pytest.fail(difference(shown, self.printed))


def extended(source: str, words: str) -> str:
    """Commands with words added to each train and sweep."""
    joined = source.replace("\\\n", " ")
    command = r"((?:python -m nndl_exp\.|nndl[ -])(?:train|sweep)\b(?! -sc)[^#\n|&;]*)"
    return re.sub(command, rf"\1 {words} ", joined) if words else source


def written(shown: str, came: str) -> str:
    """What came, shortened as what is shown: so many lines, dots, so many lines.

    A line that is the same but for what may vary stays as it is.
    """
    lines = came.strip("\n").splitlines()
    head, dots, tail = (part.splitlines() for part in shown.partition(f"{DOTS}\n"))
    if dots:
        lines = [*lines[: len(head)], *dots, *lines[len(lines) - len(tail) :]]
    before = {steady(line): line for line in shown.splitlines()}
    return "\n".join(before.get(steady(line), line) for line in lines) + "\n"


def kernels() -> str:
    """What the last bits of a training depend on in this machine."""
    from nndl_exp.records.provenance import numerics

    return f"{numerics()['BLAS']} on {platform.machine()}"


def where(example: Example) -> str:
    return f"{Path(example.path).relative_to(ROOT)}:{example.line}"


def copy_of_the_program(folder: Path) -> None:
    """What a checkout has, to be changed."""
    for name in ("nndl_exp", "conf", "tests"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
