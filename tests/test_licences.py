"""The licences of what is pinned, as CI checks them."""

import importlib.util
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci" / "licences.py"
if not SCRIPT.is_file():
    pytest.skip("needs a checkout", allow_module_level=True)
spec = importlib.util.spec_from_file_location("licences", SCRIPT)
licences = importlib.util.module_from_spec(spec)
spec.loader.exec_module(licences)


def facts(**fields: str | list[str]) -> Message:
    message = Message()
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True), ("GPL-3.0-only", False), ("nothing", False), ("", False),
        ("MIT AND GPL-3.0-only", False), ("GPL-3.0-only OR MIT", True),
        ("GPL-2.0 OR MIT AND AGPL-3.0", False), ("(GPL-2.0 OR MIT) AND Zlib", True),
        ("(GPL-2.0 OR (MIT AND AGPL-3.0)) AND Zlib", False), ("MIT)", False),
        ("LGPL-3.0-only", False), ("Apache-2.0 WITH something", False),
    ],
)  # fmt: skip
def test_an_expression_is_allowed_or_not(expression, expected):
    assert licences.allowed(expression) is expected


def test_a_licence_is_read_from_any_of_three_fields():
    old = ["License :: OSI Approved", "License :: OSI Approved :: BSD License", "Topic :: x"]
    for said, expected in (
        (facts(License_Expression="MIT", Classifier=old, License="GPL"), "MIT"),
        (facts(Classifier=old, License="GPL"), "BSD"),
        (facts(Classifier=[*old, "License :: OSI Approved :: MIT License"]), "BSD AND MIT"),
        (facts(Classifier="License :: OSI Approved", License="Apache-2.0\nxyz"), "Apache-2.0"),
        (facts(Name="x"), "nothing"),
        (facts(Classifier="License :: OSI Approved :: GNU General Public License (GPL)"),
         "GNU General Public License (GPL)"),
    ):  # fmt: skip
        assert licences.licence_of("x", said) == expected


def test_another_version_and_another_licence_are_complained_of(monkeypatch):
    monkeypatch.setattr(licences, "ALLOWED", {"none"})
    said = licences.complaints({"numpy": "0.1", "no-such-package": "1"})
    assert [line.split(":")[0] for line in said] == [
        "numpy must be 0.1", "numpy must have one of the licences of .ci/licences.py",
    ]  # fmt: skip


def test_what_is_installed_here_has_such_licences():
    versions = licences.pinned((ROOT / "constraints.txt").read_text())
    assert len(versions) > 100
    assert versions["numpy"][0].isdigit()
    assert [line for line in licences.complaints(versions) if "licences" in line] == []
    # A lock-step with pyproject: what is needed at run time is pinned.
    assert "licences.py" in (ROOT / ".ci" / "run").read_text()
