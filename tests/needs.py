"""What some tests need that pip does not install: programs, files, and leave to mount.

``@needs("tmux")`` skips a test where there is no tmux; a test that takes one of ``FIXTURES`` needs
not say so. ``-m needs`` selects all of them. Every other test runs without any of this, also where
it is installed, so that a need that no test declares fails on every machine.

    python tests/needs.py COMMAND ...

runs a command as on a machine that has none of it.
"""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
CLOTHES = Path("/usr/share/datasets/fashion-mnist")


def program(name: str, folders: Iterable[Path] = ()) -> str | None:
    """The path of a program, in some folders or where programs are."""
    return shutil.which(name, path=os.pathsep.join([*map(str, folders), PATH]))


def has_digits() -> bool:
    return DATA is not None and (Path(DATA) / "mnist/train-images-idx3-ubyte.gz").is_file()


def may_mount() -> bool:
    command = ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]  # nobody else sees it
    return os.geteuid() == 0 and not subprocess.run(command, capture_output=True).returncode


@dataclass(frozen=True)
class Need:
    """What must be there: programs, and what else ``is_here`` asks for; and how one gets it."""

    remedy: str
    programs: tuple[str, ...] = ()
    is_here: Callable[[], bool] = lambda: True

    def missing(self) -> bool:
        found = (program(name, POSTGRESQL) for name in self.programs)
        return not (all(found) and self.is_here())


NEEDS = {
    "chattr": Need("apt install e2fsprogs", ("chattr",)),
    "chromium": Need("apt install chromium chromium-driver", ("chromium", "chromedriver")),
    "curl": Need("apt install curl", ("curl",)),
    "digits": Need("NNDL_DATA_DIR names the folder of the full MNIST files", (), has_digits),
    "faketime": Need("apt install faketime", ("faketime",), lambda: bool(FAKETIME)),
    "fashion_mnist": Need("apt install dataset-fashion-mnist", (), lambda: any(CLOTHES.glob("*"))),
    "git": Need("apt install git", ("git",)),
    "mount": Need("root, and leave to mount", ("mount", "umount", "unshare"), may_mount),
    "postgresql": Need("apt install postgresql", ("psql", "createdb", "initdb", "pg_ctl")),
    "tmux": Need("apt install tmux", ("tmux",)),
}
FIXTURES = {
    "browser": "chromium", "data_dir": "digits", "postgres": "postgresql", "tmux": "tmux",
}  # fmt: skip
"""Fixtures, with what a test needs that takes one."""

OTHERS = {"gcc", "killall", "make", "pgrep", "pkill", "ps", "wget"}
"""Programs that no test may need."""

PATH, DATA = os.environ["PATH"], os.environ.get("NNDL_DATA_DIR")


def needs(*names: str) -> pytest.MarkDecorator:
    """What a test needs, by the keys of ``NEEDS``."""
    assert set(names) <= set(NEEDS), names
    return pytest.mark.needs(*names)


def declare(item: pytest.Item) -> None:
    """Give a test the marks of the fixtures that it takes."""
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in FIXTURES:
            item.add_marker(needs(FIXTURES[fixture]))


def provide(item: pytest.Item) -> None:
    """Skip a test where what it needs is not there; leave one that needs nothing without it."""
    wanted = [name for mark in item.iter_markers("needs") for name in mark.args]
    os.environ["PATH"] = PATH
    for name in wanted:
        if NEEDS[name].missing():
            pytest.skip(f"needs {name}: {NEEDS[name].remedy}")
    if not wanted:
        os.environ["PATH"] = bare_path()
    os.environ.pop("NNDL_DATA_DIR", None)
    if wanted and DATA is not None:
        os.environ["NNDL_DATA_DIR"] = DATA


@functools.cache
def bare_path() -> str:
    """PATH without the programs of ``NEEDS`` and ``OTHERS``."""
    return os.pathsep.join(
        str(_without_programs(Path(folder))) for folder in PATH.split(os.pathsep)
    )


def _without_programs(folder: Path) -> Path:
    """The folder, or one with links to its other programs where it has some of the needs."""
    hidden = {name for need in NEEDS.values() for name in need.programs} | OTHERS
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not names & hidden:
        return folder
    links = _links() / "-".join(folder.parts[1:])
    links.mkdir(exist_ok=True)
    for name in names - hidden:
        (links / name).symlink_to(folder / name)
    return links


@functools.cache
def _links() -> Path:
    return Path(tempfile.mkdtemp(prefix="nndl-path-"))


def clean_up() -> None:
    """Remove the links."""
    if _links.cache_info().currsize:
        shutil.rmtree(_links())


def run_without(command: Sequence[str]) -> int:
    """Run a command without any of the needs. Files are hidden, and capabilities dropped, where
    this process may mount; elsewhere only programs and the digits are hidden."""
    os.environ.pop("NNDL_DATA_DIR", None)
    words = ["env", f"PATH={bare_path()}", *command]
    if may_mount():
        places = [*POSTGRESQL, *(path.parent for path in FAKETIME), CLOTHES]
        mounts = [f"mount -t tmpfs none {place}; " for place in places if place.is_dir()]
        drop = "exec setpriv --bounding-set=-all --inh-caps=-all"
        words = ["unshare", "-m", "sh", "-ec", f'{"".join(mounts)}{drop} "$@"', "sh", *words]
    return subprocess.run(words).returncode


if __name__ == "__main__":
    try:
        sys.exit(run_without(sys.argv[1:]))
    finally:
        clean_up()
