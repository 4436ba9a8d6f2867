"""What is advised after an outage of MLflow: typed as it stands, it fills the right place."""

import re
import sqlite3
from contextlib import closing

import pytest
from mlflow import MlflowClient
from typed import command, printed_commands

from nndl_exp import database
from nndl_exp.config import TrackingConfig
from nndl_exp.tracking import outage_line

RUN = ("dataset=digits_8x8", "dataset.training_size=100", "dataset.validation_size=50",
       "training.epochs=2", "output=o ut")  # fmt: skip
SEARCH = (*RUN, "strategy=joint", "study.n_trials=2", "study.name=s", "executor=serial",
          "search_space.network.hidden=null")  # fmt: skip
STAGED = (*RUN, "strategy.stages=[joint]", "study.name=s", "workers=1", "executor=serial",
          "strategy.epochs=20", "strategy.stages=[joint,winner]", "study.n_trials=2",
          "strategy.options.winner.seeds=3")  # fmt: skip
REFUSES = "CREATE TRIGGER refuses BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'no'); END"


def runs_of(uri: str) -> set[str]:
    """The names of our runs in MLflow."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("digits_8x8")
    return {r.data.tags["nndl.run"] for r in client.search_runs([experiment.experiment_id])}


def advised(said: str) -> str:
    (line,) = re.findall(r"nothing is lost: (python -m nndl_exp\.sync.*) shows it there", said)
    return str(line)


@pytest.mark.parametrize(
    ("module", "words"), [("train", RUN), ("sweep", SEARCH), ("sweep", STAGED)],
    ids=["train", "search", "stages"],
)  # fmt: skip
def test_the_advice_fills_the_database_that_was_typed(folder, typed, module, words):
    """A database that takes no runs any more, until it does."""
    uri = f"sqlite:///{folder}/there.db"
    client = MlflowClient(uri)
    client.create_experiment("digits_8x8", artifact_location=(folder / "artifacts").as_uri())
    with closing(sqlite3.connect(folder / "there.db")) as connection:
        connection.execute(REFUSES)
        said = typed(command(module, *words, f"tracking.uri={uri}"))
        assert runs_of(uri) == set()
        connection.execute("DROP TRIGGER refuses")
    typed(advised(said))
    shown = runs_of(uri)
    assert shown
    assert module == "train" or {"s"} < shown
    for line in printed_commands(said):
        if "evaluate" in line or "report" in line:
            assert f"--tracking-uri {uri}" in line
            typed(line)
    assert not list(folder.rglob("mlflow.db")), "and nothing else"


def test_the_advice_fills_postgresql(folder, typed, postgres, storage):
    words = (*SEARCH, "storage=postgresql", f"storage.url={storage}")
    typed(command("init_storage", "--url", storage))
    name = storage.rpartition("/")[2]
    postgres.execute("ALTER TABLE mlflow.runs ADD CONSTRAINT refuses CHECK (false)", name)
    said = typed(command("sweep", *words))
    uri = database.schema_url(database.address(storage), "mlflow")
    assert runs_of(uri) == set()
    postgres.execute("ALTER TABLE mlflow.runs DROP CONSTRAINT refuses", name)
    postgres.execute("DROP SCHEMA optuna CASCADE", name)
    typed(advised(said))
    assert runs_of(uri) == {"s", "s/joint", "s/joint/0", "s/joint/1"}
    assert postgres.execute("SELECT count(*) FROM optuna.trials", name) == [(2,)]
    assert not list(folder.rglob("*.db"))


def test_a_password_in_the_advice_is_masked():
    tracking = TrackingConfig(uri="http://me:s3cret@host:5000")
    line = outage_line("ReadTimeout", "a b", tracking)
    assert "sync --output 'a b' --tracking-uri 'http://me:***@host:5000' shows it" in line
