"""A search in Optuna's database, for its dashboard and ``optuna.load_study``: a view.

It holds the finished trials in the order of their numbers. Whatever happens to it, the search goes
on: what is missing, or was written by somebody else, is put right the next time.
"""

import datetime
import shlex
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from nndl_exp import database
from nndl_exp.config import SweepConfig
from nndl_exp.display.commands import Commands
from nndl_exp.errors import UserError
from nndl_exp.records import atomic
from nndl_exp.study.search import PROPOSAL, Search, Trial

POINTS = 20
"""The most points of a learning curve: each is a row of the database."""
_SECONDS_BETWEEN_BATCHES = 2.0
_ID = ".id"
_ID_OF_SEARCH, _OUTCOME = "id", "outcome"
_REMEDY = "move it away and repeat the command: the trials' folders are the record"


class OptunaView:
    """A search by its name and id in Optuna's database.

    A study of that name and another id is that of a search whose folder was deleted: it is deleted.
    Trials are written by a thread of its own and in batches. When the database fails the search
    goes on, and the next batch brings what is missing.
    """

    def __init__(self, search: Search) -> None:
        self._search, self._config = search, search.config
        self._trials: list[Trial] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="optuna")
        self._batch: Future[str | None] | None = None
        self._begun = 0.0
        self._inode: int | None = None
        self._storage: RDBStorage | None = None
        self._study: optuna.Study | None = None

    def log(self, trial: Trial) -> None:
        """Show the next finished trial, soon."""
        self._trials.append(trial)
        is_idle = self._batch is None or self._batch.done()
        if is_idle and time.monotonic() - self._begun > _SECONDS_BETWEEN_BATCHES:
            self._begun = time.monotonic()
            self._batch = self._thread.submit(self._write)

    def close(self) -> str | None:
        """Show all that is missing; returns a line if the database does not take it."""
        outage = self._thread.submit(self._write).result() if self._trials else None
        self._thread.shutdown()
        self._disconnect()
        return outage

    @cached_property
    def _url(self) -> str:
        return database.url_of(self._config, "optuna")

    @cached_property
    def _study_name(self) -> str:
        if database.file_of(self._url) is not None:
            return self._search.name
        # It may serve several folders.
        return f"{self._search.name} {_id_of(Path(self._config.output))}"

    @cached_property
    def _distributions(self) -> Mapping[str, BaseDistribution]:
        return self._search.space.distributions

    def _write(self) -> str | None:
        """Write the trials that are not there; returns a line if the database is behind."""
        try:
            for _ in range(2):  # the second time it looks whether all of it has arrived
                with self._one_line():
                    study, there = self._open()
                made = [self._frozen(trial) for trial in self._trials[there:]]
                with self._one_line():
                    for each in made:
                        study.add_trial(each)
        except UserError as e:
            again = Commands(self._config.output).sync()
            return f"Optuna's database is behind ({e}); nothing is lost: {again} writes it"
        return None

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, optuna.exceptions.OptunaError, KeyError, OSError) as e:
            self._disconnect()  # KeyError: somebody has deleted the study at this very moment
            raise UserError(database.refusal(self._url, e, "take the trials")) from None

    def _disconnect(self) -> None:
        if self._storage is not None:
            self._storage.remove_session()
            self._storage.engine.dispose()
            self._storage = self._study = None

    def _open(self) -> tuple[optuna.Study, int]:
        """The study, and how many trials it has; made again unless all of it is ours."""
        file = database.file_of(self._url)
        if database.inode(file) != self._inode:
            self._disconnect()
        if self._storage is None or self._study is None:
            self._storage = create_tables(self._url)
            self._inode = database.inode(file)
            self._study = self._make(self._storage)
        try:
            there = self._study.get_trials(deepcopy=False)
            ours = self._study.user_attrs.get(_ID_OF_SEARCH) == str(self._search.id)
            # SQLite gives a deleted study's id, and what was just being added to it, to the next.
            whole = [trial.number for trial in there] == list(range(len(there)))
            if ours and whole and all(_OUTCOME in trial.user_attrs for trial in there):
                return self._study, len(there)
            optuna.delete_study(study_name=self._study_name, storage=self._storage)
        except KeyError:  # somebody has deleted it
            pass
        self._study = self._make(self._storage)
        self._study.set_user_attr(_ID_OF_SEARCH, str(self._search.id))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study.set_metric_names(list(self._search.objective_names))
        return self._study, 0

    def _make(self, storage: RDBStorage) -> optuna.Study:
        return optuna.create_study(
            study_name=self._study_name,
            storage=storage,
            directions=list(self._search.directions),
            load_if_exists=True,
        )

    def _frozen(self, trial: Trial) -> FrozenTrial:
        """The trial as Optuna's database takes it.

        Raises:
            UserError: its record is not whole.
        """
        search, result = self._search, trial.result
        proposal, settled = search.proposal(trial.number), search.settled(trial)
        if proposal is None:
            path = search.run_directory(trial.number).path / PROPOSAL
            raise UserError(f"{path} is missing; repeat the command of the study")
        n = len(settled.scores)
        steps = sorted({1 + round(i * (n - 1) / (POINTS - 1)) for i in range(POINTS)} if n else ())
        made = create_trial(
            state=TrialState.COMPLETE if settled.complete else TrialState.PRUNED,
            params=dict(proposal.params),
            distributions={
                name: _reaching(self._distributions[name], value)
                for name, value in proposal.params.items()
            },
            values=list(settled.values) or None,
            user_attrs={_OUTCOME: {"state": result.state, "reason": result.reason}},
            intermediate_values={step: settled.scores[step - 1] for step in steps},
        )
        made.datetime_start = datetime.datetime.fromtimestamp(result.started)
        made.datetime_complete = datetime.datetime.fromtimestamp(result.ended)
        return made


def create_tables(url: str) -> RDBStorage:
    """Optuna's database at ``url``, with its tables; they are made by one process, once.

    Raises:
        UserError: it can't be reached, or is not a database that Optuna can use.
    """
    if (file := database.file_of(url)) is not None:
        database.check_file(file, "studies", "Optuna", _REMEDY)
    # A connection that the server has closed meanwhile is made anew; SQLite's writers wait.
    how = {"connect_args": {"timeout": 5.0}} if file else {"pool_pre_ping": True}
    with database.creating(url) if file is None else _creating(file):
        try:
            storage = RDBStorage(url, engine_kwargs=how)
        except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as e:
            if file is None:
                raise UserError(database.refusal(url, e)) from None
            raise UserError(database.not_usable(file, "Optuna", e, _REMEDY)) from None
        except RuntimeError:  # Optuna's answer to tables of another version
            raise UserError(
                f"{database.shown(url)} must have the tables of Optuna {optuna.__version__}: got "
                "those of another version; run optuna storage upgrade --storage "
                f"{shlex.quote(url)}, or {_REMEDY}"
            ) from None
    if file:
        database.fast_sqlite(storage.engine)
    return storage


def check_storage(config: SweepConfig) -> None:
    """Refuse a file that Optuna will not take for its database, before anything is made.

    Raises:
        UserError: it is no database, that of another program, or of another version of Optuna.
    """
    if config.storage.name == "sqlite" and _is_there(_file_below(config.output)):
        create_tables(database.url_of(config, "optuna")).engine.dispose()


def forget_study(output: Path | str, name: str) -> None:
    """Delete a study and its stages from the database below an output folder, if there is one."""
    if not _file_below(output).exists():
        return
    storage = create_tables(database.url_below(output, "optuna"))
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


def _creating(file: Path) -> AbstractContextManager[Any]:
    return nullcontext() if _is_there(file) else FileLock(f"{file}.lock")


def _file_below(output: Path | str) -> Path:
    return Path(output) / database.FILES["optuna"]


def _is_there(file: Path) -> bool:
    return file.exists() and file.stat().st_size > 0


def _id_of(output: Path) -> str:
    """The id of an output folder, made once; it moves with the folder."""
    path = output / _ID
    if not path.exists():
        atomic.write(path, uuid.uuid4().hex.encode(), durable=True)
    return path.read_text()
