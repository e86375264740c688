"""What the cache simulator accepts, and the sentence that it says to everything else."""

import itertools
import operator
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from mlteach.measure.records import DTYPES

COUNTABLE = 2**63 - 1  # bytes and accesses are numbers of 64 bits, one of them for the sign
LARGEST = 1 << 40  # bytes of a level: no cache is as large, and its sets can be counted
SMALLEST_LINE = 8  # bytes; a number of 8 bytes then never lies on two lines


def loops_of(order: Any) -> str:
    """The order of the loops, with p written k."""
    loops = order.replace("p", "k") if isinstance(order, str) else ""
    if sorted(loops) != ["i", "j", "k"]:
        raise ValueError(f"order must name the loops i, j and k once each, outermost first, not {order!r}")
    return loops


def pieces_of(tile: Any, size: Mapping[str, int]) -> dict[str, int]:
    """How many steps of each loop a tile takes: all of them where there is no tile."""
    if tile is None:
        return {loop: max(steps, 1) for loop, steps in size.items()}
    sides = tuple(tile) if np.iterable(tile) else (tile,) * 3
    if len(sides) != 3:
        raise ValueError(f"tile must be one number, (tm, tn, tk) or None, not {tile!r}")
    return {
        loop: min(whole(side, "a side of the tile", least=1), max(size[loop], 1))
        for loop, side in zip(size, sides, strict=True)
    }


def check_countable(size: Mapping[str, int], most: int) -> None:
    """Refuse a product of which something has to be counted up to `most`, where that is too much."""
    if most > COUNTABLE:
        m, n, k = (steps if steps <= COUNTABLE else f"{Decimal(steps):.3g}" for steps in size.values())
        raise ValueError(
            f"a product of m = {m}, n = {n} and k = {k} is beyond the {COUNTABLE:.2e} bytes or accesses that "
            "can be counted: choose smaller sizes"
        )


def itemsize_of(dtype: Any) -> int:
    """The bytes of a float32 or a float64."""
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        wanted = None
    if wanted is None or wanted.name not in DTYPES:
        raise TypeError(f"dtype must be {' or '.join(DTYPES)}, not {dtype!r}")
    return wanted.itemsize


def addresses_of(addresses: Any) -> np.ndarray:
    """The addresses in a row, as int64."""
    try:
        used = np.asarray(addresses).ravel()
    except ValueError:  # rows of different lengths
        used = np.array([None])
    if used.size and used.dtype.kind not in "iu":
        raise TypeError(f"addresses must be whole numbers in a list or an array, not {addresses!r:.60}")
    used = used.astype(np.int64)
    if used.size and used.min() < 0:
        raise ValueError(f"addresses must be from 0 up and fit 63 bits, but address {used.argmin()} does not")
    return used


def caches_of(levels: Any) -> list[tuple[int, int, int]]:
    """The levels as whole numbers that make a cache."""
    given = list(levels) if np.iterable(levels) else []
    if not given or not all(map(np.iterable, given)):
        raise ValueError(f"levels must be a list such as [(32768, 8, 64)], not {levels!r}")
    caches = [_level(tuple(level)) for level in given]
    for (_, _, near), (_, _, far) in itertools.pairwise(caches):
        if far < near:
            raise ValueError(
                f"a line of {far} bytes cannot fill one of {near}: give a level lines at least as long as "
                "those of the level before it"
            )
    return caches


def _level(level: tuple) -> tuple[int, int, int]:
    if len(level) != 3:
        raise ValueError(f"a level must be (bytes, ways, bytes of a line), not {level!r}")
    names = ("the bytes of a level", "the ways of a level", "the bytes of a line")
    size, ways, line = (whole(number, name, 1) for number, name in zip(level, names, strict=True))
    if size > LARGEST:
        raise ValueError(f"a level of {size} bytes cannot be: it must be {LARGEST} at most")
    if line < SMALLEST_LINE or line & (line - 1):
        raise ValueError(
            f"a line of {line} bytes cannot be: it must be a power of two from {SMALLEST_LINE} up"
        )
    if size % (ways * line):
        raise ValueError(
            f"{size} bytes do not make whole sets of {ways} lines of {line} bytes: "
            f"the bytes must be a multiple of {ways * line}"
        )
    return size, ways, line


def whole(number: Any, name: str, least: int = 0) -> int:
    """A whole number, `least` or more, from anything that is one."""
    try:
        count = operator.index(number)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {number!r}") from None
    if count < least:
        raise ValueError(f"{name} must be at least {least}, not {count}")
    return count
