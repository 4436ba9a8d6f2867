"""Commands however Python was started: without docstrings, without standard streams, warnings as
errors; and ``nndl`` without arguments."""

import subprocess
import sys
from pathlib import Path

import pytest
from studies import SERIAL, study_of

from nndl_exp.__main__ import COMMANDS, HYDRA_COMMANDS
from nndl_exp.study.study import summary_of

NAMES = (*HYDRA_COMMANDS, *COMMANDS)
BELOW = ("show", "compare", "export", "delete")


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """An output folder with a study, ``s``."""
    folder = tmp_path_factory.mktemp("output")
    words = ("study.name=s", "dataset=digits_8x8", "study.n_trials=3", *SERIAL)
    list(study_of(folder, *words).run())
    return folder


def python(*words: object, streams: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python with some standard streams closed by the shell."""
    command = ["bash", "-c", f'exec "$@" {streams}', "bash", sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_nndl_without_arguments_prints_its_help():
    bare, asked = python("-m", "nndl_exp"), python("-m", "nndl_exp", "--help")
    assert (bare.returncode, bare.stderr) == (0, "")
    assert bare.stdout == asked.stdout
    for name in NAMES:
        assert f"\n  {name} " in bare.stdout


@pytest.mark.parametrize("name", ["evaluate", "predict", "reproduce", "report", "demo"])
def test_a_command_that_needs_arguments_says_so_in_one_line(name):
    done = python("-m", f"nndl_exp.{name}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Missing argument '")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [*((name,) for name in NAMES), *(("studies", name) for name in BELOW), ()],
    ids="-".join,
)
def test_help_needs_no_docstrings(words):
    with_them, without = (python(*o, "-m", "nndl_exp", *words, "--help") for o in ([], ["-OO"]))
    assert without.stdout == with_them.stdout
    assert len(without.stdout.splitlines()) > 5
    assert without.returncode == 0


def test_a_report_needs_no_docstrings(output):
    done = python("-OO", "-m", "nndl_exp.report", "s", "--output", output)
    assert done.returncode == 0, done.stderr
    page = (output / "studies/s/report.html").read_text()
    assert summary_of("joint") in page


def test_the_list_of_experiments_needs_no_docstrings():
    lists = [python(*options, "-m", "experiments") for options in ([], ["-OO"])]
    assert lists[0].stdout == lists[1].stdout
    assert "Chapter 3" in lists[1].stdout


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_command_runs_without_standard_streams(output, tmp_path, streams):
    small = ("tracking=none", "dataset=digits_8x8", "training.epochs=2", f"output={tmp_path}")
    sweep = ("nndl_exp.sweep", *small, "strategy=joint", "study.n_trials=2", "study.name=here")
    for words in (
        ("nndl_exp.train", *small),
        (*sweep, "-v"),
        ("nndl_exp.studies", "--output", output, "show", "s"),
        ("nndl_exp.reproduce", "s/0", "--output", output),
        ("nndl_exp.evaluate", "--help"),
    ):
        done = python("-m", *words, streams=streams)
        assert done.returncode == 0, (words, done.stderr)
        assert "Error" not in done.stdout + done.stderr
        assert bool(done.stdout) == (">&-" not in streams.replace("2>&-", ""))
    assert len(list(tmp_path.glob("studies/here/stages/joint/trials/*/result.json"))) == 2


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_mistake_has_its_status_without_standard_streams(tmp_path, streams):
    done = python("-m", "nndl_exp.evaluate", "nope", "--output", tmp_path, streams=streams)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: no such run: nope") == ("2>&-" not in streams)


@pytest.mark.long
def test_warnings_of_libraries_are_no_errors_of_a_command(tmp_path):
    words = ("dataset=digits_8x8", "training.epochs=2", f"output={tmp_path}")
    strict = ("-W", "error", "-m")
    study = ("strategy=joint", "study.n_trials=2", "study.name=s", "workers=1")
    for command in (("nndl_exp.train",), ("nndl_exp.sweep", *study)):
        done = python(*strict, *command, *words)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    done = python(*strict, "nndl_exp.evaluate", "s", "--output", tmp_path)
    assert (done.returncode, done.stdout.partition(" ")[0]) == (0, "test"), done.stderr
