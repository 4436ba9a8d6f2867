"""What the README shows is true: its commands compose, its code runs, its options exist."""

import re
import shlex
from pathlib import Path

import pytest
from composing import composed_all

from nndl_exp.__main__ import COMMANDS, HYDRA_COMMANDS
from nndl_exp.cli.conf import CONF
from nndl_exp.cli.options import verbosity_of
from nndl_exp.study.proposing.algorithms import PRUNERS, SAMPLERS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
SHELL = "\n".join(text for kind, text in BLOCKS if kind == "sh")
HELP = "\n".join((CONF / f"{name}.yaml").read_text() for name in ("train", "sweep"))
EXPERIMENTS = "\n".join(path.read_text() for path in (CONF / "experiment").glob("*.yaml"))
COMMAND_LINES = re.findall(r"python -m nndl_exp\.(\w+)([^\n#]*)", SHELL + HELP + EXPERIMENTS)


def test_the_readme_is_short_and_has_its_parts():
    assert len(README.splitlines()) <= 150
    for command in (
        "python -m pip install -e . && python -m nndl_exp.sweep",
        "python -m pip install -e '.[test]' && python -m pytest",
    ):
        assert command in README
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).is_file()


def test_there_are_commands_to_check():
    assert {name for name, _ in COMMAND_LINES} == {*COMMANDS, *HYDRA_COMMANDS}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (name, words.strip())
        for name, words in dict.fromkeys(COMMAND_LINES)
        # A heading names its words in brackets, and NAME is that of a study that was run.
        if name in HYDRA_COMMANDS and "[GROUP" not in words and "NAME" not in words
    ],
)
def test_a_command_line_composes(name, words):
    assert composed_all(name, verbosity_of(shlex.split(words))[1])


def test_the_python_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = next(text for kind, text in BLOCKS if kind == "python")
    assert len(code.strip().splitlines()) <= 14
    exec(compile(code, "README.md", "exec"), {})
    assert "complete" in capsys.readouterr().out


def test_every_sampler_and_pruner_is_named():
    for name in (*SAMPLERS, *PRUNERS):
        assert f"`{name}`" in README
