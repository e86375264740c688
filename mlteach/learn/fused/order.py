"""Put images that have ink in the same places side by side."""

import functools
from types import SimpleNamespace

import numpy as np
from numba import njit, prange, types

from mlteach.learn.fused.layout import IMAGES, SIDE
from mlteach.matmul.cached import compiled
from mlteach.matmul.team import together

CELL = 4  # pixels of a side of the squares that are compared: have they ink?
CELLS = (SIDE // CELL) ** 2


def by_ink(images: np.ndarray, threads: int) -> np.ndarray:
    """The order in which neighbours are alike, int64, for images uint8 (N, 784)."""
    order, cells = np.arange(len(images)), np.empty((len(images), CELLS), np.uint8)
    together(_compiled().find_ink, threads, images, cells)
    _compiled().sort_by_ink(cells, order, IMAGES)
    return order


@functools.cache
def _compiled() -> SimpleNamespace:
    """The functions below in machine code."""
    images, cells = types.Array(types.uint8, 2, "C", readonly=True), types.Array(types.uint8, 2, "C")
    return SimpleNamespace(
        find_ink=compiled(_find_ink, types.void(images, cells), parallel=True),
        sort_by_ink=compiled(_sort_by_ink, types.void(cells, types.Array(types.int64, 1, "C"), types.int64)),
    )


def _find_ink(images, cells):
    """Mark the cells of each image that have ink."""
    for i in prange(len(images)):
        cells[i] = 0
        for y in range(SIDE):
            for x in range(SIDE):
                cells[i, y // CELL * (SIDE // CELL) + x // CELL] |= images[i, y * SIDE + x] > 0


def _sort_by_ink(cells, order, smallest):
    """Part the images by the cell that is blank in most nearly half of them, and each part again.

    The cut comes where the ink begins, but not in the first or last eighth: then even images that differ in
    next to nothing are parted in a few rounds. All parts but the last have a multiple of `smallest` images.
    """
    room = np.empty_like(order)
    parts = [(0, len(order))]
    while parts:
        start, stop = parts.pop()
        count = stop - start
        if count > smallest:
            part = order[start:stop]
            blank = _part_by_cell(cells[:, _most_even(cells, part)], part, room)
            cut = min(max(blank, count // 8), count - count // 8)
            cut = min(max(1, (cut + smallest // 2) // smallest), (count - 1) // smallest) * smallest
            parts.append((start, start + cut))
            parts.append((start + cut, stop))


@njit(nogil=True)
def _most_even(cells, images):
    """The cell that is blank in most nearly half of some images, the first of equals."""
    inked = np.zeros(CELLS, np.int64)
    for i in images:
        for c in range(CELLS):
            inked[c] += cells[i, c]
    best = 0
    for c in range(CELLS):
        inked[c] = min(inked[c], len(images) - inked[c])
        best = c if inked[c] > inked[best] else best
    return best


@njit(nogil=True)
def _part_by_cell(inked, images, room):
    """Put the images with a blank cell first, keep the order otherwise, and return how many they are."""
    blank = 0
    for i in images:
        blank += 1 - inked[i]
    free = np.array([0, blank])
    for i in images:
        room[free[inked[i]]] = i
        free[inked[i]] += 1
    images[:] = room[: len(images)]
    return blank
