"""CITATION.cff is valid by the schema of its format, and says what pyproject.toml says."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import nndl_exp

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "CITATION.cff"
if not PATH.is_file():
    pytest.skip("needs a checkout", allow_module_level=True)


def check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema",
               "vendor.citation-file-format", str(path)]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_is_valid(tmp_path):
    done = check(PATH)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "CITATION.cff"
    wrong.write_text(PATH.read_text().replace("authors:", "writers:", 1))
    assert "'authors' is a required property" in check(wrong).stdout


def test_it_says_what_the_package_says():
    cited = yaml.safe_load(PATH.read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cited["version"] == nndl_exp.__version__
    assert cited["license"] == project["license"]
    assert cited["authors"] == project["authors"]
    assert any(work["title"] == "Neural Networks and Deep Learning" for work in cited["references"])
