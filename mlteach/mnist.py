"""The digits of MNIST, and the matrices that a program learns from.

``load`` gives the 70 000 digits that come with the package. ``read_digits`` reads any other pair of files in
the same format, such as Fashion-MNIST, and ``read_idx`` and ``write_idx`` a single array of any kind.
"""

import functools
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from mlteach.arguments import check_whole
from mlteach.idx import FilePath, IdxError, name_of, read_idx, write_idx

__all__ = ["Digits", "IdxError", "load", "one_hot", "read_digits", "read_idx", "talk_features", "write_idx"]

DATA = Path(__file__).with_name("data")
PREFIXES = {"train": "train", "test": "t10k"}
SHA256 = {
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
}
PIXELS = 28 * 28
BLOCK = 1000  # images turned into features at a time: their 6 MB of float64 pass through the cache


@dataclass(frozen=True, eq=False, repr=False)
class Digits:
    """Images of digits and the digit that each one shows.

    Attributes
    ----------
    images : ndarray, shape (N, 28, 28), uint8
        0 is paper, 255 is ink.
    labels : ndarray, shape (N,), uint8
        0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray

    def __repr__(self) -> str:
        count, rows, columns = self.images.shape
        return f"Digits({count} images of {rows} x {columns} pixels)"


def load(split: str = "train") -> Digits:
    """The digits that come with the package.

    Parameters
    ----------
    split : {"train", "test"}
        60 000 digits to learn from, or 10 000 others to be tested on.

    Returns
    -------
    Digits
        The first call checks the files and reads them, later ones give the same object. Its arrays are
        read-only because everyone shares them; ``images.copy()`` is yours to change. Threads may call it at
        the same time.

    Raises
    ------
    ValueError
        Where ``split`` is neither of the two.
    IdxError
        Where a file is missing, or is not the one that was published.
    """
    if split not in tuple(PREFIXES):  # a dict would want a hash, which a list has not
        raise ValueError(f"split {split!r} is not a part of MNIST: choose 'train' or 'test'")
    with _loading:
        return _load(PREFIXES[split])


_loading = threading.Lock()


@functools.cache
def _load(prefix: str) -> Digits:
    digits = read_digits(
        _bundled(f"{prefix}-images-idx3-ubyte.gz"), _bundled(f"{prefix}-labels-idx1-ubyte.gz")
    )
    digits.images.setflags(write=False)
    digits.labels.setflags(write=False)
    return digits


def _bundled(name: str) -> Path:
    """The path of a file of the package, once its checksum is right."""
    path = DATA / name
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise IdxError(f"{path} is missing or cannot be read: reinstall mlteach") from error
    if checksum != SHA256[name]:
        raise IdxError(f"{path} is damaged, its checksum is not the published one: reinstall mlteach")
    return path


def read_digits(images: FilePath | BinaryIO, labels: FilePath | BinaryIO) -> Digits:
    """Read images and their labels from a pair of IDX files.

    Parameters
    ----------
    images, labels : path or binary file
        Files of uint8 arrays of shapes (N, rows, columns) and (N,), plain or gzip.

    Returns
    -------
    Digits
        With arrays that are yours to change.

    Raises
    ------
    IdxError
        Where ``read_idx`` fails, a file holds something else, or there are not as many labels as images.
    """
    digits = Digits(_read_part(images, "images", 3), _read_part(labels, "labels", 1))
    counts = len(digits.images), len(digits.labels)
    if counts[0] != counts[1]:
        raise IdxError(
            f"{name_of(images)} holds {counts[0]} images, but {name_of(labels)} holds {counts[1]} labels: "
            "take both from one data set"
        )
    return digits


def _read_part(source: FilePath | BinaryIO, what: str, dimensions: int) -> np.ndarray:
    array = read_idx(source)
    if array.dtype != np.uint8 or array.ndim != dimensions:
        raise IdxError(
            f"{name_of(source)} does not hold {what}: they are {dimensions}-dimensional uint8, "
            f"and this is {array.dtype} of shape {array.shape}"
        )
    return array


def one_hot(labels: ArrayLike, classes: int = 10, *, dtype: DTypeLike = np.float64) -> np.ndarray:
    """A row per label with a one in the label's column and zeros elsewhere.

    Parameters
    ----------
    labels : array_like of integers, shape (N,)
        Each from 0 to ``classes - 1``.
    classes : int
        How many columns there are.
    dtype : data type
        The type of the result.

    Returns
    -------
    ndarray, shape (N, classes)

    Raises
    ------
    ValueError
        Where the labels are not whole numbers in one dimension, one of them is no class, or ``classes`` is
        no whole number from 0 on.
    """
    check_whole("classes", classes, 0)
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        raise ValueError(
            f"labels are whole numbers in one dimension, not {labels.dtype} of shape {labels.shape}"
        )
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        first = outside[0]
        raise ValueError(
            f"label {labels[first]} at position {first} is not one of {classes} classes, counted from 0"
        )
    targets = np.zeros((len(labels), classes), dtype)
    targets[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return targets


def talk_features(images: ArrayLike, *, dtype: DTypeLike = np.float64) -> np.ndarray:
    """What the talk's program learned from: a column of ones, then ``pixel / 255 + 0.5``.

    Parameters
    ----------
    images : array_like, shape (N, 28, 28) or (N, 784)
        Grey levels from 0 to 255.
    dtype : data type
        float64, or float32 for half the memory.

    Returns
    -------
    ndarray, shape (N, 785)
        Computed in float64, whatever ``dtype`` rounds it to. Beside it a block of 1000 images is all the
        memory that this takes.

    Raises
    ------
    ValueError
        Where the images have another shape.
    TypeError
        Where ``dtype`` is neither float32 nor float64.
    """
    images = np.asarray(images)
    if images.shape[1:] not in {(28, 28), (PIXELS,)}:
        raise ValueError(f"images have shape (N, 28, 28) or (N, {PIXELS}), not {images.shape}")
    if np.dtype(dtype) not in {np.dtype("float32"), np.dtype("float64")}:
        raise TypeError(f"features are float32 or float64, not {np.dtype(dtype)}")
    features = np.empty((len(images), 1 + PIXELS), dtype)
    features[:, 0] = 1
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK]
        features[start : start + BLOCK, 1:] = block.reshape(len(block), PIXELS) / 255 + 0.5
    return features
