"""Checker of notebook 08: a search that several threads share."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlteach.teach.check.answers import Wrong
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.report import Report, not_passed
from mlteach.teach.check.wording import kind, plain

THREADS = (1, 2, 3, 8)  # as many as Numba has here, where a number is larger
RUNS = 50  # of one array, on every number of threads: a race that is rarely lost shows, too
SIZES = (2, 3, 4, 5, 7, 8, 9, 31, 64, 1000, 100_001)


@checker
def argmax_p(fn) -> Report:
    """Check a parallel search for the largest number.

    Parameters
    ----------
    fn : function under ``@njit(parallel=True)`` with a `prange` loop
        ``fn(x) -> index`` of the largest number of x (N,), float64, N at least 1: the first of equals, and
        the first NaN where there is one, as `numpy.argmax` has it.

    Notes
    -----
    Each array is tried with Numba limited to 1, 2, 3 and 8 threads, as far as the machine has them. One array
    is searched fifty times on each.
    """
    import numba

    before = numba.get_num_threads()
    try:
        report = examine(fn, _searches(numba), "searches, sizes 1 to 100001, on one thread and on more")
    finally:
        numba.set_num_threads(before)
    if report and not _is_parallel(fn):
        return not_passed("the answers are right; expected a function under @njit(parallel=True)")
    if report and "prange" not in fn.py_func.__code__.co_names:
        return not_passed("the answers are right; expected a prange loop, which all threads share")
    return report


def _is_parallel(fn) -> bool:
    return hasattr(fn, "nopython_signatures") and bool(fn.targetoptions.get("parallel"))


def _searches(numba) -> Iterator[Case]:
    for threads in THREADS:
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        for name, numbers in _arrays():
            for _ in range(RUNS if name.startswith("again") else 1):
                yield _search(f"{name}, size {numbers.size}, {threads} thread{'s'[: threads > 1]}", numbers)


def _search(label: str, numbers: np.ndarray) -> Case:
    wanted = int(np.argmax(numbers))

    def judge(answer):
        if not isinstance(answer, int | np.integer) or isinstance(answer, bool):
            raise Wrong(f"expected a whole number, came {kind(answer)}")
        if answer != wanted:
            raise Wrong(f"expected {wanted}{_why(numbers, wanted)}, came {plain(str(int(answer)))}")

    return Case(label, {"x": numbers.copy()}, judge)


def _why(numbers: np.ndarray, wanted: int) -> str:
    if np.isnan(numbers[wanted]):
        return " (the first NaN)"
    return " (the first of equals)" if np.count_nonzero(numbers == numbers[wanted]) > 1 else ""


def _arrays() -> Iterator[tuple[str, np.ndarray]]:
    """What to search, the smallest first; a name that begins with "again" is searched many times."""
    random = np.random.RandomState(2017)
    for number in (-1.5, -np.inf, np.nan):
        yield "one number", np.array([number])
    for size in SIZES:
        mixed = random.standard_normal(size)
        yield "mixed numbers", mixed
        yield "negative numbers", -1 - np.abs(mixed)
        for at in sorted({0, size // 2, size - 1}):
            largest = mixed.copy()
            largest[at] = 9.0
            yield f"the largest at {at}", largest
        yield "all equal", np.full(size, -2.5)
        yield "nothing above minus infinity", np.full(size, -np.inf)
        ties = mixed.copy()
        ties[[size // 3, size // 2, size - 1]] = 9.0
        yield "ties", ties
        for at in sorted({0, size // 2, size - 1}):
            holes = ties.copy()
            holes[at:] = np.nan
            yield f"NaN from {at} on", holes
        one = ties.copy()
        one[size // 2] = np.nan
        yield "a NaN in the middle", one
    last = np.round(random.standard_normal(50_000), 1)
    yield "again and again", last
