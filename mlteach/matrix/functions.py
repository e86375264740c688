"""The talk's functions: its formulas in words, and matrices from numbers or from other matrices."""

from collections.abc import Callable, Iterable

import numpy as np

from mlteach.arguments import check_whole
from mlteach.matrix.checks import number
from mlteach.matrix.matrix import Matrix, as_matrix


def zeros(rows: int, columns: int) -> Matrix:
    """A Matrix of zeros, float64."""
    return Matrix(np.zeros(_shape(rows, columns)))


def from_function(rows: int, columns: int, function: Callable[[int, int], float]) -> Matrix:
    """A Matrix whose number in row i and column j is ``function(i, j)``, float64."""
    rows, columns = _shape(rows, columns)
    values = (function(i, j) for i in range(rows) for j in range(columns))
    return Matrix(np.fromiter(values, np.float64, rows * columns).reshape(rows, columns))


def concatenate_columns(*matrices: Matrix) -> Matrix:
    """Matrices side by side; they need equally many rows."""
    return _concatenate(matrices, axis=1)


def concatenate_rows(*matrices: Matrix) -> Matrix:
    """Matrices one below the other; they need equally many columns."""
    return _concatenate(matrices, axis=0)


def plus(a: Matrix, b: Matrix) -> Matrix:
    """Give a + b, element by element; both have one shape."""
    return as_matrix(a) + as_matrix(b)


def minus(a: Matrix, b: Matrix) -> Matrix:
    """Give a - b, element by element; both have one shape."""
    return as_matrix(a) - as_matrix(b)


def dot(a: Matrix, b: Matrix) -> Matrix:
    """Give a * b, element by element, as the talk called it; the matrix product is ``product``."""
    return as_matrix(a) * as_matrix(b)


def product(a: Matrix, b: Matrix) -> Matrix:
    """The matrix product of a, (m, k), and b, (k, n), with the kernel that ``using`` chose."""
    return as_matrix(a) @ as_matrix(b)


def equals(a: Matrix, b: Matrix, tolerance: float = 0.0) -> bool:
    """Whether the shapes are one and no two numbers differ by more than ``tolerance``; NaN equals nothing."""
    if not number(tolerance) >= 0:
        raise ValueError(f"tolerance must be a number from 0 on, not {tolerance}")
    a, b = as_matrix(a), as_matrix(b)
    return a.shape == b.shape and bool(np.isclose(a.to_array(), b.to_array(), rtol=0, atol=tolerance).all())


def _shape(rows: int, columns: int) -> tuple[int, int]:
    check_whole("rows", rows, 0)
    check_whole("columns", columns, 0)
    return rows, columns


def _concatenate(matrices: Iterable, axis: int) -> Matrix:
    matrices = [as_matrix(m) for m in matrices]
    if not matrices:
        raise ValueError("there is nothing to concatenate: give at least one Matrix")
    if len({m.shape[1 - axis] for m in matrices}) > 1:
        shapes = ", ".join(str(m.shape) for m in matrices)
        raise ValueError(f"shapes {shapes} do not fit: they need equally many {('columns', 'rows')[axis]}")
    return Matrix(np.concatenate([m.to_array() for m in matrices], axis=axis))
