"""What the tests of faults share: the promises, real processes, random moments, and the count."""

import itertools
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil
import pytest
import sqlalchemy
from studies import search_of, table

from nndl_exp.records import atomic
from nndl_exp.study.running.table import url_of
from nndl_exp.study.search import Search

STUDY = ("training.epochs=40", "dataset.training_size=1000", "training.stopping.name=none",
         "study.name=faults", "study.max_retries=50", "storage.heartbeat=1")  # fmt: skip

FAULTS = {
    "SIGKILL of a worker": "its trial goes on from its checkpoint; the study does not end",
    "SIGKILL of the coordinator": "its workers end; the same command, or another process, goes on",
    "SIGKILL of everything": "the same command goes on",
    "SIGTERM": "stops after the epochs that run; the same command goes on",
    "Ctrl-C": "stops after the epochs that run; the same command goes on",
    "SIGSTOP of a process": "silent for three heartbeats, what it does not train is taken over; "
    "woken up, it goes on",
    "SIGSTOP of a worker": "what it trains waits for it",
    "PostgreSQL away for 0 s": "waited for; the study does not end",
    "PostgreSQL away for 5 s": "waited for, which is said; the study does not end",
    "PostgreSQL away for 60 s": "waited for, which is said; the study does not end",
    "PostgreSQL away for too long": "one line after storage.patience; the same command goes on",
    "MLflow down from the start": "refused in one line before anything is trained",
    "MLflow down, and back": "training goes on; sync shows all of it, nothing twice",
    "MLflow answers 500": "training goes on; sync shows all of it, nothing twice",
    "MLflow hangs": "training goes on; sync shows all of it, nothing twice",
    "disk full": "one line; the same command goes on when there is room",
    "folder read-only": "one line; the same command goes on when it can be written",
    "checkpoint damaged": "the epochs before it are trained again and come out identical",
    "weights file damaged": "refused in one line where it is read; trained again identical",
    "run record damaged": "one line that says what to delete; trained again identical",
    "two sweeps at once": "they share the trials; one table, one run in MLflow for each trial",
    "clock set back an hour": "claims, stopping and budget do not depend on it",
}
"""Every fault, and what is promised besides: nothing lost, nothing twice, nothing left RUNNING."""


@dataclass
class Seen:
    """What the tests saw of a fault: runs of a study, faults in them, and what went wrong."""

    studies: int = 0
    faults: int = 0
    lost: int = 0
    twice: int = 0
    stale: int = 0


_NUMBERS = itertools.count()
SEEN: dict[str, Seen] = {}


def seen(fault: str) -> Seen:
    """The count of a fault that is promised something."""
    assert fault in FAULTS
    return SEEN.setdefault(fault, Seen())


def words_of(database: str, request: pytest.FixtureRequest, *more: str) -> tuple[str, ...]:
    """The settings of a study in a database of its own."""
    if database == "sqlite":
        return (*STUDY, *more)
    request.getfixturevalue("storage")  # the password
    url = request.getfixturevalue("postgres").new_database()
    return (*STUDY, *more, "storage=postgresql", f"storage.url={url}")


class Leader:
    """A process that leads a study, in a group of its own with its workers.

    It is lead.py, or the command line itself if it is to ``sweep``. Its log lies beside the output
    folder, or in ``logs``.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        sweep: bool = False,
        logs: Path | None = None,
        **environment: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (logs or folder.parent) / f"led-{next(_NUMBERS)}.log"
        here = Path(__file__).parent
        paths = [str(here), os.environ.get("PYTHONPATH", "")]
        command = [sys.executable, str(here / "lead.py"), str(folder), *words]
        if sweep:
            command = [sys.executable, "-m", "nndl_exp.sweep", *words, f"output={folder}"]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                command, env=variables, stdout=log, stderr=log, start_new_session=True
            )
        LEADERS.append(self)

    @property
    def output(self) -> str:
        return self._log.read_text()

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    def workers(self) -> list[int]:
        """The process ids of its workers."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children()
            return [child.pid for child in children if "spawn_main" in " ".join(child.cmdline())]
        return []

    def end(self, *statuses: int) -> str:
        """What it said, once it has ended by itself, with one of these statuses, or 0."""
        status = self.process.wait(timeout=280)
        assert status in (statuses or (0,)), self.output
        assert "Traceback" not in self.output or "KeyboardInterrupt" in self.output, self.output
        self.vanish()
        return self.output

    def vanish(self) -> None:
        """Wait until nothing is left of it and its workers."""
        until(lambda: not group_exists(self.process.pid))


LEADERS: list[Leader] = []


def end_all() -> None:
    """After a test that failed: nothing of it may stay."""
    while LEADERS:
        process = LEADERS.pop().process
        if group_exists(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition: Callable[[], bool], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def strike(kind: str, leader: Leader, moments: random.Random) -> bool:
    """Do to a process what a fault is called; False if there was nothing to be struck."""
    pid = leader.process.pid
    if not leader.is_alive:
        return False
    if kind == "SIGKILL of a worker":
        until(lambda: bool(leader.workers()) or not leader.is_alive)
        if not (workers := leader.workers()):
            return False
        os.kill(moments.choice(workers), signal.SIGKILL)
    elif kind == "SIGKILL of the coordinator":
        os.kill(pid, signal.SIGKILL)
    elif kind == "SIGTERM":
        os.kill(pid, signal.SIGTERM)
    else:  # what a terminal, or the end of a session, does to all of them
        number = {"SIGKILL of everything": signal.SIGKILL, "Ctrl-C": signal.SIGINT}[kind]
        os.killpg(pid, number)
    return True


@dataclass
class Case:
    """A study to which faults happen: where, with which words, and what it must come to."""

    fault: str
    folder: Path
    words: tuple[str, ...]
    whole: pd.DataFrame
    moments: random.Random
    _before: dict[int, bytes] = field(default_factory=dict)

    def lead(self, *more: str, **options: object) -> Leader:
        return Leader(self.folder, *self.words, *more, **options)  # type: ignore[arg-type]

    @property
    def study(self) -> Search:
        return search_of(self.folder, *self.words)

    @property
    def directory(self) -> Path:
        return self.folder / "studies/faults/stages/joint"

    def records(self) -> dict[int, bytes]:
        """The trials that have ended, and how."""
        paths = self.directory.glob("trials/*/result.json")
        return {int(path.parent.name): path.read_bytes() for path in paths}

    def wait_for_a_moment(self, *leaders: Leader, first: int = 0, last: int | None = None) -> None:
        """Until a random number of trials have ended, and a moment longer."""
        low = max(first, len(self.records()))
        high = max(low, len(self.whole) - 1 if last is None else last)
        number = self.moments.randint(low, high)
        until(lambda: len(self.records()) >= number or not any(each.is_alive for each in leaders))
        time.sleep(self.moments.uniform(0.0, 0.25 if number else 2.0))

    def remember(self, faults: int = 1) -> None:
        """A fault happened: what has ended by now may not be done again."""
        seen(self.fault).faults += faults
        self._before |= {n: r for n, r in self.records().items() if n not in self._before}

    def forget(self, number: int) -> None:
        """The record of a trial was destroyed on purpose."""
        self._before.pop(number, None)

    def check(self) -> None:
        """Count what was lost, done twice, or is left; then insist that there is none of it."""
        count, now, study = seen(self.fault), self.records(), self.study
        proposed = len(list(self.directory.glob("trials/*/proposal.json")))
        got, stale = table(study), self._claims(url_of(study.config))
        lost = {n for n in self._before if n not in now} | _missing(got, self.whole)
        twice = {n for n, record in self._before.items() if now.get(n, record) != record}
        count.studies += 1
        count.lost += len(lost)
        count.twice += len(twice) + max(0, proposed - len(self.whole))
        count.stale += len(stale)
        assert not lost, "lost"
        assert not twice, "run again after it had ended"
        assert proposed == len(self.whole), "proposed twice"
        assert not stale, stale
        assert got.equals(self.whole)
        assert not self.leftovers()

    def leftovers(self) -> list[Path]:
        found = [*self.directory.glob("trials/*/checkpoint.npz"), *self.directory.glob(".stop-*")]
        found += self.directory.glob(".members/*")
        for folder in self.directory.glob("trials/*"):
            found += atomic.unfinished(folder)
        return found

    def _claims(self, url: str) -> list[object]:
        """The rows that are left of trials and processes."""
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            tables = ("SELECT owner FROM claims", "SELECT owner FROM members")
            found = [connection.execute(sqlalchemy.text(query)).scalars() for query in tables]
            return [row for rows in found for row in rows]


def _missing(got: pd.DataFrame, whole: pd.DataFrame) -> set[int]:
    """The trials whose row is not that of the study to which nothing happened."""
    return {
        number
        for number in range(len(whole))
        if number >= len(got) or not got.iloc[number].equals(whole.iloc[number])
    }


def rows(text: str) -> list[str]:
    """The faults that a table like ours is about."""
    return re.findall(r"^\| ([^|]+?) \| [^|]* \| [\d–]", text, re.MULTILINE)


def report(command: str) -> str:
    """The table of what was seen."""
    lines = [
        f"`{command}`", "",
        "| fault | promised | studies | faults | lost | twice | stale |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for fault, promise in FAULTS.items():
        s = SEEN.get(fault)
        numbers = [s.studies, s.faults, s.lost, s.twice, s.stale] if s else ["–"] * 5
        lines.append(f"| {fault} | {promise} | {' | '.join(map(str, numbers))} |")
    total = [sum(getattr(s, name) for s in SEEN.values()) for name in vars(Seen())]
    lines.append(f"| **all** | | {' | '.join(f'**{n}**' for n in total)} |")
    return "\n".join(lines)
