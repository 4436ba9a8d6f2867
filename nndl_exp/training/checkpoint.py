"""A checkpoint: all that a run needs to go on as if it had never stopped.

The random streams are functions of the seed and the epoch, early stopping and the learning rate
are functions of the history; so the networks (now, and at the best epoch), the velocities and the
history are the whole state.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network
from nndl_exp.training.epoch import Epoch


@dataclass(frozen=True)
class Checkpoint:
    """The network and the velocities after the last epoch of ``history``, and the best network."""

    network: Network
    best: Network
    history: Sequence[Epoch]
    velocity: Sequence[Array] = ()

    def to_bytes(self) -> bytes:
        """The checkpoint as the bytes of an npz file."""
        file = io.BytesIO()
        arrays = {
            f"{name}_{kind}{i}": array
            for name, network in (("last", self.network), ("best", self.best))
            for kind, layers in (("w", network.weights), ("b", network.biases))
            for i, array in enumerate(layers)
        }
        arrays |= {f"velocity_{i}": v for i, v in enumerate(self.velocity)}
        history = np.array(json.dumps([epoch.to_mapping() for epoch in self.history]))
        np.savez(file, history=history, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def load(cls, path: Path, like: Network) -> "Checkpoint | None":
        """Read a checkpoint of a network built like ``like``; None where there is no usable one.

        A missing or damaged checkpoint is no error: the epochs before it are trained again and
        come out identical.
        """
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                history = [Epoch.from_mapping(epoch) for epoch in json.loads(str(file["history"]))]
                count = sum(name.startswith("velocity_") for name in file.files)
                velocity = [file[f"velocity_{i}"] for i in range(count)]
                last, best = (
                    Network(
                        [file[f"{name}_w{i}"] for i in range(len(like.weights))],
                        [file[f"{name}_b{i}"] for i in range(len(like.weights))],
                        like.parts,
                    )
                    for name in ("last", "best")
                )
        except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile):
            return None
        return cls(last, best, history, velocity)
