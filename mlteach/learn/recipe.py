"""How a network learns to read 98 % of the digits that it never saw.

`SIZES`, `EPOCHS` and `RECIPE` were chosen without a look at the test digits: networks learned from the first
50 000 training digits, and the last 10 000 told which did best. Of those the chosen one read 98.3 %.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from mlteach import mnist
from mlteach.matmul.kernel import FLOATS


def features(images: ArrayLike, *, dtype: DTypeLike = np.float32) -> np.ndarray:
    """Grey levels as numbers from 0, paper, to 1, ink.

    Parameters
    ----------
    images : array_like of uint8, shape (N, rows, columns), (N, 784) or (rows, columns)
    dtype : data type
        float32 or float64.

    Returns
    -------
    ndarray, shape (N, rows * columns)
        One image a row; a single image is one row.

    Raises
    ------
    ValueError
        Where the images have another shape or type.
    TypeError
        Where the dtype is another.
    """
    images, dtype = np.asarray(images), np.dtype(dtype)
    if dtype not in FLOATS:
        raise TypeError(f"features are float32 or float64, not {dtype}: choose one of them")
    if images.ndim not in (2, 3) or images.dtype != np.uint8:
        raise ValueError(
            f"images must be uint8 of shape (N, rows, columns), not {images.dtype} of shape {images.shape}"
        )
    flat = images.shape[1:] == (mnist.PIXELS,)
    rows = images if flat else images.reshape(-1, images.shape[-2] * images.shape[-1])
    return np.divide(rows, 255, dtype=dtype)


def cosine(done: float) -> float:
    """A schedule: the whole rate at the start, falling along half a cosine to none at the end."""
    return (1 + math.cos(math.pi * done)) / 2


SIZES, EPOCHS = (784, 256, 10), 12
RECIPE: Mapping[str, Any] = MappingProxyType({"batch": 128, "rate": 0.2, "decay": 2e-4, "schedule": cosine})
