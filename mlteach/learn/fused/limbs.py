"""Multiplying bytes: weights and errors become whole numbers, cut into limbs of eight bits.

The instruction multiplies four unsigned bytes by four signed ones, and adds the products to a sum of 32 bits,
all exactly. So a weight becomes a whole number of three such limbs, 24 bits as a float32 has, times a scale of
its class; an error one of two limbs, times a scale of its class and block. Each limb has sums of its own, and
they are put together when the loop is done: ``(third * 256 + second) * 256 + first``.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import types

from mlteach.learn.fused.judge import constant, judge, per_class
from mlteach.learn.fused.layout import DEPTH, IMAGES, LINE, LINES, ORDER, PIXELS, TILE, split
from mlteach.matmul.cached import compiled
from mlteach.matmul.vector_ir import BYTE, LANE, POINTER, at, emitted, index, repeat, spread

WEIGHT_LIMBS, ERROR_LIMBS = 3, 2
LARGEST_WEIGHT = 127.0 * 0x10101  # all three limbs 127
LARGEST_ERROR = 127 * 0x101
SMALLEST = 1e-30  # of the largest error of a block: there is one to divide by where all are 0
ROUNDER = 12582912.0  # 1.5 * 2**23: added to a smaller number, its lowest bits count ones
FETCHED = LINE // 2  # bytes of the next block to send for with each line of either loop


def weight_bytes(classes: int) -> int:
    """The size of the weights of so many classes."""
    return PIXELS * classes * WEIGHT_LIMBS


def error_bytes(classes: int, chunks: int) -> int:
    """The size of what `settle` makes of the errors of some chunks: a scale for each class, and the limbs."""
    return _scales(classes) + chunks * classes * ERROR_LIMBS * IMAGES


def _scales(classes):
    """Bytes of the scales, up to a line of the cache."""
    return -(-4 * classes // 64) * 64


def sum_count(classes: int) -> int:
    """How many sums the gradient of so many classes has in memory."""
    return PIXELS * classes


def weigh(weights: np.ndarray, first: int, room: np.ndarray, scales: np.ndarray) -> None:
    """Write the weights of a group as `forward` reads them, and the scale of each class.

    Parameters
    ----------
    weights : ndarray of float64, shape (785, classes)
        In one piece; row 0, the constants, is passed over.
    first : int
        The first class of the group. What has no class stays as it is, 0.
    room : ndarray of uint8, shape (weight_bytes(size),)
    scales : ndarray of float32, shape (size,)
    """
    limbs = room.view(np.int8).reshape(-1, len(scales), WEIGHT_LIMBS, DEPTH)
    _compiled()(weights, first, ORDER, limbs, scales, LARGEST_WEIGHT)


def collect(sums: np.ndarray, classes: int) -> np.ndarray:
    """The sums that `backward` made, as an array (784, classes)."""
    return sums.reshape(-1, classes, TILE).transpose(0, 2, 1).reshape(PIXELS, classes)


def _cut(weights, first, order, limbs, scales, largest):
    """Cut weights into limbs: whole numbers in two's complement, where a limb counts from -128 to 127."""
    depth, count = limbs.shape[3], min(len(scales), weights.shape[1] - first)
    steps = np.zeros(count)
    for row in range(1, len(weights)):
        for j in range(count):
            steps[j] = max(steps[j], abs(weights[row, first + j]))
    for j in range(count):
        scales[j] = steps[j] / largest
        steps[j] = largest / steps[j] if steps[j] > 0 else 0.0
    for i in range(len(order)):
        for j in range(count):
            whole = np.int64(np.rint(weights[1 + order[i], first + j] * steps[j]))
            for limb in range(limbs.shape[2]):
                limbs[i // depth, j, limb, i % depth] = whole
                whole = (whole + 128) >> 8


@functools.cache
def _compiled():
    weights, order = types.Array(types.float64, 2, "C"), types.Array(types.int64, 1, "C")
    limbs, scales = types.Array(types.int8, 4, "C"), types.Array(types.float32, 1, "C")
    return compiled(_cut, types.void(weights, types.int64, order, limbs, scales, types.float64))


def _dot(builder, lanes, total, pixels, limbs):
    """Add to each lane of a total the products of its four pixels and four limbs."""
    return lanes.call(builder, "llvm.x86.avx512.vpdpbusd.512", total.type, [total, pixels, limbs])


def _spread_limbs(builder, pointer, count):
    """Four limbs from memory, in every lane."""
    return spread(builder, builder.load(pointer, typ=LANE, align=4), count)


def _whole(builder, lanes, limbs):
    """Put the sums of the limbs of a number together, the first the lowest, as float32."""
    total, *lower = [builder.sitofp(x, lanes.vector) for x in reversed(limbs)]
    for limb in lower:
        total = lanes.multiply_add(builder, total, constant(lanes, 256.0), limb)
    return total


@per_class
@emitted
def forward(builder, lanes, arguments, classes):
    """Score the images of one chunk for one group of classes, answer, and say how wrong each score is.

    A score is a constant and the sum of weight times pixel over the lines of the chunk. The arguments are the
    number of lines, their entries, the tiles of the chunk, what to send for meanwhile, the weights (for each
    line and class three limbs of each pixel), the constants followed by the scales, and what `judge` takes.
    """
    count, entries, tiles, ahead, weights, constants = (
        x if i == 0 else builder.inttoptr(x, POINTER) for i, x in enumerate(arguments[:6])
    )
    whole = ir.VectorType(LANE, lanes.count)
    number = classes * WEIGHT_LIMBS

    def step(carried):
        entry, ahead, *sums = carried
        lanes.prefetch(builder, ahead, level=2)
        line, place = split(builder, entry)
        row = at(builder, weights, builder.mul(place, index(number * DEPTH)))
        pixels = builder.load(at(builder, tiles, builder.mul(line, index(LINE))), typ=whole, align=LINE)
        for t in range(number):
            limbs = _spread_limbs(builder, at(builder, row, t * DEPTH), lanes.count)
            sums[t] = _dot(builder, lanes, sums[t], pixels, limbs)
        return [at(builder, entry, 4), at(builder, ahead, FETCHED), *sums]

    start = [entries, ahead, *[ir.Constant(whole, None)] * number]
    _, _, *sums = repeat(builder, count, start, step)

    def number_of_class(j):
        return spread(builder, builder.load(at(builder, constants, 4 * j), typ=lanes.number, align=4), lanes.count)

    scores = []
    for j in range(classes):
        total = _whole(builder, lanes, sums[j * WEIGHT_LIMBS : (j + 1) * WEIGHT_LIMBS])
        scale, offset = number_of_class(classes + j), number_of_class(j)
        scores.append(lanes.multiply_add(builder, total, scale, offset))
    judge(builder, lanes, scores, arguments[6:])


@per_class
@emitted
def settle(builder, lanes, arguments, classes):
    """Cut the errors of a block into limbs, on the scale of the largest error of each class.

    The arguments are the number of chunks, their errors as `judge` writes them, and where the limbs go: the
    scales, and for each chunk and class the limbs of all images.
    """
    count, errors, scales = (
        x if i == 0 else builder.inttoptr(x, POINTER) for i, x in enumerate(arguments)
    )
    size = (classes + 1) * lanes.width

    def largest(carried):
        error, *tops = carried
        for j, top in enumerate(tops):
            size_of = lanes.call(builder, f"llvm.fabs.{lanes.suffix}", lanes.vector, [
                lanes.load(builder, at(builder, error, j * lanes.width))])
            tops[j] = builder.select(builder.fcmp_ordered(">", size_of, top), size_of, top)
        return [at(builder, error, size), *tops]

    _, *tops = repeat(builder, count, [errors, *[constant(lanes, SMALLEST)] * classes], largest)
    steps = []
    for j, top in enumerate(tops):
        most = lanes.call(builder, f"llvm.vector.reduce.fmax.{lanes.suffix}", lanes.number, [top])
        limit = ir.Constant(lanes.number, LARGEST_ERROR)
        builder.store(builder.fdiv(most, limit), at(builder, scales, 4 * j), align=4)
        steps.append(spread(builder, builder.fdiv(limit, most), lanes.count))
    narrow = ir.VectorType(BYTE, lanes.count)

    def cut(carried):
        error, target = carried
        for j in range(classes):
            x = lanes.load(builder, at(builder, error, j * lanes.width))
            x = lanes.multiply_add(builder, x, steps[j], constant(lanes, ROUNDER))
            rest = builder.bitcast(x, ir.VectorType(LANE, lanes.count))
            for limb in range(ERROR_LIMBS):
                if limb:  # what a signed limb leaves
                    half, bits = (ir.Constant(rest.type, [n] * lanes.count) for n in (128, 8))
                    rest = builder.lshr(builder.add(rest, half), bits)
                offset = (j * ERROR_LIMBS + limb) * lanes.count
                builder.store(builder.trunc(rest, narrow), at(builder, target, offset), align=1)
        return [at(builder, error, size), at(builder, target, classes * ERROR_LIMBS * lanes.count)]

    repeat(builder, count, [errors, at(builder, scales, _scales(classes))], cut)


@per_class
@emitted
def backward(builder, lanes, arguments, classes):
    """Add to the sums of one place: pixel times error, over the tiles of a block that lie there.

    The arguments are the number of tiles, their entries, the tiles of the block, what to send for meanwhile,
    the errors, what `settle` made of them, and the sums (float64, for each class one for each pixel).
    """
    count, entries, tiles, ahead, _, scales, sums = (
        x if i == 0 else builder.inttoptr(x, POINTER) for i, x in enumerate(arguments)
    )
    whole = ir.VectorType(LANE, lanes.count)
    number = classes * ERROR_LIMBS
    limbs = at(builder, scales, _scales(classes))

    def step(carried):
        entry, ahead, *totals = carried
        for line in range(0, FETCHED * LINES, 64):
            lanes.prefetch(builder, at(builder, ahead, line), level=2)
        tile, chunk = split(builder, entry)
        start = at(builder, tiles, builder.mul(tile, index(LINES * LINE)))
        errors = at(builder, limbs, builder.mul(chunk, index(number * lanes.count)))
        lines = [builder.load(at(builder, start, i * LINE), typ=whole, align=LINE) for i in range(LINES)]
        for i, pixels in enumerate(_turned(builder, lines)):
            for t in range(number):
                error = _spread_limbs(builder, at(builder, errors, t * lanes.count + 4 * i), lanes.count)
                totals[t] = _dot(builder, lanes, totals[t], pixels, error)
        return [at(builder, entry, 4), at(builder, ahead, FETCHED * LINES), *totals]

    start = [entries, ahead, *[ir.Constant(whole, None)] * number]
    _, _, *totals = repeat(builder, count, start, step)
    wide = ir.VectorType(ir.DoubleType(), lanes.count)
    for j in range(classes):
        total = _whole(builder, lanes, totals[j * ERROR_LIMBS : (j + 1) * ERROR_LIMBS])
        scale = builder.load(at(builder, scales, 4 * j), typ=lanes.number, align=4)
        scale = spread(builder, builder.fpext(scale, ir.DoubleType()), lanes.count)
        target = at(builder, sums, j * TILE * 8)
        grown = builder.fmul(builder.fpext(total, wide), scale)
        grown = builder.fadd(grown, builder.load(target, typ=wide, align=8))
        builder.store(grown, target, align=8)


def _turned(builder, lines) -> list:
    """Turn a tile: lanes of images with four pixels each become lanes of pixels with four images each.

    A quarter of a vector holds four lanes. The quarters of four vectors change places as the rows and columns
    of a matrix do, in two rounds; then in each quarter four bytes of four lanes do.
    """

    def mixed(x, y, lanes):
        return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(LANE, len(lanes)), lanes))

    def quarters(x, y, numbers):
        return mixed(x, y, [4 * number + lane for number in numbers for lane in range(4)])

    a, b, c, d = lines
    lines = [quarters(*pair, half) for pair in ((a, b), (c, d)) for half in ((0, 1, 4, 5), (2, 3, 6, 7))]
    a, b, c, d = lines
    lines = [quarters(*pair, half) for pair in ((a, c), (b, d)) for half in ((0, 2, 4, 6), (1, 3, 5, 7))]
    columns = ir.VectorType(BYTE, LINE)
    turned = [16 * quarter + 4 * image + p for quarter in range(4) for p in range(4) for image in range(4)]
    nothing = ir.Constant(columns, ir.Undefined)
    return [
        builder.bitcast(mixed(builder.bitcast(x, columns), nothing, turned), x.type) for x in lines
    ]
