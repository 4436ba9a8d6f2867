"""What a terminal shows while a study runs; -q, -v, and output that is no terminal.

Real processes on real pseudo-terminals. Where the screen itself is looked at, tmux is the terminal.
With NNDL_SCREENSHOTS=FOLDER the picture of the documentation is saved there.
"""

import fcntl
import json
import logging
import math
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from composing import composed_all
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text
from studies import search_of

from nndl_exp import reproduce, sweep, train
from nndl_exp.cli.options import verbosity_of
from nndl_exp.config import RunConfig, to_mapping
from nndl_exp.display.terminal.pace import Pace
from nndl_exp.display.terminal.screen import SECONDS_BETWEEN_DRAWINGS, Screen, Verbosity
from nndl_exp.display.terminal.sparkline import sparkline
from nndl_exp.display.terminal.watch import Watch
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.records.tail import KEPT, EpochTail
from nndl_exp.study.running.trials import Slot
from nndl_exp.training import Epoch
from nndl_exp.yaml_file import to_yaml

SMALL = [
    "tracking=none", "training.epochs=3", "dataset.training_size=300",
    "dataset.validation_size=200", "study.lag=4", "study.name=s", "executor=serial",
]  # fmt: skip
ONE = [*SMALL, "strategy=joint", "study.n_trials=8"]
STAGED = [
    "tracking=none", "dataset.training_size=1000", "dataset.validation_size=200", "study.name=s",
    "workers=2", "pruner=none", "training.epochs=80", "training.stopping.name=none",
    "strategy.stages=[any_learning,learning_rate,joint,winner]", "strategy.epochs=250",
]  # fmt: skip
ESCAPE, HIDE, SHOW = "\x1b", "\x1b[?25l", "\x1b[?25h"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d)(?:;\d+)*m")
TRIAL = re.compile(r"^ +(\d+)  \d+\.\d ±\d", re.MULTILINE)
PATIENCE = 120


def environment(**changes: str) -> dict[str, str]:
    """That of a colourful terminal, whatever the tests run in."""
    free = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    inherited = {key: value for key, value in os.environ.items() if key not in free}
    paths = os.pathsep.join(filter(None, [str(Path.cwd()), inherited.get("PYTHONPATH")]))
    return {**inherited, "TERM": "xterm-256color", "PYTHONPATH": paths, **changes}


class Process:
    """A command on a pseudo-terminal of its own."""

    def __init__(
        self, folder: Path, module: str, *words: str, width: int = 120, **env: str
    ) -> None:
        self.master, slave = pty.openpty()
        resize(self.master, width)
        # Opened by the leader of a session it becomes that one's terminal, for Ctrl-C.
        shell = ["sh", "-c", 'tty=$1; shift; exec "$@" <>"$tty" >&0 2>&0', "sh"]
        self.process = subprocess.Popen(
            [*shell, os.ttyname(slave), sys.executable, "-m", module, *words], cwd=folder,
            env=environment(**env), stdin=slave, stdout=slave, stderr=slave,
            start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def read(self, until: str = r"(?!)") -> str:
        """What it shows until a pattern is found in it, or until it ends."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(until, self.shown) and time.monotonic() < deadline:
            try:
                data = os.read(self.master, 65536)
            except OSError:  # nobody has the terminal open any more
                break
            self.shown += data.decode(errors="replace")
        return self.shown

    def end(self) -> int:
        """Its exit status, once it has ended and all that it shows is read."""
        self.read()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.master)


@pytest.fixture
def on_terminal(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(module: str, *words: str, **options: Any) -> Process:
        started.append(Process(tmp_path, module, *words, **options))
        return started[-1]

    yield start
    for process in started:
        process.close()


def resize(terminal: int, width: int, height: int = 40) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def plain(shown: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "")


def cursor_is_on(shown: str) -> bool:
    return shown.rfind(SHOW) > shown.rfind(HIDE)


@pytest.fixture(scope="module")
def terminal_output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that a small study sends to a terminal of 120 columns."""
    process = Process(tmp_path_factory.mktemp("sweep"), "nndl_exp.sweep", *ONE)
    try:
        assert process.end() == 0, process.shown
        return process.shown
    finally:
        process.close()


def test_lines_and_a_region_are_drawn_and_the_end_is_clean(terminal_output):
    shown = terminal_output
    assert COLOUR.search(shown)
    assert shown.count(SHOW) >= shown.count(HIDE) > 0
    # Hidden by Rich and shown again before anything is drawn: also a killed process leaves it on.
    assert all(after.startswith(SHOW) for after in shown.split(HIDE)[1:])
    end = plain(shown.split("\x1b[2K")[-1])
    for word in ("→ ", "winner   ", "saved    ", "decides  ", "report     python -m"):
        assert word in plain(shown)
    assert end.rstrip().splitlines()[-1].startswith("race       python -m")
    assert re.search(r"\[1/1\] joint search +.*\d/8 · \d:\d\d", plain(shown)), "how far it is"


def test_without_a_terminal_it_is_a_line_a_trial_and_no_escape(cli):
    done = cli.run("nndl_exp.sweep", *ONE, "-v")
    assert done.returncode == 0, done.stderr
    assert ESCAPE not in done.stdout + done.stderr
    assert TRIAL.findall(done.stdout) == [str(number) for number in range(8)]
    first = [line.split()[0] for line in done.stdout.splitlines() if line and line[0] != " "]
    assert first == [
        "study", "data", "search", "plan", "[1/1]", "→", "decides", "trials", "winner", "saved",
        "dashboard", "report", "reproduce", "evaluate", "race",
    ]  # fmt: skip
    logged = done.stderr.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in logged)
    for number in range(8):
        for said in ("is proposed: ", "complete after"):
            assert any(f"trial {number}" in line and said in line for line in logged), said


def test_no_color_is_respected(on_terminal):
    process = on_terminal("nndl_exp.sweep", *ONE, "-v", NO_COLOR="1")
    assert process.end() == 0
    assert not COLOUR.search(process.shown)
    assert "\x1b[2K" in process.shown, "but there is a region"
    logged = re.findall(r"^.*\d\d:\d\d:\d\d trial (\d) is proposed: ", plain(process.shown), re.M)
    assert logged == [str(number) for number in range(8)], "and -v tells more above it"


def test_a_dumb_terminal_gets_plain_lines(on_terminal):
    words = ["tracking=none", "training.epochs=2", "dataset.training_size=300"]
    process = on_terminal("nndl_exp.train", *words, TERM="dumb")
    assert process.end() == 0 and ESCAPE not in process.shown
    assert re.search(r"^ +2 +\d", process.shown, re.MULTILINE)
    terminal = Pty(80, TERM="dumb")
    terminal.read()
    screen = Screen(terminal.console)
    with screen.live(Text("region")):
        screen.print("bold", style="bold green")
        screen.print("minor", minor=True)
    assert terminal.close() == "bold\r\nminor\r\n"


def test_quiet_is_the_verdict_only(on_terminal):
    process = on_terminal("nndl_exp.sweep", *ONE, "-q")
    assert process.end() == 0
    told = process.shown.replace("\r", "").splitlines()
    assert ESCAPE not in process.shown
    assert re.match(r"→ best of the search: [\d.]+ % by trial \d of 8: eta ", told[0])
    winner = [line.startswith("winner   hidden ") for line in told].index(True)
    assert all(line.startswith("  ") for line in told[1:winner] + told[winner + 1 :])


def test_ctrl_c_twice_leaves_the_terminal_as_it_was(on_terminal, tmp_path):
    slow = ["dataset.training_size=3000", "network.hidden=[1000,1000]"]  # seconds for an epoch
    process = on_terminal("nndl_exp.sweep", *ONE[:-1], "study.n_trials=1000", *slow)
    while not list(tmp_path.glob("*/studies/s/stages/joint/trials/0/config.yaml")):
        assert process.process.poll() is None, process.read()
        time.sleep(0.02)
    os.write(process.master, b"\x03")
    process.read(until="stopping after the epochs that run")
    os.write(process.master, b"\x03")  # ends it at once: the region has to be gone by then
    assert process.end() == 130
    assert cursor_is_on(process.shown)
    assert "━" not in process.shown.partition("stopping after the epochs that run")[2]
    assert "Traceback" not in process.shown


def test_a_killed_process_leaves_the_cursor_on(on_terminal):
    process = on_terminal("nndl_exp.sweep", *ONE[:-1], "study.n_trials=1000")
    process.read(until=r"[1-9]\d*/1000")
    process.process.kill()
    process.end()
    assert cursor_is_on(process.shown)


def test_an_error_in_the_middle_leaves_the_terminal_as_it_was(on_terminal, tmp_path):
    other = tmp_path / "nndl-output" / "studies" / "s" / "stages" / "joint" / "trials" / "6"
    other.mkdir(parents=True)
    (other / "config.yaml").write_text(to_yaml(to_mapping(RunConfig())))
    process = on_terminal("nndl_exp.sweep", *ONE)
    assert process.end() == 2
    assert "\x1b[2K" in process.shown, "there was a region"
    assert cursor_is_on(process.shown)
    last = plain(process.shown.split("\x1b[2K")[-1]).strip()
    assert last.startswith("error: ") and last.endswith("holds a run of another configuration")


class Tmux:
    """A terminal of which one can ask what its screen shows."""

    def __init__(self, folder: Path, width: int, *words: str) -> None:
        self._folder, self._sockets = folder, tempfile.TemporaryDirectory(prefix="nndl-")
        command = shlex.join([sys.executable, "-m", "nndl_exp.sweep", *words])
        self._tmux(
            "-f", os.devnull, "new-session", "-d", "-x", str(width), "-y", "36",
            f"{command}; echo status $?; sleep 1000",
        )  # fmt: skip

    def shown(self, *options: str) -> str:
        """The screen; with ``-S -`` all that has scrolled out of it too, with ``-e`` colours."""
        return self._tmux("capture-pane", "-p", *options)

    def wait(self, pattern: str, seconds: float = PATIENCE) -> str:
        """What is shown once the pattern is found in it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            shown = self.shown()
            if re.search(pattern, shown, re.MULTILINE):
                return shown
            time.sleep(0.1)
        pytest.fail(f"no {pattern!r} in\n{self.shown('-S', '-')}")

    def widen(self, width: int) -> None:
        self._tmux("resize-window", "-x", str(width))

    @property
    def cursor_is_on(self) -> bool:
        return self._tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def close(self) -> None:
        self._tmux("kill-server")
        self._sockets.cleanup()

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", *words]
        env = environment(TMUX_TMPDIR=self._sockets.name)  # so it is a server of our own
        env.pop("TMUX", None)
        done = subprocess.run(command, cwd=self._folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., Tmux]]:
    started: list[Tmux] = []

    def start(width: int, *words: str) -> Tmux:
        started.append(Tmux(tmp_path, width, *words))
        return started[-1]

    yield start
    for terminal in started:
        terminal.close()


@pytest.mark.long
def test_a_study_in_stages_on_a_screen_that_is_resized(tmux):
    terminal = tmux(100, *STAGED)
    shown = terminal.wait(r"^\[2/4\] learning rate .*trials? · \d:\d\d")
    assert re.search(r"^ +then joint search \S+ \S+ · the winner \S+ \S+$", shown, re.MULTILINE)
    assert terminal.cursor_is_on
    terminal.widen(60)
    shown = terminal.wait(r"^\[3/4\] joint search .*trials? · \d:\d\d")
    terminal.wait(r"^ +\d+  [\d.]* +[▁▂▃▄▅▆▇█]+ +epoch \d+ of 80  eta")
    terminal.widen(200)
    terminal.wait(r"^\[4/4\] the winner .*trials? · \d:\d\d")
    terminal.wait(r"^status 0$")
    check_all_that_scrolled(terminal.shown("-S", "-", "-J"))


@pytest.mark.timeout(1800)
@pytest.mark.skipif("NNDL_SCREENSHOTS" not in os.environ, reason="takes as long as a whole study")
def test_the_picture_of_the_documentation(tmux):
    """The default study in the middle of its joint search, as the terminal shows it."""
    terminal = tmux(110, "tracking=none", "study.name=first")
    curve = r" +epoch \d+ of .*\n"
    terminal.wait(rf"█{curve}.*█{curve}\[9/10\] joint search .* \d trials", seconds=1500)
    console = Console(record=True, width=110, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(terminal.shown("-e").rstrip()))
    folder = Path(os.environ["NNDL_SCREENSHOTS"])
    folder.mkdir(parents=True, exist_ok=True)
    # With the font of whoever looks at it: Rich's template would fetch one.
    template = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    file, title = str(folder / "terminal.svg"), "python -m nndl_exp.sweep"
    console.save_svg(file, title=title, code_format=template)


def check_all_that_scrolled(shown: str) -> None:
    """Every stage stands there with its decision, trials that became the best, and no region."""
    for position, title in enumerate(
        ("any learning at all", "learning rate", "joint search", "the winner"), 1
    ):
        assert shown.count(f"[{position}/4] {title}\n") == 1
    assert shown.count("\n→ ") == 4
    trials = [line for line in shown.splitlines() if re.match(r" +\d+  ", line)]
    assert trials and all(line.endswith("← best") for line in trials)
    for drawn in (r"epoch \d+ of", "^ +then [^o]", " left$", r" \.\.\.$", "━"):
        assert not re.search(drawn, shown, re.MULTILINE), drawn


class Pty:
    """A console on a pseudo-terminal in this process."""

    def __init__(self, width: int, **environment: str) -> None:
        self.master, slave = pty.openpty()
        resize(self.master, width)
        self._file = os.fdopen(slave, "w", encoding="utf-8")
        self.console = Console(
            file=self._file, width=width, highlight=False, soft_wrap=True, force_terminal=True,
            _environ={"TERM": "xterm-256color", **environment},
        )  # fmt: skip
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._drain)

    def read(self) -> None:
        """Take what is written from now on."""
        self._reader.start()

    def _drain(self) -> None:
        with suppress(OSError):
            while data := os.read(self.master, 65536):
                self._read.append(data)

    def close(self) -> str:
        """All that was written."""
        self._file.close()
        self._reader.join()
        os.close(self.master)
        return b"".join(self._read).decode()


@pytest.mark.parametrize("width", [60, 120])
def test_lines_stand_in_order_above_a_region_that_fits(width):
    terminal = Pty(width)
    terminal.read()
    screen, long = Screen(terminal.console), Text("x" * 500, no_wrap=True, overflow="ellipsis")
    drawn = threading.Event()
    with screen.live(long):
        screen.print("first")
        screen.print("left out", minor=True)
        screen.change(drawn.set)
        screen.tell("second")
        assert drawn.wait(PATIENCE)
        time.sleep(0.6)
    screen.print("third", minor=True)
    shown = terminal.close()
    assert re.findall("first|left out|second|third", shown) == ["first", "second", "third"]
    regions = re.findall("x+…", shown)
    assert 2 <= len(regions) <= 6 and {len(region) for region in regions} == {width}


@pytest.mark.timeout(60)
def test_a_terminal_that_stands_still_holds_nobody_up():
    terminal = Pty(80)  # of which nobody reads: after some kilobytes writing to it takes for ever
    screen = Screen(terminal.console)
    with screen.live(Text("region")):
        start = time.monotonic()
        for number in range(3000):
            screen.print(f"line {number:<60}")
        time.sleep(2 * SECONDS_BETWEEN_DRAWINGS)
        screen.print("the last line")
        assert time.monotonic() - start < 5
        terminal.read()
    shown = terminal.close()
    assert re.findall(r"line (\d+)", shown) == [str(number) for number in range(3000)]
    assert shown.index("line 2999") < shown.index("the last line")


def test_a_window_made_narrower_is_erased_as_it_was_broken():
    terminal = Pty(120)
    terminal.read()
    screen = Screen(terminal.console)
    with screen.live(Text("\n".join(["y" * 100, "short"]))):
        time.sleep(2 * SECONDS_BETWEEN_DRAWINGS)
        terminal.console.width = 60  # the first line takes two rows now
        time.sleep(3 * SECONDS_BETWEEN_DRAWINGS)
    drawings = re.split("y{50,100}", terminal.close())[1:-1]
    ups = [between.count("\x1b[1A") for between in drawings]
    assert set(ups) == {1, 2}, "a row more, once"
    assert ups.count(2) == 1


def test_a_defect_in_what_is_drawn_is_not_hidden():
    class Broken:
        def __rich_console__(self, console, options):
            raise ZeroDivisionError
            yield

    terminal = Pty(80)
    terminal.read()
    screen = Screen(terminal.console)
    with pytest.raises(ZeroDivisionError), screen.live(Broken()):
        time.sleep(2 * SECONDS_BETWEEN_DRAWINGS)
        screen.print("but the lines come")
    shown = terminal.close()
    assert "but the lines come" in shown and cursor_is_on(shown)
    with pytest.raises(ZeroDivisionError), Screen(Console(force_terminal=True)).live(Broken()):
        pass  # it shows in the last drawing


def test_an_error_ends_the_region_before_it_is_told():
    terminal = Pty(80)
    terminal.read()
    screen = Screen(terminal.console)
    with pytest.raises(KeyboardInterrupt), screen.live(Text("region")):
        time.sleep(0.1)
        raise KeyboardInterrupt
    assert not screen.is_live
    screen.tell("error: x")
    assert terminal.close().rstrip().endswith("\x1b[2Kerror: x")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-q"], Verbosity.QUIET),
        (["--verbose"], Verbosity.VERBOSE),
        (["-q", "seed=1", "-q"], Verbosity.QUIET),
        (["seed=1"], Verbosity.NORMAL),
    ],
)
def test_flags_are_told_from_other_words(words, expected):
    rest = [word for word in words if not word.startswith("-")]
    assert verbosity_of(words) == (expected, rest)


@pytest.fixture
def in_process(tmp_path, monkeypatch, capsys):
    """Runs a command in this process: its exit status, what it prints, and what it logs."""
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("nndl_exp")

    def run(main, *words):
        status = 0
        try:
            main(list(words))
        except SystemExit as e:
            status = e.code or 0
        return status, *capsys.readouterr()

    yield run
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


def test_a_training_is_quiet_or_tells_more(in_process):
    words = ["training.epochs=2", "dataset.training_size=100", "tracking=none"]
    status, out, err = in_process(train.main, *words, "--quiet")
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["complete", "best", "saved"]
    name = out.split()[-1].rpartition("/")[2]
    for flags, expected in (["-q"], "IDENTICAL\n"), ([], "weights, best "):
        status, out, err = in_process(reproduce.main, name, *flags)
        assert (status, err) == (0, "") and expected in out
        assert bool(flags) == (out == "IDENTICAL\n")
    status, out, err = in_process(train.main, *words, "-v", "seed=3")
    assert status == 0 and "epoch" in out
    assert re.search(r"^\d\d:\d\d:\d\d .*trained", err, re.MULTILINE)


def test_quiet_still_tells_errors_and_warnings(in_process):
    words = [*ONE, "training.eta=1e30", "search_space={training: {lmbda: {low: 1e30, high: 2e30}}}"]
    words += ["study.give_up_after=4"]
    status, out, err = in_process(sweep.main, *words, "-q")
    assert status == 1 and err == ""
    assert [line.split()[0] for line in out.splitlines()] == ["stopped", "resume", "no"]
    status, out, err = in_process(sweep.main, "-q", "training.epoch=3")
    assert (status, out) == (2, "")
    assert "did you mean training.epochs?" in err
    for main, words in (sweep.main, ["seed=1"]), (reproduce.main, ["x"]):
        status, out, err = in_process(main, *words, "-q", "-v")
        assert status == 2 and err.startswith("error: -q and -v can't be given together")


def test_a_plan_is_told_also_if_quiet(in_process):
    status, out, _ = in_process(sweep.main, *ONE, "study.dry_run=true", "-q")
    assert status == 0 and "plan     joint · 8 trials" in out


def test_a_flag_is_refused_where_it_would_do_nothing():
    with pytest.raises(UserError, match="unrecognized arguments: -q"):
        composed_all("book", ["-q"])


def test_the_flags_are_in_the_help_and_hydra_does_not_mind_them(in_process, monkeypatch):
    for main in (train.main, sweep.main):
        status, out, _ = in_process(main, "-v", "--help")
        assert status == 0
        assert "-q, --quiet" in out and "-v, --verbose" in out
        status, out, _ = in_process(main, "-q", "seed=7", "--cfg", "job")
        assert status == 0 and "seed: 7" in out
    for line, expected in (
        ("nndl-train -q datas", "dataset="),
        ("nndl-train -q --v", "--verbose"),
        ("nndl-train -v seed=1 dataset=mn", "dataset=mnist"),
    ):
        monkeypatch.setenv("COMP_LINE", line)
        status, out, _ = in_process(train.main, "-sc", "query=bash")
        assert status == 0 and expected in out.split(), line


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(number, 0.1, accuracy, 0.1, accuracy, 0.5, 0.01)


def test_epochs_are_read_as_they_are_written(tmp_path):
    directory = RunDirectory(tmp_path)
    tail = EpochTail(directory, "validation_accuracy")
    tail.look()
    assert (tail.number, list(tail.values)) == (0, [])
    for number in (1, 2):
        directory.append(epoch(number, number / 10))
    tail.look()
    assert (tail.number, list(tail.values), tail.is_new) == (2, [0.1, 0.2], True)
    line = json.dumps(epoch(3, 0.3).to_mapping())
    with (tmp_path / "epochs.jsonl").open("a") as file:
        file.write(line[:30])
        file.flush()
        tail.look()
        assert tail.number == 2, "half a line is none"
        file.write(f"{line[30:]}\n")
    tail.look()
    assert (tail.number, list(tail.values)) == (3, [0.1, 0.2, 0.3])
    directory.rewind([epoch(1, 0.7)])  # training goes on from a checkpoint
    tail.look()
    assert (tail.number, list(tail.values)) == (1, [0.7])


def test_a_record_that_nobody_goes_on_with_is_not_new(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.append(epoch(1, 0.5))
    tail = EpochTail(directory, "validation_accuracy")
    tail.look()
    tail.look()
    assert (tail.number, tail.is_new) == (1, False)
    directory.append(epoch(2, 0.5))
    tail.look()
    assert tail.is_new


def test_of_a_long_record_the_end_is_read(tmp_path, monkeypatch):
    directory, n = RunDirectory(tmp_path), 5000
    directory.rewind([epoch(number, number / n) for number in range(1, n + 1)])
    tail = EpochTail(directory, "validation_accuracy")
    reads: list[int] = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda line: (reads.append(1), loads(line))[1])
    tail.look()
    assert tail.number == n and len(tail.values) == KEPT and tail.values[-1] == 1.0
    assert len(reads) < n / 4
    directory.append(epoch(n + 1, 0.5))
    tail.look()
    assert tail.number == n + 1 and len(reads) < n / 4


def test_trials_that_train_are_found_in_the_folder_of_the_study(tmp_path):
    study = search_of(tmp_path)
    view = study.proposer()
    proposals = [view.ask([]) for _ in range(4)]
    configs = [study.space.apply(study.config.run, p.params) for p in proposals]
    watch = Watch(study, [Slot(p, c) for p, c in zip(proposals, configs, strict=True)])
    assert watch.look(0) == []
    for number in (0, 1, 3):
        directory = study.run_directory(number)
        directory.create(configs[number], study.dataset)
        directory.append(epoch(1, 0.5))
    (study.run_directory(1).path / "result.json").write_text("{}")
    training = watch.look(0)
    assert [one.number for one in training] == [0, 3]
    assert training[1].config == study.run_directory(3).config()
    assert [one.number for one in watch.look(2)] == [3]


@pytest.mark.parametrize(
    ("values", "width", "expected"),
    [
        ([], 10, ""),
        ([0.5], 10, "▁"),
        ([0.1, 0.5, 0.9], 10, "▁▅█"),
        ([1, math.nan, 2, math.inf], 10, "▁ █ "),
        ([math.nan], 10, " "),
        (list(range(100)), 4, "▁▃▆█"),
        ([1, 2], 0, ""),
    ],
)
def test_a_curve_in_a_line(values, width, expected):
    assert sparkline(values, width) == expected


def test_time_left_is_told_by_what_was_foretold_and_then_by_what_is_measured():
    now = [0.0]
    pace = Pace(foretold=10.0, clock=lambda: now[0])
    assert pace.seconds(100) == 10
    pace.begin()
    now[0] = 1000.0
    pace.add(5000, ended=0.0)  # by an earlier start of the study
    pace.add(20_000, ended=time.time() + 1)
    assert pace.seconds(100) == pytest.approx(5.0, rel=0.05)
    pace.end()
    now[0] = 5000.0  # nothing was trained meanwhile
    pace.begin()
    assert pace.seconds(100) == pytest.approx(5.0, rel=0.05)


def test_no_time_left_is_told_where_nothing_is_known_and_none_beyond_the_clock():
    now = [0.0]
    pace = Pace(budget=60.0, clock=lambda: now[0])
    pace.begin()
    assert pace.seconds(1) is None
    now[0] = 20.0
    pace.add(1, ended=time.time() + 1)
    assert pace.seconds(1) == 20
    assert pace.seconds(10) == 40
    now[0] = 70.0
    assert pace.seconds(10) == 0
