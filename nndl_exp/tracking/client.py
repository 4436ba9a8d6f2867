"""A client of MLflow, imported late and quiet, and the places where MLflow keeps things."""

import gc
import hashlib
import importlib.metadata
import os
import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from filelock import FileLock

from nndl_exp import database
from nndl_exp.config import TrackingConfig
from nndl_exp.display.commands import Commands
from nndl_exp.errors import UserError
from nndl_exp.masking import masked
from nndl_exp.tracking import TrackingOutage

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

MOVED = "nndl.moved"
"""The tag of an experiment whose artifacts lie where the output folder was before."""
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
"""The other addresses that MLflow accepts, except folders, which it no longer writes."""
_ARTIFACTS = "mlflow-artifacts"
_PLAIN = re.compile(r"|[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def tracking_uri(output: Path | str, tracking: TrackingConfig) -> str:
    """The tracking URI of the config, or that of the database below the output folder."""
    return tracking.uri or database.file_url(database.mlflow_file(output).resolve())


def check(output: Path | str, tracking: TrackingConfig) -> None:
    """Check that MLflow can show runs, before any is trained.

    A database that is not there yet needs no check.

    Raises:
        UserError: see ``connect``.
    """
    if tracking.name != "none" and database.is_tracked(output, tracking):
        connect(output, tracking)


def connect(output: Path | str, tracking: TrackingConfig) -> "MlflowClient":
    """A client for the tracking server or database, which is created if it is not there.

    Raises:
        UserError: it can't be the address of one, does not answer, has the tables of another
            version, or belongs to an output folder that was moved.
    """
    client = open_client(output, tracking)
    if tracking.uri is None and any(MOVED not in e.tags for e in moved(client, output)):
        raise UserError(
            f"{database.mlflow_file(output)} keeps files where {output} was before it was moved; "
            f"{Commands(str(output)).sync()} brings it up to date"
        )
    return client


def open_client(output: Path | str, tracking: TrackingConfig) -> "MlflowClient":
    """A client as ``connect`` makes it, also where the output folder was moved.

    Raises:
        UserError: see ``connect``.
    """
    uri = tracking_uri(output, tracking)
    _check_uri(uri)
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import logging

    with _without_collecting():
        from alembic.util import CommandError
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        if tracking.uri is None:
            file, remedy = database.mlflow_file(output), _remedy(output)
            database.check_file(file, "experiments", "MLflow", remedy)
        with _ready(uri):
            client = MlflowClient(uri, registry_uri=uri)
            client.search_experiments(max_results=1)
    except (
        MlflowException, CommandError, SQLAlchemyError, ImportError, OSError, ValueError
    ) as e:  # fmt: skip
        of_mlflow = isinstance(e, MlflowException | CommandError) and e.__cause__ is None
        if of_mlflow and not tracking.is_server:  # it compares the version of the tables
            raise UserError(_other_version(output, tracking)) from None
        raise UserError(_no_answer(output, tracking, e)) from None
    return client


@contextmanager
def _without_collecting() -> Iterator[None]:
    """No garbage collection: it finds nothing in MLflow's modules, and takes a third of the time of
    importing them (0.7 s of every command that shows a run)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@contextmanager
def _ready(uri: str) -> Iterator[None]:
    """Held while MLflow makes its tables, once the database answers: MLflow would ask one that does
    not for 100 s."""
    if uri.startswith((*_WEB, "databricks")):
        yield
    elif database.is_postgresql(uri):
        with database.creating(uri):
            yield
    else:
        import sqlalchemy

        engine = sqlalchemy.create_engine(uri, poolclass=sqlalchemy.NullPool)
        of_file = engine.dialect.name == "sqlite"
        with _creating(Path(str(engine.url.database))) if of_file else nullcontext():
            sqlalchemy.inspect(engine).get_table_names()
            yield


@contextmanager
def _creating(file: Path) -> Iterator[None]:
    """Held while tables are made in an SQLite file: by one process at a time."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        if not file.exists():
            for kind in ("wal", "shm"):  # SQLite would take a deleted database's for the new one's
                file.with_name(f"{file.name}-{kind}").unlink(missing_ok=True)
            file.touch()  # with the permissions of the umask, which SQLite does not ask for
            with closing(sqlite3.connect(file)) as connection:  # a third of the time for the tables
                connection.execute("PRAGMA journal_mode=WAL")
        yield


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


@contextmanager
def outages() -> Iterator[None]:
    """Turn MLflow's failures into ``TrackingOutage``, without the address that they may name."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as e:
        raise TrackingOutage(type(e).__name__) from None


def search(client: "MlflowClient", experiments: list[str], condition: str = "") -> "Iterator[Run]":
    """All runs of some experiments that a condition in MLflow's language is true of."""
    token: str | None = None
    while True:
        page = client.search_runs(experiments, condition, max_results=1000, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def tagged(tag: str, name: str) -> str:
    """MLflow's condition for runs with a tag; its language can't quote both kinds of quotes."""
    quote = '"' if "'" in name else "'"
    return f"tags.`{tag}` = {quote}{name.replace(quote, '')}{quote}"


def artifact_location(output: Path | str, name: str) -> str:
    """The place of an experiment's artifacts, as MLflow wants it: an absolute URI.

    A name that is no plain name of a folder is replaced by its digest: MLflow would follow ``..``.
    """
    folder = name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{(Path(output).resolve() / _ARTIFACTS).as_uri()}/{folder}"


def moved(client: "MlflowClient", output: Path | str) -> "list[Experiment]":
    """The experiments whose artifacts lie where the output folder was before it was moved."""
    here = artifact_location(output, "")
    return [
        experiment
        for experiment in client.search_experiments()
        if f"/{_ARTIFACTS}/" in (location := str(experiment.artifact_location))
        and not location.startswith(here)
    ]


def local_folder(output: Path | str, uri: str) -> Path | None:
    """The folder of a run's or a model's artifacts, None unless it lies below ours."""
    folder = Path(url2pathname(urlsplit(uri).path)).resolve()
    ours = Path(output).resolve() / _ARTIFACTS
    inside = folder.parent.is_relative_to(ours) and folder.parent != ours
    return folder if uri.startswith("file:") and inside else None


def delete_artifacts(output: Path | str, uri: str) -> None:
    """Delete the folder of a run's or a model's artifacts, where it lies below ours."""
    folder = local_folder(output, uri)
    if folder is not None:
        shutil.rmtree(folder.parent if folder.name == "artifacts" else folder, ignore_errors=True)
