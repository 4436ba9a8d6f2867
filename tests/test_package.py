"""Installed from a wheel it works like a checkout: the configs travel inside."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps",
               "--no-index", "-w", str(folder), str(ROOT)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_the_configs_the_demos_page_and_the_types(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert f"nndl_exp/conf/{path.relative_to(ROOT / 'conf')}" in names
    for path in (ROOT / "nndl_exp" / "demo" / "page").iterdir():
        assert f"nndl_exp/demo/page/{path.name}" in names
    assert "nndl_exp/py.typed" in names
    for name in ("report.html.j2", "verdict.html.j2", "report.css", "report.js"):
        assert f"nndl_exp/display/report/{name}" in names
    assert "nndl_exp/tracking/notes.md.j2" in names
    assert not any(name.startswith(("tests/", "experiments/")) for name in names)


def test_the_wheel_trains_from_any_folder(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index",
               "--target", site, str(wheel)]  # fmt: skip
    subprocess.run(install, check=True, capture_output=True)
    # The dependencies of this environment, without its editable install: no .pth is read here.
    environment = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}
    folder = tmp_path / "anywhere"
    folder.mkdir()
    code = "from nndl_exp.cli.hydra_config import CONF; print(CONF)"
    conf = subprocess.run([python, "-c", code], env=environment, cwd=folder, capture_output=True,
                          text=True, check=True).stdout.strip()  # fmt: skip
    assert Path(conf) == Path(site) / "nndl_exp" / "conf"
    words = ["training.epochs=1", "dataset.training_size=100", "tracking=none"]
    done = subprocess.run([python, "-m", "nndl_exp.train", *words], env=environment, cwd=folder,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "complete all 1 epochs" in done.stdout


def test_the_constraints_name_versions_only():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert line.startswith("#") or "==" in line
        assert "://" not in line
