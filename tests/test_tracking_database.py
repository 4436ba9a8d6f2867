"""MLflow's empty database: made once, copied into each output folder, never trusted blindly."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from nndl_exp.config import TrackingConfig
from nndl_exp.tracking import empty_database
from nndl_exp.tracking.client import connect


class Tables:
    """Has MLflow make its tables, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, uri: str) -> None:
        self.made += 1
        MlflowClient(uri, registry_uri=uri).search_experiments()


@pytest.fixture
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NNDL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def experiments(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT name, artifact_location FROM experiments").fetchall()


def test_tables_are_made_once_for_all_folders_and_again_where_the_copy_is_damaged(
    tmp_path, cache_of_its_own
):
    tables, files = Tables(), [tmp_path / f"{i}/mlflow.db" for i in range(4)]
    for i in (0, 1):
        empty_database.put(files[i], f"file:///{i}/mlflow-artifacts/Default", tables)
        assert experiments(files[i]) == [("Default", f"file:///{i}/mlflow-artifacts/Default")]
    assert tables.made == 1
    (template,) = cache_of_its_own.iterdir()
    with closing(sqlite3.connect(template)) as connection:
        connection.execute("INSERT INTO experiments (experiment_id, name) VALUES (7, 'other')")
        connection.commit()
    empty_database.put(files[2], "file:///x", tables)
    assert (tables.made, len(experiments(files[2]))) == (2, 1), "one that was used is no template"
    template.write_bytes(template.read_bytes()[:5000])
    empty_database.put(files[3], "file:///x", tables)
    assert tables.made == 3
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {*files, template}
    client = connect(tmp_path / "1", TrackingConfig())
    assert client.get_experiment(client.create_experiment("new")).name == "new"
    assert [e.name for e in connect(tmp_path / "0", TrackingConfig()).search_experiments()] == [
        "Default"
    ]


def test_a_file_that_is_there_stays(tmp_path, cache_of_its_own):
    (tmp_path / "mlflow.db").write_text("mine")
    empty_database.put(tmp_path / "mlflow.db", "file:///x", Tables())
    assert (tmp_path / "mlflow.db").read_text() == "mine"
    assert not cache_of_its_own.exists()


def test_without_a_cache_mlflow_makes_its_tables_in_the_folder(tmp_path, cache_of_its_own):
    cache_of_its_own.write_text("a file where the cache should be")
    client = connect(tmp_path / "output", TrackingConfig())
    assert [experiment.name for experiment in client.search_experiments()] == ["Default"]
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["mlflow.db"]


def test_what_a_deleted_database_left_is_not_taken_for_part_of_the_new_one(
    tmp_path, cache_of_its_own
):
    file = tmp_path / "mlflow.db"
    log = file.with_name("mlflow.db-wal")
    empty_database.put(file, "file:///x", Tables())
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("INSERT INTO experiments (experiment_id, name) VALUES (7, 'old')")
        connection.commit()
        left = log.read_bytes()
    assert left, "written ahead"
    assert not log.exists(), "and into the database when it is closed"
    file.unlink()
    log.write_bytes(left)  # as a process leaves it that is killed
    empty_database.put(file, "file:///x", Tables())
    assert [name for name, _ in experiments(file)] == ["Default"]
