"""A simulated cache: which loop order misses, how often, and in which array.

It models sets, ways, lines and LRU, as cachegrind does. It leaves out what else a processor has: prefetchers,
the TLB, write-backs, and everybody else who uses the cache.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlteach.measure._cache_arguments import (
    addresses_of,
    caches_of,
    check_countable,
    itemsize_of,
    loops_of,
    pieces_of,
    whole,
)
from mlteach.measure._cache_slices import boxes, most_steps
from mlteach.measure.units import bytes_text, count_text

PAGE = 4096  # bytes; each array starts on a page of its own, as the operating system hands out big ones
EMPTY = -1  # where a way holds no line yet: addresses, and so the numbers of lines, start at 0
L1 = (32768, 8, 64)  # bytes, ways, bytes of a line: the first level of most x86 processors

ARRAYS = {"a": ("i", "k"), "b": ("k", "j"), "out": ("i", "j")}  # which loops row and column follow
ACCESSES_PER_STEP = 4  # read a, read b, read out, write out


@dataclass(frozen=True)
class CacheLevel:
    """What one level of the cache saw.

    Attributes
    ----------
    bytes, ways, line : int
        The level: its bytes, the lines that a set holds, and the bytes of a line.
    accesses : int
        How often it was asked for a line: every access at the first level, the misses of the level before
        at the others.
    misses : int
        How often it did not have the line.
    by_array : dict of str to int
        The misses by array, "a", "b" and "out"; after `walk`, all of them under "addresses".
    """

    bytes: int
    ways: int
    line: int
    accesses: int
    misses: int
    by_array: dict[str, int]

    @property
    def sets(self) -> int:
        """How many sets there are: line number x may only lie in set x modulo this."""
        return self.bytes // (self.ways * self.line)

    def __str__(self):
        share = f" ({self.misses / self.accesses:.2%})" if self.accesses else ""
        arrays = ", ".join(f"{name} {count_text(misses)}" for name, misses in self.by_array.items())
        return (
            f"{bytes_text(self.bytes)}, {self.ways} ways, lines of {self.line} B: "
            f"{count_text(self.accesses)} accesses, {count_text(self.misses)} misses{share}: {arrays}"
        )


@dataclass(frozen=True)
class CacheReport:
    """What every level of the cache saw, the first one first; print it to read it."""

    levels: tuple[CacheLevel, ...]

    def __str__(self):
        return "\n".join(map(str, self.levels))


def simulate(
    order: str,
    m: int,
    n: int,
    k: int,
    *,
    dtype: Any = "float32",
    levels: Sequence[tuple[int, int, int]] = (L1,),
    tile: int | tuple[int, int, int] | None = None,
) -> CacheReport:
    """Run three nested loops through a cache that is empty at first.

    Each step is ``out[i, j] += a[i, k] * b[k, j]`` and goes to memory four times: it reads a, b and out, and
    writes out. No value is kept in a register. The arrays are row-major and lie one after another, each from
    a page of its own (4096 bytes). However large the sizes are, Ctrl-C ends it within about a second.

    Parameters
    ----------
    order : str
        The three loops, outermost first, such as "ijk"; the k may be written p.
    m, n, k : int
        How far i, j and k go: a is (m, k), b is (k, n), out is (m, n). Zero is a size.
    dtype : dtype-like
        float32 or float64.
    levels : sequence of (bytes, ways, bytes of a line)
        The cache, the level next to the processor first. A level is LRU, a write that misses takes the line
        in as a read does, and each miss asks the next level.
    tile : int or (tm, tn, tk), optional
        Cut i, j and k into pieces of these sizes (one number for all three), the last of each smaller where
        it does not divide. Three outer loops go over the pieces, three inner ones over the steps of a piece,
        both in the given order.

    Returns
    -------
    CacheReport

    Raises
    ------
    TypeError, ValueError
        In one sentence, where an argument is not as above.

    Examples
    --------
    >>> simulate("ijk", 256, 256, 256).levels[0].by_array
    {'a': 72704, 'b': 16777216, 'out': 4096}
    >>> simulate("ikj", 256, 256, 256).levels[0].by_array
    {'a': 4096, 'b': 1048576, 'out': 4096}
    """
    from mlteach.measure import _cache_walk

    loops = loops_of(order)
    size = {"i": whole(m, "m"), "j": whole(n, "n"), "k": whole(k, "k")}
    piece = pieces_of(tile, size)
    itemsize = itemsize_of(dtype)
    caches = caches_of(levels)
    accesses = ACCESSES_PER_STEP * math.prod(size.values())
    starts, strides, end = _layout(loops, size, itemsize)
    check_countable(size, max(end, accesses, itemsize * max(size.values())))
    tiles = [piece[loop] for loop in loops]
    nest = (tuple(tiles), _int64(starts), _int64(strides))
    state = _empty(caches, columns=len(ARRAYS))
    for first, last in boxes([size[loop] for loop in loops], tiles, most_steps(caches, len(ARRAYS))):
        _cache_walk.nest(first, last, *nest, *state)
    return _report(caches, accesses, state[-1], ARRAYS)


def walk(addresses: Any, levels: Sequence[tuple[int, int, int]] = (L1,)) -> CacheReport:
    """Use a list of addresses in turn, in a cache that is empty at first.

    Parameters
    ----------
    addresses : array-like of whole numbers
        Bytes, from 0 up; an array of more than one dimension is read row by row. An access uses the one line
        that its address lies on.
    levels : sequence of (bytes, ways, bytes of a line)
        The cache, as in `simulate`.

    Returns
    -------
    CacheReport
        Its `by_array` puts all misses under "addresses".

    Raises
    ------
    TypeError, ValueError
        In one sentence, where an argument is not as above.

    Examples
    --------
    Down a column of 128 float32 and down it again, in rows of 1000 numbers and of 1024:

    >>> for row in (1000, 1024):
    ...     column = 4 * row * np.arange(128)
    ...     print(row, walk([column, column]).levels[0].misses)
    1000 128
    1024 256
    """
    from mlteach.measure import _cache_walk

    caches = caches_of(levels)
    used = addresses_of(addresses)
    state = _empty(caches, columns=1)
    for (first,), (last,) in boxes([used.size], [1], most_steps(caches, 1)):
        _cache_walk.walk(used[first:last], *state)
    return _report(caches, used.size, state[-1], ("addresses",))


def _layout(loops: str, size: Mapping[str, int], itemsize: int) -> tuple[list[int], list[list[int]], int]:
    """The byte where each array starts, those by which it moves with each loop, and where the last ends."""
    starts, strides, end = [], [], 0
    for row, column in ARRAYS.values():
        steps = {row: size[column] * itemsize, column: itemsize}
        strides.append([steps.get(loop, 0) for loop in loops])
        starts.append(end)
        end += -(-size[row] * size[column] * itemsize // PAGE) * PAGE
    return starts, strides, end


def _empty(caches: Sequence[tuple[int, int, int]], columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the compiled half works on.

    The geometry of the levels (bits of a line, sets, ways, where its sets begin in `lines`), the number of
    the line in every place of every level, and the misses by level and column.
    """
    geometry, end = [], 0
    for size, ways, line in caches:
        sets = size // (ways * line)
        geometry.append((line.bit_length() - 1, sets, ways, end))
        end += sets * ways
    return (
        _int64(geometry),
        np.full(end, EMPTY, np.int64),
        np.zeros((len(caches), columns), np.int64),
    )


def _report(
    caches: Sequence[tuple[int, int, int]], accesses: int, misses: np.ndarray, names: Iterable[str]
) -> CacheReport:
    levels = []
    for (size, ways, line), row in zip(caches, misses.tolist(), strict=True):
        by_array = dict(zip(names, row, strict=True))
        levels.append(CacheLevel(size, ways, line, accesses, sum(row), by_array))
        accesses = sum(row)
    return CacheReport(tuple(levels))


def _int64(numbers: Sequence) -> np.ndarray:
    return np.array(numbers, np.int64)
