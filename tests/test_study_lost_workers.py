"""Workers that die before their trial has a folder: counted, told, given up at last."""

import errno
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from studies import search_of, study_of

from nndl_exp.errors import LostTrialError, UserError
from nndl_exp.study.executors import EXECUTORS, Pool, SerialExecutor
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.running.stop import Ended
from nndl_exp.study.study import Study
from nndl_exp.study.trial import run_trial

WORDS = ("dataset=digits_8x8", "study.n_trials=3", "training.epochs=1", "workers=1")
MOST = 9
"""After so many kills the workers are left alone: a study that counts none of them must end."""


class Killer:
    """Kills every worker that reads its data, which it makes known by opening a named pipe."""

    def __init__(self, facts: Path) -> None:
        self.kills, self._facts, self._ended = 0, facts, threading.Event()
        self._content = facts.read_bytes()
        facts.unlink()
        os.mkfifo(facts)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Killer":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while self.kills < MOST and not self._ended.wait(0.01):
            try:
                writer = os.open(self._facts, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as e:
                assert e.errno == errno.ENXIO, "no worker reads"
                continue
            if self.kills == MOST - 1:
                self._let_be()
            for child in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):  # it has ended by itself
                    if "spawn_main" in " ".join(child.cmdline()):
                        child.send_signal(signal.SIGKILL)
                        child.wait()
            self.kills += 1
            os.close(writer)
        self._let_be()

    def _let_be(self) -> None:
        if not self._facts.is_file():
            self._facts.unlink()
            self._facts.write_bytes(self._content)


@pytest.fixture
def facts(tmp_path, monkeypatch) -> Path:
    """What every process reads of the prepared data, in a cache of the test's own."""
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    monkeypatch.setenv("NNDL_CACHE_DIR", str(tmp_path / "cache"))
    search_of(tmp_path / "prepare", *WORDS)
    (path,) = (tmp_path / "cache").glob("*/digits_8x8/facts.json")
    return path


def lead(study: Study, pool: Pool | None = None) -> tuple[Coordinator, list[str]]:
    coordinator, said = Coordinator(study, pool), []
    coordinator.say = said.append
    list(coordinator)
    return coordinator, said


def test_a_trial_whose_workers_die_as_they_load_is_given_up(tmp_path, facts):
    """Those that were queued behind it are not to blame."""
    study = search_of(tmp_path / "out", *WORDS, "study.max_retries=2")
    with Killer(facts) as killer:
        led, said = lead(study)
    assert killer.kills == 3
    assert led.report.why.startswith("trial 0 was broken by the machine 3 times (Broken")
    assert len(said) == 2
    for line in said:
        assert line.startswith("trial 0 was broken by the machine (BrokenProcessPool: ")
        assert line.endswith("); it is run again")
    assert not (study.directory / "trials/0/config.yaml").exists()
    led, said = lead(study)
    assert (led.report.ended, said) == (Ended.COMPLETE, [])
    assert len(study.trials()) == 3
    assert not list(study.directory.glob("trials/.*.begun"))


def test_a_loop_over_the_trials_of_a_study_that_is_given_up_raises(tmp_path, facts):
    study = study_of(tmp_path / "out", *WORDS, "study.max_retries=0")
    with Killer(facts), pytest.raises(UserError, match="has stopped: trial 0 was broken by the"):
        list(study.run())


@pytest.mark.long
def test_a_trial_whose_dask_workers_die_as_they_load_is_given_up(tmp_path, facts):
    pytest.importorskip("distributed")
    study = search_of(tmp_path / "out", *WORDS, "study.max_retries=0", "executor=dask")
    with Killer(facts) as killer:
        led, said = lead(study)
    assert killer.kills == 4, "Dask tries by itself again"
    assert led.report.why.startswith("trial 0 was broken by the machine 1 times (LostTrial")
    assert said == []


class Dying(Executor):
    """A pool whose workers die before they begin their first trials, so often at ``most``."""

    most = deaths = 0

    def __init__(self) -> None:
        self._inner, self._is_broken = SerialExecutor(), False

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self._is_broken:
            raise BrokenProcessPool("a child process terminated abruptly")
        if fn is not run_trial or Dying.deaths == Dying.most:
            return self._inner.submit(fn, *args, **kwargs)
        Dying.deaths, self._is_broken = Dying.deaths + 1, True
        future: Future[object] = Future()
        future.set_exception(BrokenProcessPool("a child process terminated abruptly"))
        return future


@pytest.fixture
def dying(monkeypatch) -> Iterator[type[Dying]]:
    monkeypatch.setitem(EXECUTORS, "dying", lambda workers, address: Dying())
    monkeypatch.setattr(Dying, "deaths", 0)
    return Dying


def test_workers_that_die_before_any_trial_begins_are_told_and_counted(tmp_path, dying):
    dying.most = 2
    study = search_of(tmp_path, *WORDS, "study.max_retries=2")
    led, said = lead(study, Pool("dying", 1))
    assert led.report.ended is Ended.COMPLETE
    assert len(study.trials()) == 3
    line = (
        "workers died as they started (BrokenProcessPool: a child process terminated abruptly); "
        "others are started"
    )
    assert said == [line, line]


def test_workers_that_always_die_as_they_start_end_the_study(tmp_path, dying):
    dying.most = MOST
    led, said = lead(search_of(tmp_path, *WORDS, "study.max_retries=2"), Pool("dying", 1))
    assert dying.deaths == 3
    assert len(said) == 2
    assert led.report.why == (
        "workers die as they start (BrokenProcessPool: a child process terminated abruptly)"
    )


class Losing(SerialExecutor):
    """Workers that go on although the call that trains trial 1 is lost, so often at ``most``."""

    most = made = lost = 0

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        if fn is not run_trial or args[0].number != 1 or Losing.lost == Losing.most:
            return super().submit(fn, *args, **kwargs)
        Losing.lost += 1
        future: Future[object] = Future()
        future.set_exception(LostTrialError("its workers died"))
        return future


@pytest.mark.parametrize(("most", "stopped"), [
    (2, None), (3, "trial 1 was broken by the machine 3 times (LostTrialError: its workers died)"),
])  # fmt: skip
def test_a_trial_that_is_lost_is_run_again_by_the_same_workers(
    tmp_path, monkeypatch, most, stopped
):
    def make(workers, address):
        Losing.made += 1
        return Losing()

    for name, value in {"most": most, "made": 0, "lost": 0}.items():
        monkeypatch.setattr(Losing, name, value)
    monkeypatch.setitem(EXECUTORS, "losing", make)
    study = search_of(tmp_path, *WORDS, "study.max_retries=2")
    led, said = lead(study, Pool("losing", 1))
    assert led.report.why == stopped
    assert (Losing.made, Losing.lost) == (1, most)
    assert len(said) == 2
    assert len(study.trials()) == (1 if stopped else 3)
