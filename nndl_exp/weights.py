"""A network as an npz file, and the digest that tells two networks apart."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from nndl_exp.archive import ArchiveError, read_archive
from nndl_exp.errors import UserError
from nndl_exp.nn.network import Network, Parts

_DAMAGE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What a header raises that is no header of ours."""

FORMAT = 1
"""The version of the file format."""


def to_bytes(network: Network) -> bytes:
    """The network as the bytes of an npz file."""
    header = {"format": FORMAT, **vars(network.parts)}
    arrays = {f"w{i}": w for i, w in enumerate(network.weights, 1)}
    arrays |= {f"b{i}": b for i, b in enumerate(network.biases, 1)}
    file = io.BytesIO()
    np.savez(file, network=np.array(json.dumps(header)), **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def load_network(path: Path | str) -> Network:
    """Read a network from an npz file, never by pickle.

    Raises:
        UserError: the file is missing, damaged, or not one that ``to_bytes`` made.
    """
    try:
        arrays = read_archive(Path(path))
        header = json.loads(str(arrays.pop("network")))
        if header.pop("format") != FORMAT:
            raise UserError(f"{path} has a newer format than this version reads ({FORMAT})")
        layers = range(1, len(arrays) // 2 + 1)
        weights = [arrays[f"w{i}"] for i in layers]
        return Network(weights, [arrays[f"b{i}"] for i in layers], Parts(**header))
    except FileNotFoundError:
        raise UserError(f"no such file: {path}") from None
    except (ArchiveError, *_DAMAGE) as e:
        raise UserError(f"{path} is not a network saved by nndl_exp, or damaged ({e})") from None


def digest(network: Network) -> str:
    """The SHA-256 of every bit of the weights and biases, with their shapes and dtype."""
    sha = hashlib.sha256()
    for array in (*network.weights, *network.biases):
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()
