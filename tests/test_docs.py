"""What the documentation shows is true: every block of README.md and docs/ is run, or says why not.

NNDL_WRITE_DOCS=1 writes what came into the pages, and their pictures into docs/, instead of
comparing: python -m pytest -n 0 tests/test_docs.py tests/test_tutorial.py
"""

import re
from pathlib import Path

import numpy as np
import pytest
from docs_blocks import ROOT, Page, copy_of_the_program, difference, steady, written
from needs import needs
from PIL import Image
from sybil.evaluators.skip import Skipper

if not (ROOT / "mkdocs.yml").is_file():
    pytest.skip("a source distribution has no docs", allow_module_level=True)

DOCS = ROOT / "docs"
ELSEWHERE = {
    "docs/cluster.md": "tests/test_cluster.py runs its sh blocks, with servers",
    "docs/tutorial.md": "tests/test_tutorial.py",
}
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md"))
    if "```" in path.read_text()
)
IN_A_COPY = "<!-- in a copy of the program -->"

# README.md has no room for comments: what is different from what it shows is said here.
README = (ROOT / "README.md").read_text()
README_BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
README_EXCUSED = {
    "study    mnist_5k-": "a sample, shortened; the whole study takes a minute",
    "nndl_exp/nn fast training": "a list of folders",
    "python -m pip install -e '.[test]'": "this is what runs here",
    "from nndl_exp.api import": "tests/test_readme.py runs it",
}
"""The blocks that are not run, by how they begin."""
SMALL = "training.epochs=1 dataset.training_size=200 dataset.validation_size=100 tracking=none"
SERIAL = "executor=serial"
README_WITH = {
    r"^python -m pip install -e \. && ": None,
    r"mnist( |$)|\+experiment|storage=postgresql": "--cfg job",
    r"study\.n_trials=200": f"{SMALL} {SERIAL} study.n_trials=3",
    r"executor=dask": f"{SMALL} strategy=joint study.n_trials=3 workers=1",
    r"study\.name=S": f"{SMALL} {SERIAL} strategy=joint study.n_trials=3",
    r"sweep( training\.eta=10 training\.lmbda=1000)?$": "study.dry_run=true",
    r"train ": SMALL,
    r"nndl_exp\.demo": "--help",  # it serves until Ctrl-C: tests/test_demo_page.py draws in it
}
"""What is added to a command in which a pattern is found, the first that is; None: the words are
left out. The full digits, a database and a cluster may not be here: those are only composed."""


def named(name: str) -> object:
    """A page as a parameter: git applies a diff in it."""
    changes = "```diff" in (ROOT / name).read_text()
    return pytest.param(name, marks=needs("git") if changes else ())


@pytest.mark.parametrize("name", [named(name) for name in PAGES if name not in ELSEWHERE])
def test_the_blocks_of_a_page(name, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    page = Page(ROOT / name, tmp_path)
    in_a_copy = IN_A_COPY in page.document.text
    if in_a_copy:
        copy_of_the_program(tmp_path)
    page.in_this_process = not in_a_copy  # a copy of the program needs a Python of its own
    page.run()


def test_every_block_is_run_or_excused():
    """All fences are found, and all excuses have words."""
    for name in PAGES:
        page = Page(ROOT / name, Path())
        blocks = [example for example in page.examples if "kind" in example.region.lexemes]
        assert len(blocks) == len(re.findall(r"^\s*```\w", page.document.text, re.MULTILINE)), name
        for example in page.examples:
            if isinstance(example.region.evaluator, Skipper):
                action, reason = example.parsed
                assert action == "next", name
                assert reason and len(reason) > 10, f"{name}:{example.line} must say why"


def test_the_blocks_that_the_test_of_a_cluster_does_not_run_are_excused():
    kinds, excused = [], False
    for example in Page(ROOT / "docs" / "cluster.md", Path()).examples:
        if isinstance(example.region.evaluator, Skipper):
            excused = True
        else:
            kinds += [] if excused else [example.parsed[0]]
            excused = False
    assert set(kinds) == {"sh"}


def readme_commands() -> list[str]:
    """The lines of the README's sh blocks that are to be run, as they are run."""
    lines = []
    for kind, text in README_BLOCKS:
        if any(text.startswith(begin) for begin in README_EXCUSED):
            continue
        assert kind == "sh", f"a block of README.md is neither run nor excused:\n{text}"
        lines += [as_run(line.partition("  #")[0].strip()) for line in text.splitlines()]
    return lines


def as_run(line: str) -> str:
    for pattern, words in README_WITH.items():
        if re.search(pattern, line) and "nndl_exp" in line:
            if words is None:
                return as_run(re.sub(pattern, "", line))
            if re.search(r"nndl_exp\.(train|sweep|demo)", line):
                return f"{line} {words}"
    return line


def test_the_commands_of_the_readme(tmp_path):
    """One after the other, in a folder that has a study NAME and a picture of a digit."""
    digit = np.full((28, 28), 255, dtype=np.uint8)
    digit[4:24, 13:16] = 0
    Image.fromarray(digit).save(tmp_path / "my_digit.png")
    page = Page(ROOT / "README.md", tmp_path)
    page.in_this_process = True
    words = f"strategy=joint study.n_trials=18 {SMALL} {SERIAL}"
    page.bash(f"python -m nndl_exp.sweep study.name=NAME {words}")
    lines = readme_commands()
    assert len(lines) > 15
    for line in lines:
        page.bash(line)


def test_no_excuse_of_the_readme_is_left_over():
    for begin in README_EXCUSED:
        assert any(text.startswith(begin) for _, text in README_BLOCKS), begin
    for pattern in README_WITH:
        assert re.search(pattern, README.replace("  #", "\n"), re.MULTILINE), pattern


PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


@pytest.mark.parametrize(
    "name", ["README.md", *(str(p.relative_to(ROOT)) for p in DOCS.rglob("*.md"))]
)
def test_every_picture_exists_and_has_words_in_its_place(name):
    path = ROOT / name
    for words, source in PICTURE.findall(path.read_text()):
        assert (path.parent / source).is_file(), source
        assert len(words) > 15, f"{source} must have a text that says what it shows"


def test_every_picture_is_shown():
    """One that no page shows is left over."""
    texts = " ".join(p.read_text() for p in (ROOT / "README.md", *DOCS.rglob("*.md")))
    for path in (*DOCS.rglob("*.png"), *DOCS.rglob("*.svg")):
        assert path.name in texts, path


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("trials   42 in 50 s", "trials   42 in 7.5 s"),
        ("plan     joint · 2 workers · up to about 3 s",
         "plan     joint · 16 workers · up to about 1 min"),
        ("   0  90.8 ±1.8    90.8   0.5    0           4    0.1  all 4 epochs",
         "   0  90.8 ±1.8    90.8   0.5    0           4   10.2  all 4 epochs"),
        ("     1          0.8473     87.10            0.9211     86.40    0.02",
         "     1          0.8473     87.10            0.9211     86.40   12.34"),
        ("run      a/3 · 2026-11-25 19:29 UTC", "run      a/3 · 2027-01-05 09:00 UTC"),
    ],
)  # fmt: skip
def test_seconds_dates_and_processors_may_differ(one, other):
    assert steady(one) == steady(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("   0  90.8 ±1.8    90.8   0.5    0           4    0.1  all 4 epochs",
         "   0  90.9 ±1.8    90.8   0.5    0           4    0.1  all 4 epochs"),
        ("     1          0.8473     87.10            0.9211     86.40    0.02",
         "     1          0.8473     87.10            0.9211     86.41    0.02"),
        ("trials   42 in 50 s", "trials   41 in 50 s"),
        ("with 5 seeds and 1,000 examples, differences below 1.4 points cannot be detected",
         "with 5 seeds and 1,000 examples, differences below 1.5 points cannot be detected"),
    ],
)  # fmt: skip
def test_nothing_else_may_differ(one, other):
    assert steady(one) != steady(other)


def test_dots_stand_for_lines_and_nothing_else_is_left_out():
    came = "a\nb\nc\nd\n"
    for shown in ("a\nb\nc\nd\n", "a\n...\nd\n", "...\nd\n", "a\n...\n", "a\n...\nb\nc\n...\nd\n"):
        assert not difference(shown, came), shown
    for shown in ("a\nb\nc\n", "b\n...\nd\n", "a\n...\nc\n", "a\n...\nc\nb\n...\nd\n", ""):
        assert difference(shown, came), shown
    assert written("1\n...\n2\n3\n", came) == "a\n...\nc\nd\n"
    assert written("1\n", came) == came
