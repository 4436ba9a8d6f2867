"""Where looks at the test set are kept: in the study's folder; in MLflow if that is all there is.

A look is kept before it is shown. Of those that a folder keeps MLflow has a copy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from nndl_exp.cli.runs import Found, find_run
from nndl_exp.config import TrackingConfig
from nndl_exp.database import mlflow_file
from nndl_exp.errors import UserError
from nndl_exp.records.looks import Look, Register, read, read_all, register_of
from nndl_exp.run import measure_of
from nndl_exp.study.looks import looks_at
from nndl_exp.study.settings import how_to_continue, is_readable
from nndl_exp.study.summary import summary
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking.stored_runs import StoredLooks


class Keeper(Protocol):
    """What keeps the looks that count for one study, or for one single run, called ``name``."""

    name: str
    in_mlflow: bool

    def looks(self) -> list[Look]:
        """The looks so far, the first one first."""
        ...

    def at_network(self, weights: str) -> list[Look]:
        """The looks at the network with this SHA-256, also those that count for others."""
        ...

    def check_finished(self) -> None:
        """Check that the study has ended.

        Raises:
            UserError: it has not.
        """
        ...

    def add(self, look: Look) -> None:
        """Keep a look.

        Raises:
            UserError: it can't be kept, or another process took one meanwhile.
        """
        ...


class FolderLooks:
    """Keeps looks in a study's folder, or beside that of a single run.

    ``shown`` are those that MLflow has: a look may have been taken where the folder is not.
    """

    in_mlflow = False

    def __init__(self, register: Register, data: str, shown: list[Look]) -> None:
        self.name = register.name
        self._register, self._data = register, data
        self._shown = [look for look in shown if look.data == data]

    def looks(self) -> list[Look]:
        """See ``Keeper``."""
        kept = looks_at(self._register, self._data)
        elsewhere = [look for look in self._shown if look.counts_for({self.name})]
        return kept + [look for look in elsewhere if look not in kept]

    def at_network(self, weights: str) -> list[Look]:
        """See ``Keeper``."""
        output, path = self._register.output, self._register.path
        found = read_all(output) if output else read(path)
        return [look for look in found if look.weights == weights]

    def check_finished(self) -> None:
        """See ``Keeper``."""
        folder = self._register.folder
        if folder is None or not is_readable(folder):  # a run that started from an older study
            return
        if not summary(folder.parent.parent, folder.name).is_finished:
            raise UserError(_unfinished(self.name, how_to_continue(folder)))

    def add(self, look: Look) -> None:
        """See ``Keeper``."""
        self._register.add(look)


class MlflowLooks:
    """Keeps looks as tags of the runs that were evaluated."""

    in_mlflow = True

    def __init__(self, found: Found, stored: StoredLooks, data: str) -> None:
        origin = found.directory.origin()
        self.name = origin.name if origin else found.name.split("/")[0]
        self._found, self._stored, self._data = found, stored, data
        self._known: list[Look] = []

    def looks(self) -> list[Look]:
        """See ``Keeper``."""
        self._known = self._kept()
        return self._known

    def at_network(self, weights: str) -> list[Look]:
        """See ``Keeper``."""
        with _no_outage("read"):
            return [look for look in self._stored.looks() if look.weights == weights]

    def check_finished(self) -> None:
        """See ``Keeper``."""
        with _no_outage("read"):
            if not self._stored.is_finished(self.name):
                raise UserError(_unfinished(self.name, "continue it where its folder is"))

    def add(self, look: Look) -> None:
        """See ``Keeper``: MLflow has no lock, so each look is kept first, then others are sought:
        of two at a time at least one sees the other."""
        run_id, metrics = str(self._found.mlflow_id), metrics_of(self._found, look)
        with _no_outage("keep"):
            self._stored.log(run_id, look, {})
            others = [one for one in self._kept() if one not in (*self._known, look)]
            if others:
                self._stored.forget(run_id)
                raise UserError(
                    f"the test set was looked at just now, at {others[0].run}; try again"
                )
            self._stored.log(run_id, look, metrics)

    def _kept(self) -> list[Look]:
        with _no_outage("read"):
            looks = self._stored.looks()
        same = [look for look in looks if look.counts_for({self.name})]
        return [look for look in same if look.data in ("", self._data)]


@contextmanager
def keeper_of(found: Found, output: str, tracking: TrackingConfig) -> Iterator[Keeper]:
    """What keeps the looks at a run; meanwhile no other process adds one in the same folder."""
    directory = found.directory
    register = register_of(directory.path, directory.origin(), Path(output))
    data = str(directory.provenance().get("data", ""))
    if found.mlflow_id is not None and register.folder is None:
        yield MlflowLooks(found, StoredLooks(output, tracking), data)
        return
    shown = _shown(output, tracking)
    with register.lock():
        yield FolderLooks(register, data, shown)


def log_look(found: Found, look: Look, output: str, tracking: TrackingConfig) -> None:
    """Show in MLflow what the test set said of a run, if MLflow has the run.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    stored = StoredLooks(output, tracking)
    run_id = found.mlflow_id or stored.run_called(found.name)
    if run_id is not None:
        stored.log(run_id, look, metrics_of(found, look))


def show_looks(output: str, tracking: TrackingConfig, name: str) -> str | None:
    """Show in MLflow the looks at a run of the output folder; why it does not, None if it does."""
    found = find_run(name, output, tracking)
    path = found.directory.path
    register = register_of(path, found.directory.origin(), Path(output))
    try:
        for look in read(register.path):
            if look.run == name:
                log_look(found, look, output, tracking)
    except (UserError, TrackingOutage) as e:
        return str(e)
    return None


def metrics_of(found: Found, look: Look) -> dict[str, float]:
    """A look as metrics; none where the test set's numbers of each epoch are there already."""
    config = found.directory.config()
    if config.dataset.monitor == "test":
        return {}
    name = measure_of(config).renamed("test/accuracy")
    values = {name: look.accuracy, f"{name}_low": look.low, f"{name}_high": look.high}
    values["test/root_mean_square_error"] = look.error
    return {key: value for key, value in values.items() if value is not None}


def is_tracked(output: str, tracking: TrackingConfig) -> bool:
    """Whether there is an MLflow that may have the runs of an output folder."""
    return tracking.uri is not None or mlflow_file(output).exists()


def _shown(output: str, tracking: TrackingConfig) -> list[Look]:
    try:
        return StoredLooks(output, tracking).looks() if is_tracked(output, tracking) else []
    except (UserError, TrackingOutage):
        return []  # what the folder keeps still counts


@contextmanager
def _no_outage(what: str) -> Iterator[None]:
    try:
        yield
    except TrackingOutage as e:
        raise UserError(
            f"MLflow must {what} the looks at the test set, or there is none: it stopped "
            f"answering ({e})"
        ) from None


def _unfinished(study: str, what: str) -> str:
    return (
        f"the study {study} must have ended before its test set is looked at, or --unfinished be "
        f"given; {what}"
    )
