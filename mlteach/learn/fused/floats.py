"""Multiplying in float32: every pixel becomes a number in a register.

A weight serves all lanes of a vector of images, and each image's error meets its own pixels.
"""

import numpy as np
from llvmlite import ir
from numba import njit

from mlteach.learn.fused.judge import fold, judge, per_class
from mlteach.learn.fused.layout import (
    DEPTH,
    FETCHED,
    LINE,
    ORDER,
    PIXELS,
    VECTORS,
    columns,
    error_count,
    split,
)
from mlteach.matmul.vector_ir import BYTE, at, emitted, index, pointers, repeat


def weight_bytes(classes: int) -> int:
    """The size of the weights of so many classes."""
    return 4 * PIXELS * classes


def error_bytes(classes: int, chunks: int) -> int:
    """The size of what `settle` makes of the errors of some chunks."""
    return 0


def sum_count(classes: int) -> int:
    """How many sums the gradient of so many classes has in memory."""
    return PIXELS * columns(classes)


def weigh(weights: np.ndarray, first: int, room: np.ndarray, scales: np.ndarray) -> None:
    """Write the weights of a group, from class `first` on, as `forward` reads them; scales stay unused.

    Parameters
    ----------
    weights : ndarray of float64, shape (785, classes)
        Row 0, the constants, is passed over.
    first : int
        The first class of the group. What has no class stays as it is, 0.
    room : ndarray of uint8, shape (weight_bytes(size),)
    scales : ndarray of float32, shape (size,)
    """
    own = weights[1 + ORDER, first : first + len(scales)]
    room.view(np.float32).reshape(PIXELS, -1)[:, : own.shape[1]] = own


def collect(sums: np.ndarray, classes: int) -> np.ndarray:
    """The sums that `backward` made, as an array (784, classes)."""
    return sums.reshape(PIXELS, -1)[:, :classes]


@per_class
@emitted
def forward(builder, lanes, arguments, classes):
    """Score the images of one chunk for one group of classes, answer, and say how wrong each score is.

    A score is a constant and the sum of weight times pixel over the lines of the chunk. The arguments are the
    number of lines, their entries, the tiles of the chunk, what to send for meanwhile, the weights (a row of
    `classes` numbers for each pixel), the constants, and what `judge` takes.
    """
    count = arguments[0]
    entries, tiles, ahead, weights, constants = pointers(builder, arguments[1:6])

    def step(carried):
        entry, line, ahead, *sums = carried  # tiles of one line: they follow each other
        lanes.prefetch(builder, ahead, level=2)
        _, place = split(builder, entry)
        row = at(builder, weights, builder.mul(place, index(DEPTH * classes * lanes.size)))
        for p, pixels in enumerate(_vectors_of(builder, lanes, line)):
            for j in range(classes):
                weight = lanes.broadcast(builder, at(builder, row, (p * classes + j) * lanes.size))
                for v, x in enumerate(pixels):
                    t = j * VECTORS + v
                    sums[t] = lanes.multiply_add(builder, x, weight, sums[t])
        return [at(builder, entry, 4), at(builder, line, LINE), at(builder, ahead, FETCHED), *sums]

    numbers = (lanes.broadcast(builder, at(builder, constants, j * lanes.size)) for j in range(classes))
    start = [x for x in numbers for _ in range(VECTORS)]
    _, _, _, *sums = repeat(builder, count, [entries, tiles, ahead, *start], step)
    judge(builder, lanes, sums, arguments[6:])


@njit(nogil=True)
def settle(tally, zero, arguments):
    """Make the errors of a block ready for `backward`, which takes them as they are here."""


@per_class
@emitted
def backward(builder, lanes, arguments, classes):
    """Add to the sums of one place: pixel times error, over the lines of a block that lie there.

    The arguments are the number of lines, their entries, the lines of the block, what to send for meanwhile,
    the errors (for each chunk a line of numbers for each class, and their totals), what `settle` made of
    them, and the sums (float64, for each pixel of a line one for each class, in whole vectors).
    """
    count = arguments[0]
    entries, lines, ahead, errors, _, sums = pointers(builder, arguments[1:])
    size = error_count(classes) * lanes.size

    def step(carried):
        entry, ahead, *totals = carried
        lanes.prefetch(builder, ahead, level=2)
        number, chunk = split(builder, entry)
        pixels = _vectors_of(builder, lanes, at(builder, lines, builder.mul(number, index(LINE))))
        error = at(builder, errors, builder.mul(chunk, index(size)))
        for j in range(classes):
            for v in range(VECTORS):
                wrong = lanes.load(builder, at(builder, error, (j * VECTORS + v) * lanes.width))
                for p in range(DEPTH):
                    t = p * classes + j
                    totals[t] = lanes.multiply_add(builder, pixels[p][v], wrong, totals[t])
        return [at(builder, entry, 4), at(builder, ahead, FETCHED), *totals]

    _, _, *totals = repeat(builder, count, [entries, ahead, *[lanes.zero] * (DEPTH * classes)], step)
    wide = ir.VectorType(ir.DoubleType(), lanes.count)
    folded = [x for p in range(DEPTH) for x in fold(builder, lanes, totals[p * classes : (p + 1) * classes])]
    for i, total in enumerate(folded):
        target = at(builder, sums, i * lanes.count * 8)
        grown = builder.fadd(builder.fpext(total, wide), builder.load(target, typ=wide, align=8))
        builder.store(grown, target, align=8)


def _vectors_of(builder, lanes, line) -> list[list]:
    """Read a line: for each of its pixels the vectors of the images."""
    narrow = ir.VectorType(BYTE, lanes.count)

    def vector(i):
        bytes_ = builder.load(at(builder, line, i * lanes.count), typ=narrow, align=1)
        return builder.uitofp(bytes_, lanes.vector)

    return [[vector(p * VECTORS + v) for v in range(VECTORS)] for p in range(DEPTH)]
