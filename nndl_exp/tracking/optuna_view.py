"""A search in Optuna's database, for its dashboard and ``optuna.load_study``: a view.

It holds the finished trials in the order of their numbers. Whatever happens to it, the search goes
on: what is missing, or was written by somebody else, is put right the next time.
"""

import datetime
import importlib.util
import shlex
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from filelock import FileLock
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from nndl_exp import database
from nndl_exp.config import SweepConfig
from nndl_exp.errors import UserError
from nndl_exp.records import atomic

_DASHBOARD = "http://127.0.0.1:8080/"
"""Where it listens unless it is told otherwise."""
POINTS = 20
"""The most points of a learning curve: each is a row of the database."""
_ID = ".id"
_SEARCH, _OUTCOME = "id", "outcome"
_REMEDY = "move it away and repeat the command: the trials' folders are the record"


@dataclass(frozen=True)
class OptunaTrial:
    """A finished trial: ``values`` are its objectives if it completed, ``scores`` those after each
    epoch; times are seconds since 1970."""

    complete: bool
    params: Mapping[str, Any]
    values: Sequence[float]
    scores: Sequence[float]
    outcome: Mapping[str, str]
    started: float
    ended: float


class OptunaView:
    """A search of the id ``search`` by its name in Optuna's database.

    A study of that name and another id is that of a search whose folder was deleted: it is deleted.
    """

    def __init__(
        self,
        config: SweepConfig,
        name: str,
        search: str,
        directions: Sequence[StudyDirection],
        metric_names: Sequence[str],
        distributions: Mapping[str, BaseDistribution],
    ) -> None:
        self._url, self._search = url_of(config), search
        server = database.is_postgresql(self._url)  # a database may serve several output folders
        self._name = f"{name} {_id_of(Path(config.output))}" if server else name
        self._directions, self._metric_names = directions, metric_names
        self._distributions = distributions
        self._file = None if server else _file(self._url)
        self._inode: int | None = None
        self._storage: RDBStorage | None = None
        self._study: optuna.Study | None = None

    def write(self, total: int, trial: Callable[[int], OptunaTrial]) -> None:
        """Write the first ``total`` trials, given by their numbers, unless they are there.

        Raises:
            UserError: the database does not answer, or is not one that Optuna can use.
        """
        for _ in range(2):  # the second time it looks whether all of it has arrived
            with self._one_line():
                study, there = self._open()
            made = [self._frozen(trial(number)) for number in range(there, total)]
            with self._one_line():
                for each in made:
                    study.add_trial(each)

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.OptunaError, KeyError, OSError) as e:
            self.close()  # KeyError: somebody has deleted the study at this very moment
            raise UserError(f"{_shown(self._url)} must take the trials: got {_said(e)}") from None

    def close(self) -> None:
        """Give the database's connections back."""
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()
            self._storage = self._study = None

    def _open(self) -> tuple[optuna.Study, int]:
        """The study, and how many trials it has; made again unless all of it is ours."""
        if _inode(self._file) != self._inode:
            self.close()
        if self._storage is None or self._study is None:
            self._storage = create_tables(self._url)
            self._inode = _inode(self._file)
            self._study = self._make(self._storage)
        try:
            there = self._study.get_trials(deepcopy=False)
            ours = self._study.user_attrs.get(_SEARCH) == self._search
            # SQLite gives a deleted study's id, and what was just being added to it, to the next.
            whole = [trial.number for trial in there] == list(range(len(there)))
            if ours and whole and all(_OUTCOME in trial.user_attrs for trial in there):
                return self._study, len(there)
            optuna.delete_study(study_name=self._name, storage=self._storage)
        except KeyError:  # somebody has deleted it
            pass
        self._study = self._make(self._storage)
        self._study.set_user_attr(_SEARCH, self._search)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.set_metric_names(list(self._metric_names))
        return self._study, 0

    def _make(self, storage: RDBStorage) -> optuna.Study:
        return optuna.create_study(
            study_name=self._name,
            storage=storage,
            directions=list(self._directions),
            load_if_exists=True,
        )

    def _frozen(self, trial: OptunaTrial) -> FrozenTrial:
        n = len(trial.scores)
        steps = sorted({1 + round(i * (n - 1) / (POINTS - 1)) for i in range(POINTS)} if n else ())
        made = create_trial(
            state=TrialState.COMPLETE if trial.complete else TrialState.PRUNED,
            params=dict(trial.params),
            distributions={
                name: _reaching(self._distributions[name], value)
                for name, value in trial.params.items()
            },
            values=list(trial.values) or None,
            user_attrs={_OUTCOME: dict(trial.outcome)},
            intermediate_values={step: trial.scores[step - 1] for step in steps},
        )
        made.datetime_start = datetime.datetime.fromtimestamp(trial.started)
        made.datetime_complete = datetime.datetime.fromtimestamp(trial.ended)
        return made


def url_of(config: SweepConfig) -> str:
    """The address of Optuna's database; it holds no password.

    Raises:
        UserError: it is not given, or can't be one.
    """
    if config.storage.name == "postgresql":
        return database.schema_url(database.address(config.storage.url), "optuna")
    return sqlite_url(config.output)


def dashboard_command(config: SweepConfig) -> str | None:
    """What to type to look at a study in Optuna's dashboard; None where that is not installed."""
    if importlib.util.find_spec("optuna_dashboard") is None:
        return None
    if config.storage.name == "sqlite":
        url = database.file_url(Path(config.output) / "optuna.db")
    else:
        url = url_of(config)
    return f"optuna-dashboard {shlex.quote(url)}    # then open {_DASHBOARD}"


def sqlite_url(output: Path | str) -> str:
    """The database below an output folder, which is made if need be."""
    folder = Path(output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return database.file_url(folder / "optuna.db")


def create_tables(url: str) -> RDBStorage:
    """Optuna's database at ``url``, with its tables; they are made by one process, once.

    Raises:
        UserError: it can't be reached, or is not a database that Optuna can use.
    """
    server = database.is_postgresql(url)
    if not server:
        database.check_file(_file(url), "studies", "Optuna", _REMEDY)
    # A connection that the server has closed meanwhile is made anew; SQLite's writers wait.
    how = {"pool_pre_ping": True} if server else {"connect_args": {"timeout": 5.0}}
    with _creating(url):
        try:
            storage = RDBStorage(url, engine_kwargs=how)
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as e:
            if server:
                raise UserError(database.refusal(url, e.__cause__ or e)) from None
            raise UserError(
                f"{_shown(url)} is not a database that Optuna can use ({type(e).__name__}); "
                f"{_REMEDY}"
            ) from None
        except RuntimeError:  # Optuna's answer to tables of another version
            raise UserError(
                f"{_shown(url)} must have the tables of Optuna {optuna.__version__}: got those of "
                f"another version; run optuna storage upgrade --storage {shlex.quote(url)}, or "
                f"{_REMEDY}"
            ) from None
    if not server:
        database.fast_sqlite(storage.engine)
    return storage


def check_storage(config: SweepConfig) -> None:
    """Refuse a file that Optuna will not take for its database, before anything is made.

    Raises:
        UserError: it is no database, that of another program, or of another version of Optuna.
    """
    if config.storage.name == "sqlite" and _is_there(url := sqlite_url(config.output)):
        create_tables(url).engine.dispose()


def forget_study(output: Path | str, name: str) -> None:
    """Delete a study and its stages from the database below an output folder, if there is one."""
    if not (Path(output) / "optuna.db").exists():
        return
    storage = create_tables(sqlite_url(output))
    for found in optuna.get_all_study_names(storage):
        if found == name or found.startswith(f"{name}/"):
            optuna.delete_study(study_name=found, storage=storage)
    storage.engine.dispose()


def _reaching(distribution: BaseDistribution, value: Any) -> BaseDistribution:
    """A range that has a value which was proposed after the range was widened."""
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        return distribution
    low, high = min(distribution.low, value), max(distribution.high, value)
    if isinstance(distribution, IntDistribution):
        return IntDistribution(int(low), int(high), distribution.log, distribution.step)
    return FloatDistribution(low, high, distribution.log, distribution.step)


def _creating(url: str) -> AbstractContextManager[Any]:
    if database.is_postgresql(url):
        return database.creating(url)
    return nullcontext() if _is_there(url) else FileLock(f"{_file(url)}.lock")


def _is_there(url: str) -> bool:
    file = _file(url)
    return file.exists() and file.stat().st_size > 0


def _file(url: str) -> Path:
    return Path(str(sa.make_url(url).database))


def _inode(file: Path | None) -> int | None:
    """What tells a file from another one that has taken its place."""
    return file.stat().st_ino if file is not None and file.exists() else None


def _shown(url: str) -> str:
    """What a database is called in an error line."""
    if database.is_postgresql(url):
        return f"the database {sa.make_url(url).set(query={}).render_as_string()}"
    return str(_file(url))


def _said(error: BaseException) -> str:
    origin = getattr(error.__cause__ or error, "orig", None) or error
    return (str(origin).splitlines() or [type(error).__name__])[0]


def _id_of(output: Path) -> str:
    """What tells an output folder from others, made once; it moves with the folder."""
    path = output / _ID
    if not path.exists():
        atomic.write(path, uuid.uuid4().hex.encode(), durable=True)
    return path.read_text()
