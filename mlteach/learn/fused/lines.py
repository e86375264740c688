"""The images as the fused step reads them: lines of pixels, and only those with ink.

The images are put in an order in which neighbours have their ink in the same places, and cut into *chunks* of
as many as a vector has lanes. A *line* holds one pixel of each image of a chunk; a line without ink is left
out. A *block* of chunks fits the caches: it is read once chunk by chunk, for the scores, and once place by
place, for the gradient.

A line's *place* says which row of theta it meets: 0 is the column of ones, and 1 to 784 are the pixels.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

from mlteach.learn.fused.micro import CHUNK_BITS, IMAGES
from mlteach.matmul.team import together

PIXELS, SIDE = 784, 28
PLACES = 1 + PIXELS
BLOCK = 512  # images of a block: the errors of twelve classes, 24 KB, stay in the first-level cache
CHUNKS = BLOCK // IMAGES
LINE_BITS = 32 - CHUNK_BITS
CELL = 4  # pixels of a side of the squares in which ink is compared
CELLS = (SIDE // CELL) ** 2
SLACK = 4096  # bytes after the last line that a prefetch may name


@dataclass(frozen=True)
class Lines:
    """Images as lines with ink.

    Attributes
    ----------
    order : ndarray of int64, shape (N,)
        Which image is the first, the second, and so on.
    lines : ndarray of uint8, shape (lines, IMAGES)
        Chunk after chunk. Missing images of the last chunk are blank, also in the column of ones.
    places : ndarray of uint16, shape (lines,)
        The place of each line; they rise within a chunk.
    first : ndarray of int64, shape (blocks * CHUNKS + 1,)
        The first line of each chunk, and the end.
    entries : ndarray of uint32, shape (lines,)
        The lines once more, block after block and place after place: the number of the line within its block,
        and in the upper bits that of its chunk.
    bounds : ndarray of int64, shape (blocks, PLACES + 1)
        Where the entries of each place begin, and end.
    labels : ndarray of int32, shape (blocks * CHUNKS, IMAGES)
        The label of each image, -1 where there is none.
    """

    order: np.ndarray
    lines: np.ndarray
    places: np.ndarray
    first: np.ndarray
    entries: np.ndarray
    bounds: np.ndarray
    labels: np.ndarray

    @property
    def visited(self) -> float:
        """Which share of all lines is stored, the column of ones included."""
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
    count = len(images)
    blocks = -(-count // BLOCK)
    order = np.arange(count)
    if not dense:
        cells = np.empty((count, CELLS), np.uint8)
        together(_count_ink, threads, images, cells)
        _sort_by_ink(cells, order)
    marks = np.zeros((blocks * CHUNKS, PLACES), np.uint8)
    together(_mark, threads, images, order, dense, marks)
    first = np.zeros(len(marks) + 1, np.int64)
    np.cumsum(marks.sum(1, dtype=np.int64), out=first[1:])
    in_block = marks.reshape(blocks, CHUNKS, PLACES).sum(1, dtype=np.int64)
    bounds = np.zeros((blocks, PLACES + 1), np.int64)
    np.cumsum(in_block, axis=1, out=bounds[:, 1:])
    bounds += first[:-1:CHUNKS, None]
    total = first[-1]
    lines = np.zeros((total + SLACK // IMAGES, IMAGES), np.uint8)
    places, entries = np.empty(total, np.uint16), np.empty(total, np.uint32)
    together(_fill, threads, images, order, marks, first, bounds, lines, places, entries)
    answers = np.full(len(marks) * IMAGES, -1, np.int32)
    answers[:count] = labels[order]
    return Lines(order, lines, places, first, entries, bounds, answers.reshape(-1, IMAGES))


@njit(parallel=True, nogil=True, cache=True)
def _count_ink(images, cells):
    """Count the inked pixels in each cell of each image."""
    for i in prange(len(images)):
        cells[i] = 0
        for y in range(SIDE):
            for x in range(SIDE):
                cells[i, y // CELL * (SIDE // CELL) + x // CELL] += images[i, y * SIDE + x] > 0


@njit(nogil=True, cache=True)
def _sort_by_ink(cells, order):
    """Reorder images so that neighbours are alike: halve them by the cell that varies most, and so on."""
    scratch = np.empty_like(order)
    parts = [(0, len(order))]
    while parts:
        start, stop = parts.pop()
        if stop - start <= IMAGES:
            continue
        _sort_by_cell(cells, _most_varied(cells, order[start:stop]), order[start:stop], scratch)
        middle = start + ((stop - start) // 2 + IMAGES - 1) // IMAGES * IMAGES
        parts.append((start, middle))
        parts.append((middle, stop))


@njit(nogil=True)
def _most_varied(cells, images):
    """The cell whose ink has the largest variance over some images."""
    total, squares = np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)
    for i in images:
        for c in range(CELLS):
            ink = np.int64(cells[i, c])
            total[c] += ink
            squares[c] += ink * ink
    return np.argmax(squares * len(images) - total * total)


@njit(nogil=True)
def _sort_by_cell(cells, cell, images, scratch):
    """Sort images by the ink in one cell, those with equal ink in their present order."""
    starts = np.zeros(CELL * CELL + 2, np.int64)
    for i in images:
        starts[cells[i, cell] + 1] += 1
    starts = np.cumsum(starts)
    for i in images:
        ink = cells[i, cell]
        scratch[starts[ink]] = i
        starts[ink] += 1
    images[:] = scratch[: len(images)]


@njit(parallel=True, nogil=True, cache=True)
def _mark(images, order, dense, marks):
    """Mark the lines that are kept: those of the chunks there are that have ink, or all of them."""
    for chunk in prange((len(order) + IMAGES - 1) // IMAGES):
        marks[chunk, 0] = 1
        marks[chunk, 1:] = dense
        for i in order[chunk * IMAGES : (chunk + 1) * IMAGES]:
            for p in range(PIXELS):
                marks[chunk, 1 + p] |= images[i, p] > 0


@njit(parallel=True, nogil=True, cache=True)
def _fill(images, order, marks, first, bounds, lines, places, entries):
    """Write the lines that are marked, and list them place by place."""
    for block in prange(len(bounds)):
        free = bounds[block].copy()  # the next entry of each place
        for chunk in range(CHUNKS):
            number = first[block * CHUNKS + chunk]
            start = (block * CHUNKS + chunk) * IMAGES
            members = order[start : start + IMAGES]
            for place in range(PLACES):
                if not marks[block * CHUNKS + chunk, place]:
                    continue
                for lane in range(len(members)):
                    lines[number, lane] = images[members[lane], place - 1] if place else 1
                places[number] = place
                entries[free[place]] = (number - first[block * CHUNKS]) | chunk << LINE_BITS
                free[place] += 1
                number += 1
