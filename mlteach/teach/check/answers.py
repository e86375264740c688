"""Read what a learner's function returned, and compare it.

An answer may be any object. What is read from it is a fresh float64 array of the shape that was expected;
everything else is `Wrong`.
"""

from collections.abc import Callable

import numpy as np

from mlteach.teach.check.wording import both, kind


class Wrong(Exception):
    """An answer that is not right; the text says what was expected and what came."""


class Hopeless(Wrong):
    """An answer after which it makes no sense to try another case."""


def close_to(expected, tolerance: float = 0.0) -> Callable[[object], None]:
    """A judge that wants these numbers.

    Parameters
    ----------
    expected : array_like
        Finite numbers; a number alone wants a number.
    tolerance : float
        How far each may be off.
    """
    expected = np.asarray(expected, np.float64)

    def judge(answer):
        came = as_array(answer, expected.shape)
        wrong = ~(np.abs(came - expected) <= tolerance)  # NaN is never close
        if wrong.any():
            raise Wrong(_difference(expected, came, wrong))

    return judge


def as_array(answer, shape: tuple[int, ...]) -> np.ndarray:
    """Copy an answer to a float64 array.

    Parameters
    ----------
    answer : object
        An array, an object with ``__array__``, nested lists or tuples, a number.
    shape : tuple of int
        What it must have. An empty list stands for any shape that begins with 0.

    Raises
    ------
    Wrong
        Where it has another shape, holds other things than numbers, or less precise ones than float64.
    """
    array = _read(answer, shape)
    if array.dtype.kind not in "iuf":
        raise Wrong(f"expected numbers of type float64, came {array.dtype}")
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        raise Wrong(f"expected float64, came {array.dtype}, which has too few digits")
    return np.array(array, np.float64)


def _read(answer, shape: tuple[int, ...]) -> np.ndarray:
    if isinstance(answer, np.ma.MaskedArray) and np.ma.getmaskarray(answer).any():
        raise Wrong("expected a number in every cell, came an array with masked cells")
    if isinstance(answer, list | tuple) and shape:
        return _read_rows(answer, shape)
    number = isinstance(answer, int | float | np.number)
    if not number and not isinstance(answer, np.ndarray) and not hasattr(type(answer), "__array__"):
        raise Wrong(f"expected {_a_thing_of(shape)}, came {kind(answer)}")
    array = np.asarray(answer)
    if array.shape != shape:
        raise Wrong(f"expected {_a_thing_of(shape)}, came {_a_thing_of(array.shape)}")
    return array


def _read_rows(answer, shape: tuple[int, ...]) -> np.ndarray:
    if len(answer) != shape[0]:
        raise Wrong(f"expected {_a_thing_of(shape)}, came {kind(answer)} of length {len(answer)}")
    rows = [_read(row, shape[1:]) for row in answer]
    return np.stack(rows) if rows else np.empty(shape)


def _a_thing_of(shape: tuple[int, ...]) -> str:
    return f"an array of shape {shape}" if shape else "a number"


def _difference(expected, came, wrong) -> str:
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    wanted, got = both(expected[index], came[index])
    if not index:
        return f"expected {wanted}, came {got}"
    place = f"at {list(index)}"
    if expected.size == 1:
        return f"expected {wanted} {place}, came {got}"
    return f"expected {wanted} {place}, came {got} ({wrong.sum()} of {wrong.size} numbers differ)"
