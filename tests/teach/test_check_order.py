"""Loops in the right order, and in all others."""

import itertools

import numpy as np
import pytest

from mlteach.teach import check
from mlteach.teach.check.order import Watched


def clear(out):
    for row in out:
        for j in range(len(row)):
            row[j] = 0.0


def plain(a, b, out):
    clear(out)
    for p in range(len(b)):
        for i in range(len(a)):
            for j in range(len(b[0])):
                out[i][j] += a[i][p] * b[p][j]


def pairs(a, b, out):
    (m, k), n = a.shape, b.shape[1]
    for i, j in itertools.product(reversed(range(m)), reversed(range(n))):
        out[i, j] = 0
    for p in range(k):
        for i in range(m):
            for j in range(n):
                out[i, j] = out[i, j] + a[i, p] * b[p, j]


def hoisted(a, b, out):
    for row in out:
        row[:] = [0] * len(row)
    for p, b_row in enumerate(b):
        for i, row in enumerate(out):
            x = a[i][p]
            for j, y in enumerate(b_row):
                row[j] += x * y


def row_kept(a, b, out):
    out[:] = [[0.0] * len(b[0])] * len(a)
    for p in range(len(b)):
        b_row = list(b[p])
        for i in range(len(a)):
            for j in range(len(b_row)):
                out[i][j] += a[i][p] * b_row[j]


def whole_rows(a, b, out):
    clear(out)
    for p in range(len(b)):
        for i in range(len(a)):
            x = a[i][p]
            out[i] = [sum_so_far + x * y for sum_so_far, y in zip(out[i], b[p], strict=True)]


def column_kept(a, b, out):
    clear(out)
    for p in range(len(b)):
        column = [a[i][p] for i in range(len(a))]
        for i in range(len(a)):
            for j in range(-len(b[0]), 0):
                out[i][j] += column[i] * b[p][j]


def first_step_sets(a, b, out):
    for p in range(len(b)):
        for i in range(len(a)):
            for j in range(len(b[0])):
                out[i][j] = a[i][p] * b[p][j] + (out[i][j] if p else 0)


def skips_zeros(a, b, out):
    clear(out)
    for p in range(len(b)):
        for i in range(len(a)):
            if a[i][p] != 0:
                for j in range(len(b[0])):
                    out[i][j] += np.float64(a[i][p]) * b[p][j]


def in_order(order, sizes=lambda size: range(size)):
    def product(a, b, out):
        (m, k), n = a.shape, b.shape[1]
        clear(out)
        ranges = {"i": sizes(m), "p": sizes(k), "j": sizes(n)}
        for step in itertools.product(*(ranges[letter] for letter in order)):
            at = dict(zip(order, step, strict=True))
            out[at["i"]][at["j"]] += a[at["i"]][at["p"]] * b[at["p"]][at["j"]]

    return product


def cell_by_cell(a, b, out):
    for i in range(len(a)):
        for j in range(len(b[0])):
            out[i][j] = sum(a[i][p] * b[p][j] for p in range(len(b)))


def computed_elsewhere(a, b, out):
    """Walk through everything in the right order, and write what NumPy found."""
    product = np.array([list(row) for row in a]) @ np.array([list(row) for row in b])
    plain(a, b, out)
    for i, j in np.ndindex(product.shape):
        out[i][j] = product[i, j]


def final_sums(a, b, out):
    """Write in the right order, but always the finished sum."""
    (m, k), n = a.shape, b.shape[1]
    clear(out)
    sums = [
        [sum(a._rows[i]._numbers[p] * b._rows[p]._numbers[j] for p in range(k)) for j in range(n)]
        for i in range(m)
    ]
    for p in range(k):
        for i in range(m):
            for j in range(n):
                a[i][p], b[p][j]
                out[i][j] = sums[i][j]


def reads_b_by_column(a, b, out):
    columns = [[b[p][j] for p in range(len(b))] for j in range(len(b[0]))]
    clear(out)
    for p in range(len(b)):
        for i in range(len(a)):
            for j in range(len(b[0])):
                out[i][j] += a[i][p] * columns[j][p]


def reads_a_by_row(a, b, out):
    plain([list(row) for row in a], b, out)


def uncleared(a, b, out):
    for p in range(len(b)):
        for i in range(len(a)):
            for j in range(len(b[0])):
                out[i][j] += a[i][p] * b[p][j]


def half_cleared(a, b, out):
    out[0][0] = 0
    uncleared(a, b, out)


def without_last_column(a, b, out):
    clear(out)
    for p in range(len(b)):
        for i in range(len(a)):
            for j in range(max(1, len(b[0]) - 1)):
                out[i][j] += a[i][p] * b[p][j]


def writes_text(a, b, out):
    out[0][0] = "0.5"


def returns_it(a, b, out):
    return np.array([list(row) for row in a]) @ np.array([list(row) for row in b])


RIGHT = [
    plain,
    pairs,
    hoisted,
    row_kept,
    whole_rows,
    column_kept,
    first_step_sets,
    skips_zeros,
    in_order("pij"),
]
WRONG = [
    *(
        (in_order(order), f"expected the order p, i, j, came {', '.join(order)}")
        for order in ("ijp", "ipj", "jip", "jpi", "pji")
    ),
    (cell_by_cell, "(2, 2) @ (2, 2): expected the order p, i, j, came i, j, p"),
    (in_order("pij", lambda size: range(size)[::-1]), "expected write 1 at out[0][0], came out[1][1]"),
    (
        lambda a, b, out: in_order("pij")(a, b, [row[:] for row in out]),
        "writes of out: expected 1, came none",
    ),
    (computed_elsewhere, "writes of out: expected 8, came 12"),
    (final_sums, "in out[0][0] after step p = 0, came"),
    (reads_b_by_column, "expected read 2 at b[0][1], came b[1][0]"),
    (reads_a_by_row, "expected read 2 at a[1][0], came a[0][1]"),
    (uncleared, "in out[0][0] after step p = 0, came"),
    (half_cleared, "in out[0][1] after step p = 0, came"),
    (without_last_column, "expected write 2 at out[0][1], came out[1][0]"),
    (writes_text, "expected a number in out[0][0], came a str"),
    (returns_it, "writes of out: expected 1, came none"),
    (lambda a, b, out: clear(out), "writes of out: expected 1, came none"),
    (lambda a, b, out: out[9][9], "raised IndexError"),
    (lambda a, b, out: out.append([]), "raised AttributeError"),
]


@pytest.mark.parametrize("fn", RIGHT)
def test_the_right_order_passes_in_any_style(fn):
    assert repr(check.pij(fn)) == "passed: 14 products, every access in the order p, i, j"


@pytest.mark.parametrize(("fn", "line"), WRONG)
def test_other_orders_do_not(fn, line):
    report = check.pij(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def test_reversed_steps_are_noticed_by_their_sums():
    def backwards(a, b, out):
        clear(out)
        for p in reversed(range(len(b))):
            for i in range(len(a)):
                for j in range(len(b[0])):
                    out[i][j] += a[i][p] * b[p][j]

    assert "after step p = 0" in check.pij(backwards).lines[1]


def test_a_stub_that_touches_nothing_is_unsolved():
    assert check.pij(lambda a, b, out: None).lines == ("not solved yet",)
    assert check.pij(lambda a, b, out: len(a)).lines[0] == "not passed"


def test_watched_lists_behave_as_lists():
    rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    watched = Watched([row.copy() for row in rows])
    assert (len(watched), len(watched[0]), watched.shape) == (2, 3, (2, 3))
    assert [list(row) for row in watched] == rows
    assert watched[-1][-1] == watched[-1, -1] == 6
    assert watched[1][1:] == [5, 6]
    assert watched.reads[-4:] == [(1, 2), (1, 2), (1, 1), (1, 2)]
    watched[0, 1] = 7
    watched[1] = [8, 9, 10]
    watched[:1] = [[11, 12, 13]]
    watched[1][::2] = (14, 15)
    assert [watched[i][:] for i in range(2)] == [[11, 12, 13], [14, 9, 15]]
    assert watched.writes[:2] == [(0, 1, 7), (1, 0, 8)]
    for wrong in (lambda: watched[2], lambda: watched[0][3], lambda: watched[0, -4]):
        with pytest.raises(IndexError):
            wrong()
    with pytest.raises(ValueError, match="zip"):
        watched[0] = [1, 2]
