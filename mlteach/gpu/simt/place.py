"""Places in a grid: the threads of a block and the blocks of a grid, up to three dimensions."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

MAX_THREADS = 1024
MAX_BLOCK = (1024, 1024, 64)
MAX_GRID = (2**31 - 1, 65535, 65535)


class Place(NamedTuple):
    """An index or an extent, x fastest."""

    x: int
    y: int = 1
    z: int = 1

    def __repr__(self) -> str:
        return f"({self.x}, {self.y}, {self.z})"

    def linear(self, extent: Place) -> int:
        """Return the position in a box of the given extent."""
        return (self.z * extent.y + self.y) * extent.x + self.x

    def within(self) -> list[Place]:
        """Return every index of a box of this extent, in linear order."""
        z, y, x = range(self.z), range(self.y), range(self.x)
        return [Place(i, j, k) for k, j, i in itertools.product(z, y, x)]


def extent(value, what: str, most: tuple[int, int, int]) -> Place:
    """Return a launch's grid or block as a Place.

    Raises
    ------
    TypeError, ValueError
        When it is not one to three whole numbers from 1 to `most`.
    """
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not 1 <= len(numbers) <= 3 or not all(
        isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in numbers
    ):
        raise TypeError(f"the {what} is {value!r}: give a whole number, or a tuple of up to three")
    place = Place(*map(int, numbers))
    for axis, n, limit in zip("xyz", place, most, strict=True):
        if not 1 <= n <= limit:
            raise ValueError(f"the {what} has {n} in {axis}: a GPU takes 1 to {limit} there")
    return place
