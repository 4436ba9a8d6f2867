"""MLflow, imported late and quiet, and where it keeps things."""

import gc
import hashlib
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from nndl_exp import database
from nndl_exp.config import TrackingConfig
from nndl_exp.errors import UserError
from nndl_exp.masking import masked
from nndl_exp.tracking import empty_database

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sqlalchemy import Connection, MetaData

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # by default a call to a dead server hangs 4 minutes
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # and one to a server that does not answer, 6 more
}

_WEB = ("http", "https")
_OTHERS = ("sqlite", "postgresql", "mysql", "mssql", "databricks")
"""What else MLflow knows, beside the folders that it does not write any more."""

_ARTIFACTS = "mlflow-artifacts"
_PLAIN = re.compile(r"|[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_ADDRESSES = {"artifact_location", "artifact_uri", "storage_location", "source"}


def database_file(output: Path | str) -> Path:
    """MLflow's own database below an output folder."""
    return Path(output) / "mlflow.db"


def tracking_uri(output: Path | str, tracking: TrackingConfig) -> str:
    """The tracking URI of the config, or that of the database below the output folder."""
    return tracking.uri or f"sqlite:///{database_file(output).resolve().as_posix()}"


def ui_command(output: Path | str, tracking: TrackingConfig) -> str:
    """What to type to look at the runs."""
    if tracking.uri and is_server(tracking):
        return f"open {masked(tracking.uri)}"
    uri = masked(tracking.uri) if tracking.uri else f"sqlite:///{database_file(output).as_posix()}"
    return f"mlflow ui --workers 1 --backend-store-uri {shlex.quote(uri)}"


def serve_command(output: Path | str, tracking: TrackingConfig, name: str) -> str:
    """What to type to have the champion of a registered model answer requests."""
    uri = masked(tracking.uri) if tracking.uri else f"sqlite:///{database_file(output).as_posix()}"
    return (
        f"MLFLOW_TRACKING_URI={shlex.quote(uri)} mlflow models serve "
        f"--model-uri models:/{name}@champion --env-manager local --port 5001"
    )


def is_server(tracking: TrackingConfig) -> bool:
    """Whether runs are shown by a server, which also keeps their artifacts."""
    return bool(tracking.uri) and "sql" not in urlsplit(str(tracking.uri)).scheme


def connect(output: Path | str, tracking: TrackingConfig) -> "MlflowClient":
    """A client for the tracking server or database, which is created when it is not there.

    Raises:
        UserError: it can't be the address of one, or does not answer.
    """
    uri = tracking_uri(output, tracking)
    _check_uri(uri)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    with _no_collecting():
        return _connect(uri, output, tracking)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Without garbage collection, which takes a third of the time that importing MLflow takes, and
    finds nothing; nor does it look through all of it again later (a quarter of a second each)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def _connect(uri: str, output: Path | str, tracking: TrackingConfig) -> "MlflowClient":
    import logging

    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not uri.startswith("http"):
        # A database that is not there would be asked for 100 s, and no setting changes that.
        from mlflow.store.db import utils

        utils.MAX_RETRY_COUNT = 4
    try:
        if tracking.uri is None:
            artifacts = artifact_location(output, "Default")
            empty_database.put(database_file(output), artifacts, _open)
            check_database(output)
        with database.creating(uri) if database.is_postgresql(uri) else nullcontext():
            return _open(uri)
    except (MlflowException, SQLAlchemyError, ImportError, OSError, ValueError) as e:
        raise UserError(
            f"tracking.uri {masked(uri)} does not answer ({type(e).__name__}); "
            "start the server, or use tracking=none"
        ) from None


def _open(uri: str) -> "MlflowClient":
    from mlflow import MlflowClient

    client = MlflowClient(uri, registry_uri=uri)
    client.search_experiments(max_results=1)
    return client


def _check_uri(uri: str) -> None:
    try:
        parts = urlsplit(uri)
        good = parts.scheme in _WEB and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        good = False
    if not good and not uri.startswith(_OTHERS):
        raise UserError(
            "tracking.uri must be like http://HOST:5000, sqlite:///FILE or "
            f"postgresql://USER@HOST/DATABASE: got {uri}"
        )


def experiment(
    client: "MlflowClient", output: Path | str, tracking: TrackingConfig, name: str
) -> str:
    """The id of an experiment, created if it is not there.

    Unless a server keeps its artifacts they lie in ``mlflow-artifacts`` below the output folder.
    """
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    location = None if is_server(tracking) else artifact_location(output, name)
    return str(client.create_experiment(name, artifact_location=location))


def relocate(output: Path | str) -> None:
    """Tell our own database where its artifacts lie now, after the output folder was moved.

    MLflow stores absolute addresses, and has no call to change them.
    """
    if not database_file(output).exists():
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(f"sqlite:///{database_file(output).resolve().as_posix()}")
    new = artifact_location(output, "")
    try:
        with engine.begin() as connection:
            former = _former_locations(connection, new)
            if not former:
                return  # the tables are read, which takes a while, where there is something to do
            tables = sqlalchemy.MetaData()
            tables.reflect(connection)
            for old in former:
                _move(connection, tables, old, new)
    finally:
        engine.dispose()


def _move(connection: "Connection", tables: "MetaData", old: str, new: str) -> None:
    from sqlalchemy import String, func

    for table in tables.tables.values():
        for name in _ADDRESSES & set(table.columns.keys()):
            column = table.columns[name]
            if not isinstance(column.type, String):
                continue  # of the same name, and no address
            inside = column.startswith(old, autoescape=True)
            moved = {name: func.replace(column, old, new)}
            connection.execute(table.update().where(inside).values(moved))


def _former_locations(connection: "Connection", new: str) -> set[str]:
    import sqlalchemy

    if not sqlalchemy.inspect(connection).has_table("experiments"):
        return set()
    rows = connection.execute(sqlalchemy.text("SELECT artifact_location FROM experiments"))
    locations = [row[0] or "" for row in rows]
    folder = f"/{_ARTIFACTS}/"
    former = {text[: text.rindex(folder) + len(folder)] for text in locations if folder in text}
    return former - {new}


def artifact_location(output: Path | str, name: str) -> str:
    """Where the artifacts of an experiment lie, as MLflow wants it: an absolute URI.

    A name that is no plain name of a folder is replaced by its digest: MLflow would follow ``..``.
    """
    folder = name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{(Path(output).resolve() / _ARTIFACTS).as_uri()}/{folder}"


def delete_artifacts(output: Path | str, uri: str) -> None:
    """Delete the folder of a run's or a model's artifacts, where it lies below ours."""
    folder = Path(url2pathname(urlsplit(uri).path)).resolve()
    ours = Path(output).resolve() / _ARTIFACTS
    if folder.parent.is_relative_to(ours) and folder.parent != ours:
        shutil.rmtree(folder.parent if folder.name == "artifacts" else folder, ignore_errors=True)


def check_database(output: Path | str) -> None:
    """Refuse a file that is no database, before a study starts.

    Raises:
        UserError: it is not one, or can't be read.
    """
    from sqlalchemy.exc import SQLAlchemyError

    try:
        relocate(output)
    except (SQLAlchemyError, OSError) as e:
        raise UserError(
            f"{database_file(output)} is not a database that MLflow can use ({type(e).__name__}); "
            "move it away: python -m nndl_exp.sync makes it again"
        ) from None
