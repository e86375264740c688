"""An immutable matrix whose programs read like the formulas they come from.

``minus(product(X, theta), y)`` and ``X @ theta - y`` say the same. Nothing that you can do to a ``Matrix``
changes it: every operation gives a new one. That is why a transpose or a slice can share the numbers of the
matrix that it came from, and why any number of threads may read it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral, Real

import numpy as np

from mlteach.arguments import check_whole
from mlteach.matmul import Kernel, matmul
from mlteach.matrix_display import as_html, as_text

_kernel: ContextVar[str | Kernel | None] = ContextVar("mlteach_kernel", default=None)


@contextmanager
def using(kernel: str | Kernel | None):
    """Choose the kernel that ``product`` and ``@`` use inside a ``with`` block.

    Parameters
    ----------
    kernel : str or Kernel or None
        A rung of ``mlteach.KERNELS``; None is the fastest one. Each thread and each task has its own choice.
    """
    token = _kernel.set(kernel)
    try:
        yield
    finally:
        _kernel.reset(token)


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
        array = _real(rows)
        if array.ndim != 2:
            raise ValueError(
                f"a Matrix needs rows of numbers, not {array.ndim} dimensions of shape {array.shape}"
            )
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
        return float(self.to_array()[self._index(row, 0), self._index(column, 1)])

    # New matrices from this one

    def set(self, row: int, column: int, value: float) -> Matrix:
        """A Matrix that differs in one place."""
        array = np.array(self.to_array())
        array[self._index(row, 0), self._index(column, 1)] = _number(value)
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
        return Matrix(self.to_array() * _number(factor))

    def add_scalar(self, term: float) -> Matrix:
        """Every number plus ``term``."""
        return Matrix(self.to_array() + _number(term))

    @property
    def t(self) -> Matrix:
        """The transpose: its rows are the columns of this one. It shares the numbers and costs nothing."""
        return self._view(self._shape[::-1], self._strides[::-1])

    def slice_rows(self, start: int, stop: int) -> Matrix:
        """Rows ``start`` to ``stop``, ``stop`` not included. They share the numbers."""
        start, stop = self._range(start, stop, 0)
        return self._view((stop - start, self.columns), self._strides, start * self._strides[0])

    def slice_columns(self, start: int, stop: int) -> Matrix:
        """Columns ``start`` to ``stop``, ``stop`` not included. They share the numbers."""
        start, stop = self._range(start, stop, 1)
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
        return self.add_scalar(other) if isinstance(other, Real) else plus(self, other)

    __radd__ = __add__

    def __sub__(self, other):
        return self.add_scalar(-other) if isinstance(other, Real) else minus(self, other)

    def __rsub__(self, other):
        return -self + other

    def __mul__(self, other):
        return self.scale(other) if isinstance(other, Real) else dot(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return Matrix(self.to_array() / _number(other))

    def __neg__(self):
        return self.scale(-1)

    def __matmul__(self, other):
        return product(self, other)

    def __rmatmul__(self, other):
        return product(other, self)

    def __eq__(self, other):
        return equals(self, other) if isinstance(other, Matrix) else NotImplemented

    def __hash__(self):
        return hash((self._shape, (self.to_array().astype(np.float64) + 0.0).tobytes()))  # + 0.0: -0 equals 0

    def __repr__(self):
        return as_text(self.to_array())

    def _repr_html_(self):
        return as_html(self.to_array())

    def _index(self, index: int, axis: int) -> int:
        size, name = self._shape[axis], ("row", "column")[axis]
        if not (isinstance(index, Integral) and 0 <= index < size):
            raise IndexError(
                f"{name} {index} is not in a Matrix of shape {self._shape}: {name}s go from 0 to {size - 1}"
            )
        return index

    def _range(self, start: int, stop: int, axis: int) -> tuple[int, int]:
        size, name = self._shape[axis], ("rows", "columns")[axis]
        whole = isinstance(start, Integral) and isinstance(stop, Integral)
        if not (whole and 0 <= start <= stop <= size):
            raise IndexError(
                f"{name} {start} to {stop} are not in a Matrix of shape {self._shape}: stay in 0 to {size}"
            )
        return start, stop


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
    return _elementwise(np.add, a, b)


def minus(a: Matrix, b: Matrix) -> Matrix:
    """Give a - b, element by element; both have one shape."""
    return _elementwise(np.subtract, a, b)


def dot(a: Matrix, b: Matrix) -> Matrix:
    """Give a * b, element by element, as the talk called it; the matrix product is ``product``."""
    return _elementwise(np.multiply, a, b)


def product(a: Matrix, b: Matrix) -> Matrix:
    """The matrix product of a, (m, k), and b, (k, n), with the kernel that ``using`` chose."""
    return Matrix(matmul(_matrix(a).to_array(), _matrix(b).to_array(), kernel=_kernel.get()))


def equals(a: Matrix, b: Matrix, tolerance: float = 0.0) -> bool:
    """Whether the shapes are one and no two numbers differ by more than ``tolerance``; NaN equals nothing."""
    if not _number(tolerance) >= 0:
        raise ValueError(f"tolerance must be a number from 0 on, not {tolerance}")
    a, b = _matrix(a), _matrix(b)
    return a.shape == b.shape and bool(np.isclose(a.to_array(), b.to_array(), rtol=0, atol=tolerance).all())


def _shape(rows: int, columns: int) -> tuple[int, int]:
    check_whole("rows", rows, 0)
    check_whole("columns", columns, 0)
    return rows, columns


def _build(data: bytes, dtype: np.dtype, shape: tuple, strides: tuple, offset: int) -> Matrix:
    matrix = object.__new__(Matrix)
    for name, value in zip(Matrix.__slots__, (data, dtype, offset, shape, strides), strict=True):
        object.__setattr__(matrix, name, value)
    return matrix


def _elementwise(operation: np.ufunc, a, b) -> Matrix:
    a, b = _matrix(a), _matrix(b)
    if a.shape != b.shape:
        raise ValueError(f"shapes {a.shape} and {b.shape} differ: both matrices must have one shape")
    return Matrix(operation(a.to_array(), b.to_array()))


def _concatenate(matrices: Iterable, axis: int) -> Matrix:
    matrices = [_matrix(m) for m in matrices]
    if not matrices:
        raise ValueError("there is nothing to concatenate: give at least one Matrix")
    if len({m.shape[1 - axis] for m in matrices}) > 1:
        shapes = ", ".join(str(m.shape) for m in matrices)
        raise ValueError(f"shapes {shapes} do not fit: they need equally many {('columns', 'rows')[axis]}")
    return Matrix(np.concatenate([m.to_array() for m in matrices], axis=axis))


def _matrix(value) -> Matrix:
    return value if isinstance(value, Matrix) else Matrix(value)


def _real(rows) -> np.ndarray:
    try:
        array = np.asarray(rows)
    except ValueError:
        raise ValueError("the rows of a Matrix must be equally long, and these are not") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"a Matrix holds real numbers, not {array.dtype}: convert them first")
    return array.astype(np.float32 if array.dtype == np.float32 else np.float64, copy=False)


def _number(value) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"a number was expected, not {type(value).__name__}")
    return float(value)
