"""Arrays in an npz file, read without trusting it: never by pickle, never more than it can hold."""

import io
import math
import tokenize
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MOST_UNPACKED = 256 * 2**20
"""Bytes that a compressed file may unpack to, however small it is."""

_MOST_TIMES = 200
"""How many times its size a larger compressed file may unpack to; deflate could do 1,000."""

_CHUNK = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What np.savez writes; of others zipfile would unpack whole chunks, however large they become."""

_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_DAMAGE = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    OverflowError,
    EOFError,
    OSError,
    SyntaxError,
    RuntimeError,  # an encrypted member; RecursionError and NotImplementedError are among these
    MemoryError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise on files that are not what they say."""


class ArchiveError(Exception):
    """A file that is no npz file, is damaged, or holds what is not read; says why in one line."""


def read_archive(path: Path, *, compressed: bool = False) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file by name, writable and in memory of their own.

    What a header says is checked against the bytes that are there before memory is taken for it:
    files of ours, which are not ``compressed``, take no more than their size, others at most
    ``MOST_UNPACKED`` or 200 times their size.

    Raises:
        FileNotFoundError: there is no such file.
        ArchiveError: anything else that is wrong with it.
    """
    try:
        with path.open("rb") as opened, zipfile.ZipFile(opened) as file:
            _check_size(file, opened.seek(0, io.SEEK_END), compressed)
            return {
                info.filename.removesuffix(".npy"): _read_member(file, info)
                for info in file.infolist()
            }
    except FileNotFoundError:
        raise
    except _DAMAGE as e:
        raise ArchiveError(" ".join(str(e).split()) or type(e).__name__) from None


def most_unpacked(size: int) -> int:
    """The bytes that a compressed file of ``size`` bytes may unpack to."""
    return max(MOST_UNPACKED, _MOST_TIMES * size)


def _check_size(file: zipfile.ZipFile, size: int, compressed: bool) -> None:
    members = file.infolist()
    if other := [info.filename for info in members if info.compress_type not in _METHODS]:
        raise ArchiveError(f"{other[0]} is compressed in a way that np.savez never does")
    unpacked = sum(info.file_size for info in members)
    most = most_unpacked(size) if compressed else size
    if unpacked > most:
        raise ArchiveError(f"its {size:,} bytes say that they unpack to {unpacked:,}")


def _read_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with file.open(info) as member:
        shape, fortran, dtype = _read_header(member, info.filename)
        said, there = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
        if min(shape, default=0) < 0 or said != there:
            raise ArchiveError(f"{info.filename} says {shape} {dtype}, but has {there:,} bytes")
        data = np.empty(said, np.uint8)
        _fill(data, member)
    return np.ndarray(shape, dtype, data, order="F" if fortran else "C")


def _read_header(member: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(member)
    if version not in _HEADERS:
        raise ArchiveError(f"{name} has the unknown npy version {version}")
    with warnings.catch_warnings():
        # NumPy warns of headers that Python 2 wrote, and of dtypes to come.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = _HEADERS[version](member)
    if dtype.hasobject:
        raise ArchiveError(f"{name} holds Python objects, which are never loaded")
    return shape, fortran, dtype


def _fill(data: NDArray[np.uint8], member: IO[bytes]) -> None:
    """Read a member to its end, where its checksum is compared, too."""
    at = 0
    while chunk := member.read(_CHUNK):
        # Raises ValueError where there is more than was said.
        data[at : at + len(chunk)] = np.frombuffer(chunk, np.uint8)
        at += len(chunk)
    if at != len(data):
        raise EOFError(f"{len(data):,} bytes were promised, {at:,} are there")
