"""A checkpoint: all that a run needs to go on as if it had never stopped.

The random streams are functions of the seed and the epoch, early stopping and the learning rate
are functions of the history; so the networks (now, and at the best epoch), the velocities and the
history are the whole state.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nndl_exp.archive import ArchiveError, read_archive
from nndl_exp.errors import UserError
from nndl_exp.nn.arrays import Array
from nndl_exp.nn.network import Network
from nndl_exp.training.epoch import Epoch

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What a checkpoint raises that is none of ours."""


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
            arrays = read_archive(path)
            history = [Epoch.from_mapping(epoch) for epoch in json.loads(str(arrays["history"]))]
            count = sum(name.startswith("velocity_") for name in arrays)
            velocity = [arrays[f"velocity_{i}"] for i in range(count)]
            _check_velocity(velocity, like)
            last, best = (_network(arrays, name, like) for name in ("last", "best"))
        except (ArchiveError, UserError, OSError, *_DAMAGE):
            return None
        return cls(last, best, history, velocity)


def _check_velocity(velocity: Sequence[Array], like: Network) -> None:
    expected = [(array.shape, array.dtype) for array in (*like.weights, *like.biases)]
    if velocity and [(v.shape, v.dtype) for v in velocity] != expected:
        raise ValueError("velocities of other shapes than the parameters")


def _network(arrays: Mapping[str, Any], name: str, like: Network) -> Network:
    layers = range(len(like.weights))
    weights = [arrays[f"{name}_w{i}"] for i in layers]
    network = Network(weights, [arrays[f"{name}_b{i}"] for i in layers], like.parts)
    if (network.sizes, network.dtype) != (like.sizes, like.dtype):
        raise ValueError(f"a network of other sizes: {network.sizes}")
    return network
