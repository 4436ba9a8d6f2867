"""Who trains which trial: claims that are lost, raced for, deleted, and left by the dead."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from killed import STEPS
from needs import needs
from studies import SERIAL, run_small, search_of, study_of, table

from nndl_exp.records import atomic
from nndl_exp.study.running.claims import Claims
from nndl_exp.study.running.coordinator import Coordinator
from nndl_exp.study.running.members import FOLDER, Leadership, Member, is_running
from nndl_exp.study.running.stop import Ended
from nndl_exp.study.running.table import Table, url_of
from nndl_exp.study.search import Search
from nndl_exp.study.summary import summary

HERE = Path(__file__).parent
DEAD = f"another-host-{'a' * 32}"


def started(program: str, *words: object) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, *(("-c", program) if " " in program else (str(HERE / program),))]
    return subprocess.Popen(
        [*command, *map(str, words)], env={**os.environ, "PYTHONPATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return run_small(tmp_path_factory.mktemp("whole"), *SERIAL)


@pytest.fixture
def study(tmp_path) -> Search:
    words = (*SERIAL, "storage.heartbeat=1", "study.name=claimed")
    study_of(tmp_path, *words).create()
    search = search_of(tmp_path, *words)
    search.create()
    return search


def claims_of(study: Search, training: Callable[[], list[int]] = list) -> Claims:
    return Claims(study, training, lambda number: None, print)


def leftovers(study: Search) -> list[Path]:
    found = [*study.directory.glob(f"{FOLDER}/*"), *study.directory.glob(".stop-*")]
    for folder in study.directory.glob("trials/*"):
        found += atomic.unfinished(folder)
    return found


# Killed


@pytest.mark.parametrize("number", [1, 6])
@pytest.mark.parametrize("step", STEPS)
def test_a_study_killed_between_two_steps_ends_with_the_same_table(tmp_path, whole, step, number):
    words = (*SERIAL, "storage.heartbeat=60")  # nobody waits for a dead process of this host
    process = started("killed.py", step, number, tmp_path, *words)
    said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
    assert run_small(tmp_path, *words).equals(whole)
    assert leftovers(search_of(tmp_path, *words)) == []


# Several processes


def test_a_claim_is_taken_once(study):
    with claims_of(study) as one, claims_of(study) as other:
        assert one.take(3)
        assert one.take(3), "the answer to the first may have been lost"
        assert not other.take(3)
        assert other.free([3, 4]) == [4]
        one.keep([])
        assert other.take(3)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=needs("postgresql"))]
)
def test_of_those_that_take_over_one_succeeds(tmp_path, database, request):
    words = (*SERIAL, "study.name=claimed", "storage.heartbeat=1")
    if database == "postgresql":
        words += ("storage=postgresql", f"storage.url={request.getfixturevalue('storage')}")
    study = search_of(tmp_path, *words)
    study.create()
    dead = Table(url_of(study.config), str(study.id), DEAD, 3.0)
    dead.create()
    for trial in range(20):
        dead.take(trial)  # without a heartbeat
    taken: list[int] = []
    barrier = threading.Barrier(4)

    def take_over() -> None:
        with claims_of(study) as claims:
            for trial in range(20):
                barrier.wait()
                claims.free([trial])
                if claims.take(trial):
                    taken.append(trial)
            barrier.wait()

    threads = [threading.Thread(target=take_over) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(20))
    dead.close()


def silent_claims(study: Search) -> list[tuple[str, float | None, bool]]:
    reader = Table(url_of(study.config), str(study.id), "reader", 3.0)
    found = [claim for claim in reader.others().values() if not claim[2]]
    reader.close()
    return found


def test_a_silent_process_keeps_what_it_writes_and_what_it_has_spoken_for(study):
    silent = Table(url_of(study.config), str(study.id), DEAD, 3.0)
    silent.create()
    silent.beat()
    assert silent.take(0)
    with claims_of(study) as claims:
        assert claims.free([0]) == []
        assert not claims.alone
        with closing(sqlite3.connect(Path(study.config.output) / "claims.db")) as connection:
            connection.execute("UPDATE members SET heartbeat = heartbeat - 60")
            connection.commit()
        with study.run_directory(0).lock():
            assert claims.free([0]) == [], "somebody writes its record"
        ((owner, heartbeat, lives),) = silent_claims(study)
        assert (owner, lives) == (DEAD, False)
        silent.beat()
        other = Table(url_of(study.config), str(study.id), "other", 3.0)
        other.free(0, owner, heartbeat)
        assert other.others()[0][0] == DEAD, "it has spoken in between"
        other.close()
    silent.close()


def test_a_process_that_lost_a_claim_stops_training_that_trial(tmp_path, whole):
    """Another one takes its trial, as from one that was silent, and dies: it is taken back."""
    words = ("workers=1", "training.epochs=4000", "training.stopping.name=none", "pruner=none",
             "study.n_trials=1", "study.name=lost", "storage.heartbeat=1")  # fmt: skip
    study = search_of(tmp_path, *words)
    process = started("lead.py", tmp_path, *words)
    epochs = study.run_directory(0).path / "epochs.jsonl"
    until(epochs.exists)
    with closing(sqlite3.connect(tmp_path / "claims.db", timeout=60)) as connection:
        thief = Table(url_of(study.config), str(study.id), DEAD, 3.0)
        thief.beat()
        connection.execute("UPDATE claims SET owner = ?", (DEAD,))
        connection.commit()
        until(study.run_directory(0).is_free)
        there = len(study.run_directory(0).epochs())
        time.sleep(1.0)
        assert len(study.run_directory(0).epochs()) == there < 4000
        assert (study.run_directory(0).path / "checkpoint.npz").exists()
        thief.forget(DEAD)
        thief.close()
    until(lambda: len(study.run_directory(0).epochs()) > there)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# The table


def delete(file: Path) -> None:
    file.unlink()


def damage(file: Path) -> None:
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    file.write_text("no database " * 1000)


def drop(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE claims")


@pytest.mark.parametrize("harm", [delete, damage, drop])
def test_a_table_that_is_lost_in_mid_study_is_made_again(tmp_path, whole, harm):
    study = search_of(tmp_path, *SERIAL)
    coordinator = Coordinator(study)
    for trial in coordinator:
        if trial.number == 4:
            harm(tmp_path / "claims.db")
    assert coordinator.report.ended is Ended.COMPLETE
    assert table(study).equals(whole)


@needs("postgresql")
def test_a_schema_that_is_lost_in_mid_study_is_made_again(tmp_path, whole, postgres, storage):
    words = (*SERIAL, "storage=postgresql", f"storage.url={storage}")
    study = search_of(tmp_path, *words)
    for trial in Coordinator(study):
        if trial.number == 4:
            name = storage.rpartition("/")[2]
            postgres.execute("DROP SCHEMA nndl_exp CASCADE", name)
    assert table(study).equals(whole)


def test_claims_are_made_again_with_the_table(study):
    with claims_of(study, lambda: [7]) as one, claims_of(study) as other:
        assert one.take(7)
        (Path(study.config.output) / "claims.db").unlink()
        until(lambda: other.free([7]) == [])
        assert not other.take(7)


# Who is there


def test_the_file_of_a_dead_container_keeps_nobody_from_being_alone(study):
    folder = study.directory / FOLDER
    folder.mkdir()
    (folder / DEAD).touch()
    gone = Table(url_of(study.config), str(study.id), DEAD, 3.0)
    gone.create()
    gone.beat()
    with claims_of(study) as claims:
        assert not claims.alone, "its lock may not be seen from here"
        assert (folder / DEAD).exists()
    gone.forget(DEAD)
    gone.close()
    with claims_of(study) as claims:
        assert claims.alone
        assert not (folder / DEAD).exists()


def test_a_process_that_was_killed_is_known_to_be_dead_at_once(study):
    program = (
        "import os, sys; from pathlib import Path; "
        "from nndl_exp.study.running.members import Member; "
        "Member(Path(sys.argv[1])).arrive(); os.kill(os.getpid(), 9)"
    )
    started(program, study.directory).communicate(timeout=60)
    (path,) = (study.directory / FOLDER).iterdir()
    dead = Table(url_of(study.config), str(study.id), path.name, 3.0)
    dead.create()
    dead.beat()
    dead.take(0)
    dead.close()
    assert Member(study.directory).is_dead(path.name)
    with claims_of(study) as claims:
        assert claims.alone
        assert claims.take(0)
    assert not is_running(study.directory)


@pytest.fixture
def asking(study) -> Iterator[subprocess.Popen[str]]:
    """A process that asks again and again how the study stands."""
    program = (
        "import sys; from nndl_exp.study.summary import summary\n"
        "while True: print(summary(sys.argv[1], sys.argv[2]).state, flush=True)"
    )
    process = started(program, study.config.output, "claimed")
    assert process.stdout is not None
    process.stdout.readline()
    threading.Thread(target=process.stdout.read, daemon=True).start()
    yield process
    process.kill()
    with suppress(ValueError):
        process.communicate()


def test_to_ask_how_a_study_stands_takes_nothing_from_one_that_starts(study, asking):
    for _ in range(300):
        leadership = Leadership(study.directory.parent.parent)
        assert leadership.take()
        leadership.release()
    assert asking.poll() is None


def test_a_study_is_running_while_a_process_leads_or_trains_it(study):
    output = study.config.output
    assert summary(output, "claimed").state == "not complete"
    leadership = Leadership(study.directory.parent.parent)
    assert leadership.take()
    assert summary(output, "claimed").state == "running"
    leadership.release()
    assert summary(output, "claimed").state == "not complete"
    with claims_of(study):
        assert summary(output, "claimed").state == "running"
    assert summary(output, "claimed").state == "not complete"
