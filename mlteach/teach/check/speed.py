"""Checker of notebook 06: a dot product in four sums, right to the bit, and faster than one sum."""

import os
import time
from collections.abc import Callable, Iterator

import numpy as np

from mlteach.measure import probe
from mlteach.measure.turns import ELBOW_ROOM, LOOK
from mlteach.measure.units import number_text
from mlteach.teach.check.answers import Hopeless, Wrong
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.report import INCONCLUSIVE, Report, not_passed
from mlteach.teach.check.wording import both, kind

SIZES = (*range(10), 64, 101, 1000)
LONG = 3000  # numbers in a timed vector: two of float32 fit the first cache of any processor
CALLS = 200  # in a sample, about half a millisecond
SAMPLES, ATTEMPTS = 9, 3
GAIN = 1.2  # below this, four sums gain too little here for a verdict


@checker
def dot4(fn) -> Report:
    """Check a dot product that grows four sums side by side.

    Parameters
    ----------
    fn : function under ``@njit``, without fastmath
        ``fn(x, y) -> sum of x[p] * y[p]`` for two contiguous vectors (k,) of one type, float32 or float64;
        the sum is of that type.

    Returns
    -------
    Report
        Passed where every sum is right and sum r adds up the products r, r + 4, r + 8 and so on, in this
        order, and where it gains at least half of what four sums gain over one on this machine.
        "inconclusive" where it is right but the machine is too busy, or gains too little, to tell.
    """
    if callable(fn) and not hasattr(fn, "nopython_signatures"):
        return not_passed("expected a function under @njit, came a plain one")
    if callable(fn) and fn.targetoptions.get("fastmath"):
        return not_passed("expected no fastmath: let your own four sums break the chain")
    report = examine(fn, _cases(fn), "pairs of vectors, sizes 0 to 1000")
    return _timed(fn, report) if report else report


def _cases(fn) -> Iterator[Case]:
    random = np.random.RandomState(2020)
    for k in SIZES:
        for dtype in (np.float64, np.float32):
            for _ in range(2):
                x, y = random.uniform(-2, 2, (2, k)).astype(dtype)
                yield Case(f"k = {k}, {x.dtype}", {"x": x, "y": y}, _sum_of(fn, x, y))
    for dtype in (np.float64, np.float32):
        for first in range(4):
            yield _lost_ones(dtype, first, first + 4)
            yield _lost_ones(dtype, first, first + 60)


def _sum_of(fn, x: np.ndarray, y: np.ndarray) -> Callable[[object], None]:
    products = x.astype(float) * y
    expected = float(products.sum())
    tolerance = 2 * np.finfo(x.dtype).eps * (len(x) + 1) * float(np.abs(products).sum())
    dtype = x.dtype.name

    def judge(answer):
        if not abs(_number(answer) - expected) <= tolerance:
            wanted, came = both(expected, answer)
            raise Wrong(f"expected {wanted}, came {came}")
        for signature in fn.nopython_signatures:
            if str(signature.args[0].dtype) == dtype != str(signature.return_type):
                raise Wrong(f"expected {dtype} out, came {signature.return_type}: begin with x.dtype.type(0)")

    return judge


def _lost_ones(dtype: type, first: int, last: int) -> Case:
    """Ones, among which a huge number comes and later goes: the ones that its sum meets meanwhile are lost.

    How many are left says which products share a sum.
    """
    x = np.ones(64, dtype)
    huge = dtype(2.0 ** (np.finfo(dtype).nmant + 8))
    x[[first, last]] = huge, -huge
    left = len(x) - 2 - len(range(first + 4, last, 4))

    def judge(answer):
        if _number(answer) != left:
            raise Hopeless(
                "expected the products p = 0, 4, 8, ... in one sum, p = 1, 5, 9, ... in the next, "
                "and so on; came other sums"
            )

    return Case(f"the order of the additions, {x.dtype}", {"x": x, "y": np.ones_like(x)}, judge)


def _number(answer: object) -> float:
    if not isinstance(answer, float):
        raise Wrong(f"expected a number, came {kind(answer)}")
    return answer


def _timed(fn, report: Report) -> Report:
    """Add the verdict on the speed to a report that passed."""
    from mlteach.teach.check._dots import dot_in_four, dot_in_one

    for _ in range(ATTEMPTS):
        one, four, own = _seconds(dot_in_one, dot_in_four, fn)
        asked, gain = 1 + (one / four - 1) / 2, one / own
        if one / four >= GAIN and gain >= asked:
            return Report(True, (*report.lines, f"{number_text(gain)} times faster than one sum"))
    if one / four < GAIN or _crowded():
        return Report(
            False, (INCONCLUSIVE, "the sums are right, but the machine is too busy to time them: try again")
        )
    return not_passed(
        f"the sums are right; expected {number_text(asked)} times faster than one sum, "
        f"came {number_text(gain)}"
    )


def _seconds(*dots: Callable) -> list[float]:
    """The shortest of several samples of each, taken in turns."""
    x, y = np.random.RandomState(2021).uniform(-2, 2, (2, LONG)).astype(np.float32)
    best = [float("inf")] * len(dots)
    for _ in range(SAMPLES):
        for place, dot in enumerate(dots):
            begin = time.perf_counter()
            for _ in range(CALLS):
                dot(x, y)
            best[place] = min(best[place], time.perf_counter() - begin)
    return best


def _crowded() -> bool:
    busy, cores = probe.busy_cores(LOOK), os.cpu_count() or 1
    return busy is not None and busy > cores - 1 + ELBOW_ROOM
