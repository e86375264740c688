"""A dot product in four sums, and everything that is not one."""

import numpy as np
import pytest
from numba import njit

from mlteach.teach import check
from mlteach.teach.check import speed
from mlteach.teach.check._dots import dot_in_four, dot_in_one


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """Let every answer take half the time of one sum; what is really timed has tests of its own."""
    monkeypatch.setattr(speed, "_seconds", lambda *dots: [2.0, 1.0, 1.0])


@njit
def kept_in_an_array(x, y):
    sums = np.zeros(4, x.dtype)
    for p in range(len(x)):
        sums[p % 4] += x[p] * y[p]
    return sums[0] + sums[1] + sums[2] + sums[3]


@njit
def rest_first(x, y):
    acc0 = acc1 = acc2 = acc3 = x.dtype.type(0)
    p = 0
    while (len(x) - p) % 4:
        acc2 += x[p] * y[p]
        p += 1
    while p < len(x):
        acc3 += x[p + 3] * y[p + 3]
        acc2 += x[p + 2] * y[p + 2]
        acc1 += x[p + 1] * y[p + 1]
        acc0 += x[p] * y[p]
        p += 4
    return acc2 + acc0 + (acc3 + acc1)


@pytest.mark.parametrize("right", [dot_in_four, kept_in_an_array, rest_first])
def test_four_sums_pass(right):
    report = check.dot4(right)
    assert report.passed, report
    assert report.lines[-1] == "2.0 times faster than one sum"


@njit
def stub(x, y): ...


@pytest.mark.parametrize("nothing", [None, ..., stub])
def test_a_stub_is_not_solved_yet(nothing):
    assert check.dot4(nothing) == check.report.UNSOLVED


@njit
def in_two(x, y):
    acc0 = acc1 = x.dtype.type(0)
    for p in range(0, len(x) - 1, 2):
        acc0 += x[p] * y[p]
        acc1 += x[p + 1] * y[p + 1]
    if len(x) % 2:
        acc0 += x[-1] * y[-1]
    return acc0 + acc1


@njit
def in_eight(x, y):
    sums = np.zeros(8, x.dtype)
    for p in range(len(x)):
        sums[p % 8] += x[p] * y[p]
    return sums.sum()


@njit
def in_quarters(x, y):
    total = x.dtype.type(0)
    edges = [len(x) * part // 4 for part in range(5)]
    for part in range(4):
        total += dot_in_one(x[edges[part] : edges[part + 1]], y[edges[part] : edges[part + 1]])
    return total


@njit
def in_blocks(x, y):
    total = x.dtype.type(0)
    for start in range(0, len(x), 32):
        total += dot_in_four(x[start : start + 32], y[start : start + 32])
    return total


@njit
def without_the_rest(x, y):
    whole = len(x) // 4 * 4
    return dot_in_four(x[:whole], y[:whole])


@njit
def past_the_end(x, y):
    acc0 = acc1 = acc2 = acc3 = x.dtype.type(0)
    for p in range(0, len(x), 4):
        acc0 += x[p] * y[p]
        acc1 += x[(p + 1) % len(x)] * y[(p + 1) % len(x)]
        acc2 += x[(p + 2) % len(x)] * y[(p + 2) % len(x)]
        acc3 += x[(p + 3) % len(x)] * y[(p + 3) % len(x)]
    return acc0 + acc1 + acc2 + acc3


@njit
def in_float64(x, y):
    sums = np.zeros(4)
    for p in range(len(x)):
        sums[p % 4] += x[p] * y[p]
    return sums.sum()


@njit
def fails_on_nothing(x, y):
    x[0]
    return dot_in_four(x, y) if len(x) else x.dtype.type(1)


@njit
def by_blas(x, y):
    return np.dot(x, y)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (dot_in_one, "expected the products p = 0, 4, 8, ... in one sum"),
        (in_two, "expected the products"),
        (in_eight, "expected the products"),
        (in_quarters, "expected the products"),
        (in_blocks, "expected the products"),
        (without_the_rest, "k = 1, float64: expected"),
        (past_the_end, "k = 1, float64: expected"),
        (in_float64, "expected float32 out, came float64"),
        (fails_on_nothing, "k = 0, float64: expected 0, came 1"),
        (njit(fastmath=True)(dot_in_one.py_func), "expected no fastmath"),
        (njit(fastmath={"reassoc"})(dot_in_four.py_func), "expected no fastmath"),
        (np.dot, "expected a function under @njit"),
        (dot_in_four.py_func, "expected a function under @njit"),
        (3, "expected a function"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_wrong_answer_is_told(wrong, line):
    report = check.dot4(wrong)
    assert not report.passed
    assert line in "\n".join(report.lines)


def test_fastmath_hidden_in_a_call_is_found():
    inner = njit(fastmath={"reassoc", "contract"})(dot_in_one.py_func)

    @njit
    def dot4(x, y):
        return inner(x, y)

    assert "expected the products" in check.dot4(dot4).lines[1]


@pytest.mark.parametrize(
    ("seconds", "crowded", "verdict", "line"),
    [
        ([3.0, 1.0, 1.4], True, "passed", "2.1 times faster than one sum"),
        ([3.0, 1.0, 1.6], False, "not passed", "expected 2.0 times faster than one sum, came 1.88"),
        ([3.0, 1.0, 1.6], True, "inconclusive", "too busy"),
        ([1.1, 1.0, 1.0], False, "inconclusive", "too busy"),
    ],
)
def test_the_verdict_on_the_speed_is_relative_to_this_machine(monkeypatch, seconds, crowded, verdict, line):
    monkeypatch.setattr(speed, "_seconds", lambda *dots: seconds)
    monkeypatch.setattr(speed, "_crowded", lambda: crowded)
    report = check.dot4(dot_in_four)
    assert report.passed == (verdict == "passed")
    assert report.lines[0].startswith(verdict)
    assert line in report.lines[-1]


def test_the_best_of_three_attempts_counts(monkeypatch):
    attempts = iter([[1.1, 1.0, 1.0], [3.0, 1.0, 2.9], [3.0, 1.0, 1.0]])
    monkeypatch.setattr(speed, "_seconds", lambda *dots: next(attempts))
    assert check.dot4(dot_in_four).passed
    assert next(attempts, None) is None


def test_a_sleeping_dot_takes_longer(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(speed, "CALLS", 2)
    calls = []

    def heavy(x, y):
        calls.append(sum(range(100_000)))

    light, heavier = speed._seconds(dot_in_four, heavy)
    assert len(calls) == 2 * speed.SAMPLES
    assert 0 < light < heavier
