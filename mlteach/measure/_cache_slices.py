"""Cuts what the cache simulator has to walk into slices: Python hears Ctrl-C between two of them."""

import math
from collections.abc import Iterator, Sequence

WORK = 1 << 29  # places of a cache that a slice looks into at most: a few tenths of a second
OVERHEAD = 24  # places of a set that could be looked into while it is found

Corner = tuple[int, ...]


def most_steps(caches: Sequence[tuple[int, int, int]], accesses: int) -> int:
    """How many steps of so many accesses a slice may hold, should each of them miss at every level."""
    return max(WORK // (accesses * sum(ways + OVERHEAD for _, ways, _ in caches)), 1)


def boxes(sizes: Sequence[int], tiles: Sequence[int], most: int) -> Iterator[tuple[Corner, Corner]]:
    """Cut tiled loops into boxes of `most` steps or fewer, in the order of the steps.

    Parameters
    ----------
    sizes : sequence of int
        How far each loop goes, outermost first; where one is zero, there is nothing to cut.
    tiles : sequence of int
        How much of each loop a tile takes, at least 1.
    most : int
        At least 1.

    Yields
    ------
    (first, last) : two tuples of int
        Where each loop starts in this box, and where it stops. A box holds whole tiles or lies in one.
    """
    if all(sizes):
        loops = range(len(sizes))
        cuts = [*zip(loops, tiles, strict=True), *((loop, 1) for loop in loops)]
        yield from _cut((0,) * len(sizes), tuple(sizes), cuts, most)


def _cut(
    first: Corner, last: Corner, cuts: Sequence[tuple[int, int]], most: int
) -> Iterator[tuple[Corner, Corner]]:
    """Cut a box along the first of the (loop, step), where a piece is still too large along the next."""
    steps = math.prod(stop - start for start, stop in zip(first, last, strict=True))
    if steps <= most:
        yield first, last
        return
    (loop, step), *inner = cuts
    across = steps // (last[loop] - first[loop])
    width = max(most // (across * step), 1) * step
    for start in range(first[loop], last[loop], width):
        stop = min(start + width, last[loop])
        yield from _cut(_put(first, loop, start), _put(last, loop, stop), inner, most)


def _put(corner: Corner, loop: int, place: int) -> Corner:
    return (*corner[:loop], place, *corner[loop + 1 :])
