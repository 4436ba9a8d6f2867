"""Studies in PostgreSQL: tables made once, no password anywhere, one line for what is wrong."""

import sys

import mlflow
import pytest
from postgres import PASSWORD
from studies import SERIAL, SMALL, run_small

from nndl_exp import database
from nndl_exp.errors import UserError

SWEEP = (*SMALL[1:], "storage=postgresql", "study.name=kept", "study.n_trials=3",
         "search_space.network.hidden=null")  # fmt: skip


@pytest.mark.long
def test_several_processes_may_start_on_an_empty_database(cli, postgres, storage):
    started = [cli.start("nndl_exp.init_storage", "--url", storage) for _ in range(3)]
    for process in started:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, out + err
        assert err == ""
        assert "has the tables of nndl_exp, Optuna and MLflow" in out
    name = storage.rpartition("/")[2]
    query = "SELECT nspname FROM pg_namespace JOIN pg_class c ON relnamespace = pg_namespace.oid \
             WHERE relname = 'alembic_version' ORDER BY 1"
    assert postgres.execute(query, name) == [("mlflow",), ("optuna",)]
    assert postgres.execute("SELECT count(*) FROM nndl_exp.claims", name) == [(0,)]
    assert postgres.execute("SELECT count(*) FROM optuna.version_info", name) == [(1,)]


@pytest.mark.long
def test_a_study_in_postgresql_is_that_in_sqlite(cli, monkeypatch, postgres, storage):
    """With the password in NNDL_STORAGE_URL: it is found nowhere in what the sweep leaves."""
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("NNDL_STORAGE_URL", storage.replace("nndl@", f"nndl:{PASSWORD}@"))
    printed = cli.ok("nndl_exp.sweep", *SWEEP)
    assert not list((cli.folder / "nndl-output").glob("*.db"))
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    uri = database.schema_url(database.address(storage), "mlflow")
    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("mnist_5k")
    runs = client.search_runs([experiment.experiment_id])
    names = {run.data.tags["nndl.run"] for run in runs}
    assert names == {"kept", "kept/joint", *(f"kept/joint/{i}" for i in range(3))}
    assert "mlflow ui --workers 1 --backend-store-uri 'postgresql+psycopg://nndl@" in printed
    name = storage.rpartition("/")[2]
    assert postgres.execute("SELECT count(*) FROM optuna.trials WHERE state = 'COMPLETE'", name)
    for table in postgres.execute("SELECT schemaname, tablename FROM pg_tables", name):
        rows = postgres.execute('SELECT * FROM "{}"."{}"'.format(*table), name)
        assert PASSWORD not in repr(rows), table
    assert PASSWORD not in printed
    for path in cli.folder.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path


def test_the_table_does_not_depend_on_the_storage(tmp_path, storage):
    words = (*SERIAL, "study.n_trials=6", "study.name=kept")
    here = run_small(tmp_path / "sqlite", *words)
    assert run_small(
        tmp_path / "there", *words, "storage=postgresql", f"storage.url={storage}"
    ).equals(here)


@pytest.mark.long
def test_what_is_wrong_is_said_in_one_line(cli, monkeypatch, postgres, storage):
    def refused(url: str, *words: str) -> str:
        said = cli.refused("nndl_exp.sweep", *SWEEP, "tracking=none", f"storage.url={url}", *words)
        assert PASSWORD not in said
        return said

    assert "the database postgresql+psycopg://nndl@127.0.0.1:9/x must answer: got" in refused(
        "postgresql://nndl@127.0.0.1:9/x"
    )
    assert 'database "nope" does not exist' in refused(storage.rpartition("/")[0] + "/nope")
    secret = storage.replace("nndl@", f"nndl:{PASSWORD}@")
    assert "storage.url must not hold a password" in refused(secret)
    assert "storage.url must not hold a password" in refused(f'"{storage}?password={PASSWORD}"')
    assert "storage.url must be like postgresql://" in refused("mysql://me@there/x")
    assert "storage.url must be like postgresql://" in refused("postgresql://me@there:port/x")
    assert "got neither" in refused("null")
    assert "storage.url goes with storage=postgresql" in refused(storage, "storage=sqlite")
    name = storage.rpartition("/")[2]
    postgres.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
    said = refused(storage.replace("nndl@", "guest@"))
    assert f"GRANT CREATE ON DATABASE {name} TO guest" in said
    said = cli.refused("nndl_exp.init_storage", "--url", secret)
    assert "--url must not hold a password" in said
    assert PASSWORD not in said
    assert "given by --url=postgresql://" in cli.refused("nndl_exp.init_storage")
    monkeypatch.setenv("PGPASSWORD", "another")
    assert 'password authentication failed for user "nndl"' in refused(storage)


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UserError, match=r"pip install 'nndl_exp\[postgres\]'"):
        url = database.schema_url(database.address("postgresql://nndl@127.0.0.1:9/x"), "optuna")
        with database.creating(url):
            pass


def test_a_password_is_handed_to_libpq_and_to_nothing_else(monkeypatch):
    monkeypatch.setenv("PGPASSWORD", "before")
    monkeypatch.setenv("NNDL_STORAGE_URL", "postgresql://me:a%40b@there/x?sslmode=require")
    url = database.schema_url(database.address(None), "optuna")
    assert "a%40b" not in url
    assert "a@b" not in url
    assert url.startswith("postgresql+psycopg://me@there/x?")
    assert "sslmode=require" in url
    import os

    assert os.environ["PGPASSWORD"] == "a@b"
