"""Right and wrong bounds on the error of a product in fp16."""

import numpy as np
import pytest

from mlteach.teach import check
from mlteach.teach.check.rounding import error

UNIT = 2.0**-11  # the relative error of rounding to fp16
SUM = 2.0**-24  # the same for float32


def bound(a, b, *, lost_twice=True, both=True, sums=1.0, worst=np.max):
    """The right answer, or a wrong one where an option says so."""
    x, y = (m.astype(np.float16).astype(float) for m in (a, b))
    da, db = abs(a - x), abs(b - y)
    lost = da @ abs(b if both else y) + abs(x) @ db * lost_twice
    return worst(lost + sums * a.shape[1] * SUM * (abs(x) @ abs(y)))


def measured(a, b):
    """No bound: the error of one order of sums."""
    x, y = (m.astype(np.float16).astype(np.float32) for m in (a, b))
    return float(abs(x @ y - a @ b).max())


def worst_of_three(a, b):
    """No bound either: orders that keep a 1 and a -1 together."""
    x, y = (m.astype(np.float16).astype(np.float32) for m in (a, b))
    terms = x[:, :, None] * y[None]
    rising = np.take_along_axis(terms, abs(terms).argsort(axis=1, kind="stable"), axis=1)
    sums = [np.add.accumulate(order, axis=1)[:, -1] for order in (terms, rising, rising[:, ::-1])]
    return max(float(abs(came - a @ b).max()) for came in sums)


def textbook(a, b):
    """The bound that knows nothing of the numbers but their size."""
    return ((2 * UNIT + UNIT**2 + a.shape[1] * SUM) * (abs(a) @ abs(b))).max()


def likely(a, b):
    """What the error is like where the signs of the roundings differ."""
    x, y = (m.astype(np.float16).astype(float) for m in (a, b))
    lost = np.sqrt((a - x) ** 2 @ b**2 + x**2 @ (b - y) ** 2)
    return (lost + a.shape[1] * SUM * (abs(x) @ abs(y))).max()


def with_half_a_step(a, b):
    """The bound that forgets what fp16 holds exactly."""
    da, db = (np.spacing(abs(m).astype(np.float16)).astype(float) / 2 for m in (a, b))
    a, b = abs(a) + da, abs(b) + db
    return (da @ b + a @ db + a.shape[1] * SUM * (a @ b)).max()


def test_right_bounds_pass():
    assert repr(check.bound(bound)) == "passed: 140 products, no bound above 100 times the error"

    def seen(a, b):
        x, y = (m.astype(np.float16).astype(float) for m in (a, b))
        return (abs(a @ b - x @ y) + a.shape[1] * SUM * (abs(x) @ abs(y))).max()

    assert check.bound(seen).passed
    assert check.bound(lambda a, b: 2 * bound(a, b)).passed


@pytest.mark.parametrize(
    ("fn", "line"),
    [
        (textbook, "tiny numbers"),
        (with_half_a_step, "integers"),
        (lambda a, b: 1e9, "expected at most 100 times that"),
        (lambda a, b: float("inf"), "expected at most 100 times that"),
        (lambda a, b: float("nan"), "expected at least"),
        (lambda a, b: 0, "expected at least"),
        (lambda a, b: -bound(a, b), "expected at least"),
        (measured, "expected at least"),
        (lambda a, b: 2 * measured(a, b), "expected at least"),
        (lambda a, b: 1.5 * worst_of_three(a, b), "1, -1 and small numbers"),
        (error, "closed during the check"),
        (lambda a, b: 1e-6 + 2.5 * measured(a, b), "expected at least"),
        (lambda a, b: bound(a, b, sums=0), "expected at least"),
        (lambda a, b: bound(a, b, sums=0.9), "1 and small numbers"),  # half a step is 2**-24
        (lambda a, b: bound(a, b, both=False), "numbers halfway between two"),  # forgets da times db
        (lambda a, b: 3 * likely(a, b), "numbers halfway between two"),
        (lambda a, b: bound(a, b, lost_twice=False), "expected at least"),
        (lambda a, b: bound(a, b, worst=np.mean), "expected at least"),
        (lambda a, b: 100 * bound(a, b), "expected at most 100 times that"),
        (lambda a, b: 3.1 * bound(a, b), "no errors cancel, a (3, 2), b (2, 7): 0.006057 holds, but"),
        (lambda a, b: abs(a - a.astype(np.float16)).max(), "expected"),
        (lambda a, b: np.float32(bound(a, b)), "too few digits"),
        (lambda a, b: a.__imul__(1.5).sum(), "changed it"),
        (lambda a, b: np.full(a.shape, 1.0), "expected a number"),
        (lambda a, b: 1 // 0, "raised ZeroDivisionError"),
    ],
)
def test_other_bounds_do_not(fn, line):
    report = check.bound(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


@pytest.mark.parametrize("blank", [None, ..., lambda a, b: None])
def test_a_stub_is_not_solved_yet(blank):
    assert repr(check.bound(blank)) == "not solved yet"


def test_the_error_is_that_of_the_worst_order():
    a, b = np.full((1, 50), 2.0**-12), np.full((50, 1), 2.0**-13)
    a[0, 49] = b[49, 0] = 1
    x, y = a.astype(np.float32), b.astype(np.float32)
    assert error(a, b) == 49 * 2.0**-25  # the large one first: each of the others is lost
    assert abs(float(np.add.accumulate((x * y.T)[0])[-1]) - (a @ b)[0, 0]) < error(a, b)
