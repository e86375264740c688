"""The images as the fused step reads them: lines of pixels, and only those with ink.

The images are put in an order in which neighbours have their ink in the same places, and cut into *chunks* of
`IMAGES`. A chunk is a pile of lines, each with a few neighbouring pixels of all its images; a line without
ink is left out. A *block* of chunks fits the caches: it is read once chunk by chunk, for the scores, and once
place by place, for the gradient.

The *place* of a line says which rows of theta it meets: `DEPTH` of them, from ``DEPTH * place`` on. Row 0 is
for the column of ones, which are white pixels here, and the next 784 for the pixels.
"""

import functools
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numba import njit, prange, types

from mlteach.learn.fused.micro import CHUNK_BITS
from mlteach.learn.fused.pixels import DEPTH, IMAGES, LANE_STEP, LANES, LINE, SHIFT, VECTOR_STEP
from mlteach.matmul.cached import compiled
from mlteach.matmul.team import together

PIXELS, SIDE, WHITE = 784, 28, 255
ROWS = 1 + PIXELS
PLACES = -(-ROWS // DEPTH)
BLOCK = 512  # images of a block: the errors of twelve classes, 24 KB, stay in the first-level cache
CHUNKS = BLOCK // IMAGES
LINE_BITS = 32 - CHUNK_BITS
CELL = 4  # pixels of a side of the squares in which ink is compared
CELLS = (SIDE // CELL) ** 2


@dataclass(frozen=True)
class Lines:
    """Images as lines with ink.

    Attributes
    ----------
    order : ndarray of int64, shape (N,)
        Which image is the first, the second, and so on.
    labels : ndarray of int32, shape (blocks * CHUNKS, IMAGES)
        The label of each image in this order, -1 where there is none.
    lines : ndarray of uint8, shape (lines + 1, LINE)
        Chunk after chunk, all moved up by `SHIFT` bits, which may reach into the last. Missing images of the
        last chunk are blank, also in the column of ones.
    places : ndarray of uint16, shape (lines,)
        The place of each line; they rise within a chunk.
    first : ndarray of int64, shape (blocks * CHUNKS + 1,)
        The first line of each chunk, and the end.
    entries : ndarray of uint32, shape (lines,)
        The lines once more, block after block and place after place: the number of the line within its block,
        and in the upper bits that of its chunk.
    bounds : ndarray of int64, shape (blocks, PLACES + 1)
        Where the entries of each place begin, and end.
    """

    order: np.ndarray
    labels: np.ndarray
    lines: np.ndarray
    places: np.ndarray
    first: np.ndarray
    entries: np.ndarray
    bounds: np.ndarray

    @property
    def visited(self) -> float:
        """The share of all lines that are here."""
        chunks = -(-len(self.order) // IMAGES)
        return len(self.places) / (chunks * PLACES)


def lines_of(images: np.ndarray, labels: np.ndarray, threads: int, *, dense: bool) -> Lines:
    """Lay images out as lines.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 784)
        In one piece, at least one image.
    labels : ndarray of integers, shape (N,)
    threads : int
    dense : bool
        Whether to keep the order of the images, and the lines without ink.
    """
    blocks = -(-len(images) // BLOCK)
    order = np.arange(len(images)) if dense else _by_ink(images, threads)
    marks = np.zeros((blocks * CHUNKS, PLACES), np.uint8)
    together(_compiled().mark, threads, images, order, marks, (IMAGES, DEPTH), dense)
    first = np.zeros(len(marks) + 1, np.int64)
    np.cumsum(marks.sum(axis=1, dtype=np.int64), out=first[1:])
    bounds = np.zeros((blocks, PLACES + 1), np.int64)
    in_block = marks.reshape(blocks, CHUNKS, PLACES).sum(axis=1, dtype=np.int64)
    np.cumsum(in_block, axis=1, out=bounds[:, 1:])
    bounds += first[:-1:CHUNKS, None]
    lines = np.zeros((first[-1] + 1, LINE), np.uint8)
    places, entries = np.empty(first[-1], np.uint16), np.empty(first[-1], np.uint32)
    together(
        _compiled().fill,
        threads,
        images,
        order,
        marks,
        first,
        bounds,
        (IMAGES, DEPTH),
        (LANES, LANE_STEP, VECTOR_STEP),
        lines,
        places,
        entries,
    )
    if SHIFT:
        _compiled().move_up(lines.reshape(-1).view(np.uint64), SHIFT)
    in_order = np.full(len(marks) * IMAGES, -1, np.int32)
    in_order[: len(order)] = labels[order]
    return Lines(order, in_order.reshape(-1, IMAGES), lines, places, first, entries, bounds)


def _by_ink(images, threads):
    """The order in which neighbours are alike."""
    order, cells = np.arange(len(images)), np.empty((len(images), CELLS), np.uint8)
    together(_compiled().count_ink, threads, images, cells)
    _compiled().sort_by_ink(cells, order, IMAGES)
    return order


# Numba's cache on disk looks at the file of a compiled function only. So what other files say about the shape
# of a line comes to the functions below as an argument, and not as a constant. They use loops where NumPy has
# a function: with one, loading them would import half of Numba, and SciPy.


@functools.cache
def _compiled() -> SimpleNamespace:
    """The functions below in machine code."""
    images = types.Array(types.uint8, 2, "C", readonly=True)
    table, numbers = types.Array(types.uint8, 2, "C"), types.Array(types.int64, 1, "C")
    bounds = types.Array(types.int64, 2, "C")
    places, entries = (types.Array(number, 1, "C") for number in (types.uint16, types.uint32))
    shape, steps = types.UniTuple(types.int64, 2), types.UniTuple(types.int64, 3)
    mark = (images, numbers, table, shape, types.boolean)
    fill = (images, numbers, table, numbers, bounds, shape, steps, table, places, entries)
    return SimpleNamespace(
        count_ink=compiled(_count_ink, types.void(images, table), parallel=True),
        sort_by_ink=compiled(_sort_by_ink, types.void(table, numbers, types.int64)),
        mark=compiled(_mark, types.void(*mark), parallel=True),
        fill=compiled(_fill, types.void(*fill), parallel=True),
        move_up=compiled(_move_up, types.void(types.Array(types.uint64, 1, "C"), types.uint64)),
    )


def _count_ink(images, cells):
    """Count the inked pixels in each cell of each image."""
    for i in prange(len(images)):
        cells[i] = 0
        for y in range(SIDE):
            for x in range(SIDE):
                cells[i, y // CELL * (SIDE // CELL) + x // CELL] += images[i, y * SIDE + x] > 0


def _sort_by_ink(cells, order, smallest):
    """Halve the images by the cell whose ink varies most, and each half again, down to the smallest parts."""
    room = np.empty_like(order)
    parts = [(0, len(order))]
    while parts:
        start, stop = parts.pop()
        if stop - start > smallest:
            part = order[start:stop]
            _sort_by_cell(cells[:, _most_varied(cells, part)], part, room)
            middle = start + (len(part) // 2 + smallest - 1) // smallest * smallest
            parts.append((start, middle))
            parts.append((middle, stop))


@njit(nogil=True)
def _most_varied(cells, images):
    """The cell whose ink has the largest variance over some images, the first of equals."""
    total, squares = np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)
    for i in images:
        for c in range(CELLS):
            ink = np.int64(cells[i, c])
            total[c] += ink
            squares[c] += ink * ink
    most = 0
    for c in range(CELLS):
        total[c] = squares[c] * len(images) - total[c] * total[c]
        most = c if total[c] > total[most] else most
    return most


@njit(nogil=True)
def _sort_by_cell(ink, images, room):
    """Sort images by the ink in one cell, those with equal ink in their present order."""
    starts = np.zeros(CELL * CELL + 2, np.int64)
    for i in images:
        starts[ink[i] + 1] += 1
    for value in range(CELL * CELL):
        starts[value + 1] += starts[value]
    for i in images:
        room[starts[ink[i]]] = i
        starts[ink[i]] += 1
    images[:] = room[: len(images)]


def _mark(images, order, marks, shape, dense):
    """Mark the lines to keep, in the chunks that there are: the ones, and what has ink; or all of them."""
    width, depth = shape
    for chunk in prange((len(order) + width - 1) // width):
        marks[chunk] = dense
        marks[chunk, 0] = 1
        for i in order[chunk * width : (chunk + 1) * width]:
            for pixel in range(PIXELS):
                marks[chunk, (1 + pixel) // depth] |= images[i, pixel] > 0


def _fill(images, order, marks, first, bounds, shape, steps, lines, places, entries):
    """Write the lines that are marked, and list them place by place."""
    (width, depth), (lanes, lane_step, vector_step) = shape, steps
    chunks = len(marks) // len(bounds)
    for block in prange(len(bounds)):
        free = bounds[block].copy()  # the next entry of each place
        for chunk in range(block * chunks, (block + 1) * chunks):
            number = first[chunk]
            members = order[chunk * width : (chunk + 1) * width]
            for place in range(marks.shape[1]):
                if not marks[chunk, place]:
                    continue
                for row in range(place * depth, min((place + 1) * depth, ROWS)):
                    for i in range(len(members)):
                        vector, lane = row % depth * (width // lanes) + i // lanes, i % lanes
                        at = vector * vector_step + lane * lane_step
                        lines[number, at] = images[members[i], row - 1] if row else WHITE
                places[number] = place
                entries[free[place]] = (number - first[block * chunks]) | (chunk % chunks) << LINE_BITS
                free[place] += 1
                number += 1


def _move_up(words, bits):
    """Move all bits up, as if the words were one long number, the first its lowest digit."""
    for i in range(len(words) - 1, 0, -1):
        words[i] = words[i] << bits | words[i - 1] >> (64 - bits)
    words[0] <<= bits
