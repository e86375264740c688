"""Right and wrong parallel searches."""

import numba
import numpy as np
import pytest
from numba import get_num_threads, njit, prange

from mlteach.teach import check

PASSED = "passed: 732 searches, sizes 1 to 100001, on one thread and on more"


@njit(parallel=True)
def argmax_p(x):
    parts = get_num_threads()
    best = np.empty(parts, np.int64)
    for t in prange(parts):
        at = x.size * t // parts
        for i in range(at + 1, x.size * (t + 1) // parts):
            if x[at] == x[at] and not x[i] <= x[at]:
                at = i
        best[t] = at
    at = best[0]
    for t in range(1, parts):
        if x[at] == x[at] and not x[best[t]] <= x[at]:
            at = best[t]
    return at


@njit(parallel=True)
def racy(x):
    """Each thread has a private `at`, and all are dropped."""
    best, at = x[0], 0
    for i in prange(x.size):
        if x[i] > best or (x[i] != x[i] and best == best):
            best, at = x[i], i
    return at


def always_two_parts(merge):
    """Search two halves, then merge their winners: the answer does not depend on the threads."""

    def search(x):
        half = x.size // 2
        winners = [
            int(part.argmax()) + start for part, start in ((x[:half], 0), (x[half:], half)) if part.size
        ]
        return merge(x, winners)

    return search


def first(x, winners):
    return min(winners, key=lambda i: (not np.isnan(x[i]), 0 if np.isnan(x[i]) else -x[i], i))


def below(search, threads):
    """Right on fewer threads only."""
    return lambda x: int(x.argmax()) if get_num_threads() < threads else search(x)


def once_in(search, count):
    calls = iter(range(10**6))
    return lambda x: search(x) if next(calls) % count == count - 1 else int(x.argmax())


@njit
def on_one_thread(x):
    at = 0
    for i in range(x.size):
        if x[at] == x[at] and not x[i] <= x[at]:
            at = i
    return at


@njit(parallel=True)
def parallel_in_name(x):
    return on_one_thread(x)


SERIAL = [
    (np.argmax, "expected a function under @njit(parallel=True)"),
    (always_two_parts(first), "expected a function under @njit(parallel=True)"),
    (on_one_thread, "expected a function under @njit(parallel=True)"),
    (parallel_in_name, "expected a prange loop, which all threads share"),
]
WRONG = [
    (lambda x: int(np.nanargmax(x)) if not np.isnan(x).all() else 0, "expected 1 (the first NaN), came 0"),
    (
        lambda x: x.size - 1 - int(x[::-1].argmax()),
        "all equal, size 2, 1 thread: expected 0 (the first of equals), came 1",
    ),
    (lambda x: int(x.argmin()), "size 2, 1 thread"),
    (lambda x: 0, "not passed"),
    (lambda x: float(x.max()), "expected a whole number, came a float"),
    (lambda x: float(x.argmax()), "expected a whole number, came a float"),
    (lambda x: [int(x.argmax())], "expected a whole number, came a list"),
    (lambda x: np.array(x.argmax()), "expected a whole number, came a ndarray"),
    (
        lambda x: int(x.argmax()) if x.size > 1 else None,
        "one number, size 1, 1 thread: expected a whole number, came None",
    ),
    (lambda x: int(np.argmax(np.append(x[1:], x[0]))), "not passed"),
    (lambda x: max(range(x.size), key=x.__getitem__), "(the first NaN)"),
    (lambda x: int(np.argmax(np.maximum(x, 0))), "negative numbers"),
    (
        always_two_parts(lambda x, winners: max(reversed(winners), key=lambda i: x[i])),
        "(the first of equals)",
    ),
    (always_two_parts(lambda x, winners: max(winners, key=lambda i: x[i])), "(the first NaN)"),
    (always_two_parts(lambda x, winners: winners[-1]), "not passed"),
    (lambda x: int(x.argmax()) if x.size < 100_000 else int(x[: x.size // 2].argmax()), "size 100001"),
    (once_in(lambda x: 0, 60), "(the first call of this kind was right)"),
    (lambda x: x.sort() or x.size - 1, "expected x as it was"),
]


def test_a_right_search_passes():
    assert repr(check.argmax_p(argmax_p)) == PASSED


@pytest.mark.filterwarnings("ignore::numba.core.errors.NumbaPerformanceWarning")
@pytest.mark.parametrize(("fn", "line"), SERIAL)
def test_a_search_on_one_thread_does_not_pass(fn, line):
    assert repr(check.argmax_p(fn)) == f"not passed\n  the answers are right; {line}"


@pytest.mark.parametrize(("fn", "line"), WRONG)
def test_wrong_searches_do_not(fn, line):
    report = check.argmax_p(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads of Numba")
@pytest.mark.parametrize("search", [racy, lambda x: 0])
def test_what_is_right_on_one_thread_only_is_wrong(search):
    report = check.argmax_p(below(search, 2))
    assert not report.passed
    assert "2 threads: expected" in "\n".join(report.lines)


@pytest.mark.parametrize("fn", [None, ..., lambda x: ..., lambda x: None])
def test_a_stub_is_not_solved_yet(fn):
    assert repr(check.argmax_p(fn)) == "not solved yet"


def test_the_number_of_threads_is_given_back():
    before = numba.get_num_threads()
    seen = set()
    check.argmax_p(lambda x: seen.add(numba.get_num_threads()) or int(x.argmax()))
    assert numba.get_num_threads() == before
    assert seen == {min(threads, numba.config.NUMBA_NUM_THREADS) for threads in (1, 2, 3, 8)}
