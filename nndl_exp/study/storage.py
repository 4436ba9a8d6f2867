"""Optuna's database: which trials there are, who runs them, and their settled values."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
import sqlalchemy.exc
from filelock import FileLock
from optuna.distributions import BaseDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from nndl_exp import database
from nndl_exp.config import SweepConfig
from nndl_exp.errors import UserError
from nndl_exp.study.view import Proposal, Settled

_STUDY_ATTRS = "study_attrs"
_OUTCOME = "outcome"


def sqlite_url(output: Path | str) -> str:
    """The database below an output folder, which is made if need be."""
    folder = Path(output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(folder / 'optuna.db').as_posix()}"


def url_of(config: SweepConfig) -> str:
    """The address of the database that a study is kept in; it holds no password.

    Raises:
        UserError: it is not given, or can't be one.
    """
    if config.storage.name == "postgresql":
        return database.schema_url(database.address(config.storage.url), "optuna")
    return sqlite_url(config.output)


def create_tables(url: str) -> optuna.storages.RDBStorage:
    """Optuna's database at ``url``, with its tables; they are made by one process, once.

    Raises:
        UserError: it can't be reached, or is not a database that Optuna can use.
    """
    with _creating(url):
        try:
            return optuna.storages.RDBStorage(url, engine_kwargs=_engine(url))
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as e:
            if database.is_postgresql(url):
                raise UserError(database.refusal(url, e.__cause__ or e)) from None
            raise UserError(
                f"{url} is not a database that can be used ({type(e).__name__}); move it away and "
                "try again: the trials' folders are the record"
            ) from None


def _creating(url: str) -> AbstractContextManager[Any]:
    if database.is_postgresql(url):
        return database.creating(url)
    return FileLock(f"{sqlalchemy.make_url(url).database}.lock")


def _engine(url: str) -> dict[str, Any]:
    # A connection that the server has closed meanwhile is made anew; SQLite's writers wait.
    if database.is_postgresql(url):
        return {"pool_pre_ping": True}
    return {"connect_args": {"timeout": 60.0}}


class Storage:
    """The trials of one study in a database that ``url`` names.

    The study is created, with the tables, when it is not there. One coordinator opens it before any
    worker starts, so that nothing is created twice.
    """

    def __init__(self, url: str, name: str, directions: Sequence[StudyDirection]) -> None:
        self._storage = create_tables(url)
        if self._storage.engine.dialect.name == "sqlite":
            sqlalchemy.event.listen(self._storage.engine, "connect", _fast_sqlite)
            self._storage.engine.dispose()  # connections made before the listener
        self._study = optuna.create_study(
            study_name=name,
            storage=self._storage,
            directions=list(directions),
            load_if_exists=True,
        )
        self._id = self._study._study_id
        self._ids = [trial._trial_id for trial in self._trials()]

    def close(self) -> None:
        """Give the database's connections back."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def proposals(self) -> list[Proposal]:
        """All trials so far, in the order of their numbers."""
        return [_proposal(trial) for trial in self._trials()]

    def add(self, proposal: Proposal, distributions: dict[str, BaseDistribution]) -> None:
        """Put a proposed trial down as waiting to be run."""
        trial = create_trial(
            state=TrialState.WAITING,
            params=proposal.params,
            distributions={name: distributions[name] for name in proposal.params},
            user_attrs={_STUDY_ATTRS: proposal.study_attrs},
            system_attrs=proposal.attrs,
        )
        self._ids.append(self._storage.create_new_trial(self._id, trial))

    def claim(self, number: int) -> bool:
        """Take a waiting trial; only one process ever succeeds.

        A trial that has ended here but whose record was lost may be trained again: it comes out
        the same.
        """
        if self._state(number).is_finished():
            return True
        return self._storage.set_trial_state_values(self._ids[number], TrialState.RUNNING)

    def release(self, number: int) -> None:
        """Give a trial back that was claimed but has not ended."""
        if self._state(number) == TrialState.RUNNING:
            self._storage.set_trial_state_values(self._ids[number], TrialState.WAITING)

    def release_all(self) -> None:
        """Give back what a coordinator that no longer lives had claimed."""
        for trial in self._trials():
            if trial.state == TrialState.RUNNING:
                self._storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)

    def settle(self, number: int, settled: Settled, outcome: dict[str, Any]) -> None:
        """Put down how a trial ended; nothing happens where that is known already."""
        if self._state(number).is_finished():
            return
        trial_id = self._ids[number]
        self._storage.set_trial_user_attr(trial_id, _OUTCOME, outcome)
        state = TrialState.COMPLETE if settled.complete else TrialState.PRUNED
        self._storage.set_trial_state_values(trial_id, state, settled.values or None)

    def _state(self, number: int) -> TrialState:
        return self._storage.get_trial(self._ids[number]).state

    def _trials(self) -> list[FrozenTrial]:
        trials = self._storage.get_all_trials(self._id, deepcopy=False)
        return sorted(trials, key=lambda trial: trial.number)


def _proposal(trial: FrozenTrial) -> Proposal:
    study_attrs = trial.user_attrs.get(_STUDY_ATTRS, {})
    return Proposal(trial.number, dict(trial.params), dict(trial.system_attrs), study_attrs)


def _fast_sqlite(connection: Any, _: Any) -> None:
    # A write-ahead log halves the time of a commit; a power cut can lose the last commits but not
    # damage the file, and the run directories, which are on the disk by then, give them back.
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
