"""Reading the IDX format of the MNIST files, gzipped or plain, without trusting it."""

import gzip
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nndl_exp.errors import UserError

LARGEST = 64 * 2**20
"""Bytes of an uncompressed file; the largest of MNIST has 47 million."""

_CHUNK = 2**20
_IMAGES, _LABELS = 0x00000803, 0x00000801  # unsigned bytes in three dimensions, in one


def read_bytes(path: Path) -> bytes:
    """The uncompressed content of a file.

    Raises:
        UserError: the file can't be read, is too large, or its compressed data are damaged or cut
            short.
    """
    try:
        with path.open("rb") as file:
            compressed = file.peek(2)[:2] == b"\x1f\x8b"
            data = _read_at_most(gzip.GzipFile(fileobj=file) if compressed else file, LARGEST + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as e:
        raise UserError(f"{path} is damaged or was cut short ({e}); delete it and try again") from e
    except OSError as e:
        raise UserError(f"{path} can't be read: {e.strerror}") from e
    if len(data) > LARGEST:
        raise UserError(f"{path} must have at most {LARGEST:,} bytes when uncompressed: got more")
    return data


def _read_at_most(file: BufferedIOBase, n: int) -> bytes:
    """The first ``n`` bytes, without taking the memory for as many where there are fewer."""
    chunks = []
    while n > 0 and (chunk := file.read(min(n, _CHUNK))):
        chunks.append(chunk)
        n -= len(chunk)
    return b"".join(chunks)


def parse_images(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Images of an IDX file as an array of shape (n, rows * columns).

    Raises:
        UserError: the magic number or the length is not that of an image file.
    """
    n, rows, columns = _header(data, _IMAGES, 3, path)
    return np.frombuffer(data, np.uint8, offset=16).reshape(n, rows * columns)


def parse_labels(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Labels of an IDX file as an array of shape (n,).

    Raises:
        UserError: the magic number or the length is not that of a label file.
    """
    _header(data, _LABELS, 1, path)
    return np.frombuffer(data, np.uint8, offset=8)


def _header(data: bytes, magic: int, dimensions: int, path: Path) -> list[int]:
    size = 4 + 4 * dimensions
    numbers = [int.from_bytes(data[i : i + 4], "big") for i in range(0, min(size, len(data)), 4)]
    if not numbers or numbers[0] != magic:
        got = f"{numbers[0]:#010x}" if numbers else "an empty file"
        raise UserError(f"{path} must start with the magic number {magic:#010x}: got {got}")
    shape = numbers[1:]
    if len(shape) < dimensions or len(data) != size + int(np.prod(shape, dtype=object)):
        expected = " x ".join(map(str, shape))
        raise UserError(
            f"{path} must hold {expected} bytes after its header: got {max(0, len(data) - size)}"
        )
    return shape
