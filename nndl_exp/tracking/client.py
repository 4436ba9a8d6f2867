"""MLflow, imported late and quiet, and where it keeps things."""

import gc
import hashlib
import importlib.metadata
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
from nndl_exp.display.commands import Commands
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


def tracking_uri(output: Path | str, tracking: TrackingConfig) -> str:
    """The tracking URI of the config, or that of the database below the output folder."""
    return tracking.uri or database.file_url(database.mlflow_file(output).resolve())


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

    from alembic.util import CommandError
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
            empty_database.put(database.mlflow_file(output), artifacts, _open)
            _check_file(output)
        with database.creating(uri) if database.is_postgresql(uri) else nullcontext():
            return _open(uri)
    except (
        MlflowException, CommandError, SQLAlchemyError, ImportError, OSError, ValueError
    ) as e:  # fmt: skip
        of_mlflow = isinstance(e, MlflowException | CommandError) and e.__cause__ is None
        if of_mlflow and not tracking.is_server:  # it compares the version of the tables
            raise UserError(_other_version(output, tracking)) from None
        raise UserError(_no_answer(output, tracking, e)) from None


def _no_answer(output: Path | str, tracking: TrackingConfig, error: Exception) -> str:
    if tracking.uri is None:
        return database.not_usable(database.mlflow_file(output), "MLflow", error, _remedy(output))
    start = "" if tracking.uri.startswith("sqlite") else "start the server, or "
    return (
        f"tracking.uri {masked(tracking.uri)} does not answer ({type(error).__name__}); "
        f"{start}use tracking=none"
    )


def _other_version(output: Path | str, tracking: TrackingConfig) -> str:
    file, uri = database.mlflow_file(output), tracking.uri
    what = f"tracking.uri {masked(uri)}" if uri else str(file)
    upgrade = f"mlflow db upgrade {shlex.quote(masked(uri) if uri else database.file_url(file))}"
    fills = f"name another one: {Commands(str(output), tracking).sync()} fills it"
    other = fills if uri else _remedy(output)
    return (
        f"{what} must have the tables of MLflow {importlib.metadata.version('mlflow')}: got those "
        f"of another version; keep a copy and run {upgrade}, or {other}"
    )


def _remedy(output: Path | str) -> str:
    return f"move it away: {Commands(str(output)).sync()} makes it again"


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
    location = None if tracking.is_server else artifact_location(output, name)
    return str(client.create_experiment(name, artifact_location=location))


def relocate(output: Path | str) -> None:
    """Tell our own database where its artifacts lie now, after the output folder was moved.

    MLflow stores absolute addresses, and has no call to change them.
    """
    if not database.mlflow_file(output).exists():
        return
    import sqlalchemy

    engine = sqlalchemy.create_engine(database.file_url(database.mlflow_file(output).resolve()))
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
    """Refuse a file that MLflow will not take for its database, before anything is trained.

    Without MLflow, which takes seconds to import, where the version of its tables is known.

    Raises:
        UserError: it is no database, that of another program, or of another version of MLflow.
    """
    _check_file(output)
    file = database.mlflow_file(output)
    if not file.exists() or not file.stat().st_size:
        return
    known = empty_database.version_of_tables()
    if known is None:
        connect(output, TrackingConfig())
    elif known != empty_database.version_in(file):
        raise UserError(_other_version(output, TrackingConfig()))


def _check_file(output: Path | str) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    database.check_file(database.mlflow_file(output), "experiments", "MLflow", _remedy(output))
    try:
        relocate(output)
    except (SQLAlchemyError, OSError) as e:
        file = database.mlflow_file(output)
        raise UserError(database.not_usable(file, "MLflow", e, _remedy(output))) from None
