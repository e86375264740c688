"""Right and wrong products."""

import functools
import sys

import numpy as np
import pytest

from mlteach.matmul import KERNELS, matmul
from mlteach.matrix import Matrix, product
from mlteach.teach import check
from mlteach.teach.check.products import SHAPES


def loops(a, b):
    (m, k), n = a.shape, b.shape[1]
    out = np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            for p in range(k):
                out[i, j] += a[i, p] * b[p, j]
    return out


def lists(a, b):
    columns = b.T.tolist()
    return [
        [sum(x * y for x, y in zip(row, column, strict=True)) for column in columns] for row in a.tolist()
    ]


def rows(a, b):
    return [row @ b for row in a]


def tiled(a, b, tile=4):
    out = np.zeros((len(a), b.shape[1]))
    for i in range(0, len(a), tile):
        for p in range(0, len(b), tile):
            out[i : i + tile] += a[i : i + tile, p : p + tile] @ b[p : p + tile]
    return out


def keeps_its_inputs(a, b, kept=[]):  # noqa: B006
    kept.append((a, b))
    return a @ b


def remembers_contents(a, b, seen={}):  # noqa: B006
    return seen.setdefault((a.tobytes(), b.tobytes(), a.shape), a @ b)


def chatters(a, b):
    print(a.shape)
    return a @ b


RIGHT = {
    "numpy": lambda a, b: a @ b,
    "einsum": lambda a, b: np.einsum("ip,pj->ij", a, b),
    "columns first": lambda a, b: np.asfortranarray(a @ b),
    "sum of outer products": lambda a, b: sum(
        (np.outer(a[:, p], b[p]) for p in range(len(b))), np.zeros((len(a), b.shape[1]))
    ),
    "backwards": lambda a, b: a[:, ::-1] @ b[::-1],
    "long double": lambda a, b: a.astype(np.longdouble) @ b.astype(np.longdouble),
    "big endian": lambda a, b: (a @ b).astype(">f8"),
    "a subclass": lambda a, b: np.rec.array(a @ b),
    "Matrix": lambda a, b: Matrix(a @ b),
    "product": product,
    "tuples": lambda a, b: tuple(map(tuple, (a @ b).tolist())),
    **{f.__name__: f for f in (loops, lists, rows, tiled, keeps_its_inputs, remembers_contents, chatters)},
}


def on_part(rows=None, columns=None, inner=None):
    """A product of parts of its inputs; the rest of the result is zero."""

    def part(a, b):
        out = np.zeros((len(a), b.shape[1]))
        r, c, p = (
            size if cut is None else cut(size)
            for cut, size in ((rows, len(a)), (columns, b.shape[1]), (inner, len(b)))
        )
        out[:r, :c] = a[:r, :p] @ b[:p, :c]
        return out

    return part


def multiple_of(tile):
    return lambda size: size - size % tile


def even(size):
    return size - size % 2


def one_less(size):
    return max(size - 1, 1)


def cached(key):
    """A product that forgets that its inputs can change."""
    cache = {}

    def product(a, b):
        return cache.setdefault(key(a, b), a @ b)

    return product


def in_one_buffer():
    buffer = np.empty(70 * 257)

    def product(a, b):
        out = buffer[: len(a) * b.shape[1]].reshape(len(a), b.shape[1])
        return np.matmul(a, b, out=out)

    return product


def uncleared(a, b):
    out = np.empty((len(a), b.shape[1]))
    for p in range(len(b)):
        out[:] = out + np.outer(a[:, p], b[p]) if p else np.outer(a[:, p], b[p])
    return out


def accumulates_on_garbage(a, b):
    out = np.empty((len(a), b.shape[1]))
    out += a @ b
    return out


def changes(name, change):
    def product(a, b):
        out = a @ b
        change({"a": a, "b": b}[name])
        return out

    return product


def zero_corner(x):
    if x.size:
        x[-1, -1] = 0


def in_precision(dtype, back=np.float64):
    return lambda a, b: (a.astype(dtype) @ b.astype(dtype)).astype(back)


def sometimes(random=np.random):
    return lambda a, b: (a @ b) * (1 if random.random() < 0.9 else 2)


def square_only(a, b):
    n = len(a)
    return a @ b if a.shape == b.shape == (n, n) else np.zeros((n, b.shape[1]))


WRONG = {
    "last k of odd k": (on_part(inner=even), "(1, 1) @ (1, 1): expected"),
    "last k": (on_part(inner=one_less), "(1, 3) @ (3, 1): expected"),
    "last row": (on_part(rows=one_less), "(3, 1) @ (1, 1): expected"),
    "last column": (on_part(columns=one_less), "(1, 1) @ (1, 3): expected"),
    "rows beyond 32": (on_part(rows=lambda m: min(m, 32)), "(66, 2)"),
    **{f"k in steps of {t}": (on_part(inner=multiple_of(t)), "expected") for t in (2, 4, 8, 16, 32, 64, 256)},
    **{
        f"rows in steps of {t}": (on_part(rows=multiple_of(t)), "expected")
        for t in (2, 4, 8, 16, 32, 64, 256)
    },
    **{
        f"columns in steps of {t}": (on_part(columns=multiple_of(t)), "expected")
        for t in (2, 4, 8, 16, 32, 64, 256)
    },
    "squares only": (square_only, "(1, 1) @ (1, 3): expected"),
    "transposed": (
        lambda a, b: (a @ b).T,
        "expected an array of shape (0, 2), came an array of shape (2, 0)",
    ),
    "a.T @ b": (lambda a, b: a.T @ b, "raised ValueError"),
    "a.T @ b on squares": (
        lambda a, b: a.T @ b if a.shape == b.shape else a @ b,
        "(2, 2) @ (2, 2): expected",
    ),
    "a @ b.T on squares": (
        lambda a, b: a @ b.T if a.shape == b.shape else a @ b,
        "(2, 2) @ (2, 2): expected",
    ),
    "b @ a on squares": (lambda a, b: b @ a if a.shape == b.shape else a @ b, "(2, 2) @ (2, 2): expected"),
    "elementwise": (lambda a, b: a * b, "raised ValueError"),
    "elementwise on squares": (
        lambda a, b: a * b if a.shape == b.shape else a @ b,
        "(2, 2) @ (2, 2): expected",
    ),
    "cached by shape": (cached(lambda a, b: (a.shape, b.shape)), "the first call of this kind was right"),
    "cached by id": (cached(lambda a, b: (id(a), id(b), a.shape, b.shape)), "expected"),
    "cached by address": (cached(lambda a, b: (a.ctypes.data, b.ctypes.data, a.shape, b.shape)), "expected"),
    "cached by sum of shapes": (cached(lambda a, b: a.size + b.size), "expected"),
    "one buffer": (in_one_buffer(), "(1, 1) @ (1, 1): this call changed the answer of the call before"),
    "input cleared": (changes("a", zero_corner), "expected a as it was, but the call changed it"),
    "input turned": (changes("b", lambda x: x.resize(x.shape[::-1], refcheck=False)), "expected b as it was"),
    "input locked": (changes("a", lambda x: x.setflags(write=False)), "expected a as it was"),
    "garbage at k = 0": (uncleared, "(1, 0) @ (0, 1): expected 0 at [0, 0], came nan"),
    "on garbage": (accumulates_on_garbage, "(1, 0) @ (0, 1): expected 0 at [0, 0], came nan"),
    "half": (
        in_precision(np.float16, np.float16),
        "expected float64, came float16, which has too few digits",
    ),
    "half, hidden": (in_precision(np.float16), "expected"),
    "single": (
        in_precision(np.float32, np.float32),
        "expected float64, came float32, which has too few digits",
    ),
    "single, hidden": (in_precision(np.float32), "expected"),
    "whole numbers": (lambda a, b: np.rint(a @ b), "expected"),
    "magnitudes": (lambda a, b: np.abs(a) @ np.abs(b), "expected"),
    "complex": (lambda a, b: (a @ b).astype(complex), "expected numbers of type float64, came complex128"),
    "objects": (lambda a, b: (a @ b).astype(object), "expected numbers of type float64, came object"),
    "text": (lambda a, b: (a @ b).astype(str), "expected numbers of type float64, came <U"),
    "flat": (lambda a, b: (a @ b).ravel(), "expected an array of shape (0, 0), came an array of shape (0,)"),
    "one dimension more": (lambda a, b: (a @ b)[None], "expected an array of shape (0, 0), came"),
    "a number": (lambda a, b: 1.0, "expected an array of shape (0, 0), came a number"),
    "a generator": (
        lambda a, b: (row for row in a @ b),
        "expected an array of shape (0, 0), came a generator",
    ),
    "too few rows": (lambda a, b: (a @ b).tolist()[1:] if len(a) > 1 else a @ b, "came a list of length"),
    "an input": (lambda a, b: a, "expected"),
    "nan": (lambda a, b: np.where(a @ b > 5, np.nan, a @ b), "came nan"),
    "infinity": (lambda a, b: np.where(a @ b > 5, np.inf, a @ b), "came inf"),
    "masked": (lambda a, b: np.ma.masked_greater(a @ b, 5), "masked"),
    "wrong now and then": (sometimes(), "expected"),
    "wrong now and then, own generator": (sometimes(np.random.default_rng(1)), "expected"),
    "none now and then": (
        lambda a, b: a @ b if len(a) < 9 else None,
        "expected an array of shape (9, 7), came None",
    ),
    "nothing at size 0": (
        lambda a, b: a @ b if a.size else None,
        "(0, 0) @ (0, 0): expected an array of shape (0, 0), came None",
    ),
    "raising": (lambda a, b: 1 / 0, "(0, 0) @ (0, 0): raised ZeroDivisionError: division by zero"),
    "exiting": (lambda a, b: sys.exit(0), "(0, 0) @ (0, 0): raised SystemExit: 0"),
    "one argument": (
        lambda a: a,
        "raised TypeError: <lambda>() takes 1 positional argument but 2 were given",
    ),
}


@pytest.mark.parametrize("fn", RIGHT.values(), ids=RIGHT)
def test_right_products_pass(fn):
    assert repr(check.matmul(fn)) == "passed: 80 products, sizes 0 to 257"


@pytest.mark.parametrize(("fn", "line"), WRONG.values(), ids=WRONG)
def test_wrong_products_do_not(fn, line):
    report = check.matmul(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)
    assert len(report.lines) <= 4


def test_products_in_which_only_digits_differ_show_them():
    _, line, *_ = check.matmul(in_precision(np.float32)).lines
    expected, came = line.split("expected ")[1].replace(" at [0, 0]", "").split(", came ")
    assert expected != came
    assert float(expected) == pytest.approx(float(came), rel=1e-6)


def test_failures_come_smallest_first():
    _, *lines = check.matmul(on_part(inner=even)).lines
    assert [line.split(":")[0] for line in lines] == ["(1, 1) @ (1, 1)", "(1, 1) @ (1, 3)", "(1, 3) @ (3, 1)"]


def test_what_is_tried():
    calls = []
    check.matmul(lambda a, b: calls.append((a, b, a.copy(), b.copy())) or a @ b)
    for a, b, *_ in calls:
        for x in (a, b):
            assert type(x) is np.ndarray
            assert x.dtype == np.float64
            assert x.flags.c_contiguous
            assert x.flags.writeable
            assert not np.any(x == np.rint(x))
            assert x.size < 20 or x.min() < 0 < x.max()
    for (a, b, *_), (c, d, *_) in zip(calls[:-2:2], calls[1:-2:2], strict=True):
        assert (a.shape, b.shape) == (c.shape, d.shape)
        assert not np.shares_memory(a, c)
        assert not a.size or not np.array_equal(a, c)
    (a, _, before, _), (c, _, after, _) = calls[-2:]
    assert a is c
    assert not np.array_equal(before, after)


def test_shapes_leave_no_remainder_out():
    shapes = np.array(SHAPES)
    assert shapes.shape == (len(set(SHAPES)), 3)
    for sizes in shapes[shapes.all(axis=1)].T:
        assert set(sizes % 8) == set(range(8))
        assert (sizes.min(), sizes.max()) == (1, 257)
    assert (shapes == 0).any(axis=0).all()
    assert sum(m == k == n > 1 for m, k, n in SHAPES) >= 3


def row_loop(row, b):
    out = np.zeros(b.shape[1])
    for p in range(len(row)):
        out += row[p] * b[p]
    return out


def every_element(row, b):
    out = np.zeros(b.shape[1])
    for p in range(len(row)):
        for j in range(b.shape[1]):
            out[j] += row[p] * b[p, j]
    return out


def column_sums(row, b):
    return [sum(product) for product in (b.T * row)]


def through_lists(row, b):
    columns = b.T.tolist() if b.size else [[]] * b.shape[1]
    return [sum(map(float.__mul__, row.tolist(), column)) for column in columns]


def by_the_rung(row, b):
    out = np.empty((1, b.shape[1]))
    KERNELS["numpy_rows"].function(np.array(row)[None], np.array(b), out)
    return out[0]


RIGHT_ROWS = [
    lambda row, b: (row[:, None] * b).sum(axis=0),
    lambda row, b: np.multiply(row[:, None], b, out=np.empty(b.shape)).sum(axis=0),
    lambda row, b: (np.asarray(row) * np.asarray(b).T).sum(axis=1),
    lambda row, b: np.add.reduce(b.T * row, axis=1),
    lambda row, b: [(row * column).sum() for column in b.T],
    lambda row, b: functools.reduce(
        np.add, (x * line for x, line in zip(row, b, strict=True)), np.zeros(b.shape[1])
    ),
    row_loop,
]
WRONG_ROWS = [
    (lambda row, b: b @ row, "raised ValueError"),
    (lambda row, b: (row * b).sum(axis=0), "raised ValueError"),
    (
        lambda row, b: row * b if b.shape == (3, 3) else row @ b,
        "(3,) times (3, 3): expected an array of shape (3,)",
    ),
    (lambda row, b: (row[:, None] * b).sum(axis=1), "(0,) times (0, 3): expected an array of shape (3,)"),
    (lambda row, b: (row[:, None] * b).sum(axis=0, keepdims=True), "came an array of shape (1, "),
    (lambda row, b: (row[:, None] * b).sum(axis=0, dtype=np.float32), "too few digits"),
    (lambda row, b: np.multiply(b, row[:, None], out=b).sum(axis=0), "expected b as it was"),
    (lambda row, b: row[:-1] @ b[:-1] if len(row) > 1 else row @ b, "expected"),
    (every_element, "expected NumPy to do the inner loop, but Python took 2400 elements one by one"),
    (column_sums, "expected NumPy to do the inner loop, but Python took 1200 elements one by one"),
    (through_lists, "expected NumPy to do the inner loop"),
    (lambda row, b: row @ b, "(30,) times (30, 40): expected no @: multiply with *"),
    (lambda row, b: b.T @ row, "expected no @"),
    (lambda row, b: [row @ column for column in b.T], "expected no @"),
    (np.matmul, "expected no @"),
    (np.dot, "expected no dot"),
    (lambda row, b: row.dot(b), "expected no dot"),
    (lambda row, b: np.inner(row, b.T), "expected no inner"),
    (lambda row, b: np.tensordot(row, b, 1), "expected no tensordot"),
    (lambda row, b: np.einsum("p,pj->j", row, b), "(30,) times (30, 40): expected no einsum"),
    (
        lambda row, b: [np.correlate(row, column)[0] if len(row) else 0.0 for column in b.T],
        "expected no correlate",
    ),
    (lambda row, b: np.array(row) @ np.array(b), "the numbers are right, but expected no @: multiply"),
    (lambda row, b: [np.asarray(row) @ column for column in np.asarray(b).T], "expected no @"),
    (lambda row, b: (lambda x, y: x.dot(y))(np.array(row), np.array(b)), "right, but expected no dot"),
    (lambda row, b: matmul(np.array(row)[None], np.array(b))[0], "closed during the check"),
    (by_the_rung, "closed during the check"),
]


@pytest.mark.parametrize("fn", RIGHT_ROWS)
def test_right_row_products_pass(fn):
    assert repr(check.row_times_matrix(fn)) == "passed: 29 rows times matrices, sizes 0 to 40"


@pytest.mark.parametrize(("fn", "line"), WRONG_ROWS)
def test_wrong_row_products_do_not(fn, line):
    report = check.row_times_matrix(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)
