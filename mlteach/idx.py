"""Read and write IDX, the file format of MNIST.

A file is a short header, then the elements of an array, row by row, the most significant byte first::

    00 00            two zero bytes
    08               the element type, here uint8 (see ELEMENT_TYPES)
    03               how many dimensions
    00 00 ea 60      the first size, here 60000
    00 00 00 1c      the second, 28
    00 00 00 1c      the third, 28
    00 00 ...        60000 x 28 x 28 elements, and nothing after them
"""

import gzip
import itertools
import math
import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from mlteach.files import replacing

ELEMENT_TYPES: dict[int, np.dtype] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
TYPE_CODES = {(dtype.kind, dtype.itemsize): code for code, dtype in ELEMENT_TYPES.items()}
MAX_DIMENSIONS = 64  # of a NumPy array
MAX_SIZE = 2**32 - 1  # of one dimension: the header has four bytes for it
CHUNK = 2**16  # bytes read or decompressed at a time
GZIP_MAGIC = b"\x1f\x8b"

FilePath = str | os.PathLike


class IdxError(ValueError):
    """A file cannot be read or written as IDX; the message names the file and what is wrong."""


def read_idx(source: FilePath | BinaryIO, *, max_bytes: int = 2**31) -> np.ndarray:
    """Read an array from an IDX file, plain or gzip.

    Parameters
    ----------
    source : path or binary file
        A binary file is read from where it stands to its end and stays open. It need not be seekable, and
        its reads may come up short. Gzip is known by its first two bytes, whatever the name.
    max_bytes : int
        The most bytes that the elements may take.

    Returns
    -------
    ndarray
        Yours to change, C-contiguous, in the byte order of this machine. A file of 0 dimensions holds one
        element and gives an array of shape ().

    Raises
    ------
    IdxError
        Where the file cannot be opened or read, is not IDX, holds fewer or more bytes than its header
        promises, is a damaged gzip file, or promises more than ``max_bytes`` or than an array can have.
    ValueError
        Where ``max_bytes`` is below 1.
    TypeError
        Where ``source`` is neither a path nor a file.

    Notes
    -----
    The header is not trusted. Memory grows with the bytes that really come, and neither reading nor
    decompressing goes on for more than a chunk of 64 KiB once there is one byte too many.
    """
    if not max_bytes >= 1:
        raise ValueError(f"max_bytes is {max_bytes}, but must be at least 1: leave it out for {2**31}")
    name = name_of(source)
    with _open(source, name) as file:
        stream = _Stream(file, name)
        dtype, shape = _read_header(stream)
        promised = math.prod(shape) * dtype.itemsize
        if promised > max_bytes:
            raise IdxError(f"{name} promises {promised} bytes of data: max_bytes allows {max_bytes}")
        data = stream.take(promised)
        if len(data) < promised:
            raise IdxError(f"{name} promises {promised} bytes of data, but ends after {len(data)}")
        if stream.take(1):
            raise IdxError(f"{name} promises {promised} bytes of data, but goes on after them")
    array = np.ndarray(shape, dtype, buffer=data)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_header(stream: "_Stream") -> tuple[np.dtype, tuple[int, ...]]:
    """The element type and the sizes of the array."""
    zeros, code, ndim = struct.unpack(">HBB", stream.take_header(4))
    if zeros != 0:
        raise IdxError(f"{stream.name} is not an IDX file: it begins with {zeros:#06x}, not with 0x0000")
    if code not in ELEMENT_TYPES:
        known = ", ".join(f"{code:#04x}" for code in ELEMENT_TYPES)
        raise IdxError(f"{stream.name} has the unknown element type {code:#04x}: IDX knows {known}")
    if ndim > MAX_DIMENSIONS:
        raise IdxError(f"{stream.name} has {ndim} dimensions: a NumPy array has at most {MAX_DIMENSIONS}")
    dtype = ELEMENT_TYPES[code]
    shape = struct.unpack(f">{ndim}I", stream.take_header(4 * ndim))
    if math.prod(size or 1 for size in shape) * dtype.itemsize > sys.maxsize:  # NumPy, too, counts a 0 as 1
        raise IdxError(f"{stream.name} has the sizes {shape}: no NumPy array can be that large")
    return dtype, shape


def write_idx(path: FilePath, array: ArrayLike) -> None:
    """Write an array to an IDX file, gzip where the name ends in ``.gz``.

    Parameters
    ----------
    path : path
        The file. What was there is replaced in one step, when everything is written, and kept where
        anything fails. The same array gives the same bytes: a gzip file holds no name and no date.
    array : array_like
        uint8, int8, int16, int32, float32 or float64, in any byte order and any strides.

    Raises
    ------
    IdxError
        Where the array has another element type or a size of 2**32 or more, or the file cannot be written.
    """
    name = os.fsdecode(path)
    array = np.asarray(array)
    code = TYPE_CODES.get((array.dtype.kind, array.dtype.itemsize))
    if code is None:
        known = ", ".join(dtype.name for dtype in ELEMENT_TYPES.values())
        raise IdxError(f"{name} cannot hold {array.dtype}: convert the array to one of {known} first")
    if max(array.shape, default=0) > MAX_SIZE:
        raise IdxError(f"{name} cannot hold an array of shape {array.shape}: a size is at most {MAX_SIZE}")
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    content = header + array.astype(ELEMENT_TYPES[code], copy=False).tobytes()
    if name.endswith(".gz"):
        content = gzip.compress(content, 6, mtime=0)
    try:
        with replacing(name) as file:
            file.write(content)
    except (OSError, ValueError) as error:
        raise IdxError(f"{name} cannot be written: {_reason(error)}") from error


class _Stream:
    """The bytes of a file in order, decompressed where they are gzip."""

    def __init__(self, file: BinaryIO, name: str):
        self.name = name
        self._chunks = _read(file, name)
        self._rest = b""  # of the last chunk
        head = self.take(2)
        self._rest = bytes(head) + self._rest
        if head == GZIP_MAGIC:
            self._chunks = _decompress(itertools.chain([self._rest], self._chunks), name)
            self._rest = b""

    def take(self, count: int) -> bytearray:
        """The next ``count`` bytes, fewer where the file ends."""
        data = bytearray()
        while len(data) < count and (chunk := self._rest or next(self._chunks, b"")):
            missing = count - len(data)
            data += chunk[:missing]
            self._rest = chunk[missing:]
        return data

    def take_header(self, count: int) -> bytearray:
        """The next ``count`` bytes, all of them."""
        data = self.take(count)
        if len(data) < count:
            raise IdxError(f"{self.name} ends inside its header: {len(data)} of {count} bytes are there")
        return data


def _read(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The file in chunks, none of them empty."""
    while True:
        try:
            chunk = file.read(CHUNK)
        except (OSError, ValueError, EOFError, zlib.error) as error:  # closed, text, a damaged GzipFile
            raise IdxError(f"{name} cannot be read as a binary file: {_reason(error)}") from error
        if not isinstance(chunk, bytes | bytearray | memoryview):
            kind = type(chunk).__name__
            raise IdxError(f"{name} gives {kind} instead of bytes: open it in binary mode, and blocking")
        if not chunk:
            return
        yield bytes(chunk)


def _decompress(chunks: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The decompressed chunks of a gzip file, none of them empty; as for gzip, members follow each other."""
    member = zlib.decompressobj(wbits=31)
    for chunk in chunks:
        while chunk:
            if member.eof:
                member = zlib.decompressobj(wbits=31)
            try:
                data = member.decompress(chunk, CHUNK)
            except zlib.error as error:
                raise IdxError(f"{name} is a damaged gzip file: fetch it again") from error
            if data:
                yield data
            chunk = member.unused_data if member.eof else member.unconsumed_tail
    if not member.eof:
        raise IdxError(f"{name} is a gzip file that was cut short: fetch it again")


def _open(source: FilePath | BinaryIO, name: str) -> AbstractContextManager[BinaryIO]:
    """A path opened for one ``with`` block; a file that is given stays open after it."""
    if not isinstance(source, FilePath):
        return nullcontext(source)
    try:
        return open(source, "rb")
    except (OSError, ValueError) as error:
        reason = "it is a folder" if os.path.isdir(source) else _reason(error)
        raise IdxError(f"{name} cannot be opened: {reason}") from error


def name_of(source: FilePath | BinaryIO) -> str:
    """What messages call a path or a binary file."""
    if isinstance(source, FilePath):
        return os.fsdecode(source)
    if not hasattr(source, "read"):
        kind = type(source).__name__
        raise TypeError(f"an IDX file is a path or an open binary file, not {kind}: wrap bytes in io.BytesIO")
    name = getattr(source, "name", None)
    return os.fsdecode(name) if isinstance(name, FilePath) else f"the {type(source).__name__}"


def _reason(error: Exception) -> str:
    """What an error says, fit for the end of a sentence."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(reason.split()).rstrip(".")
