"""The images as the fused step reads them: lines of pixels, and only those with ink.

The images are put in an order in which neighbours have their ink in the same places, and cut into chunks. A
chunk is a pile of tiles; a tile without ink is left out. A *block* of chunks fits the caches: it is read once
chunk by chunk, for the scores, where lines without ink are passed over; and once place by place, for the
gradient, tile by tile.

The *place* of a line or tile says which pixels it has: so many from ``place * DEPTH`` or ``place * TILE`` on,
in the order of `layout.ORDER`.
"""

import functools
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from numba import prange, types

from mlteach.learn.fused.layout import (
    DEPTH,
    IMAGES,
    LINE,
    LINES,
    ORDER,
    PIXELS,
    SIDE_BY_SIDE,
    TILE,
    UPPER_BITS,
    aligned,
)
from mlteach.learn.fused.order import by_ink
from mlteach.matmul.cached import compiled
from mlteach.matmul.team import together

PLACES = PIXELS // DEPTH
BLOCK = 512  # images of a block: the errors of a group of classes, 10 to 24 KB, stay in the first-level cache
CHUNKS = BLOCK // IMAGES
LOWER_BITS = 32 - UPPER_BITS


@dataclass(frozen=True)
class Lines:
    """Images as lines with ink.

    Attributes
    ----------
    order : ndarray of int64, shape (N,)
        Which image is the first, the second, and so on.
    labels : ndarray of int32, shape (blocks * CHUNKS, IMAGES)
        The label of each image in this order, -1 where there is none.
    tiles : ndarray of uint8, shape (tiles, LINES, LINE)
        Chunk after chunk, and place after place within a chunk. Missing images of the last chunk are blank.
    lines : ndarray of uint32, shape (lines,)
        Entries of the lines with ink, chunk after chunk: the number of the line within its chunk, and in the
        upper bits its place.
    first : ndarray of int64, shape (blocks * CHUNKS + 1, 2)
        The first tile and the first entry in `lines` of each chunk, and the ends.
    entries : ndarray of uint32, shape (tiles,)
        Entries of the tiles, block after block and place after place: the number of the tile within its
        block, and in the upper bits that of its chunk.
    bounds : ndarray of int64, shape (blocks, PIXELS / TILE + 1)
        Where the entries of each place begin, and end.
    """

    order: np.ndarray
    labels: np.ndarray
    tiles: np.ndarray
    lines: np.ndarray
    first: np.ndarray
    entries: np.ndarray
    bounds: np.ndarray

    @property
    def visited(self) -> float:
        """The share of all lines that are visited, the mean of both loops."""
        chunks = -(-len(self.order) // IMAGES)
        return (len(self.lines) + len(self.entries) * LINES) / (2 * chunks * PLACES)


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
    order = np.arange(len(images)) if dense else by_ink(images, threads)
    marks = np.zeros((blocks * CHUNKS, PLACES), np.uint8)
    together(_compiled().mark, threads, images, order, ORDER, marks, IMAGES, dense)
    inked = marks.reshape(len(marks), -1, LINES).any(axis=2)  # the tiles
    first = np.zeros((len(marks) + 1, 2), np.int64)
    for kind, some in enumerate((inked, marks)):
        np.cumsum(some.sum(axis=1, dtype=np.int64), out=first[1:, kind])
    bounds = np.zeros((blocks, PIXELS // TILE + 1), np.int64)
    in_block = inked.reshape(blocks, CHUNKS, -1).sum(axis=1, dtype=np.int64)
    np.cumsum(in_block, axis=1, out=bounds[:, 1:])
    bounds += first[:-1:CHUNKS, :1]
    tiles = aligned((first[-1, 0], LINES, LINE), np.uint8)
    lines, entries = np.empty(first[-1, 1], np.uint32), np.empty(first[-1, 0], np.uint32)
    together(
        _compiled().fill,
        threads,
        images,
        order,
        ORDER,
        marks,
        first,
        bounds,
        (IMAGES, DEPTH, LINES, SIDE_BY_SIDE, LOWER_BITS),
        tiles,
        lines,
        entries,
    )
    in_order = np.full(len(marks) * IMAGES, -1, np.int32)
    in_order[: len(order)] = labels[order]
    return Lines(order, in_order.reshape(-1, IMAGES), tiles, lines, first, entries, bounds)


# Numba's cache on disk looks at the file of a compiled function only. So what other files say about the shape
# of a line comes to the functions below as an argument, and not as a constant. They use loops where NumPy has
# a function: with one, loading them would import half of Numba, and SciPy.


@functools.cache
def _compiled() -> SimpleNamespace:
    """The functions below in machine code."""
    images = types.Array(types.uint8, 2, "C", readonly=True)
    table, tiles = types.Array(types.uint8, 2, "C"), types.Array(types.uint8, 3, "C")
    numbers, bounds = types.Array(types.int64, 1, "C"), types.Array(types.int64, 2, "C")
    entries, shape = types.Array(types.uint32, 1, "C"), types.UniTuple(types.int64, 5)
    mark = (images, numbers, numbers, table, types.int64, types.boolean)
    fill = (images, numbers, numbers, table, bounds, bounds, shape, tiles, entries, entries)
    return SimpleNamespace(
        mark=compiled(_mark, types.void(*mark), parallel=True),
        fill=compiled(_fill, types.void(*fill), parallel=True),
    )


def _mark(images, order, pixels, marks, width, dense):
    """Mark the lines to keep, in the chunks that there are: what has ink, or all of them."""
    depth = len(pixels) // marks.shape[1]
    for chunk in prange((len(order) + width - 1) // width):
        ink = np.zeros(len(pixels), np.uint8)
        for i in order[chunk * width : (chunk + 1) * width]:
            for pixel in range(len(pixels)):
                ink[pixel] |= images[i, pixel]
        marks[chunk] = dense
        for at in range(len(pixels)):
            marks[chunk, at // depth] |= ink[pixels[at]] > 0


def _fill(images, order, pixels, marks, first, bounds, shape, tiles, lines, entries):
    """Write the tiles that have a marked line, list them place by place, and these lines chunk by chunk."""
    width, depth, height, beside, bits = shape
    chunks = len(marks) // len(bounds)
    bytes_ = tiles.reshape(len(tiles), height * depth * width)
    offsets = np.empty(height * depth, np.int64)  # of the pixels of a tile, in its first image
    for p in range(len(offsets)):
        offsets[p] = p // beside * beside * width + p % beside
    for block in prange(len(bounds)):
        free = bounds[block].copy()  # the next entry of each place
        for chunk in range(block * chunks, (block + 1) * chunks):
            (number, line), start = first[chunk], first[chunk, 0]
            members = order[chunk * width : (chunk + 1) * width]
            for place in range(marks.shape[1] // height):
                kept = False
                for i in range(height):
                    if marks[chunk, place * height + i]:
                        kept = True
                        lines[line] = (number - start) * height + i | (place * height + i) << bits
                        line += 1
                if not kept:
                    continue
                for i in range(len(members)):
                    image = images[members[i]]
                    for p in range(len(offsets)):
                        bytes_[number, offsets[p] + i * beside] = image[pixels[place * len(offsets) + p]]
                entries[free[place]] = (number - first[block * chunks, 0]) | (chunk % chunks) << bits
                free[place] += 1
                number += 1
