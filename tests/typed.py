"""Commands typed into a shell, run in this process: ``main`` with the words of the line."""

import importlib
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

Typed = Callable[..., str]


@pytest.fixture(name="folder")
def folder_fixture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder, in which commands are typed, with no variable of ours."""
    for variable in ("NNDL_OUTPUT", "NNDL_TRACKING_URI"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(name="typed")
def typed_fixture(folder: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Runs a line, checks its exit status, and returns what it printed."""

    def run(line: str, status: int = 0) -> str:
        python, m, module, *words = shlex.split(line, comments=True)
        assert (python, m) == ("python", "-m")
        package = ".__main__" if module == "nndl_exp.demo" else ""
        main = importlib.import_module(module + package).main
        capsys.readouterr()
        try:
            main(words)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        assert code == status, out + err
        if status == 2:
            assert err.startswith("error: "), err
        return out + err

    return run


def command(module: str, *words: str) -> str:
    """The line for a command of ours."""
    return shlex.join(["python", "-m", f"nndl_exp.{module}", *words])


def printed_commands(said: str) -> list[str]:
    """The lines that a command advises to type."""
    return re.findall(r"(python -m nndl_exp\..+)", said)
