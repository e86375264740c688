"""The Matrix: what it computes, and that nothing changes it."""

import contextlib
import copy
import ctypes
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlteach import (
    KERNELS,
    Matrix,
    concatenate_columns,
    concatenate_rows,
    dot,
    equals,
    from_function,
    minus,
    plus,
    product,
    using,
    zeros,
)
from mlteach.matmul import Kernel

M = Matrix([[1, 2, 3], [4, 5, 6]])
N = Matrix([[1, 0, -1], [2, 0.5, 0]])

tables = arrays(np.float64, st.tuples(st.integers(0, 5), st.integers(0, 5)), elements=st.floats(-1e3, 1e3))


def same(matrix, rows):
    assert isinstance(matrix, Matrix)
    assert np.array_equal(matrix.to_array(), np.array(rows, np.float64)), matrix


def test_shape_and_elements():
    assert (M.rows, M.columns, M.shape, M.dtype) == (2, 3, (2, 3), np.float64)
    assert M.at(1, 2) == 6.0
    assert isinstance(M.at(0, 0), float)


def test_dtypes():
    assert Matrix(np.ones((1, 2), "float32")).dtype == np.float32
    for dtype in ("int8", "uint64", "bool", "float16", ">f8"):
        assert Matrix(np.ones((1, 2), dtype)).dtype == np.float64
        same(Matrix(np.ones((1, 2), dtype)), [[1, 1]])


def test_functions():
    same(zeros(2, 3), [[0] * 3] * 2)
    same(from_function(2, 3, lambda i, j: 10 * i + j), [[0, 1, 2], [10, 11, 12]])
    same(plus(M, N), [[2, 2, 2], [6, 5.5, 6]])
    same(minus(M, N), [[0, 2, 4], [2, 4.5, 6]])
    same(dot(M, N), [[1, 0, -3], [8, 2.5, 0]])
    same(product(M, N.t), [[-2, 3], [-2, 10.5]])
    same(concatenate_columns(M, N.slice_columns(0, 1)), [[1, 2, 3, 1], [4, 5, 6, 2]])
    same(
        concatenate_rows(M, N.slice_rows(1, 2), M), [[1, 2, 3], [4, 5, 6], [2, 0.5, 0], [1, 2, 3], [4, 5, 6]]
    )


def test_methods():
    same(M.set(0, 1, 9), [[1, 9, 3], [4, 5, 6]])
    same(M.map(lambda x: x * x), [[1, 4, 9], [16, 25, 36]])
    same(M.map(np.negative), [[-1, -2, -3], [-4, -5, -6]])
    same(M.scale(2), [[2, 4, 6], [8, 10, 12]])
    same(M.add_scalar(1), [[2, 3, 4], [5, 6, 7]])
    same(M.t, [[1, 4], [2, 5], [3, 6]])
    same(M.slice_rows(1, 2), [[4, 5, 6]])
    same(M.slice_columns(1, 3), [[2, 3], [5, 6]])
    same(M.filter_rows(lambda row: row.sum() > 10), [[4, 5, 6]])
    assert M.filter_rows(lambda row: False).shape == (0, 3)
    assert M.sum() == 21
    assert M.reduce(max) == 6
    assert M.reduce(lambda so_far, x: 10 * so_far + x) == 123456


def test_operators():
    same(M + N, plus(M, N))
    same(M - N, minus(M, N))
    same(M * N, dot(M, N))
    same(M @ N.t, product(M, N.t))
    same(2 * M + 1 - M / 2, [[2.5, 4, 5.5], [7, 8.5, 10]])
    same(1 - M, [[0, -1, -2], [-3, -4, -5]])
    same(-M, M.scale(-1))


def test_views_of_views():
    inner = M.t.slice_rows(1, 3).t.slice_columns(1, 2)
    same(inner, [[3], [6]])
    same(inner.t @ inner, [[45]])
    assert np.shares_memory(inner.to_array(), M.to_array())


@given(tables)
def test_transposing_twice_changes_nothing(table):
    matrix = Matrix(table)
    assert matrix.t.t == matrix
    assert hash(matrix.t.t) == hash(matrix)
    assert pickle.loads(pickle.dumps(matrix.t)) == matrix.t


@settings(deadline=None)
@given(tables, st.data())
def test_rows_and_columns_come_apart_and_together(table, data):
    matrix = Matrix(table)
    cut = data.draw(st.integers(0, matrix.rows))
    assert concatenate_rows(matrix.slice_rows(0, cut), matrix.slice_rows(cut, matrix.rows)) == matrix
    cut = data.draw(st.integers(0, matrix.columns))
    assert (
        concatenate_columns(matrix.slice_columns(0, cut), matrix.slice_columns(cut, matrix.columns)) == matrix
    )


def test_equality():
    assert equals(M, M.add_scalar(1e-9), tolerance=1e-8)
    assert not equals(M, M.add_scalar(1e-9))
    assert not equals(M, M.t)
    assert Matrix([[1.0]]) == Matrix(np.ones((1, 1), "float32"))
    assert hash(Matrix([[-0.0]])) == hash(Matrix([[0.0]]))
    assert Matrix([[np.inf]]) == Matrix([[np.inf]])
    assert Matrix([[np.nan]]) != Matrix([[np.nan]])
    assert M != "M"


# Numpy and Python around it


def test_numpy_reads_it():
    assert np.exp(M).shape == (2, 3)
    assert np.asarray(M).base is not None
    assert np.array(M, dtype="float32").dtype == np.float32
    np.array(M)[0, 0] = 99
    assert M.at(0, 0) == 1
    with pytest.raises(ValueError, match="copy"):
        np.array(M, dtype="float32", copy=False)


def test_arrays_beside_it_become_matrices():
    same(np.eye(2) @ M, M)
    same(M @ np.eye(3), M)
    same(np.ones((2, 3)) + M, M.add_scalar(1))
    same(np.float64(2) * M, M.scale(2))


def test_copies_are_the_matrix_itself():
    assert copy.copy(M) is M
    assert copy.deepcopy([M])[0] is M


# Nothing changes it

BACK_DOORS = {
    "item": lambda m: m.__setitem__((0, 0), 9),
    "attribute": lambda m: setattr(m, "rows", 9),
    "new attribute": lambda m: setattr(m, "name", 9),
    "private attribute": lambda m: setattr(m, "_data", bytes(48)),
    "delete": lambda m: delattr(m, "_data"),
    "class": lambda m: setattr(m, "__class__", type("Other", (Matrix,), {"__slots__": ()})),
    "init": lambda m: m.__init__([[9, 9, 9]] * 2),
    "setstate": lambda m: m.__setstate__({"_data": bytes(48)}),
    "array item": lambda m: m.to_array().__setitem__((0, 0), 9),
    "flag": lambda m: m.to_array().setflags(write=True),
    "flags": lambda m: setattr(m.to_array().flags, "writeable", True),
    "base flag": lambda m: m.to_array().base.setflags(write=True),
    "base item": lambda m: m.to_array().base.__setitem__(0, 9),
    "view": lambda m: m.to_array().view().setflags(write=True),
    "view of integers": lambda m: m.to_array().view(np.int64).__setitem__((0, 0), 9),
    "strided view": lambda m: np.lib.stride_tricks.as_strided(m.to_array(), writeable=True).__setitem__(
        (0, 0), 9
    ),
    "memory": lambda m: memoryview(m.to_array()).cast("B").__setitem__(0, 9),
    "from buffer": lambda m: np.frombuffer(m.to_array()).__setitem__(0, 9),
    "interface": lambda m: np.asarray(
        type("Door", (), {"__array_interface__": m.to_array().__array_interface__})()
    ).__setitem__((0, 0), 9),
    "ctypes": lambda m: ctypes.c_double.from_buffer(m.to_array()),
    "copyto": lambda m: np.copyto(m.to_array(), 9),
    "out": lambda m: np.add(1, 1, out=np.asarray(m)),
    "sort": lambda m: np.asarray(m).sort(),
    "byteswap": lambda m: np.asarray(m).byteswap(inplace=True),
    "ufunc at": lambda m: np.add.at(np.asarray(m), (0, 0), 9),
    "put": lambda m: np.put(np.asarray(m), 0, 9),
    "dlpack": lambda m: np.from_dlpack(m.to_array()).__setitem__((0, 0), 9),
    "array setstate": lambda m: m.to_array().__setstate__((1, (2, 3), np.dtype("f8"), False, bytes(48))),
    "array shape": lambda m: np.asarray(m).resize((3, 2)),
    "row given to filter_rows": lambda m: m.filter_rows(lambda row: row.__setitem__(0, 9)),
    "array kept by filter_rows": lambda m: m.filter_rows(lambda row: row.base.setflags(write=True)),
    "in place": lambda m: m.__iadd__(1),
}

OPEN_IN_NUMPY_2_4 = pytest.mark.xfail(
    np.lib.NumpyVersion(np.__version__) < "2.5.0",
    reason="before NumPy 2.5 ufunc.at writes to read-only arrays",
    strict=True,
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "door", [pytest.param(d, marks=OPEN_IN_NUMPY_2_4) if d == "ufunc at" else d for d in BACK_DOORS]
)
def test_no_back_door(door):
    matrix = Matrix([[1, 2, 3], [4, 5, 6]])
    views = [matrix.t, matrix.slice_rows(0, 2)]
    for target in (matrix, *views):
        with contextlib.suppress(TypeError, ValueError, AttributeError, BufferError):
            BACK_DOORS[door](target)
    same(matrix, [[1, 2, 3], [4, 5, 6]])
    same(views[0].t, matrix)
    assert matrix.shape == (2, 3)
    assert matrix.to_array().dtype == np.float64


def test_what_it_was_made_of_may_change():
    array, rows = np.ones((2, 2)), [[1.0, 2.0]]
    from_array, from_rows = Matrix(array), Matrix(rows)
    array[0, 0], rows[0][0] = 9, 9
    same(from_array, [[1, 1], [1, 1]])
    same(from_rows, [[1, 2]])


def test_operations_leave_their_operands():
    before = M.to_array().copy(), N.to_array().copy()
    for result in (M + N, M @ N.t, M * 2, M.set(0, 0, 5), M.map(np.exp), M.filter_rows(lambda row: True)):
        assert result is not M
    assert np.array_equal(M.to_array(), before[0])
    assert np.array_equal(N.to_array(), before[1])


# Choosing a kernel


def spy(name, seen):
    def run(a, b, out, threads):
        seen.append(name)
        out[...] = a @ b

    return Kernel(name, "spy", "none", "cpu", (np.dtype("float64"),), False, run, run)


def test_using_chooses_the_kernel_inside_the_block():
    seen = []
    with using(spy("outer", seen)):
        product(M, N.t)
        with using(spy("inner", seen)):
            M @ N.t
        with pytest.raises(ZeroDivisionError), using(spy("broken", seen)):
            raise ZeroDivisionError
        M @ N.t
    M @ N.t
    assert seen == ["outer", "inner", "outer"]


def test_using_belongs_to_its_thread():
    seen = []
    with using(spy("mine", seen)):
        other = threading.Thread(target=lambda: M @ N.t)
        other.start()
        other.join()
    assert seen == []


@pytest.mark.parametrize("name", [name for name in KERNELS if KERNELS[name].device != "gpu"])
def test_every_cpu_rung_multiplies_matrices(name):
    with using(name):
        same(M @ N.t, [[-2, 3], [-2, 10.5]])


# Errors


@pytest.mark.parametrize(
    ("action", "error", "words"),
    [
        (lambda: Matrix([1, 2]), ValueError, r"rows of numbers.*\(2,\)"),
        (lambda: Matrix([[1, 2], [3]]), ValueError, "equally long"),
        (lambda: Matrix([["a"]]), TypeError, "real numbers, not <U1"),
        (lambda: Matrix([[1j]]), TypeError, "complex128"),
        (lambda: M @ N, ValueError, r"\(2, 3\) and \(2, 3\) do not multiply"),
        (lambda: M + N.t, ValueError, r"\(2, 3\) and \(3, 2\) differ"),
        (lambda: concatenate_rows(M, N.t), ValueError, r"\(2, 3\), \(3, 2\).*equally many columns"),
        (lambda: concatenate_columns(M, N.t), ValueError, "equally many rows"),
        (lambda: concatenate_rows(), ValueError, "nothing to concatenate"),
        (lambda: M.at(2, 0), IndexError, r"row 2 .*\(2, 3\).*0 to 1"),
        (lambda: M.at(0, -1), IndexError, "column -1"),
        (lambda: M.set(0, 3, 1), IndexError, "column 3"),
        (lambda: M.set(0, 0, "x"), TypeError, "number was expected, not str"),
        (lambda: M.slice_rows(1, 3), IndexError, r"rows 1 to 3.*0 to 2"),
        (lambda: M.slice_columns(2, 1), IndexError, "columns 2 to 1"),
        (lambda: M.at(0.5, 0), IndexError, "row 0.5 is not in"),
        (lambda: M.set("a", 0, 1), IndexError, "row a is not in"),
        (lambda: M.slice_rows(0.5, 1), IndexError, "rows 0.5 to 1"),
        (lambda: M.slice_columns(None, 1), IndexError, "columns None to 1"),
        (lambda: zeros(-1, 2), ValueError, "rows must be a whole number from 0 on, not -1"),
        (lambda: zeros(2, 2.5), ValueError, "columns must be a whole number from 0 on, not 2.5"),
        (lambda: from_function(-1, 2, max), ValueError, "rows must be .* not -1"),
        (lambda: equals(M, M, -1), ValueError, "tolerance must be a number from 0 on, not -1"),
        (lambda: equals(M, M, float("nan")), ValueError, "not nan"),
        (lambda: equals(M, M, "a"), TypeError, "number was expected, not str"),
        (lambda: M.scale("2"), TypeError, "not str"),
        (lambda: setattr(M, "rows", 3), AttributeError, "never changes.*m.set"),
        (lambda: M.__setitem__((0, 0), 3), TypeError, "never changes.*m.set"),
    ],
)
def test_errors_are_one_clear_sentence(action, error, words):
    with pytest.raises(error, match=words) as raised:
        action()
    assert "\n" not in str(raised.value)


# Display


def test_text():
    assert repr(M) == "Matrix, 2 x 3, float64\n[[1. 2. 3.]\n [4. 5. 6.]]"
    assert "..." in repr(zeros(100, 100))
    assert len(repr(zeros(1000, 1000)).splitlines()) < 12


def test_html():
    assert M._repr_html_().count("<td>") == 6
    assert "Matrix, 2 x 3" in M._repr_html_()
    assert "&hellip;" in zeros(60, 2)._repr_html_()
    assert len(zeros(5000, 5000)._repr_html_()) < 5000
