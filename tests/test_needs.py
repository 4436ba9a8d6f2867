"""A test that declares no need has only what pip installs."""

import os
import re
import shutil
from pathlib import Path

import pytest
from needs import NEEDS, OTHERS, needs

PROGRAMS = {name for need in NEEDS.values() for name in need.programs} | OTHERS


def test_a_test_that_declares_nothing_finds_none_of_it():
    assert [name for name in sorted(PROGRAMS) if shutil.which(name)] == []
    assert "NNDL_DATA_DIR" not in os.environ
    assert shutil.which("bash") and shutil.which("env")


@needs("git")
def test_one_that_declares_a_need_finds_it():
    assert shutil.which("git")


def test_a_need_that_is_none_is_refused():
    with pytest.raises(AssertionError, match="gti"):
        needs("gti")


def test_no_other_file_of_the_tests_knows_where_a_system_keeps_things():
    folder = Path(__file__).parent
    for path in folder.glob("*.py"):
        if path.name != "needs.py":
            assert not re.findall(r"[\"'(]/usr/\w+", path.read_text()), path
