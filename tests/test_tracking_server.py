"""A real MLflow server over HTTP: tracking to it, and no password anywhere."""

import mlflow
import pytest
from mlflow_server import SECRET, free_port, server
from studies import SMALL

from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.tracking.client import connect

SWEEP = (*SMALL[1:], "study.n_trials=8", "study.name=served", "search_space.network.hidden=null")


@pytest.mark.long
def test_a_sweep_tracks_to_a_server_and_leaves_no_password(cli, monkeypatch, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    with server(folder, port) as uri:
        monkeypatch.setenv("NNDL_TRACKING_URI", uri)
        printed = cli.ok("nndl_exp.sweep", *SWEEP, f"tracking.uri={uri}")
        client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
        experiment = client.get_experiment_by_name("mnist_5k")
        runs = client.search_runs([experiment.experiment_id])
        assert len(runs) == 10
        child = next(run for run in runs if run.data.tags["nndl.run"] == "served/joint/0")
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
