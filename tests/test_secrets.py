"""Passwords: planted in every place that takes one, looked for in everything that is left."""

import base64
import importlib
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from composing import composed_all
from mlflow_server import SECRET, free_port, server
from needs import needs
from studies import SMALL

from nndl_exp.errors import UserError
from nndl_exp.masking import masked
from nndl_exp.records import provenance

IN_ENVIRONMENT = "env1ronment-passw0rd"
TRACES = [trace.encode() for secret in (SECRET, IN_ENVIRONMENT)
          for trace in (secret, base64.b64encode(f"nndl:{secret}".encode()).decode())]  # fmt: skip
TRAIN = ("training.epochs=1", "dataset.training_size=100", "network.hidden=[5]")
SWEEP = (*SMALL[1:], "study.n_trials=3", "study.name=s", "search_space.network.hidden=null",
         "executor=serial")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://me:secret@host:5000/x", "http://me:***@host:5000/x"),
        ("http://:secret@host", "http://:***@host"),
        ("'http://me:sec:ret@h', or ftp://a:b@c.", "'http://me:***@h', or ftp://a:***@c."),
        ("http://me:p@ss/wo?rd@host", "http://me:***@host"),
        ("postgresql+psycopg://me:secret@/db", "postgresql+psycopg://me:***@/db"),
        ("postgresql://host/db?user=me&password=se%20cret&x=1",
         "postgresql://host/db?user=me&password=***&x=1"),
        ("x?sslpassword=a y?api_key=b", "x?sslpassword=*** y?api_key=***"),
        ("from=http:/me:secret@host", "from=http:/me:***@host"),
        ("sqlite:////tmp/a.db", "sqlite:////tmp/a.db"),
        ("open http://127.0.0.1:5000/#/experiments/1", "open http://127.0.0.1:5000/#/experiments/1"),
        ("page_token=token, a: b@c", "page_token=token, a: b@c"),
    ],
)  # fmt: skip
def test_passwords_of_addresses_are_masked(text, expected):
    assert masked(text) == expected
    assert masked(expected) == expected
    assert str(UserError(text)) == expected


def test_a_configuration_is_printed_without_its_password(capsys, monkeypatch):
    assert composed_all("train", [f"tracking.uri=http://me:{SECRET}@h", "--cfg", "job"]) == []
    out, err = capsys.readouterr()
    assert "uri: http://me:***@h" in out
    assert SECRET not in out + err


@pytest.mark.parametrize(
    "words",
    [
        [f"tracking.uri=[http://me:{SECRET}@h]"],
        [f"tracking.urii=http://me:{SECRET}@h"],
        [f"tracking.uri=http://me:{SECRET}@h}}"],
        [f"tracking=http://me:{SECRET}@h"],
        [f"output=http://me:{SECRET}@h", "seed=x"],
        [f"http://me:{SECRET}@h"],
        [f"from=http://me:{SECRET}@h"],
        [f"--config-path=http://me:{SECRET}@h"],
        [f"tracking.uri=postgresql://me:{SECRET}@127.0.0.1:1/db", *TRAIN],
        [f"tracking.uri=postgresql://127.0.0.1:1/db?password={SECRET}", *TRAIN],
        [f"tracking.uri=sqlite://me:{SECRET}@/other.db", *TRAIN],
        [f"tracking.uri=nonsense://me:{SECRET}@h", *TRAIN],
    ],
    ids=range(12),
)
def test_an_error_line_has_no_password(tmp_path, monkeypatch, capsys, words):
    from nndl_exp.train import main

    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    assert err.count("\n") == 1


@needs("git")
def test_the_difference_to_the_commit_is_kept_without_passwords(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@y"]
    (tmp_path / "mlflow.yaml").write_text("uri: null\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *words], check=True)
    (tmp_path / "mlflow.yaml").write_text(f"uri: http://me:{SECRET}@host\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "a" / "b" / "c.py"))
    said = provenance._git()
    assert said is not None
    assert "+uri: http://me:***@host" in said["diff"]
    assert SECRET not in str(said)


def leaks(root: Path) -> list[Path]:
    """The files below a folder that hold a password, in plain sight or inside a table."""
    found = []
    for path in root.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".parquet":
            content += pd.read_parquet(path).to_csv().encode()
        if any(trace in content for trace in TRACES):
            found.append(path)
    return found


@pytest.mark.long
def test_a_sweep_and_a_training_leave_no_password(tmp_path, monkeypatch, capfd, tmp_path_factory):
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "nndl")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", IN_ENVIRONMENT)
    said: list[str] = []

    def run(module: str, *words: str, status: int) -> str:
        try:
            importlib.import_module(f"nndl_exp.{module}").main(list(words))
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said.append("".join(capfd.readouterr()))
        assert code == status, said[-1]
        return said[-1]

    with server(folder, port) as uri:
        tracked = f"tracking.uri={uri}"
        printed = run("sweep", *SWEEP, tracked, "study.budget=0.01s", status=1)
        assert f"tracking.uri=http://nndl:***@127.0.0.1:{port}" in printed, "how to resume"
        run("sweep", *SWEEP, tracked, status=0)
        run("train", *TRAIN, tracked, status=0)
    printed = run("train", *TRAIN, "seed=2", tracked, status=2)
    assert printed.startswith(
        f"error: tracking.uri http://nndl:***@127.0.0.1:{port} does not answer"
    ), "nothing has been trained"
    assert "MLflow does not show it" in run("evaluate", "s/0", "--tracking-uri", uri, status=0)
    assert not any(trace.decode() in text for trace in TRACES for text in said)
    assert (folder / "server.db").stat().st_size > 100_000
    assert [*(folder / "served").rglob("weights.npz")]
    assert leaks(tmp_path) + leaks(folder) == []
    # The search finds what it looks for.
    (tmp_path / "planted").write_text(SECRET)
    assert leaks(tmp_path) != []
