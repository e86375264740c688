"""The class: numbers that nothing changes, and every new Matrix that they give."""

from __future__ import annotations

import functools
from collections.abc import Callable
from numbers import Real

import numpy as np

from mlteach.matrix.checks import check_place, check_range, number, real_rows
from mlteach.matrix.choice import multiply
from mlteach.matrix.display import as_html, as_text


class Matrix:
    """Rows of numbers that never change.

    Parameters
    ----------
    rows : array_like, shape (rows, columns)
        float32 stays float32; every other real type becomes float64.

    Raises
    ------
    ValueError
        Where the rows are not equally long, or are not rows.
    TypeError
        Where they do not hold real numbers.

    Notes
    -----
    The numbers live in a ``bytes`` object, which Python cannot write to, and every array that leaves a Matrix
    is a fresh read-only view of it. (In NumPy before 2.5 ``np.add.at`` and its like ignore the flag.)
    The design follows the matrix library of the talk "Machine Learning and Go".
    """

    __slots__ = ("_data", "_dtype", "_offset", "_shape", "_strides")
    _data: bytes
    _dtype: np.dtype
    _offset: int
    _shape: tuple[int, int]
    _strides: tuple[int, int]
    __array_priority__ = 1000  # array @ Matrix asks the Matrix first, and gives a Matrix

    def __new__(cls, rows):
        """Build it once and for all, which ``__init__`` could not promise: it can be called again."""
        array = real_rows(rows)
        strides = (array.shape[1] * array.itemsize, array.itemsize)
        return _build(array.tobytes(), array.dtype, array.shape, strides, offset=0)

    def _view(self, shape: tuple[int, int], strides: tuple[int, int], offset: int = 0) -> Matrix:
        """A Matrix of the same numbers, seen otherwise."""
        offset = self._offset + offset if 0 not in shape else 0  # nothing begins nowhere
        return _build(self._data, self._dtype, shape, strides, offset)

    def to_array(self) -> np.ndarray:
        """The numbers as a read-only array of shape (rows, columns), without a copy."""
        return np.ndarray(self._shape, self._dtype, self._data, self._offset, self._strides)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.to_array(), dtype=dtype, copy=copy)

    def __setattr__(self, name, value):
        raise AttributeError(
            f"a Matrix never changes: {name!r} cannot be set, m.set(i, j, value) gives a new Matrix"
        )

    def __delattr__(self, name):
        raise AttributeError(f"a Matrix never changes: {name!r} cannot be deleted")

    def __setitem__(self, place, value):
        raise TypeError("a Matrix never changes: m.set(i, j, value) gives a new Matrix")

    def __reduce__(self):
        return Matrix, (np.array(self.to_array()),)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    # What it holds

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self._shape[0]

    @property
    def columns(self) -> int:
        """How many columns it has."""
        return self._shape[1]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self._shape

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self._dtype

    def at(self, row: int, column: int) -> float:
        """The number in a row and a column, both counted from 0."""
        check_place(self._shape, row, column)
        return float(self.to_array()[row, column])

    # New matrices from this one

    def set(self, row: int, column: int, value: float) -> Matrix:
        """A Matrix that differs in one place."""
        check_place(self._shape, row, column)
        array = np.array(self.to_array())
        array[row, column] = number(value)
        return Matrix(array)

    def map(self, function: Callable[[float], float]) -> Matrix:
        """A Matrix of ``function(x)`` for every x; a NumPy ufunc such as ``np.exp`` works on all at once."""
        array = self.to_array()
        if isinstance(function, np.ufunc):
            return Matrix(function(array))
        values = np.fromiter((function(x) for row in array.tolist() for x in row), self._dtype, array.size)
        return Matrix(values.reshape(self._shape))

    def scale(self, factor: float) -> Matrix:
        """Every number times ``factor``."""
        return Matrix(self.to_array() * number(factor))

    def add_scalar(self, term: float) -> Matrix:
        """Every number plus ``term``."""
        return Matrix(self.to_array() + number(term))

    @property
    def t(self) -> Matrix:
        """The transpose: its rows are the columns of this one. It shares the numbers and costs nothing."""
        return self._view(self._shape[::-1], self._strides[::-1])

    def slice_rows(self, start: int, stop: int) -> Matrix:
        """Rows ``start`` to ``stop``, ``stop`` not included. They share the numbers."""
        check_range(self._shape, 0, start, stop)
        return self._view((stop - start, self.columns), self._strides, start * self._strides[0])

    def slice_columns(self, start: int, stop: int) -> Matrix:
        """Columns ``start`` to ``stop``, ``stop`` not included. They share the numbers."""
        check_range(self._shape, 1, start, stop)
        return self._view((self.rows, stop - start), self._strides, start * self._strides[1])

    def filter_rows(self, keep: Callable[[np.ndarray], bool]) -> Matrix:
        """The rows for which ``keep(row)`` is true; a row is a read-only array of shape (columns,)."""
        array = self.to_array()
        return Matrix(array[[i for i in range(self.rows) if keep(self.to_array()[i])], :])

    # One number from all of them

    def sum(self) -> float:
        """The sum of all numbers, in float64."""
        return float(self.to_array().sum(dtype=np.float64))

    def reduce(self, function: Callable[[float, float], float], initial: float = 0.0) -> float:
        """``function(so_far, x)`` over all numbers, row by row, beginning with ``initial``."""
        return functools.reduce(function, (x for row in self.to_array().tolist() for x in row), initial)

    # Operators

    def __add__(self, other):
        return self.add_scalar(other) if isinstance(other, Real) else self._elementwise(np.add, other)

    __radd__ = __add__

    def __sub__(self, other):
        return self.add_scalar(-other) if isinstance(other, Real) else self._elementwise(np.subtract, other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        return self.scale(other) if isinstance(other, Real) else self._elementwise(np.multiply, other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return Matrix(self.to_array() / number(other))

    def __neg__(self):
        return self.scale(-1)

    def __matmul__(self, other):
        return Matrix(multiply(self.to_array(), as_matrix(other).to_array()))

    def __rmatmul__(self, other):
        return as_matrix(other) @ self

    def __eq__(self, other):
        if not isinstance(other, Matrix):
            return NotImplemented
        return np.array_equal(self.to_array(), other.to_array())

    def __hash__(self):
        return hash((self._shape, (self.to_array().astype(np.float64) + 0.0).tobytes()))  # + 0.0: -0 equals 0

    def __repr__(self):
        return as_text(self.to_array())

    def _repr_html_(self):
        return as_html(self.to_array())

    def _elementwise(self, operation: np.ufunc, other) -> Matrix:
        other = as_matrix(other)
        if self._shape != other.shape:
            raise ValueError(
                f"shapes {self._shape} and {other.shape} differ: both matrices must have one shape"
            )
        return Matrix(operation(self.to_array(), other.to_array()))


def _build(data: bytes, dtype: np.dtype, shape: tuple, strides: tuple, offset: int) -> Matrix:
    matrix = object.__new__(Matrix)
    for name, value in zip(Matrix.__slots__, (data, dtype, offset, shape, strides), strict=True):
        object.__setattr__(matrix, name, value)
    return matrix


def as_matrix(value) -> Matrix:
    """A Matrix as it is, and rows of numbers as a Matrix."""
    return value if isinstance(value, Matrix) else Matrix(value)
