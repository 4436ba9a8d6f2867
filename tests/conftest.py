"""What the tests share: a cache of their own, the real command line, small studies."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis  # noqa: F401 (it fails when it is imported after gc.freeze())
import needs
import pytest
from idx_files import set_of, small_files, write
from postgres import postgres, storage  # noqa: F401 (fixtures)
from typed import folder_fixture, typed_fixture  # noqa: F401 (fixtures)

from nndl_exp.datasets import SOURCES, mnist

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from ui import Shown

    from nndl_exp.study.study import Study


LEFT_OUT = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults (tests/test_faults.py)")
    group.addoption("--faults", type=int, default=5, help="how many kills at random moments")
    group.addoption("--faults-seed", type=int, help="what the moments are drawn from")
    group.addoption("--long", action="store_true", help="run all tests that take long")
    group.addoption("--reliability", type=Path, help="the page to write what was seen into")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "fault(name, ...): the faults that a test is about")
    config.addinivalue_line("markers", "long: takes many seconds; a run of all tests draws some")
    config.addinivalue_line("markers", "needs(name, ...): what must be there; see tests/needs.py")
    if config.option.faults_seed is None:
        drawn = str(random.SystemRandom().randrange(10**6))
        # By the environment, so that it is the same in all of xdist's processes.
        config.option.faults_seed = int(os.environ.setdefault("NNDL_FAULTS_SEED", drawn))


@pytest.hookimpl(tryfirst=True)  # before -m selects by the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the faults and of the tests that take long, a run of all tests has one in four: with all
    of them it takes half an hour. Which ones goes round with the commits, so that four in a row
    run each once. ``--long`` runs them all, and so does whoever names their files.
    """
    for item in items:
        needs.declare(item)
    long = [i for i in items if i.get_closest_marker("fault") or i.get_closest_marker("long")]
    if len(items) < 1000 or config.option.long:
        return
    turn = _commits()
    left_out = {item for i, item in enumerate(long) if (i - turn) % 4}
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
    config.stash[LEFT_OUT] = sorted(item.nodeid for item in left_out)


def _commits() -> int:
    command = ["git", "-C", str(Path(__file__).parent), "rev-list", "--count", "HEAD"]
    try:
        return int(subprocess.run(command, capture_output=True, check=True).stdout)
    except (OSError, subprocess.SubprocessError):
        return random.SystemRandom().randrange(4)  # not in a checkout


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    """One of xdist's processes tells which tests all of them have left out."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[LEFT_OUT] = output.get("left_out", [])  # type: ignore[attr-defined]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if names := config.stash.get(LEFT_OUT, []):
        terminalreporter.section(f"{len(names)} tests left out this time (--long runs all)")
        for name in names:
            terminalreporter.line(name)


@pytest.hookimpl(tryfirst=True)  # before its fixtures
def pytest_runtest_setup(item: pytest.Item) -> None:
    needs.provide(item)


def pytest_report_header(config: pytest.Config) -> str:
    return f"faults: {config.option.faults} kills, --faults-seed={config.option.faults_seed}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    needs.clean_up()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash.get(LEFT_OUT, [])
    page, option = session.config.option.reliability, session.config.option
    if page is not None:
        import faults

        from benchmarks.readme import write_section

        options = f"--faults={option.faults} --faults-seed={option.faults_seed}"
        command = f"python -m pytest -n 0 tests/test_faults.py {options} --reliability={page}"
        if faults.SEEN:  # with -n other processes see them
            write_section("faults", faults.report(command), page)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Prepared datasets live in a folder of this session, not in the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("NNDL_CACHE_DIR")
    os.environ["NNDL_CACHE_DIR"] = str(folder)
    yield folder
    if before is None:
        del os.environ["NNDL_CACHE_DIR"]
    else:
        os.environ["NNDL_CACHE_DIR"] = before


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> "Shown":
    """A study for all tests that look at it and change nothing."""
    from ui import sweep

    return sweep(tmp_path_factory.mktemp("shown"))


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> "Study":
    """A small study with every stage, led to its end, for the tests that look at it."""
    from staged import led

    return led(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Chrome]":
    """One browser for all tests that look at pages."""
    from ui import browsing

    with browsing(tmp_path_factory.mktemp("browser")) as driver:
        yield driver


@pytest.fixture
def data_dir() -> Path:
    """The folder with the full MNIST files; the test is skipped where there is none."""
    return Path(os.environ["NNDL_DATA_DIR"])


@pytest.fixture
def clothes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noise in the place of Fashion-MNIST, with fewer pictures."""
    content = small_files(250, 50)
    folder = write(tmp_path / "clothes" / "fashion-mnist", content)
    entry = replace(SOURCES["fashion_mnist"], sizes=(200, 50, 50))
    monkeypatch.setattr(mnist, "FASHION_MNIST", set_of("noise", folder.name, content))
    monkeypatch.setitem(SOURCES, "fashion_mnist", entry)
    monkeypatch.setenv("NNDL_DATA_DIR", str(folder.parent))
    monkeypatch.setenv("NNDL_CACHE_DIR", str(tmp_path / "cache"))


class CommandLine:
    """Runs the commands as a user does, in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, module: str, *words: str, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", module, *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,  # type: ignore[call-overload]
        )

    def run(self, module: str, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.start(module, *words)
        try:
            out, err = process.communicate(timeout=240)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ok(self, module: str, *words: str) -> str:
        """What the command prints, once it has succeeded without a word on standard error."""
        done = self.run(module, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
        return done.stdout

    def refused(self, module: str, *words: str) -> str:
        """The one line with which a command refuses a user's mistake."""
        done = self.run(module, *words)
        assert done.returncode == 2, done.stdout + done.stderr
        assert done.stderr.startswith("error: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.removeprefix("error: ").strip()


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)
