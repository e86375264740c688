"""Checkers of notebook 10: choose a tile, and write one over an edge."""

import functools
import itertools

import numpy as np

from mlteach.measure.tiles import fits, share
from mlteach.teach.check.answers import Wrong, close_to
from mlteach.teach.check.engine import Case, checker, examine, is_blank
from mlteach.teach.check.products import signed
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import kind

PROCESSORS = [  # (latency, fma, loads, registers, lanes)
    *(
        (1, 1, 1, 3, 1),
        (1, 1, 1, 4, 4),
        (4, 1, 1, 8, 2),
        (4, 2, 2, 16, 8),
        (5, 2, 2, 16, 4),
        (4, 2, 2, 32, 16),
    ),
    *(
        (4, 2, 1, 32, 16),
        (4, 4, 3, 32, 4),
        (3, 4, 3, 32, 2),
        (6, 2, 1, 64, 8),
        (9, 1, 3, 32, 16),
        (2, 2, 4, 24, 4),
    ),
]
EDGES = [  # (rows of out, columns of out, where the tile begins): inside, at each edge, and beyond
    *((5, 7, (0, 0)), (3, 4, (0, 0)), (5, 7, (2, 3)), (5, 7, (4, 0)), (5, 7, (0, 6)), (5, 7, (4, 6))),
    *(
        (2, 9, (0, 4)),
        (1, 1, (0, 0)),
        (9, 1, (3, 0)),
        (5, 7, (5, 0)),
        (5, 7, (0, 7)),
        (5, 7, (9, 12)),
        (0, 4, (0, 0)),
    ),
]
TILE = 3, 4
GUARD = 12  # rows and columns around out, which must stay as they are


@checker
def best_tile(fn) -> Report:
    """Check the choice of a tile for a processor.

    Parameters
    ----------
    fn : callable
        ``fn(latency, fma, loads, registers, lanes) -> (mr, nr)``: rows and columns of a tile, nr a multiple
        of lanes. The tile needs ``mr * nr / lanes`` registers for its sums, ``nr / lanes`` for a row of b
        and one for a number of a. A step takes ``max(latency, sums / fma, (mr + nr / lanes) / loads)``
        cycles. Any tile that fits and does the most multiply-adds per cycle is right.
    """
    return examine(fn, map(_choice, PROCESSORS), "processors, 3 to 64 registers")


@checker
def mask_edge(fn) -> Report:
    """Check how a tile is added to a result that ends within the tile.

    Parameters
    ----------
    fn : callable
        ``fn(tile, out, i, j)`` adds tile (mr, nr) to out (m, n) from row i and column j on; i and j are not
        negative. What lies beyond the edge of out is left away, and nothing else is written, neither in out
        nor around it. What it returns does not matter.
    """
    usable = callable(fn) and not is_blank(fn)
    return examine(
        functools.partial(_filled, fn) if usable else fn, _edges(), "tiles, inside, over each edge and beyond"
    )


def _choice(processor: tuple[int, ...]) -> Case:
    latency, fma, loads, registers, lanes = processor
    tiles = itertools.product(range(1, registers), repeat=2)
    most = max(share(*tile, latency, fma, loads) for tile in tiles if fits(*tile, registers))

    def judge(answer):
        mr, nr = _pair(answer)
        vectors, rest = divmod(nr, lanes)
        if mr < 1 or nr < 1 or rest:
            raise Wrong(f"expected at least one row, and columns in multiples of {lanes}, came {mr} x {nr}")
        if not fits(mr, vectors, registers):
            needed = mr * vectors + vectors + 1
            raise Wrong(f"expected a tile for {registers} registers, came {mr} x {nr}, which needs {needed}")
        came = share(mr, vectors, latency, fma, loads)
        if came < most * (1 - 1e-9):
            raise Wrong(
                f"expected a tile that keeps {most:.1%} of the units busy, came {mr} x {nr}, "
                f"which keeps {came:.1%}"
            )

    named = dict(zip(("latency", "fma", "loads", "registers", "lanes"), processor, strict=True))
    return Case(", ".join(f"{name} {value}" for name, value in named.items()), named, judge)


def _pair(answer) -> tuple[int, int]:
    try:
        mr, nr = answer
        if isinstance(mr, bool) or isinstance(nr, bool) or mr != int(mr) or nr != int(nr):
            raise TypeError
    except (TypeError, ValueError):
        raise Wrong(f"expected two whole numbers (mr, nr), came {kind(answer)}") from None
    return int(mr), int(nr)


def _filled(fn, tile: np.ndarray, around: np.ndarray, i: int, j: int) -> tuple[np.ndarray, object]:
    """Let the function fill the middle of an array; what was around it shows whether it kept to that."""
    around = around.copy()
    return around, fn(tile, around[GUARD:-GUARD, GUARD:-GUARD], i, j)


def _edges():
    random = np.random.RandomState(2022)
    for m, n, corner in EDGES:
        for beyond in (None, np.nan):
            yield _edge(random, m, n, corner, beyond)


def _edge(random, m: int, n: int, corner: tuple[int, int], beyond: float | None) -> Case:
    i, j = corner
    tile, around = signed(random, *TILE), signed(random, m + 2 * GUARD, n + 2 * GUARD)
    height, width = max(0, min(TILE[0], m - i)), max(0, min(TILE[1], n - j))
    if beyond is not None:  # past the edge a tile may hold anything
        tile[height:], tile[:, width:] = beyond, beyond
    expected = around.copy()
    expected[GUARD + i :, GUARD + j :][:height, :width] += tile[:height, :width]
    outside = np.ones(around.shape, bool)
    outside[GUARD:-GUARD, GUARD:-GUARD] = False

    def judge(answer):
        if is_blank(answer):
            raise Wrong("expected out to be filled, but the function raised NotImplementedError")
        came, _ = answer
        if not np.array_equal(came[outside], around[outside]):
            raise Wrong("expected nothing to be written beyond the edges of out, but something was")
        close_to(expected[GUARD:-GUARD, GUARD:-GUARD], 1e-12)(came[GUARD:-GUARD, GUARD:-GUARD])

    def blank(answer):
        return is_blank(answer) or (is_blank(answer[1]) and np.array_equal(answer[0], around))

    label = f"a {TILE[0]} x {TILE[1]} tile at ({i}, {j}) of a {m} x {n} result"
    return Case(label, {"tile": tile, "around": around, "i": i, "j": j}, judge, blank)
