"""Checkers of products in NumPy."""

import dis
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

import numpy as np

from mlteach.teach.check.answers import Wrong, close_to
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.report import Report, not_passed

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
PRODUCTS = {  # what in NumPy multiplies and adds up in one call
    *("matmul", "dot", "vdot", "inner", "tensordot", "einsum", "convolve", "correlate", "multi_dot"),
    *("vecdot", "matvec", "vecmat"),
}


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
        elements of b, and it must not ask for a product that NumPy adds up itself, such as ``@``, dot or
        einsum.
    """
    from mlteach.matmul import matmul
    from mlteach.matmul.loops import numpy_rows

    report = examine(fn, _row_products(), "rows times matrices, sizes 0 to 40", without=[matmul, numpy_rows])
    if report:
        for product in _products_in(getattr(fn, "__code__", None)):
            return not_passed(f"the numbers are right, but {_instead_of(product)}")
    return report


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
    seen, most = _Seen(), sum(b.shape)

    def judge(answer):
        if seen.reads > most:
            raise Wrong(
                f"expected NumPy to do the inner loop, but Python took {seen.reads} elements one by one"
            )
        if seen.product:
            raise Wrong(_instead_of(seen.product))
        case.judge(answer)

    return Case(case.label, {name: seen.watched(array) for name, array in case.arguments.items()}, judge)


def _instead_of(product: str) -> str:
    return f"expected no {product}: multiply with * and add up what comes"


def _products_in(code: object) -> Iterator[str]:
    """Find products in the code of a function and of those within it, for arrays that no longer tell."""
    if isinstance(code, CodeType):
        yield from ("@" for step in dis.get_instructions(code) if step.argrepr in ("@", "@="))
        yield from (name for name in code.co_names if name in PRODUCTS)
        for constant in code.co_consts:
            yield from _products_in(constant)


@dataclass
class _Seen:
    """What was done with the arrays of a call: elements taken one by one, and the product asked for."""

    reads: int = 0
    product: str = ""

    def watched(self, array: np.ndarray) -> np.ndarray:
        view = array.view(_Watched)
        view.seen = self
        return view


class _Watched(np.ndarray):
    """An array that reports to a `_Seen`, as do the arrays that are made of it."""

    seen = _Seen()

    def __array_finalize__(self, source):
        self.seen = getattr(source, "seen", None) or _Seen()

    def __getitem__(self, index):
        value = super().__getitem__(index)
        self.seen.reads += not isinstance(value, np.ndarray)
        return value

    def item(self, *index):
        self.seen.reads += 1
        return super().item(*index)

    def tolist(self):
        self.seen.reads += self.size
        return super().tolist()

    def dot(self, *args, **options):
        self.seen.product = "dot"
        return super().dot(*args, **options)

    def __array_function__(self, function, types, args, options):
        if function.__name__ in PRODUCTS:
            self.seen.product = function.__name__
        return super().__array_function__(function, types, args, options)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if ufunc.__name__ in PRODUCTS:
            self.seen.product = "@" if ufunc is np.matmul else ufunc.__name__
        if "out" in options:
            options["out"] = tuple(map(_plain, options["out"]))
        result = getattr(ufunc, method)(*map(_plain, inputs), **options)
        return self.seen.watched(result) if isinstance(result, np.ndarray) else result


def _plain(value):
    return value.view(np.ndarray) if isinstance(value, _Watched) else value
