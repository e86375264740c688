"""One pass over all lines: scores, right answers, errors and gradient, block by block."""

import functools
import zlib
from pathlib import Path

import numpy as np
from numba import njit, prange, types

from mlteach.learn.fused.layout import FETCHED, IMAGES, LINE, LINES, ORDER, PIXELS
from mlteach.learn.fused.lines import CHUNKS, Lines
from mlteach.learn.fused.room import SHARES, Room, way
from mlteach.matmul import vector_ir
from mlteach.matmul.cached import compiled
from mlteach.matmul.team import together

forward, settle, backward = way.forward, way.settle, way.backward

# Beyond this score, the sigmoids of different scores can be the same number in float64, and the first of
# equals is the answer. Below it they differ wherever the scores do in float32.
SATURATED = 20.0
HIDDEN = -709.78  # the exponential of a larger number is infinite in float64: below this all sigmoids are 0

# As in `mlteach.matmul.nest`: this number stands, in the keys of Numba's cache, for the sources of what the
# cached function calls, and for the processor.
_MODULES = ("layout", "judge", "floats", "cut", "limbs", "lines", "room", "sweep")
SOURCES = [
    Path(vector_ir.__file__),
    *map(Path(__file__).with_name, (f"{x}.py" for x in _MODULES)),
]
REVISION = zlib.crc32(
    b"".join([repr(vector_ir.PROCESSOR).encode(), *(source.read_bytes() for source in SOURCES)])
)


def sweep(lines: Lines, room: Room, weights: np.ndarray, threads: int) -> tuple[int, np.ndarray]:
    """Walk all lines once.

    Parameters
    ----------
    lines : Lines
    room : Room
        For as many classes as the weights have. Nobody else may use it meanwhile.
    weights : ndarray of float64, shape (785, classes)
        What each pixel counts for each class; row 0 is the constant.
    threads : int

    Returns
    -------
    right : int
        How many images got their label as answer.
    sums : ndarray of float64, shape (785, classes)
        Pixel times error, added up over all images; in row 0 the errors.
    """
    for g in range(room.groups):
        first = g * room.size
        constants = weights[0, first : first + room.size]
        room.numbers[g, 0, : len(constants)] = constants
        way.weigh(weights, first, room.weights[g], room.numbers[g, 1])
    tally, data = (0,) * room.size, (lines.tiles, lines.lines, lines.first, lines.entries, lines.bounds)
    space = (room.weights, room.numbers, room.errors, room.settled, room.sums, room.right)
    together(
        _compiled(room.size),
        threads,
        tally,
        np.float32(0),
        data,
        lines.labels,
        space,
        room.cuts,
        room.classes,
    )
    sums = np.empty((1 + PIXELS, room.groups * room.size))
    for g in range(room.groups):
        own = slice(g * room.size, (g + 1) * room.size)
        sums[0, own] = room.sums[0, g, -room.size :]
        sums[1 + ORDER, own] = way.collect(room.sums[0, g, : -room.size], room.size)
    return int(room.right.sum()), sums[:, : room.classes]


@njit(nogil=True)
def _first_of_equals(scores, classes, lane):
    """The class whose sigmoid is largest in float64, the first of equals."""
    answer, largest = 0, -1.0
    for j in range(classes):
        score = np.float64(scores[j // scores.shape[1], j % scores.shape[1], lane])
        certainty = 1 / (1 + np.exp(-score))
        if certainty > largest:
            answer, largest = j, certainty
    return answer


@njit(nogil=True)
def _scores_of_block(tally, zero, block, data, labels, weights, numbers, errors, scores, classes):
    """Go through a block chunk by chunk: write its errors, and return how many chunks and right answers."""
    tiles, lines, first = data[:3]
    begin, after = first[block * CHUNKS], first[(block + 1) * CHUNKS]
    ahead = tiles.ctypes.data + after[0] * LINES * LINE
    best, answers = np.empty(IMAGES, np.float32), np.empty(IMAGES, np.int32)
    right = 0
    for chunk in range(CHUNKS):
        this = block * CHUNKS + chunk
        if labels[this, 0] < 0:  # past the last image
            return chunk, right
        (tile, line), count = first[this], first[this + 1, 1] - first[this, 1]
        best[:] = HIDDEN
        answers[:] = 0
        fetch = ahead + (line - begin[1]) * FETCHED
        source = (lines.ctypes.data + 4 * line, tiles.ctypes.data + tile * LINES * LINE, fetch)
        for g in range(len(weights)):
            factors = (weights[g].ctypes.data, numbers[g].ctypes.data)
            wanted = (labels[this].ctypes.data, g * numbers.shape[2])
            state = (best.ctypes.data, answers.ctypes.data)
            target = (scores[g].ctypes.data, errors[g, chunk].ctypes.data)
            forward(tally, zero, (count, *source, *factors, *wanted, *state, *target))
        for lane in range(IMAGES):
            if best[lane] > SATURATED:
                answers[lane] = _first_of_equals(scores, classes, lane)
            right += answers[lane] == labels[this, lane]
    return CHUNKS, right


@njit(nogil=True)
def _gradient_of_block(tally, zero, block, data, errors, settled, sums):
    """Go through a block place by place, and add to the sums of each."""
    tiles, _, first, entries, bounds = data
    (start, line), (after, end) = first[block * CHUNKS], first[(block + 1) * CHUNKS]
    ahead = tiles.ctypes.data + after * LINES * LINE + (end - line) * FETCHED
    size = (sums.shape[1] - len(tally)) // (bounds.shape[1] - 1)  # sums of a place
    for g in range(len(errors)):
        for place in range(bounds.shape[1] - 1):
            begin, count = bounds[block, place], bounds[block, place + 1] - bounds[block, place]
            fetch = ahead + (begin - start) * LINES * FETCHED
            source = (entries.ctypes.data + 4 * begin, tiles.ctypes.data + start * LINES * LINE, fetch)
            factors = (errors[g].ctypes.data, settled[g].ctypes.data)
            if count:
                backward(tally, zero, (count, *source, *factors, sums[g, place * size :].ctypes.data))


@njit(nogil=True)
def _walk(tally, zero, start, stop, data, labels, weights, numbers, errors, settled, sums, classes):
    """Go through some blocks: fill the sums, and return how many answers are right."""
    size = len(tally)
    scores = np.empty((len(errors), size, IMAGES), np.float32)
    sums[:] = 0
    right = 0
    for block in range(start, stop):
        chunks, more = _scores_of_block(
            tally, zero, block, data, labels, weights, numbers, errors, scores, classes
        )
        right += more
        for g in range(len(errors)):
            settle(tally, zero, (chunks, errors[g].ctypes.data, settled[g].ctypes.data))
            for chunk in range(chunks):
                for j in range(size):
                    sums[g, sums.shape[1] - size + j] += errors[g, chunk, size * IMAGES + j]
        _gradient_of_block(tally, zero, block, data, errors, settled, sums)
    return right


@njit(nogil=True)
def _add_shares(sums, start, stop):
    """Add some of the sums of all shares, in their order, to those of the first."""
    for s in range(1, len(sums)):
        for g in range(sums.shape[1]):
            for i in range(start, stop):
                sums[0, g, i] += sums[s, g, i]


def _share(revision):
    def share(tally, zero, data, labels, space, cuts, classes):
        """Let the team walk the shares, each in memory of its own."""
        revision  # noqa: B018
        weights, numbers, errors, settled, sums, right = space
        for s in prange(len(right)):
            own = (errors[s], settled[s], sums[s])
            right[s] = _walk(tally, zero, cuts[s], cuts[s + 1], data, labels, weights, numbers, *own, classes)
        count = sums.shape[2]
        for part in prange(SHARES):
            _add_shares(sums, part * count // SHARES, (part + 1) * count // SHARES)

    return share


@functools.cache
def _compiled(size: int):
    """The pass in machine code for groups of so many classes."""

    def arrays(*kinds):
        return types.Tuple([types.Array(number, dimensions, "C") for number, dimensions in kinds])

    lines = ((types.uint8, 3), (types.uint32, 1), (types.int64, 2), (types.uint32, 1), (types.int64, 2))
    weights, errors = ((types.uint8, 2), (types.float32, 3)), ((types.float32, 4), (types.uint8, 3))
    space = (*weights, *errors, (types.float64, 3), (types.int64, 1))
    labels, cuts = arrays((types.int32, 2), (types.int64, 1))
    tally = types.UniTuple(types.int64, size)
    arguments = (tally, types.float32, arrays(*lines), labels, arrays(*space), cuts, types.int64)
    return compiled(_share(REVISION), types.void(*arguments), parallel=True)
