"""What a Matrix may be made of and asked for, and what is said to the rest."""

from numbers import Integral, Real

import numpy as np


def real_rows(rows) -> np.ndarray:
    """Rows as an array of shape (rows, columns): float32 where they are that, otherwise float64."""
    try:
        array = np.asarray(rows)
    except ValueError:
        raise ValueError("the rows of a Matrix must be equally long, and these are not") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a Matrix holds real numbers, not {array.dtype}: convert them first")
    if array.ndim != 2:
        raise ValueError(
            f"a Matrix needs rows of numbers, not {array.ndim} dimensions of shape {array.shape}"
        )
    return array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)


def number(value) -> float:
    """A real number as a float."""
    if not isinstance(value, Real):
        raise TypeError(f"a number was expected, not {type(value).__name__}")
    return float(value)


def check_place(shape: tuple[int, int], row: int, column: int) -> None:
    """Raise an IndexError where a Matrix of this shape has no such row or column."""
    for name, index, size in zip(("row", "column"), (row, column), shape, strict=True):
        if not (isinstance(index, Integral) and 0 <= index < size):
            raise IndexError(
                f"{name} {index} is not in a Matrix of shape {shape}: {name}s go from 0 to {size - 1}"
            )


def check_range(shape: tuple[int, int], axis: int, start: int, stop: int) -> None:
    """Raise an IndexError where rows (axis 0) or columns ``start`` to ``stop`` do not lie in a Matrix."""
    size, name = shape[axis], ("rows", "columns")[axis]
    whole = isinstance(start, Integral) and isinstance(stop, Integral)
    if not (whole and 0 <= start <= stop <= size):
        raise IndexError(
            f"{name} {start} to {stop} are not in a Matrix of shape {shape}: stay in 0 to {size}"
        )
