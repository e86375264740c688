"""What a network learns from, checked: rows of numbers, and the class of each."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from mlteach import mnist


class Network(Protocol):
    """What decides which examples fit: the numbers in each layer, and the type of the weights."""

    sizes: tuple[int, ...]
    dtype: np.dtype


def checked_inputs(x: ArrayLike, network: Network) -> np.ndarray:
    """The rows of x, shape (N, inputs), in one piece and in the type of the network.

    Raises
    ------
    ValueError
        Where the shape does not fit, or a number is not finite or far too large.
    TypeError
        Where x holds no floats.
    """
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] != network.sizes[0] or len(x) == 0:
        raise ValueError(
            f"x of shape {x.shape} does not fit {network}: give at least one row of {network.sizes[0]}"
        )
    if x.dtype.kind != "f":
        raise TypeError(f"x holds {x.dtype}, but a network wants floats near 1: give features(images)")
    x = np.require(x, network.dtype, ["C", "ALIGNED"])
    with np.errstate(all="ignore"):
        finite = np.isfinite(x.sum())
    if not finite:
        raise ValueError("x holds numbers that are infinite, not a number or far too large: leave them out")
    return x


def checked_examples(x: ArrayLike, y: ArrayLike, network: Network) -> tuple[np.ndarray, np.ndarray]:
    """The rows of x, and their targets, shape (N, classes), from labels or from shares of the classes.

    Raises
    ------
    ValueError, TypeError
        As `checked_inputs`; and where y does not fit x, or has rows that do not add up to 1.
    """
    x, y, classes = checked_inputs(x, network), np.asarray(y), network.sizes[-1]
    if y.shape not in {(len(x),), (len(x), classes)}:
        raise ValueError(f"y of shape {y.shape} does not fit {len(x)} rows of x: give a label for each row")
    if y.ndim == 1:
        return x, mnist.one_hot(y, classes, dtype=network.dtype)
    shares = y.dtype.kind in "biuf" and (y >= 0).all() and np.allclose(y.sum(axis=1), 1, atol=1e-3)
    if not shares:
        raise ValueError("y has rows that are no shares of the classes: let each add up to 1, none below 0")
    return x, y.astype(network.dtype)
