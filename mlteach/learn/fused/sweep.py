"""One pass over all lines: scores, right answers, errors and gradient, block by block."""

import functools
import zlib
from pathlib import Path

import numpy as np
from numba import njit, prange, types

from mlteach.learn.fused.lines import CHUNKS, PLACES, ROWS, Lines
from mlteach.learn.fused.micro import FETCHED, TOTALS, backward, forward
from mlteach.learn.fused.pixels import CACHE_LINE, CLASSES, DEPTH, IMAGES, LANES, LINE
from mlteach.matmul import vector_ir
from mlteach.matmul.cached import compiled
from mlteach.matmul.team import together

# Beyond this score, the sigmoids of different scores can be the same number in float64, and the first of
# equals is the answer. Below it they differ wherever the scores do in float32.
SATURATED = 20.0
HIDDEN = -709.78  # the exponential of a larger number is infinite in float64: below this all sigmoids are 0
NEVER = -1e30  # the score of a column that is no class
SHARES = 24  # of the blocks, each with sums of its own; many teams of threads divide them evenly

# As in `mlteach.matmul.nest`: this number stands, in the keys of Numba's cache, for the sources of what the
# cached function calls, and for the processor.
SOURCES = [
    Path(vector_ir.__file__),
    *(Path(__file__).with_name(f"{x}.py") for x in ("pixels", "micro", "lines", "sweep")),
]
REVISION = zlib.crc32(
    b"".join([repr(vector_ir.PROCESSOR).encode(), *(source.read_bytes() for source in SOURCES)])
)


class Room:
    """Memory for the pass with a certain number of classes, which go in groups of at most `CLASSES`."""

    def __init__(self, lines: Lines, classes: int):
        self.classes = classes
        self.groups = -(-classes // CLASSES)
        self.size = -(-classes // self.groups)
        blocks, work = len(lines.bounds), len(lines.places)
        shares = min(SHARES, blocks)
        self.cuts = np.searchsorted(lines.bounds[:, 0], work * np.arange(shares + 1) / shares)
        spare = -(-LANES // self.size)  # rows, for the vector that begins with the last one
        self.weights = aligned((self.groups, PLACES * DEPTH + spare, self.size), np.float32)
        self.errors = aligned((shares, self.groups, CHUNKS, self.size * IMAGES + TOTALS), np.float32)
        columns = -(-self.size // LANES) * LANES
        self.sums = aligned((shares, self.groups, PLACES * DEPTH, columns), np.float64)
        self.right = np.zeros(shares, np.int64)


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Zeros that begin where a line of the cache does."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    space = np.zeros(size + CACHE_LINE, np.uint8)
    start = -space.ctypes.data % CACHE_LINE
    return space[start : start + size].view(dtype).reshape(shape)


def sweep(lines: Lines, room: Room, weights: np.ndarray, threads: int) -> tuple[int, np.ndarray]:
    """Walk all lines once.

    Parameters
    ----------
    lines : Lines
    room : Room
        For as many classes as the weights have. Nobody else may use it meanwhile.
    weights : ndarray of float64, shape (ROWS, classes)
        What each pixel counts for each class; row 0 is the constant.
    threads : int

    Returns
    -------
    right : int
        How many images got their label as answer.
    sums : ndarray of float64, shape (ROWS, classes)
        Pixel times error, added up over all images; in row 0 the errors.
    """
    padded = np.zeros((PLACES * DEPTH, room.groups * room.size))
    padded[:ROWS, : room.classes] = weights
    padded[0, room.classes :] = NEVER
    in_groups = padded.reshape(len(padded), room.groups, room.size).transpose(1, 0, 2)
    room.weights[:, : len(padded)] = in_groups
    tally, data = (0,) * room.size, (lines.lines, lines.places, lines.first, lines.entries, lines.bounds)
    space = (room.weights, room.errors, room.sums, room.right)
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
    sums = room.sums[0, :, :ROWS, : room.size].transpose(1, 0, 2).reshape(ROWS, -1)
    return int(room.right.sum()), sums[:, : room.classes].copy()


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
def _scores_of_block(tally, zero, block, data, labels, weights, errors, scores, classes):
    """Go through a block chunk by chunk: write its errors, and return how many answers are right."""
    lines, places, first = data[:3]
    begin, after = first[block * CHUNKS], first[(block + 1) * CHUNKS]
    ahead = lines.ctypes.data + after * LINE
    best, answers = np.empty(IMAGES, np.float32), np.empty(IMAGES, np.int32)
    right = 0
    for chunk in range(CHUNKS):
        this = block * CHUNKS + chunk
        start, count = first[this], first[this + 1] - first[this]
        if count == 0:  # past the last image
            break
        best[:] = HIDDEN
        answers[:] = 0
        fetch = ahead + (start - begin) * FETCHED
        source = (lines.ctypes.data + start * LINE, fetch, places.ctypes.data + 2 * start)
        state = (best.ctypes.data, answers.ctypes.data)
        for g in range(len(weights)):
            classes_of_group = (weights[g].ctypes.data, labels[this].ctypes.data, g * weights.shape[2])
            target = (scores[g].ctypes.data, errors[g, chunk].ctypes.data)
            forward(tally, zero, (count, *source, *classes_of_group, *state, *target))
        for lane in range(IMAGES):
            if best[lane] > SATURATED:
                answers[lane] = _first_of_equals(scores, classes, lane)
            right += answers[lane] == labels[this, lane]
    return right


@njit(nogil=True)
def _gradient_of_block(tally, zero, block, data, errors, sums):
    """Go through a block place by place, and add to the sums of each."""
    lines, _, first, entries, bounds = data
    start, after = first[block * CHUNKS], first[(block + 1) * CHUNKS]
    ahead = lines.ctypes.data + after * LINE + (after - start) * FETCHED
    for g in range(len(errors)):
        for place in range(PLACES):
            begin, count = bounds[block, place], bounds[block, place + 1] - bounds[block, place]
            fetch = ahead + (begin - start) * FETCHED
            source = (entries.ctypes.data + 4 * begin, lines.ctypes.data + start * LINE, fetch)
            target = (errors[g].ctypes.data, sums[g, place * DEPTH].ctypes.data)
            if count:
                backward(tally, zero, (count, *source, *target))


@njit(nogil=True)
def _walk(tally, zero, start, stop, data, labels, weights, errors, sums, classes):
    """Go through some blocks: fill the sums, and return how many answers are right."""
    scores = np.empty((len(errors), len(tally), IMAGES), np.float32)
    sums[:] = 0
    right = 0
    for block in range(start, stop):
        right += _scores_of_block(tally, zero, block, data, labels, weights, errors, scores, classes)
        _gradient_of_block(tally, zero, block, data, errors, sums)
    return right


@njit(nogil=True)
def _add_shares(sums, start, stop):
    """Add some rows of the sums of all shares, in their order, to those of the first."""
    for s in range(1, len(sums)):
        for g in range(sums.shape[1]):
            for row in range(start, stop):
                for j in range(sums.shape[3]):
                    sums[0, g, row, j] += sums[s, g, row, j]


def _share(revision):
    def share(tally, zero, data, labels, space, cuts, classes):
        """Let the team walk the shares, each in memory of its own."""
        revision  # noqa: B018
        weights, errors, sums, right = space
        for s in prange(len(right)):
            right[s] = _walk(
                tally, zero, cuts[s], cuts[s + 1], data, labels, weights, errors[s], sums[s], classes
            )
        rows = sums.shape[2]
        for part in prange(SHARES):
            _add_shares(sums, part * rows // SHARES, (part + 1) * rows // SHARES)

    return share


@functools.cache
def _compiled(size: int):
    """The pass in machine code for groups of so many classes."""

    def arrays(*kinds):
        return types.Tuple([types.Array(number, dimensions, "C") for number, dimensions in kinds])

    lines = ((types.uint8, 2), (types.uint16, 1), (types.int64, 1), (types.uint32, 1), (types.int64, 2))
    space = ((types.float32, 3), (types.float32, 4), (types.float64, 4), (types.int64, 1))
    labels, cuts = arrays((types.int32, 2), (types.int64, 1))
    tally = types.UniTuple(types.int64, size)
    arguments = (tally, types.float32, arrays(*lines), labels, arrays(*space), cuts, types.int64)
    return compiled(_share(REVISION), types.void(*arguments), parallel=True)
