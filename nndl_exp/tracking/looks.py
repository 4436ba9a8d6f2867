"""The looks at the test set, kept in the study's folder, or in MLflow if that is all there is.

A look is kept before it is shown. Of those that a folder keeps MLflow has a copy, as a tag of the
run that was evaluated.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nndl_exp.config import TrackingConfig
from nndl_exp.database import is_tracked
from nndl_exp.errors import UserError
from nndl_exp.records import RunDirectory
from nndl_exp.records.looks import Look, Register, read, read_all, register_of
from nndl_exp.run import measure_of
from nndl_exp.study.looks import looks_at
from nndl_exp.study.settings import how_to_continue, is_readable
from nndl_exp.study.summary import summary
from nndl_exp.tracking import TrackingOutage
from nndl_exp.tracking.client import connect, outages, search, tagged
from nndl_exp.tracking.tracker import LOGGED, RUN_TAG

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

LOOK_TAG = "nndl.test_set"


class FolderLooks:
    """Keeps the looks that count for one study in its folder, or for a single run beside it.

    ``shown`` are those that MLflow has: a look may have been taken where the folder is not.
    """

    in_mlflow = False

    def __init__(self, register: Register, data: str, shown: list[Look]) -> None:
        self.name = register.name
        self._register, self._data = register, data
        self._shown = [look for look in shown if look.data == data]

    def looks(self) -> list[Look]:
        """The looks so far, the first one first."""
        kept = looks_at(self._register, self._data)
        elsewhere = [look for look in self._shown if look.counts_for({self.name})]
        return kept + [look for look in elsewhere if look not in kept]

    def at_network(self, weights: str) -> list[Look]:
        """The looks at the network with this SHA-256, also those that count for others."""
        output, path = self._register.output, self._register.path
        found = read_all(output) if output else read(path)
        return [look for look in found if look.weights == weights]

    def check_finished(self) -> None:
        """Check that the study has ended.

        Raises:
            UserError: it has not.
        """
        folder = self._register.folder
        if folder is None or not is_readable(folder):  # a run that started from an older study
            return
        if not summary(folder.parent.parent, folder.name).is_finished:
            raise UserError(_unfinished(self.name, how_to_continue(folder)))

    def add(self, look: Look) -> None:
        """Keep a look.

        Raises:
            UserError: it can't be kept, or another process took one meanwhile.
        """
        self._register.add(look)


class MlflowLooks:
    """Keeps looks in MLflow; the methods are those of ``FolderLooks``.

    ``run_id`` is the run that is evaluated, ``directory`` a copy of its record.
    """

    in_mlflow = True

    def __init__(
        self, client: "MlflowClient", name: str, directory: RunDirectory, run_id: str, data: str
    ) -> None:
        origin = directory.origin()
        self.name = origin.name if origin else name.split("/")[0]
        self._client, self._data = client, data
        self._directory, self._run_id = directory, run_id
        self._known: list[Look] = []

    def looks(self) -> list[Look]:
        """See ``FolderLooks``."""
        self._known = self._kept()
        return self._known

    def at_network(self, weights: str) -> list[Look]:
        """See ``FolderLooks``."""
        with _no_outage("read"):
            return [look for look in looks_in(self._client) if look.weights == weights]

    def check_finished(self) -> None:
        """See ``FolderLooks``; a single run always has ended."""
        with _no_outage("read"):
            run = next(_runs(self._client, tagged(RUN_TAG, self.name)), None)
        if run is None or LOGGED in run.data.tags:
            return
        if run.info.status == "RUNNING" or run.data.tags.get("state") != "complete":
            raise UserError(_unfinished(self.name, "continue it where its folder is"))

    def add(self, look: Look) -> None:
        """See ``FolderLooks``: MLflow has no lock, so each look is kept first, then others are
        sought: of two at a time at least one sees the other."""
        with _no_outage("keep"):
            _log(self._client, self._run_id, look, {})
            others = [one for one in self._kept() if one not in (*self._known, look)]
            if others:
                self._client.delete_tag(self._run_id, LOOK_TAG)  # nobody was shown it
                raise UserError(
                    f"the test set was looked at just now, at {others[0].run}; try again"
                )
            _log(self._client, self._run_id, look, metrics_of(self._directory, look))

    def _kept(self) -> list[Look]:
        with _no_outage("read"):
            looks = looks_in(self._client)
        same = [look for look in looks if look.counts_for({self.name})]
        return [look for look in same if look.data in ("", self._data)]


Keeper = FolderLooks | MlflowLooks


@contextmanager
def keeper_of(
    name: str, directory: RunDirectory, run_id: str | None, output: str, tracking: TrackingConfig
) -> Iterator[Keeper]:
    """The keeper of the looks at a run; meanwhile no other process adds one in the same folder.

    ``run_id`` is the run's id in MLflow, if MLflow is all that has it.
    """
    register = register_of(directory.path, directory.origin(), Path(output))
    data = str(directory.provenance().get("data", ""))
    if run_id is not None and register.folder is None:
        yield MlflowLooks(connect(output, tracking), name, directory, run_id, data)
        return
    shown: list[Look] = []
    if is_tracked(output, tracking):
        with suppress(UserError, TrackingOutage):  # what the folder keeps still counts
            shown = looks_in(connect(output, tracking))
    with register.lock():
        yield FolderLooks(register, data, shown)


def log_look(
    look: Look,
    directory: RunDirectory,
    output: str,
    tracking: TrackingConfig,
    run_id: str | None = None,
) -> None:
    """Show a look at a run in MLflow, if MLflow has the run; ``run_id`` is its id, if known.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    client = connect(output, tracking)
    with outages():
        if run_id is None:
            run = next(_runs(client, tagged(RUN_TAG, look.run)), None)
            run_id = run.info.run_id if run else None
        if run_id is not None:
            _log(client, run_id, look, metrics_of(directory, look))


def show_looks(output: str, tracking: TrackingConfig, directory: RunDirectory) -> None:
    """Show in MLflow the looks at a run of the output folder.

    Raises:
        UserError: MLflow does not answer.
        TrackingOutage: it stopped answering.
    """
    register = register_of(directory.path, directory.origin(), Path(output))
    for look in read(register.path):
        if look.run == directory.name:
            log_look(look, directory, output, tracking)


def metrics_of(directory: RunDirectory, look: Look) -> dict[str, float]:
    """A look as metrics; none where the test set's numbers of each epoch are there already."""
    config = directory.config()
    if config.dataset.monitor == "test":
        return {}
    name = measure_of(config).renamed("test/accuracy")
    values = {name: look.accuracy, f"{name}_low": look.low, f"{name}_high": look.high}
    values["test/root_mean_square_error"] = look.error
    return {key: value for key, value in values.items() if value is not None}


def looks_in(client: "MlflowClient") -> list[Look]:
    """All looks that MLflow has, the first one first.

    Raises:
        TrackingOutage: MLflow stopped answering.
        UserError: a tag is damaged.
    """
    with outages():
        found = list(_runs(client, f"tags.`{LOOK_TAG}` LIKE '%'"))
    return sorted(map(_look, found), key=lambda look: look.when)


def _look(run: "Run") -> Look:
    try:
        return Look.from_json(run.data.tags[LOOK_TAG])
    except (ValueError, TypeError):
        raise UserError(f"the tag {LOOK_TAG} of run {run.info.run_id} is damaged") from None


def _runs(client: "MlflowClient", condition: str) -> "Iterator[Run]":
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    return search(client, experiments, condition)


def _log(client: "MlflowClient", run_id: str, look: Look, metrics: Mapping[str, float]) -> None:
    """Keep a look with a run, and show its numbers among the run's metrics."""
    from mlflow.entities import Metric

    client.set_tag(run_id, LOOK_TAG, look.to_json())
    # MLflow would keep a value again that is the last one already.
    there, now = client.get_run(run_id).data.metrics, int(time.time() * 1000)
    new = [Metric(key, v, now, 0) for key, v in metrics.items() if there.get(key) != v]
    client.log_batch(run_id, new)


@contextmanager
def _no_outage(what: str) -> Iterator[None]:
    try:
        with outages():
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
