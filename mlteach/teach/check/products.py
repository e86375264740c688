"""Checkers of products in NumPy."""

import math

import numpy as np

from mlteach.teach.check.answers import Wrong, close_to
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.report import Report

# (m, k, n): nothing, one, squares, odd and even neighbours, every remainder modulo 8 of each size, more than
# 64 on two sides at once, and thin ones longer than a tile of 256.
SHAPES = sorted(
    [
        *((0, 0, 0), (0, 3, 2), (2, 3, 0), (1, 0, 1), (2, 0, 3), (9, 0, 7)),
        *((1, 1, 1), (1, 1, 3), (1, 3, 1), (3, 1, 1), (1, 3, 2), (2, 2, 2), (2, 3, 4), (3, 2, 4)),
        *((3, 3, 3), (4, 5, 2), (4, 4, 4), (5, 3, 6), (6, 5, 3), (5, 6, 7), (7, 6, 5), (8, 8, 8)),
        *((9, 7, 10), (10, 9, 8), (11, 10, 9), (13, 12, 14), (14, 15, 13), (15, 14, 16), (16, 16, 16)),
        *((17, 17, 17), (12, 33, 15), (33, 12, 31), (34, 35, 33), (41, 32, 36), (66, 2, 67), (67, 66, 2)),
        *((2, 3, 257), (2, 257, 3), (257, 2, 3)),
    ],
    key=lambda shape: (math.prod(shape), sum(shape)),
)
ROW_SHAPES = [  # (k, n)
    *((0, 0), (0, 3), (3, 0), (1, 1), (1, 4), (4, 1), (2, 3), (3, 2), (3, 3), (5, 4), (8, 8), (7, 10)),
    *((33, 5), (5, 33)),
]


@checker
def matmul(fn) -> Report:
    """Check a matrix product.

    Parameters
    ----------
    fn : callable
        ``fn(a, b) -> product``. a (m, k) and b (k, n) are fresh float64 arrays of signed numbers, none of
        them whole; the product (m, n) may be an array, a `Matrix` or nested lists, in float64.

    Returns
    -------
    Report
        Each shape is tried twice with new numbers, and one pair of arrays is filled anew and tried again.
    """
    return examine(fn, _products(), "products, sizes 0 to 257")


@checker
def row_times_matrix(fn) -> Report:
    """Check the product of one row with a matrix, in NumPy.

    Parameters
    ----------
    fn : callable
        ``fn(row, b) -> (n,)`` for row (k,) and b (k, n), float64. It may loop over rows, but not over the
        elements of b.
    """
    return examine(fn, _row_products(), "rows times matrices, sizes 0 to 40")


def signed(random: np.random.RandomState, *shape: int) -> np.ndarray:
    """A new C-contiguous float64 array of signed numbers, none of them whole."""
    return random.uniform(-2, 2, shape)


def product_tolerance(a: np.ndarray, b: np.ndarray) -> float:
    """How far a float64 product of a and b may be off, whatever the order of its sums."""
    return 16 * np.finfo(np.float64).eps * a.shape[-1] * np.abs(a).max(initial=0) * np.abs(b).max(initial=0)


def _products():
    random = np.random.RandomState(2017)
    for m, k, n in SHAPES:
        for _ in range(2):
            yield _product(f"({m}, {k}) @ ({k}, {n})", signed(random, m, k), signed(random, k, n))
    a, b = signed(random, 5, 6), signed(random, 6, 7)
    yield _product("(5, 6) @ (6, 7) in two new arrays", a, b)
    a[:], b[:] = signed(random, 5, 6), signed(random, 6, 7)
    yield _product("(5, 6) @ (6, 7) in the same two arrays, filled anew", a, b)


def _product(label: str, a: np.ndarray, b: np.ndarray) -> Case:
    case = Case(label, {"a": a, "b": b}, close_to(a @ b, product_tolerance(a, b)))
    _spoil((len(a), b.shape[1]))
    return case


def _spoil(shape: tuple[int, ...]) -> None:
    """Fill the memory that ``np.empty(shape)`` will probably get next, so that what it holds is seen."""
    _blocks = [np.full(shape, np.nan) for _ in range(8)]


def _row_products():
    random = np.random.RandomState(2018)
    for k, n in ROW_SHAPES:
        for _ in range(2):
            yield _row_product(signed(random, k), signed(random, k, n))
    yield _without_loop(signed(random, 30), signed(random, 30, 40))


def _row_product(row: np.ndarray, b: np.ndarray) -> Case:
    label = f"({len(b)},) times {b.shape}"
    case = Case(label, {"row": row, "b": b}, close_to(row @ b, product_tolerance(row, b)))
    _spoil(b.shape[1:])
    return case


def _without_loop(row: np.ndarray, b: np.ndarray) -> Case:
    case = _row_product(row, b)
    reads, most = [0], sum(b.shape)

    def judge(answer):
        if reads[0] > most:
            raise Wrong(
                f"expected NumPy to do the inner loop, but Python took {reads[0]} elements one by one"
            )
        case.judge(answer)

    arguments = {name: _counting(array, reads) for name, array in case.arguments.items()}
    return Case(case.label, arguments, judge)


class _Counting(np.ndarray):
    """An array that counts how many elements Python takes out of it one by one."""

    reads = None

    def __array_finalize__(self, source):
        self.reads = getattr(source, "reads", None) or [0]

    def __getitem__(self, index):
        value = super().__getitem__(index)
        self.reads[0] += not isinstance(value, np.ndarray)
        return value

    def item(self, *index):
        self.reads[0] += 1
        return super().item(*index)

    def tolist(self):
        self.reads[0] += self.size
        return super().tolist()


def _counting(array: np.ndarray, reads: list[int]) -> np.ndarray:
    view = array.view(_Counting)
    view.reads = reads
    return view
