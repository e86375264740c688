"""Checker of notebook 07: count the misses of a column that is walked down twice."""

import contextlib
from collections.abc import Iterator

import numpy as np

from mlteach.measure import walk
from mlteach.teach.check.answers import Wrong
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import kind

CACHES = 20
SMALLEST = [  # (n, bytes between two numbers, (bytes, ways, bytes of a line))
    *((0, 64, (128, 2, 16)), (1, 4, (64, 1, 64)), (8, 4, (128, 2, 16)), (3, 16, (32, 2, 16))),
    *((8, 80, (128, 2, 16)), (8, 64, (128, 2, 16)), (3, 32, (64, 2, 16)), (2, 32, (64, 2, 16))),
]


@checker
def misses(fn) -> Report:
    """Check a count of cache misses.

    Parameters
    ----------
    fn : callable
        ``fn(n, stride, cache) -> int``: how often a cache that is empty at first does not have the line,
        while n numbers are read that begin ``stride`` bytes apart, the first at address 0, and then all of
        them again in the same order. The cache is (bytes, ways, bytes of a line), and LRU.

    Returns
    -------
    Report
        Whether the count equals the simulator's, on small caches and on 20 random ones.
    """
    with _without_simulator() as allowed:
        return examine(fn, _cases(allowed), "double walks down a column, 20 of them in random caches")


def _cases(allowed) -> Iterator[Case]:
    for n, stride, cache in (*SMALLEST, *sorted(_random_walks())):
        with allowed():
            expected = walk(2 * [stride * i for i in range(n)], [cache]).levels[0].misses
        yield _case(n, stride, cache, expected)


def _random_walks() -> list[tuple[int, int, tuple[int, int, int]]]:
    """Columns and caches of which about every second overflows a set."""
    random = np.random.RandomState(2022)
    walks = []
    for number in range(CACHES):
        line, ways = int(random.choice([16, 32, 64, 128])), int(random.choice([1, 2, 3, 4, 8, 12]))
        sets = int(random.choice([1, 4, 6, 16, 64, 128]))
        stride = int(random.choice([4 * random.randint(1, 400), line * 2 ** random.randint(0, 6)]))
        n = sets * ways * random.randint(1, 9) // (2, 4)[number % 2]
        walks.append((n, stride, (sets * ways * line, ways, line)))
    return walks


def _case(n: int, stride: int, cache: tuple[int, int, int], expected: int) -> Case:
    def judge(answer):
        if not isinstance(answer, int | np.integer) or isinstance(answer, bool):
            raise Wrong(f"expected a whole number, came {kind(answer)}")
        if int(answer) != expected:
            raise Wrong(f"expected {expected} misses, came {int(answer)}")

    label = f"n = {n}, stride = {stride}, cache = {cache}"
    return Case(label, {"n": n, "stride": stride, "cache": cache}, judge)


@contextlib.contextmanager
def _without_simulator():
    """Keep the simulator from the learner's function: it is what it is compared with."""
    from mlteach.measure import _cache_walk

    real = _cache_walk.walk, _cache_walk.nest

    def closed(*_):
        raise RuntimeError("the simulator is closed during the check: count yourself")

    @contextlib.contextmanager
    def allowed():
        _cache_walk.walk = real[0]
        try:
            yield
        finally:
            _cache_walk.walk = closed

    _cache_walk.walk = _cache_walk.nest = closed
    try:
        yield allowed
    finally:
        _cache_walk.walk, _cache_walk.nest = real
