"""Several processes run one study: the table is that of one process, each trial is trained once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
import yaml
from needs import needs
from studies import SERIAL, SMALL, run_small, search_of, table

from nndl_exp.study.running.coordinator import Coordinator

JOINED = ("training.epochs=40", "dataset.training_size=1000", "training.stopping.name=none",
          "study.name=joined", "storage.heartbeat=1")  # fmt: skip


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return run_small(tmp_path_factory.mktemp("alone"), *JOINED, *SERIAL)


def ended(*processes: subprocess.Popen[str]) -> list[str]:
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        assert process.returncode == 0, output
        assert "Traceback" not in output
    return outputs


def check(folder: Path, alone, *words: str) -> None:
    """The table and the count; nothing is left over."""
    study = search_of(folder, *JOINED, *words)
    assert table(study).equals(alone)
    assert len(list(study.directory.glob("trials/*/result.json"))) == len(alone)
    assert not list(study.directory.glob("trials/*/checkpoint.npz"))
    assert not list(study.directory.glob(".members/*"))
    assert not list(study.directory.rglob(".*json-*"))


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def join(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process that runs the study, and prints how many trials its workers trained."""
    here = Path(__file__).parent
    paths = [str(here), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(here / "lead.py"), str(folder), *JOINED, *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgresql", marks=needs("postgresql"))]
)
@pytest.mark.long
def test_three_processes_run_one_study(tmp_path, alone, database, request):
    words = ("workers=1", "executor=serial")
    if database == "postgresql":
        url = request.getfixturevalue("storage")
        words += ("storage=postgresql", f"storage.url={url}")
    trained = [int(text) for text in ended(*(join(tmp_path, *words) for _ in range(3)))]
    check(tmp_path, alone)
    assert sum(trained) == len(alone), trained
    assert sum(n > 0 for n in trained) > 1, trained
    assert len(list(tmp_path.glob("studies/joined/stages/joint/trials/*/proposal.json"))) == len(
        alone
    )
    if database == "postgresql":
        postgres, name = request.getfixturevalue("postgres"), url.rpartition("/")[2]
        for rows in ("claims", "members"):
            assert postgres.execute(f"SELECT count(*) FROM nndl_exp.{rows}", name) == [(0,)]


@pytest.mark.long
def test_when_the_process_that_shows_the_study_is_killed_another_shows_it(cli):
    words = (*SMALL[1:], *JOINED, "workers=1", "executor=serial", "pruner=none")
    folder = cli.folder / "nndl-output"
    first = cli.start("nndl_exp.sweep", *words)
    wait_for(folder / "studies/joined/stages/joint/trials/1/result.json", first)
    second = cli.start("nndl_exp.sweep", *words)
    wait_for(folder / "studies/joined/stages/joint/trials/3/result.json", second)
    first.kill()
    first.communicate(timeout=30)
    ended(second)
    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("mnist_5k")
    runs = client.search_runs([experiment.experiment_id])
    names = sorted(run.data.tags["nndl.run"] for run in runs)
    assert names == sorted(["joined", "joined/joint", *(f"joined/joint/{i}" for i in range(14))])
    parent = next(run for run in runs if run.data.tags["nndl.run"] == "joined")
    assert (parent.info.status, parent.data.tags["state"]) == ("FINISHED", "complete")
    (version,) = client.search_model_versions("name = 'joined'")
    assert version.version == client.get_model_version_by_alias("joined", "champion").version
    champion = client.get_run(version.run_id).data.tags
    best = yaml.safe_load((folder / "studies/joined/best.yaml").read_text())["origin"]["run"]
    assert (champion["nndl.run"], champion["champion"]) == (best, "joined")


def test_a_trial_that_was_proposed_unseen_is_taken_up(tmp_path, alone):
    """By a process that came and went before this one looked who else was there."""
    study = search_of(tmp_path, *JOINED, *SERIAL)
    coordinator = Coordinator(study)
    trials = iter(coordinator)
    next(trials)
    there = [slot.proposal for slot in coordinator.slots]
    settled = [study.settled(trial) for trial in study.trials()]
    proposer = study.proposer()
    proposer.restore(there, settled)
    unseen = proposer.ask(settled)
    assert study.record(unseen)
    assert unseen.number == len(there)
    assert [trial.number for trial in trials][-1] == len(alone) - 1
    assert table(study).equals(alone)
