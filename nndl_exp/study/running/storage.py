"""Optuna's database: which trials there are, who runs them, and their settled values."""

import functools
import shlex
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import optuna
import sqlalchemy
import sqlalchemy.exc
from filelock import FileLock
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState, create_trial

from nndl_exp import database
from nndl_exp.config import SweepConfig
from nndl_exp.errors import UserError
from nndl_exp.records import atomic
from nndl_exp.study.proposing.proposer import Proposal, Settled
from nndl_exp.study.running.exclusion import (
    AdvisoryExclusion,
    Exclusion,
    FileExclusion,
    NoExclusion,
)
from nndl_exp.study.running.patience import Patience, went_away

if TYPE_CHECKING:
    from nndl_exp.study.search import Search

P = ParamSpec("P")
T = TypeVar("T")
_ANSWERED: set[str] = set()
"""Databases that this process has used: one that goes away is waited for, a wrong one is not."""

_STUDY_ATTRS = "study_attrs"
_OUTCOME = "outcome"
_OWNER = "owner"
_ID = ".id"
_STUDY_ID = "id"
_REMEDY = "move it away and repeat the command: the trials' folders are the record"
GRACE = 3
"""After so many heartbeats without a word a process counts as gone."""


def sqlite_url(output: Path | str) -> str:
    """The database below an output folder, which is made if need be."""
    folder = Path(output).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return database.file_url(folder / "optuna.db")


def url_of(config: SweepConfig) -> str:
    """The address of the database that a study is kept in; it holds no password.

    Raises:
        UserError: it is not given, or can't be one.
    """
    if config.storage.name == "postgresql":
        return database.schema_url(database.address(config.storage.url), "optuna")
    return sqlite_url(config.output)


def create_tables(url: str) -> "_Backend":
    """Optuna's database at ``url``, with its tables; they are made by one process, once.

    Raises:
        UserError: it can't be reached, or is not a database that Optuna can use.
    """
    known = url in _ANSWERED and not _is_missing(url)  # then its tables are there
    if not known and not database.is_postgresql(url):
        database.check_file(_file(url), "studies", "Optuna", _REMEDY)
    with nullcontext() if known else _creating(url):
        try:
            return _Backend(
                url,
                engine_kwargs=_engine(url),
                skip_table_creation=known,
                skip_compatibility_check=known,
            )
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as e:
            if database.is_postgresql(url):
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


def check_storage(config: SweepConfig) -> None:
    """Refuse a file that Optuna will not take for its database, before anything is made.

    Raises:
        UserError: it is no database, that of another program, or of another version of Optuna.
    """
    if config.storage.name != "sqlite" or _is_missing(url := sqlite_url(config.output)):
        return
    create_tables(url).engine.dispose()
    _ANSWERED.add(url)


def forget_study(output: Path | str, name: str) -> None:
    """Delete a study and its stages from the database below an output folder, if there is one."""
    if not (Path(output) / "optuna.db").exists():
        return
    storage = create_tables(sqlite_url(output))
    for study in storage.get_all_studies():
        if study.study_name == name or study.study_name.startswith(f"{name}/"):
            storage.delete_study(study._study_id)
    storage.engine.dispose()


def _creating(url: str) -> AbstractContextManager[Any]:
    if database.is_postgresql(url):
        return database.creating(url)
    return FileLock(f"{_file(url)}.lock")


def _is_missing(url: str) -> bool:
    if database.is_postgresql(url):
        return False
    file = _file(url)
    return not (file.exists() and file.stat().st_size)


def _file(url: str) -> Path:
    return Path(str(sqlalchemy.make_url(url).database))


def _shown(url: str) -> str:
    """What a database is called in an error line."""
    if database.is_postgresql(url):
        return f"the database {sqlalchemy.make_url(url).set(query={}).render_as_string()}"
    return str(_file(url))


def _engine(url: str) -> dict[str, Any]:
    # A connection that the server has closed meanwhile is made anew; SQLite's writers wait.
    if database.is_postgresql(url):
        return {"pool_pre_ping": True}
    return {"connect_args": {"timeout": 60.0}}


def _patient(
    method: Callable[Concatenate["Storage", P], T],
) -> Callable[Concatenate["Storage", P], T]:
    """Call a method again while the database does not answer: twice does no harm."""

    @functools.wraps(method)
    def patient(self: "Storage", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._patience(lambda: method(self, *args, **kwargs))

    return patient


@dataclass(frozen=True)
class Claim:
    """A trial that is being run: by whom, None for a moment, and whether that one is silent."""

    number: int
    owner: str | None
    stale: bool


class _Backend(optuna.storages.RDBStorage):
    """Optuna's storage that adds a trial only as the one that it was proposed as.

    Optuna locks the study while it counts the trials before the new one. Looked at there, in the
    same transaction, the number tells whether anybody has proposed in between.
    """

    expected: int | None = None

    def _get_prepared_new_trial(self, study_id: int, template: Any, session: Any) -> Any:
        trial = super()._get_prepared_new_trial(study_id, template, session)
        if trial.number != self.expected:
            raise _ProposedError(trial.number)
        return trial

    def _set_trial_param_without_commit(
        self, session: Any, trial_id: int, name: str, value: float, distribution: Any, _: Any = None
    ) -> None:
        # Optuna looks for an earlier trial's distribution, to compare it: a query for each
        # parameter. Ours come from one search space.
        super()._set_trial_param_without_commit(
            session, trial_id, name, value, distribution, distribution
        )


class _ProposedError(Exception):
    """Another process has proposed the trial, or this one did and did not hear of it."""


class Storage:
    """The trials of ``study`` in a database that ``url`` names, which any number of processes use.

    The study is created there, with the tables, when it is not there; what the database has of
    another study of that name, whose folder was deleted, is deleted. A database may serve several
    output folders. One that was there and does not answer is waited for.

    Raises:
        UserError: it does not answer at first, or is not one that can be used.
        DatabaseGoneError: also raised by each method, when it does not answer for too long.
    """

    def __init__(self, url: str, study: "Search", patience: Patience) -> None:
        self._patience = patience
        if url in _ANSWERED:
            patience(lambda: self._open(url, study))
        else:
            self._open(url, study)
        _ANSWERED.add(url)
        self._trials: list[FrozenTrial] = []
        self._seen: set[int] = set()

    def _open(self, url: str, study: "Search") -> None:
        heartbeat = study.config.storage.heartbeat
        self._backend = create_tables(url)
        self._backend.heartbeat_interval, self._backend.grace_period = heartbeat, GRACE * heartbeat
        engine, name = self._backend.engine, study.name
        self._exclusion: Exclusion = FileExclusion(study.directory / ".storage.lock")
        self._claiming: Exclusion = self._exclusion
        if engine.dialect.name == "sqlite":
            sqlalchemy.event.listen(engine, "connect", _fast_sqlite)
            engine.dispose()  # connections made before the listener
        with _creating(url):
            if engine.dialect.name != "sqlite":
                name = f"{name} {_id_of(Path(study.config.output))}"
                self._exclusion, self._claiming = AdvisoryExclusion(engine, name), NoExclusion()
            self._study = self._create(name, study)
            if self._study.user_attrs.get(_STUDY_ID) != study.id:
                optuna.delete_study(study_name=name, storage=self._backend)
                self._study = self._create(name, study)
                self._study.set_user_attr(_STUDY_ID, study.id)
            if self._study.metric_names is None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                    self._study.set_metric_names(list(study.objective_names))  # for dashboards
        self._storage = self._study._storage  # remembers trials that have ended
        self._id = self._study._study_id

    def _create(self, name: str, study: "Search") -> optuna.Study:
        return optuna.create_study(
            study_name=name,
            storage=self._backend,
            directions=list(study.directions),
            load_if_exists=True,
        )

    def close(self) -> None:
        """Give the database's connections back."""
        self._backend.remove_session()
        self._backend.engine.dispose()

    @_patient
    def read(self) -> None:
        """Look at all trials: what is said of them from here on is as of now."""
        trials = self._storage.get_all_trials(self._id, deepcopy=False)
        self._trials = sorted(trials, key=lambda trial: trial.number)

    def proposals(self, first: int = 0) -> list[Proposal]:
        """The trials that ``read`` saw, from one on, in the order of their numbers."""
        return [_proposal(trial) for trial in self._trials[first:]]

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        """A context in which no other process proposes; False where one does so for long.

        It saves work. That a trial is proposed once is seen to by ``add``: the lock is lost with
        its connection, and the server ends one that has done nothing for a minute.
        """
        with ExitStack() as stack:
            yield self._patience(lambda: stack.enter_context(self._exclusion.hold(1.0)))

    def add(self, proposal: Proposal, distributions: dict[str, BaseDistribution]) -> bool:
        """Put a proposed trial down as waiting to be run.

        False where another process has proposed one since ``read``, or where it is not known
        whether this one has been put down: the next ``read`` tells.
        """
        trial = create_trial(
            state=TrialState.WAITING,
            params=proposal.params,
            distributions={name: distributions[name] for name in proposal.params},
            user_attrs={_STUDY_ATTRS: proposal.study_attrs},
            system_attrs=proposal.attrs,
        )
        self._backend.expected = proposal.number
        try:
            trial_id = self._storage.create_new_trial(self._id, trial)
        except _ProposedError:
            return False
        except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as e:
            if not went_away(e):
                raise
            return False
        trial.number, trial._trial_id = proposal.number, trial_id
        self._trials.append(trial)
        return True

    @_patient
    def claim(self, number: int, owner: str) -> bool:
        """Take a waiting trial; only one process ever succeeds.

        A trial that has ended here but whose record was lost may be trained again: it comes out
        the same.
        """
        trial_id = self._trials[number]._trial_id
        with self._claiming.hold(10.0) as held:
            if not held:
                return False
            self._backend.record_heartbeat(trial_id)  # first: a claim is never without one
            try:
                if not self._storage.set_trial_state_values(trial_id, TrialState.RUNNING):
                    # By this process, when it did not hear that it succeeded?
                    return self._backend.get_trial(trial_id).user_attrs.get(_OWNER) == owner
                self._storage.set_trial_user_attr(trial_id, _OWNER, owner)
            except UpdateFinishedTrialError:
                pass
        return True

    def beat(self, numbers: Iterable[int]) -> None:
        """Say that claimed trials are still being run, if the database answers.

        In one statement: Optuna's own takes two for each, and a study may have thousands.
        """
        beats = models.TrialHeartbeatModel
        ids = [self._trials[number]._trial_id for number in numbers]
        with self._backend.engine.begin() as connection:
            connection.execute(
                sqlalchemy.update(beats)
                .where(beats.trial_id.in_(ids))
                .values(heartbeat=sqlalchemy.func.current_timestamp())
            )

    def is_waiting(self, number: int) -> bool:
        """Whether a trial could be claimed when ``read`` looked."""
        return self._trials[number].state == TrialState.WAITING

    def has_ended(self, number: int) -> bool:
        """Whether a trial had ended when ``read`` looked."""
        return self._trials[number].state.is_finished()

    @_patient
    def claims(self) -> list[Claim]:
        """The trials that are being run, as ``read`` saw them."""
        running = [trial for trial in self._trials if trial.state == TrialState.RUNNING]
        stale = set(self._backend._get_stale_trial_ids(self._id)) if running else set()
        for trial in running:
            if _OWNER not in trial.user_attrs and trial._trial_id not in self._seen:
                # Claimed a moment ago, or by a program that gave no sign of life: it has one now.
                self._backend.record_heartbeat(trial._trial_id)
                self._seen.add(trial._trial_id)
        return [
            Claim(trial.number, trial.user_attrs.get(_OWNER), trial._trial_id in stale)
            for trial in running
        ]

    @_patient
    def give_back(self, number: int, owner: str | None) -> bool:
        """Let others run a trial that ``owner`` claimed; False where that is not so any more."""
        trial_id = self._trials[number]._trial_id
        with self._exclusion.hold(10.0) as held:
            trial = self._backend.get_trial(trial_id)
            is_owned = trial.state == TrialState.RUNNING and trial.user_attrs.get(_OWNER) == owner
            if not held or not is_owned:
                return False
            try:
                self._storage.set_trial_user_attr(trial_id, _OWNER, None)
                return self._storage.set_trial_state_values(trial_id, TrialState.WAITING)
            except UpdateFinishedTrialError:
                return False

    @_patient
    def settle(self, number: int, settled: Settled, outcome: dict[str, Any]) -> None:
        """Put down how a trial ended; nothing happens where that is known already."""
        trial = self._trials[number]
        if trial.state.is_finished():
            return
        state = TrialState.COMPLETE if settled.complete else TrialState.PRUNED
        try:
            self._storage.set_trial_user_attr(trial._trial_id, _OUTCOME, outcome)
            self._storage.set_trial_state_values(trial._trial_id, state, settled.values or None)
        except UpdateFinishedTrialError:
            pass  # by another process, a moment ago, with the same values


def _id_of(output: Path) -> str:
    """What tells an output folder from others, made once; it moves with the folder."""
    path = output / _ID
    if not path.exists():
        atomic.write(path, uuid.uuid4().hex.encode(), durable=True)
    return path.read_text()


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
