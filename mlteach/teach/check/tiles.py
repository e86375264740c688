"""Checker of notebook 09: count the bytes that a tiled product moves."""

import itertools

from mlteach.teach.check.answers import close_to
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.report import Report

ITEMSIZE = 4  # bytes of a float32

CUTS = [  # (m, n, k), (tm, tn, tk): the smallest first; tiles that divide, that don't, that are too large
    *(((1, 1, 1), (1, 1, 1)), ((2, 1, 1), (1, 1, 1)), ((1, 2, 1), (1, 1, 1)), ((1, 1, 2), (1, 1, 1))),
    *(((2, 2, 2), (2, 2, 2)), ((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (8, 8, 8)), ((4, 4, 4), (2, 2, 2))),
    *(((4, 6, 8), (1, 2, 4)), ((4, 6, 8), (4, 3, 1)), ((5, 4, 4), (2, 4, 4)), ((4, 5, 4), (4, 2, 4))),
    *(((4, 4, 5), (4, 4, 2)), ((7, 5, 9), (3, 2, 4)), ((7, 5, 9), (2, 4, 20)), ((33, 20, 17), (8, 7, 5))),
    *(((100, 100, 100), (33, 50, 64)), ((1000, 1000, 1000), (64, 64, 64))),
    *(((2048, 2048, 2048), (2048, 1024, 64)), ((60000, 10, 785), (60000, 10, 64))),
]


@checker
def traffic(fn) -> Report:
    """Check a count of the bytes that a tiled product of float32 matrices moves.

    Parameters
    ----------
    fn : callable
        ``fn(m, n, k, tm, tn, tk) -> bytes`` for a (m, k), b (k, n) and out (m, n), cut into tiles of tm, tn
        and tk; a tile at an edge is as small as what is left. Each step reads its tile of a and its tile of
        b and writes its tile of out, which it has read before unless no step wrote it yet. Nothing else
        moves.

    Notes
    -----
    What is expected is counted step by step, not by a formula.
    """
    from mlteach.measure import roofline

    cases, tried = itertools.starmap(_count, CUTS), "products, tiles that divide and tiles that don't"
    return examine(fn, cases, tried, without=[roofline.traffic])


def _count(size: tuple[int, int, int], tile: tuple[int, int, int]) -> Case:
    numbers, written = 0, set()
    for i, j, p in itertools.product(*map(range, (0, 0, 0), size, tile)):
        tm, tn, tk = (min(side, end - start) for side, end, start in zip(tile, size, (i, j, p), strict=True))
        numbers += tm * tk + tk * tn + tm * tn * (1 + ((i, j) in written))
        written.add((i, j))
    arguments = dict(zip(("m", "n", "k", "tm", "tn", "tk"), (*size, *tile), strict=True))
    label = f"traffic({', '.join(map(str, arguments.values()))})"
    return Case(label, arguments, close_to(ITEMSIZE * numbers))
