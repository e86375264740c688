"""Right and wrong counts of the bytes that a tiled product moves."""

import math

import pytest

from mlteach.measure import roofline
from mlteach.teach import check


def pieces(size, tile):
    return -(-size // tile)


def count(m, n, k, tm, tn, tk, *, rounded=pieces, reads=1, itemsize=4, first_read=0):
    """The right answer, or a wrong one where an option says so."""
    a, b = m * k * rounded(n, tn), k * n * rounded(m, tm)
    writes = rounded(k, tk)
    out = m * n * (writes + reads * (writes - 1) + first_read)
    return itemsize * (a + b + out)


def step_by_step(m, n, k, tm, tn, tk):
    total = 0
    for i in range(0, m, tm):
        for j in range(0, n, tn):
            for p in range(0, k, tk):
                rows, columns, depth = min(tm, m - i), min(tn, n - j), min(tk, k - p)
                total += rows * depth + depth * columns + rows * columns * (2 if p else 1)
    return 4 * total


def padded(m, n, k, tm, tn, tk):
    """Edge tiles as large as the others."""
    steps = [pieces(m, tm), pieces(n, tn), pieces(k, tk)]
    return 4 * math.prod(steps) * (tm * tk + tk * tn + 2 * tm * tn) - 4 * steps[0] * steps[1] * tm * tn


RIGHT = [
    count,
    step_by_step,
    lambda *numbers: float(count(*numbers)),
]
WRONG = [
    (
        lambda *numbers: count(*numbers, rounded=lambda size, tile: max(1, size // tile)),
        "traffic(5, 4, 4, 2, 4, 4): expected 352, came 288",
    ),
    (lambda *numbers: count(*numbers, rounded=lambda size, tile: size / tile), "traffic(2, 3, 4, 8, 8, 8)"),
    (lambda *numbers: count(*numbers, first_read=1), "traffic(1, 1, 1, 1, 1, 1): expected 12, came 16"),
    (lambda *numbers: count(*numbers, reads=0), "traffic(1, 1, 2, 1, 1, 1): expected 28, came 24"),
    (lambda *numbers: count(*numbers, itemsize=8), "expected 12, came 24"),
    (lambda *numbers: count(*numbers, itemsize=1), "expected 12, came 3"),
    (lambda m, n, k, *tile: 4 * (m * k + k * n + m * n), "traffic(2, 1, 1, 1, 1, 1): expected 24, came 20"),
    (lambda m, n, k, tm, tn, tk: count(m, n, k, tn, tm, tk), "not passed"),
    (lambda m, n, k, tm, tn, tk: count(n, m, k, tm, tn, tk), "not passed"),
    (padded, "traffic(2, 3, 4, 8, 8, 8)"),
    (lambda *numbers: str(count(*numbers)), "expected a number, came a str"),
    (lambda *numbers: [count(*numbers)], "expected a number"),
    (lambda *numbers: count(*numbers) if numbers[0] < 7 else None, "expected a number, came None"),
    (lambda *numbers: count(*numbers) if numbers[0] < 1000 else 0, "traffic(1000, 1000, 1000, 64, 64, 64)"),
    (lambda m, n, k: 0, "raised TypeError"),
]


@pytest.mark.parametrize("fn", RIGHT)
def test_right_counts_pass(fn):
    assert repr(check.traffic(fn)) == "passed: 20 products, tiles that divide and tiles that don't"


@pytest.mark.parametrize(("fn", "line"), WRONG)
def test_wrong_counts_do_not(fn, line):
    report = check.traffic(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def test_a_count_by_the_library_does_not_pass():
    borrowed = roofline.traffic
    report = check.traffic(lambda m, n, k, *tile: borrowed(m, n, k, tile=tile))
    assert "closed during the check: write yours without it" in report.lines[1]
    assert roofline.traffic(1, 1, 1) == 12


def test_a_count_that_calls_itself_passes():
    def traffic(m, n, k, tm, tn, tk):
        if m > tm:
            return traffic(tm, n, k, tm, tn, tk) + traffic(m - tm, n, k, tm, tn, tk)
        return count(m, n, k, tm, tn, tk)

    assert check.traffic(traffic)


@pytest.mark.parametrize("fn", [None, ..., lambda m, n, k, tm, tn, tk: ..., lambda *_: None])
def test_a_stub_is_not_solved_yet(fn):
    assert repr(check.traffic(fn)) == "not solved yet"
