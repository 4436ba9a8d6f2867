"""The folder of one run. It is the record: everything else that shows the run is made from it.

config.yaml        the run, whole
provenance.json    where, with what, on which data and from which code it was trained, and what
                   its config comes from
dataset.json       what the network's inputs and outputs stand for
epochs.jsonl       one line an epoch
checkpoint.npz     only while the run is unsettled
weights.npz        the network at its best epoch
weights_last.npz   the network at the end, where that is another one
result.json        written last: from then on the run is settled and never trained again
"""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout
from pydantic import TypeAdapter

from nndl_exp.config import RunConfig, run_config, to_mapping
from nndl_exp.datasets import Dataset, Reading
from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network
from nndl_exp.records import atomic
from nndl_exp.records.origin import Origin, study_folder
from nndl_exp.records.provenance import provenance
from nndl_exp.training.checkpoint import Checkpoint
from nndl_exp.training.epoch import Epoch
from nndl_exp.weights import digest, load_network, to_bytes
from nndl_exp.yaml_file import read_yaml, to_yaml

State = Literal["complete", "pruned", "diverged", "failed"]
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)
"""What a damaged JSON file of the record raises."""

RECORD = (
    "provenance.json", "config.yaml", "dataset.json", "epochs.jsonl", "weights.npz",
    "weights_last.npz", "result.json",
)  # fmt: skip
"""The files of a run that has ended, ``result.json`` last."""


@dataclass(frozen=True)
class Result:
    """How a run ended.

    ``best`` is the number of the best epoch, None when none has finite costs; accuracy (a fraction)
    and cost are that epoch's on the validation set. ``weights`` maps "best" and "last" to the
    SHA-256 of the networks. ``attrs`` is what a pruner noted. Times are seconds since 1970.
    """

    state: State
    reason: str
    epochs: int
    best: int | None
    validation_accuracy: float | None
    validation_cost: float | None
    seconds: float
    weights: dict[str, str]
    started: float
    ended: float
    attrs: dict[str, Any] = field(default_factory=dict)

    @property
    def is_copy(self) -> bool:
        """Whether nothing was trained: the record is a copy of another run's."""
        return self.reason.startswith(_COPIED)


_COPIED = "same as "
_RESULT = TypeAdapter(Result)  # as slow to make as a result is to read


class RunDirectory:
    """The record of one run at ``path``; nothing is read or written until asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def config_path(self) -> Path:
        """Where the run's config stands."""
        return self.path / "config.yaml"

    @property
    def weights_path(self) -> Path:
        """Where the best epoch's network stands."""
        return self.path / "weights.npz"

    @property
    def reading_path(self) -> Path:
        """Where it stands what the network's inputs and outputs stand for."""
        return self.path / "dataset.json"

    def lock(self, timeout: float = -1) -> FileLock:
        """Held by the process that trains the run; a dead process holds nothing.

        It lies beside the folder, which holds the record and nothing else. Who asks for it waits
        ``timeout`` seconds at most, -1 for as long as it takes.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.path.with_name(f".{self.path.name}.lock"), timeout)

    def is_free(self) -> bool:
        """Whether nobody trains the run now."""
        try:
            with self.lock(0):
                return True
        except Timeout:
            return False

    def create(self, config: RunConfig, dataset: Dataset, origin: Origin | None = None) -> None:
        """Make the folder and write the config, or check that it is the one that stands there.

        ``origin`` is what the config comes from, where that is not the study around the folder.

        Raises:
            UserError: the folder belongs to another run, or to one on other data.
        """
        if self.config_path.exists():
            if self.config() != config:
                raise UserError(f"{self.path} holds a run of another configuration")
            self.check_data(dataset.sha256)
            return
        self.path.mkdir(parents=True, exist_ok=True)
        facts = {**provenance(), "data": dataset.sha256}
        if (own := Origin.of_run(self.path, None)) is not None:
            facts["origin"] = asdict(own)  # for copies of the folder
        elif origin is not None:
            facts["origin"] = asdict(origin.seen_from(self.path))
        self._write("provenance.json", json.dumps(facts, indent=1))
        self._write("dataset.json", json.dumps(dataset.reading.to_mapping()))
        self._write("config.yaml", to_yaml(to_mapping(config)))

    @property
    def name(self) -> str:
        """A run's name: STUDY/STAGE/NUMBER for a trial, else that of its folder."""
        study = study_folder(self.path)
        if study is None:
            return self.path.name
        return f"{study.name}/{self.path.parents[1].name}/{self.path.name}"

    def config(self) -> RunConfig:
        """The run's config.

        Raises:
            UserError: there is none, or it is not a run's.
        """
        settings = read_yaml(self.config_path)
        try:
            return run_config(settings)
        except UserError as e:
            raise UserError(f"{self.config_path} is not a run's config: {e}") from None

    def check_data(self, data: str) -> None:
        """Check that the run is one on data with this SHA-256.

        Raises:
            UserError: the data have changed since.
        """
        then = str(self.provenance().get("data", data))
        if then != data:
            raise UserError(
                f"{self.path} must have the data that it was begun with (sha256 {then[:12]}...): "
                f"the dataset has changed, it is {data[:12]}... now"
            )

    def reading(self) -> Reading:
        """What the network's inputs and outputs stand for.

        Raises:
            UserError: that was not kept, or the file is damaged.
        """
        try:
            return Reading.from_mapping(json.loads(self.reading_path.read_bytes()))
        except (OSError, *_DAMAGE):
            raise UserError(
                f"{self.reading_path} is missing or damaged; delete the folder to train the run "
                "again"
            ) from None

    def provenance(self) -> dict[str, Any]:
        """What ``provenance()`` said when the run was started, the SHA-256 of the dataset as
        ``data`` and an ``origin``; empty where that was not kept.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path / "provenance.json"
        try:
            return dict(json.loads(path.read_bytes())) if path.exists() else {}
        except (OSError, *_DAMAGE):
            raise UserError(f"{path} is damaged; delete it to do without") from None

    def origin(self) -> Origin | None:
        """The study, or the single run, that the run comes from; None if there is none."""
        return Origin.of_run(self.path, self.provenance().get("origin"))

    def epochs(self) -> list[Epoch]:
        """The recorded epochs. A line that was cut short by a crash ends the list."""
        path = self.path / "epochs.jsonl"
        epochs: list[Epoch] = []
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                epoch = Epoch.from_mapping(json.loads(line))
            except _DAMAGE:
                break
            if epoch.number != len(epochs) + 1:
                break
            epochs.append(epoch)
        return epochs

    def append(self, epoch: Epoch) -> None:
        """Record an epoch. It reaches the operating system now and the disk when the run settles:
        until then an epoch that is lost comes out identical when it is trained again."""
        with (self.path / "epochs.jsonl").open("a") as file:
            file.write(json.dumps(epoch.to_mapping()) + "\n")

    def rewind(self, history: Sequence[Epoch]) -> None:
        """Make ``history`` the recorded epochs, when training goes on from a checkpoint."""
        lines = "".join(json.dumps(epoch.to_mapping()) + "\n" for epoch in history)
        self._write("epochs.jsonl", lines)

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Keep the state between two epochs."""
        atomic.write(self.path / "checkpoint.npz", checkpoint.to_bytes())

    def load_checkpoint(self, like: Network) -> Checkpoint | None:
        """The last state that was kept, None where there is none that can be read."""
        return Checkpoint.load(self.path / "checkpoint.npz", like)

    def settle(
        self, result: Result, history: Sequence[Epoch], best: Network, last: Network
    ) -> None:
        """Write what a run leaves, ``result.json`` last, and put all of it on the disk."""
        atomic.write(self.weights_path, to_bytes(best), durable=True)
        if result.weights["last"] != result.weights["best"]:
            atomic.write(self.path / "weights_last.npz", to_bytes(last), durable=True)
        lines = "".join(json.dumps(epoch.to_mapping()) + "\n" for epoch in history)
        self._write("epochs.jsonl", lines, durable=True)
        self._write("result.json", json.dumps(asdict(result), indent=1), durable=True)
        self.tidy()

    def copy(self, original: "RunDirectory", name: str) -> Result:
        """Settle this run with the record of one that has the same config, without training.

        ``name`` is the original's. The provenance is that of the original: what was trained there.
        No time was spent here.

        Raises:
            UserError: the original's record is damaged or lacks a file.
        """
        result = original.result()
        assert result is not None
        original._check_whole(result)
        now = time.time()
        result = replace(
            result, reason=_COPIED + name, seconds=0.0, started=now - result.seconds, ended=now
        )
        self.path.mkdir(parents=True, exist_ok=True)
        for name in RECORD[:-1]:
            if (file := original.path / name).exists():
                atomic.write(self.path / name, file.read_bytes(), durable=True)
        self._write("result.json", json.dumps(asdict(result), indent=1), durable=True)
        self.tidy()
        return result

    def _check_whole(self, result: Result) -> None:
        self.network()
        self.reading()
        has_last = (self.path / "weights_last.npz").exists()
        for name, is_whole in {
            "epochs.jsonl": len(self.epochs()) == result.epochs,
            "weights_last.npz": has_last or result.weights["last"] == result.weights["best"],
        }.items():
            if not is_whole:
                raise UserError(
                    f"{self.path / name} is missing or damaged; delete the folder to train the "
                    "run again"
                )

    def tidy(self) -> None:
        """Remove what a run that has ended leaves where it was killed at that very moment."""
        for leftover in (self.path / "checkpoint.npz", *atomic.unfinished(self.path)):
            leftover.unlink(missing_ok=True)

    def result(self) -> Result | None:
        """How the run ended, None while it has not.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path / "result.json"
        try:
            result = _RESULT.validate_json(path.read_bytes())
            if not {"best", "last"} <= set(result.weights):
                raise ValueError("digests of weights are missing")
            if not all(math.isfinite(x) for x in (result.seconds, result.started, result.ended)):
                raise ValueError("a time is not finite")
            return result
        except FileNotFoundError:
            return None
        except (OSError, ValueError):  # pydantic's ValidationError is a ValueError
            raise UserError(f"{path} is damaged; delete it to train the run again") from None

    def network(self) -> Network:
        """The network at its best epoch.

        Raises:
            UserError: the file is missing, damaged, or not the one that the run left.
        """
        return self._network(self.weights_path, "best")

    def last_network(self) -> Network:
        """The network after its last epoch.

        Raises:
            UserError: as for ``network``.
        """
        result, path = self.result(), self.path / "weights_last.npz"
        if result is None or result.weights["last"] == result.weights["best"]:
            return self.network()
        return self._network(path, "last")

    def _network(self, path: Path, which: str) -> Network:
        network, result = load_network(path), self.result()
        if result is not None and digest(network) != result.weights[which]:
            raise UserError(
                f"{path} must be the network that the run left "
                f"(sha256 {result.weights[which][:12]}...): got {digest(network)[:12]}..."
            )
        return network

    def _write(self, name: str, text: str, *, durable: bool = False) -> None:
        atomic.write(self.path / name, text.encode(), durable=durable)
