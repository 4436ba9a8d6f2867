"""A real MLflow server over HTTP: tracking to it, an outage, and no password anywhere."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import pytest
from studies import SMALL

from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.tracking.client import connect

SECRET = "s3cret-passw0rd"
SWEEP = (*SMALL[1:], "study.n_trials=8", "study.name=served", "search_space.network.hidden=null")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """An MLflow server of our own on loopback, ended by its process group."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db",
        "--artifacts-destination", str(folder / "served"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                   "MLFLOW_DISABLE_TELEMETRY": "true"}  # fmt: skip
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://nndl:{SECRET}@127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_a_sweep_tracks_to_a_server_and_leaves_no_password(cli, monkeypatch, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    with server(folder, port) as uri:
        monkeypatch.setenv("NNDL_TRACKING_URI", uri)
        printed = cli.ok("nndl_exp.sweep", *SWEEP, f"tracking.uri={uri}")
        client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
        experiment = client.get_experiment_by_name("mnist_5k")
        runs = client.search_runs([experiment.experiment_id])
        assert len(runs) == 9
        child = next(run for run in runs if run.info.run_name == "served/0")
        assert "weights.npz" in {f.path for f in client.list_artifacts(child.info.run_id)}
        assert f"look       open http://nndl:***@127.0.0.1:{port}" in printed
        assert "IDENTICAL" in cli.ok("nndl_exp.reproduce", child.info.run_id)
        # Without the run's folder, the record comes from MLflow's artifacts.
        (cli.folder / "nndl-output").rename(cli.folder / "elsewhere")
        assert "IDENTICAL" in cli.ok("nndl_exp.reproduce", child.info.run_id)
    assert SECRET not in printed
    for root in (cli.folder, folder):
        for path in root.rglob("*"):
            if path.is_file():
                assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "uri", ["htp://127.0.0.1:9", "127.0.0.1:9", "http://", "http://h:port", "ftp://h/x", "runs"]
)
def test_what_can_not_be_a_server_is_refused_without_asking(tmp_path, uri):
    with pytest.raises(UserError, match=r"tracking\.uri must be like http://HOST:5000, .*: got "):
        connect(tmp_path, TrackingConfig(uri=uri))


def test_when_the_server_goes_away_the_study_goes_on(cli, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    words = (*SWEEP, "training.epochs=40", "dataset.training_size=1500", "pruner=none",
             "training.stopping.name=none")  # fmt: skip
    with server(folder, port) as uri:
        process = cli.start("nndl_exp.sweep", *words, f"tracking.uri={uri}")
        record = cli.folder / "nndl-output/studies/served/trials/0/result.json"
        while not record.exists() and process.poll() is None:
            time.sleep(0.1)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    assert "MLflow did not answer" in out
    assert SECRET not in out + err
    with server(folder, port) as uri:
        cli.ok("nndl_exp.sync", "--tracking-uri", uri)
        client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
        experiment = client.get_experiment_by_name("mnist_5k")
        names = [run.info.run_name for run in client.search_runs([experiment.experiment_id])]
        assert sorted(names) == ["served", *(f"served/{i}" for i in range(8))]
