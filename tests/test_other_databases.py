"""``optuna.db`` or ``mlflow.db`` of another version, of another program, or no database at all."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from typed import command

from nndl_exp import database

RUN = ("dataset=digits_8x8", "dataset.training_size=100", "dataset.validation_size=50",
       "training.epochs=2")  # fmt: skip
SWEEP = (*RUN, "strategy=joint", "study.name=s", "executor=serial",
         "search_space.network.hidden=null")  # fmt: skip
OLDER = {"optuna.db": "v3.0.0.a", "mlflow.db": "cfd24bdc0731"}
"""Versions that both had once."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An output folder with a study of two trials and both databases, to be copied."""
    from nndl_exp.sweep import main

    output = tmp_path_factory.mktemp("whole") / "nndl-output"
    with pytest.raises(SystemExit) as end:
        main([*SWEEP, "study.n_trials=2", f"output={output}"])
    assert not end.value.code
    for name in OLDER:
        with closing(sqlite3.connect(output / name)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return output


@pytest.fixture
def output(folder, whole) -> Path:
    return Path(shutil.copytree(whole, folder / "nndl-output"))


def stamp(file: Path, version: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
        connection.commit()


def swap(file: Path) -> None:
    """Put the other's database in its place."""
    (other,) = OLDER.keys() - {file.name}
    shutil.copy(file.with_name(other), file)


def directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


VERSIONS: dict[str, Callable[[Path], None]] = {
    "older": lambda file: stamp(file, OLDER[file.name]),
    "newer": lambda file: stamp(file, "v99.0.0.a"),
}
OTHERS: dict[str, Callable[[Path], None]] = {
    "the other's": swap,
    "text": lambda file: file.write_text("notes\n" * 500) and None,
    "a folder": directory,
}
CASES = VERSIONS | OTHERS


def tree(folder: Path) -> set[Path]:
    """All but what SQLite and locks leave beside databases."""
    others = (".", "optuna.db", "mlflow.db-")
    return {path for path in folder.rglob("*") if not path.name.startswith(others)}


@pytest.mark.parametrize("case", CASES)
def test_an_optuna_db_that_can_not_be_used(output, typed, case):
    CASES[case](output / "optuna.db")
    before = tree(output)
    for name in ("s", "new"):
        words = (*SWEEP, "study.n_trials=3", f"study.name={name}")
        said = typed(command("sweep", *words), status=2)
        line = said[said.index("error: ") :]
        assert line.count("\n") == 1
        assert "optuna.db" in line
        assert "move it away and repeat the command: the trials' folders are the record" in line
        assert ("run optuna storage upgrade --storage sqlite:///" in line) == (case in VERSIONS)
    assert tree(output) == before, "nothing has been made"
    typed(command("studies"))
    assert "IDENTICAL" in typed(command("reproduce", "s/0"))
    shutil.move(output / "optuna.db", output / "away")
    typed(command("sweep", *SWEEP, "study.n_trials=3", "tracking=none"))


@pytest.mark.parametrize("case", CASES)
def test_an_mlflow_db_that_can_not_be_used(output, typed, cli, case):
    CASES[case](output / "mlflow.db")
    before = tree(output)
    for words in (("train", *RUN), ("sweep", *SWEEP, "study.n_trials=3"), ("sync",)):
        line = typed(command(*words), status=2)
        assert line.startswith("error: nndl-output/mlflow.db ") or words[0] == "sweep"
        assert "error: nndl-output/mlflow.db " in line
        assert "move it away: python -m nndl_exp.sync makes it again" in line
        assert "start the server" not in line
        assert ("keep a copy and run mlflow db upgrade sqlite:///nndl-output/mlflow.db, or" in line
                ) == (case in VERSIONS)  # fmt: skip
    assert tree(output) == before, "nothing has been trained"
    typed(command("studies"))
    for words, says in ((("evaluate", "s/0"), "MLflow does not show it: "),
                        (("report", "s"), "MLflow does not keep the report: ")):  # fmt: skip
        said = typed(command(*words))
        assert f"{says}nndl-output/mlflow.db " in said
        assert "start the server" not in said
    shutil.move(output / "mlflow.db", output / "away")
    if case == "newer":  # in a process of its own: MLflow keeps the connections of this one
        assert "MLflow shows 1 studies" in cli.ok("nndl_exp.sync")


@pytest.mark.parametrize("case", VERSIONS)
def test_a_tracking_uri_of_another_version(folder, whole, typed, case):
    uri = f"sqlite:///{folder}/mlflow.db"
    shutil.copy(whole / "mlflow.db", folder)
    VERSIONS[case](folder / "mlflow.db")
    line = typed(command("train", *RUN, f"tracking.uri={uri}"), status=2)
    assert line.startswith(f"error: tracking.uri {uri} must have the tables of MLflow ")
    assert f"keep a copy and run mlflow db upgrade {uri}, or name another one" in line
    assert "start the server" not in line


def test_a_version_of_mlflow_that_has_made_no_tables_yet(
    output, typed, monkeypatch, tmp_path_factory
):
    """Then no template says which version the tables have: MLflow is asked."""
    monkeypatch.setenv("NNDL_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    stamp(output / "mlflow.db", "v99.0.0.a")
    assert "mlflow db upgrade" in typed(command("train", *RUN), status=2)


def test_a_new_file_that_another_process_sets_up_is_waited_for(tmp_path):
    url = database.url_below(tmp_path, "optuna")
    engine = sqlalchemy.create_engine(url, connect_args={"timeout": 0})
    other = sqlite3.connect(database.file_of(url), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    release = threading.Timer(0.3, other.rollback)
    release.start()
    database.fast_sqlite(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    release.join()
    other.close()


def test_a_file_that_can_t_be_written_is_not_asked_again(tmp_path, monkeypatch):
    url = database.url_below(tmp_path, "optuna")
    with closing(sqlite3.connect(database.file_of(url))) as connection:
        connection.execute("CREATE TABLE t (x)")
    engine = sqlalchemy.create_engine(f"sqlite:///file:{database.file_of(url)}?mode=ro&uri=true")
    database.fast_sqlite(engine)
    monkeypatch.setattr(database.time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(sqlalchemy.exc.OperationalError, match="readonly"):
        engine.connect()
