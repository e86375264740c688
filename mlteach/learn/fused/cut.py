"""Cut numbers into limbs of eight bits, and put sums of limbs together.

A number becomes a whole number times a scale, and that is cut: a *limb* is its lowest byte as a signed
number, from -128 to 127, and what this leaves is a multiple of 256. Three limbs hold 24 bits, as a float32
does, but all numbers of a class share a scale: beside one that is 1000 times as large, 14 bits are left.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import types

from mlteach.learn.fused.judge import constant, per_class
from mlteach.learn.fused.layout import CACHE_LINE, IMAGES, ORDER, PIXELS, SIDE_BY_SIDE, error_count
from mlteach.matmul.cached import compiled
from mlteach.matmul.vector_ir import BYTE, LANE, at, emitted, pointers, repeat, spread

WEIGHT_LIMBS, ERROR_LIMBS = 3, 2
LARGEST_WEIGHT = 127.0 * 0x10101  # all three limbs 127
LARGEST_ERROR = 127.0 * 0x101 - 1  # room for what rounding left of another error
SMALLEST = 1e-30  # of the largest error of a block: there is one to divide by where all are 0
ROUNDER = 12582912.0  # 1.5 * 2**23: added to a smaller number, the lowest bits of its float32 count ones


def weight_bytes(classes: int) -> int:
    """The size of the limbs of all weights of so many classes."""
    return PIXELS * classes * WEIGHT_LIMBS


def error_bytes(classes: int, chunks: int) -> int:
    """The size of the errors of some chunks, cut: a scale for each class, and the limbs."""
    return scale_bytes(classes) + chunks * classes * ERROR_LIMBS * IMAGES


def scale_bytes(classes: int) -> int:
    """The size of the scales of the errors of so many classes, in whole lines of the cache."""
    return -(-4 * classes // CACHE_LINE) * CACHE_LINE


def weigh(weights: np.ndarray, first: int, room: np.ndarray, scales: np.ndarray) -> None:
    """Cut the weights of a group of classes, on the scale of the largest of each class.

    Parameters
    ----------
    weights : ndarray of float64, shape (785, classes)
        In one piece; row 0, the constants, is passed over.
    first : int
        The first class of the group. What has no class stays as it is, 0.
    room : ndarray of uint8, shape (weight_bytes(size),)
        For the limbs: line by line, and class by class, three of each pixel.
    scales : ndarray of float32, shape (size,)
    """
    limbs = room.view(np.int8).reshape(-1, len(scales), WEIGHT_LIMBS, SIDE_BY_SIDE)
    _compiled()(weights, first, ORDER, limbs, scales, LARGEST_WEIGHT)


@functools.cache
def _compiled():
    """The function below in machine code."""
    weights, order = types.Array(types.float64, 2, "C"), types.Array(types.int64, 1, "C")
    limbs, scales = types.Array(types.int8, 4, "C"), types.Array(types.float32, 1, "C")
    return compiled(_cut, types.void(weights, types.int64, order, limbs, scales, types.float64))


def _cut(weights, first, order, limbs, scales, largest):
    """Cut weights, the pixels in some order."""
    beside, count = limbs.shape[3], min(len(scales), weights.shape[1] - first)
    most = np.zeros(count)
    for row in range(1, len(weights)):
        for j in range(count):
            most[j] = max(most[j], abs(weights[row, first + j]))
    for j in range(count):
        scales[j] = most[j] / largest
        most[j] = largest / most[j] if scales[j] > 0 else 0.0
    for i in range(len(order)):
        for j in range(count):
            whole = np.int64(np.rint(weights[1 + order[i], first + j] * most[j]))
            for limb in range(limbs.shape[2]):
                limbs[i // beside, j, limb, i % beside] = whole
                whole = (whole + 128) >> 8


@per_class
@emitted
def settle(builder, lanes, arguments, classes):
    """Cut the errors of a block, on the scale of the largest of each class.

    The arguments are the number of chunks, their errors as `judge` writes them, and where the scales go, and
    after these the limbs: for each chunk and class the lowest of all images, then the next.

    What rounding leaves of an error is added to the next one of its lane. Otherwise, where one error is
    large, many small ones that are equal would all be wrong by the same.
    """
    count = arguments[0]
    errors, scales = pointers(builder, arguments[1:])
    size = error_count(classes) * lanes.size
    bits, narrow = ir.VectorType(LANE, lanes.count), ir.VectorType(BYTE, lanes.count)
    half, eight = (ir.Constant(bits, [number] * lanes.count) for number in (128, 8))

    def compare(carried):
        error, *tops = carried
        for j, top in enumerate(tops):
            x = lanes.load(builder, at(builder, error, j * lanes.width))
            x = lanes.call(builder, f"llvm.fabs.{lanes.suffix}", lanes.vector, [x])
            tops[j] = builder.select(builder.fcmp_ordered(">", x, top), x, top)
        return [at(builder, error, size), *tops]

    _, *tops = repeat(builder, count, [errors, *[constant(lanes, SMALLEST)] * classes], compare)
    steps = []
    for j, top in enumerate(tops):
        most = lanes.call(builder, f"llvm.vector.reduce.fmax.{lanes.suffix}", lanes.number, [top])
        largest = ir.Constant(lanes.number, LARGEST_ERROR)
        builder.store(builder.fdiv(most, largest), at(builder, scales, j * lanes.size), align=lanes.size)
        steps.append(spread(builder, builder.fdiv(largest, most), lanes.count))

    def cut(carried):
        error, target, *left = carried
        for j, step in enumerate(steps):
            x = lanes.load(builder, at(builder, error, j * lanes.width))
            x = lanes.multiply_add(builder, x, step, left[j])
            rounded = builder.fadd(x, constant(lanes, ROUNDER))
            left[j] = builder.fsub(x, builder.fsub(rounded, constant(lanes, ROUNDER)))
            x = builder.bitcast(rounded, bits)
            for limb in range(ERROR_LIMBS):
                offset = (j * ERROR_LIMBS + limb) * lanes.count
                builder.store(builder.trunc(x, narrow), at(builder, target, offset), align=1)
                x = builder.lshr(builder.add(x, half), eight)
        return [at(builder, error, size), at(builder, target, classes * ERROR_LIMBS * lanes.count), *left]

    left = [(i + 0.5) / lanes.count - 0.5 for i in range(lanes.count)]  # lanes with equal errors differ
    left = [ir.Constant(lanes.vector, left)] * classes
    repeat(builder, count, [errors, at(builder, scales, scale_bytes(classes)), *left], cut)


def put_together(builder, lanes, sums):
    """A float32 vector from the sums of the limbs of its numbers, the sums of the lowest limbs first."""
    total, *lower = [builder.sitofp(x, lanes.vector) for x in reversed(sums)]
    for x in lower:
        total = lanes.multiply_add(builder, total, constant(lanes, 256.0), x)
    return total
