"""Multiplying bytes: pixels stay what they are, weights and errors are cut into limbs.

The instruction multiplies four unsigned bytes by four signed ones and adds the products to a sum of 32 bits,
all exactly. Each limb of a number has sums of its own, which are put together when the loop is done.
"""

import numpy as np
from llvmlite import ir

from mlteach.learn.fused.cut import (
    ERROR_LIMBS,
    WEIGHT_LIMBS,
    error_bytes,
    put_together,
    scale_bytes,
    settle,
    weigh,
    weight_bytes,
)
from mlteach.learn.fused.judge import judge, per_class
from mlteach.learn.fused.layout import CACHE_LINE, DEPTH, FETCHED, LINE, LINES, PIXELS, TILE, split
from mlteach.matmul.vector_ir import BYTE, LANE, at, emitted, index, pointers, repeat, spread

__all__ = ["backward", "collect", "error_bytes", "forward", "settle", "sum_count", "weigh", "weight_bytes"]


def sum_count(classes: int) -> int:
    """How many sums the gradient of so many classes has in memory."""
    return PIXELS * classes


def collect(sums: np.ndarray, classes: int) -> np.ndarray:
    """The sums that `backward` made, as an array (784, classes)."""
    return sums.reshape(-1, classes, TILE).transpose(0, 2, 1).reshape(PIXELS, classes)


@per_class
@emitted
def forward(builder, lanes, arguments, classes):
    """Score the images of one chunk for one group of classes, answer, and say how wrong each score is.

    A score is a constant and the sum of weight times pixel over the lines of the chunk. The arguments are the
    number of lines, their entries, the tiles of the chunk, what to send for meanwhile, the limbs of the
    weights, the constants of the classes and then the scales of their weights, and what `judge` takes.
    """
    count = arguments[0]
    entries, tiles, ahead, weights, constants = pointers(builder, arguments[1:6])
    whole = ir.VectorType(LANE, lanes.count)
    number = classes * WEIGHT_LIMBS

    def step(carried):
        entry, ahead, *sums = carried
        lanes.prefetch(builder, ahead, level=2)
        line, place = split(builder, entry)
        row = at(builder, weights, builder.mul(place, index(number * DEPTH)))
        pixels = builder.load(at(builder, tiles, builder.mul(line, index(LINE))), typ=whole, align=LINE)
        for t in range(number):
            sums[t] = _add_products(builder, lanes, sums[t], pixels, at(builder, row, t * DEPTH))
        return [at(builder, entry, 4), at(builder, ahead, FETCHED), *sums]

    start = [entries, ahead, *[ir.Constant(whole, None)] * number]
    _, _, *sums = repeat(builder, count, start, step)
    scores = []
    for j in range(classes):
        total = put_together(builder, lanes, sums[j * WEIGHT_LIMBS : (j + 1) * WEIGHT_LIMBS])
        offset, scale = (
            lanes.broadcast(builder, at(builder, constants, i * lanes.size)) for i in (j, classes + j)
        )
        scores.append(lanes.multiply_add(builder, total, scale, offset))
    judge(builder, lanes, scores, arguments[6:])


@per_class
@emitted
def backward(builder, lanes, arguments, classes):
    """Add to the sums of one place: pixel times error, over the tiles of a block that lie there.

    The arguments are the number of tiles, their entries, the tiles of the block, what to send for meanwhile,
    the errors, what `settle` made of them, and the sums (float64, for each class one for each pixel).
    """
    count = arguments[0]
    entries, tiles, ahead, _, scales, sums = pointers(builder, arguments[1:])
    whole = ir.VectorType(LANE, lanes.count)
    number = classes * ERROR_LIMBS
    limbs = at(builder, scales, scale_bytes(classes))

    def step(carried):
        entry, ahead, *totals = carried
        for line in range(0, FETCHED * LINES, CACHE_LINE):
            lanes.prefetch(builder, at(builder, ahead, line), level=2)
        tile, chunk = split(builder, entry)
        start = at(builder, tiles, builder.mul(tile, index(LINES * LINE)))
        errors = at(builder, limbs, builder.mul(chunk, index(number * lanes.count)))
        lines = [builder.load(at(builder, start, i * LINE), typ=whole, align=LINE) for i in range(LINES)]
        for i, pixels in enumerate(_turned(builder, lines)):
            for t in range(number):
                four = at(builder, errors, t * lanes.count + 4 * i)
                totals[t] = _add_products(builder, lanes, totals[t], pixels, four)
        return [at(builder, entry, 4), at(builder, ahead, FETCHED * LINES), *totals]

    start = [entries, ahead, *[ir.Constant(whole, None)] * number]
    _, _, *totals = repeat(builder, count, start, step)
    wide = ir.VectorType(ir.DoubleType(), lanes.count)
    for j in range(classes):
        total = put_together(builder, lanes, totals[j * ERROR_LIMBS : (j + 1) * ERROR_LIMBS])
        scale = builder.load(at(builder, scales, j * lanes.size), typ=lanes.number, align=lanes.size)
        scale = spread(builder, builder.fpext(scale, ir.DoubleType()), lanes.count)
        target = at(builder, sums, j * TILE * 8)
        grown = builder.fmul(builder.fpext(total, wide), scale)
        grown = builder.fadd(grown, builder.load(target, typ=wide, align=8))
        builder.store(grown, target, align=8)


def _add_products(builder, lanes, sums, pixels, limbs):
    """Add to each lane of the sums the products of its four pixels and four limbs from memory."""
    limbs = spread(builder, builder.load(limbs, typ=LANE, align=4), lanes.count)
    return lanes.call(builder, "llvm.x86.avx512.vpdpbusd.512", sums.type, [sums, pixels, limbs])


def _turned(builder, lines) -> list:
    """Turn a tile: lanes of images with four pixels each become lanes of pixels with four images each.

    A quarter of a vector holds four lanes. The quarters of four vectors change places as the rows and columns
    of a matrix do, in two rounds; then in each quarter four bytes of four lanes do.
    """

    def quarters(x, y, numbers):
        lanes = [4 * number + lane for number in numbers for lane in range(4)]
        return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(LANE, len(lanes)), lanes))

    a, b, c, d = lines
    a, b, c, d = (quarters(*two, of) for two in ((a, b), (c, d)) for of in ((0, 1, 4, 5), (2, 3, 6, 7)))
    turned = [quarters(*two, of) for two in ((a, c), (b, d)) for of in ((0, 2, 4, 6), (1, 3, 5, 7))]
    columns, places = ir.VectorType(BYTE, LINE), ir.VectorType(LANE, LINE)
    numbers = [16 * quarter + 4 * image + p for quarter in range(4) for p in range(4) for image in range(4)]
    mask, nothing = ir.Constant(places, numbers), ir.Constant(columns, ir.Undefined)
    in_bytes = [builder.shuffle_vector(builder.bitcast(x, columns), nothing, mask) for x in turned]
    return [builder.bitcast(x, y.type) for x, y in zip(in_bytes, lines, strict=True)]
