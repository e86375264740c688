"""Checker of notebook 16: a bound on the error of a product that rounds its inputs to fp16."""

from collections.abc import Iterator

import numpy as np

from mlteach.teach.check.answers import Wrong, as_array
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.report import Report

LOOSEST = 100  # times the error that a bound may be
LOOSEST_ALIKE = 3  # the same where all elements lose half a step, so that no error makes up for another
DEPTHS = (2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 31, 32, 33, 48, 64, 65, 100, 128, 257)  # k, the smallest first
EXACT_DEPTHS = tuple(range(20, 120, 5))  # where sums of large integers no longer fit into float32


@checker
def bound(fn) -> Report:
    """Check a bound on what fp16 costs a product.

    Parameters
    ----------
    fn : callable
        ``fn(a, b) -> bound`` with float64 arrays a (m, k) and b (k, n) of magnitudes up to 2048. The product
        rounds each element to the nearest fp16 number, multiplies exactly, and adds up in float32, rounding
        to nearest after each addition, in any order. The bound is a number: at least the largest error of a
        cell against a @ b, and at most 100 times that, or 3 times where every element loses half a step the
        same way, so that no errors cancel.

    Notes
    -----
    The error that counts is the largest of five orders: as p runs, from the largest product down and up, and
    the same for magnitudes.
    """
    return examine(fn, _products(), f"products, no bound above {LOOSEST} times the error", without=[error])


def error(a: np.ndarray, b: np.ndarray) -> float:
    """The largest error of a product of fp16 numbers with float32 sums, the worst of five orders."""
    x, y = (matrix.astype(np.float16).astype(np.float32) for matrix in (a, b))
    terms = x[:, :, None] * y[None]  # exact: eleven bits times eleven fit into 24
    orders = [terms]
    for size in (terms, np.abs(terms)):
        rising = np.take_along_axis(terms, size.argsort(axis=1, kind="stable"), axis=1)
        orders += [rising, rising[:, ::-1]]
    sums = [np.add.accumulate(order, axis=1)[:, -1] for order in orders]
    return max(float(np.abs(came - a @ b).max()) for came in sums)


def _products() -> Iterator[Case]:
    random = np.random.RandomState(1616)
    kinds = (_signed, _pixels, _tiny, _halfway)
    for k in DEPTHS:
        m, n = random.randint(3, 9, 2)
        for make in kinds:
            what, a, b = make(random, m, k, n)
            yield _case(what, a, b, LOOSEST_ALIKE if make is _halfway else LOOSEST)
    for k in EXACT_DEPTHS:
        m, n = random.randint(3, 9, 2)
        yield _case(*_integers(random, m, k, n))
        yield _case(*_one_large(random, m, k, n))
        yield _case(*_two_large(random, m, k, n))


def _case(what: str, a: np.ndarray, b: np.ndarray, loosest: int = LOOSEST) -> Case:
    largest = error(a, b)

    def judge(answer):
        came = float(as_array(answer, ()))
        if not came >= largest:
            raise Wrong(f"expected at least {largest:.4g}, the error of the product, came {came:.4g}")
        if came > loosest * largest:
            raise Wrong(
                f"{came:.4g} holds, but the error is {largest:.4g}: expected at most {loosest} times that"
            )

    return Case(f"{what}, a {a.shape}, b {b.shape}", {"a": a, "b": b}, judge)


def _signed(random, m, k, n):
    return "signed numbers", random.normal(0, 1, (m, k)), random.normal(0, 1, (k, n))


def _pixels(random, m, k, n):
    return "pixels", random.randint(0, 256, (m, k)).astype(float), random.normal(0, 0.1, (k, n))


def _tiny(random, m, k, n):
    """Make numbers below the smallest normal fp16 number, where a relative error has no bound."""
    return "tiny numbers", random.normal(0, 1, (m, k)), random.normal(0, 2e-6, (k, n))


def _halfway(random, m, k, n):
    """Make numbers that all lose half a step, so that no error makes up for another."""
    a, b = np.full((m, k), 1 + 2.0**-11), np.full((k, n), 1 + 2.0**-11)
    return "numbers halfway between two, so that no errors cancel", a, b


def _integers(random, m, k, n):
    """Make integers that fp16 holds exactly, so that only the sums round."""
    return "integers", *(random.randint(1000, 2049, shape).astype(float) for shape in ((m, k), (k, n)))


def _one_large(random, m, k, n):
    """Make a sum of 1 and many numbers of half a step, which vanish beside it: the order decides."""
    a, b = np.full((m, k), 2.0**-12), np.full((k, n), 2.0**-12)
    place = random.randint(k)
    a[:, place] = b[place] = 1
    return "1 and small numbers", a, b


def _two_large(random, m, k, n):
    """Make the same with a 1 and a -1 side by side: only an order that parts them loses what lies between."""
    a, b = np.full((m, k), 2.0**-12), np.full((k, n), 2.0**-12)
    place = random.randint(k - 1)
    a[:, place], a[:, place + 1], b[place : place + 2] = 1, -1, 1
    return "1, -1 and small numbers", a, b
