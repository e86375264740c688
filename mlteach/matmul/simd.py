"""The summit: a micro-kernel of vector instructions, and the caches fed for it."""

import numpy as np

from mlteach.matmul import nest, rung, team
from mlteach.matmul.micro import MR, NV, PACKED_MR, PACKED_NV
from mlteach.matmul.patience import Patience, clock
from mlteach.matmul.vector_ir import PROCESSOR

KC = 4096  # bytes of a row of `a` in a block, a page: a panel of 12 rows is 48 KB, near the first-level cache
DEEP_KC = 8 * KC  # the same where `b` is one panel wide: then `a` is not used again, and need not stay
NC = 128  # columns of `b` in a block where `a` is read in place: 512 KB, a part of the second-level cache
STRIP = 120  # rows that meet a block of `b` together: 480 KB where they are packed, in the second-level cache
PACKED_MC = 17 * STRIP  # rows of `a` that are packed for several threads: 8 MB, part of the third level
PACKED_NC = 2064  # columns of `b` in a block where `a` is packed: 8 MB as well
IN_PLACE_N = 256  # up to so many columns, `a` is used too seldom to pay for its packing
IN_PLACE_A = 1 << 20  # an `a` of up to so many bytes is in the second-level cache without being packed
ALONE = 1 << 22  # up to so many multiply-adds, waking other threads costs more than they save
TICKETS = 8  # into so many a thread's share of a block is cut, so that what the last one does is short

_spare: list[np.ndarray] = []  # workspaces that nobody uses
_patience = Patience()


def simd(a, b, out, threads):
    """Write the inner loop in the processor's own terms.

    Idea: a tile of the result stays in vector registers while a row of `a` and a panel of `b` stream past it.
    Changed from `packed`: vectors and registers are chosen by us and not by the compiler, for each processor.
    Limit: the FMA units. Nine tenths of the time they are busy; the rest is packing and writing.
    """
    if _stride(out, 1) != out.itemsize:
        if _stride(out, 0) == out.itemsize:
            simd(b.T, a.T, out.T, threads)
        else:
            rows = np.empty(out.shape, out.dtype)
            simd(a, b, rows, threads)
            out[...] = rows
        return
    a, b = _in_lines(a), _in_lines(b)
    (m, k), n, size = a.shape, b.shape[1], out.itemsize
    in_place = _stride(a, 1) == size and (n <= IN_PLACE_N or m * k * size <= IN_PLACE_A)
    if m * k * n <= ALONE or not team.usable() or _patience.over():
        threads = 1
    space, *plan = _plan(m, k, n, size, in_place, threads)
    space = _workspace(space)
    try:
        if threads == 1:
            nest.product(out.dtype, False)(a, b, out, space, *plan, in_place, threads)
        else:
            product, begin = nest.product(out.dtype, True), clock()
            team.together(product, threads, a, b, out, space, *plan, in_place, threads)
            _patience.note(size, m * k * n, threads, clock() - begin)
    finally:
        _spare.append(space)


def _stride(x, axis: int) -> int:
    """Bytes from one number to the next along an axis; an axis with one number fits any."""
    return x.strides[axis] if x.shape[axis] > 1 else x.itemsize


def _in_lines(x):
    """The matrix, or a copy where neither its rows nor its columns lie in one piece."""
    return x if x.itemsize in (_stride(x, 0), _stride(x, 1)) else np.ascontiguousarray(x)


def _plan(m: int, k: int, n: int, size: int, in_place: bool, threads: int) -> tuple[int, ...]:
    """Bytes of workspace, rows and columns of a part, bytes that each part has for itself, then `_lengths`.

    Every thread begins with a part of its own, where there is more than one. A small `a` meets some columns
    of `b` in each: what a core has packed is used by the same core, and need not leave its caches. Where `a`
    is packed and `b` is narrow, a part has some rows of `a`: to pack `b` more than once costs less than to
    wait for each other at every block.
    """
    rows, columns, tickets = m, n, 1 if threads == 1 else TICKETS * threads
    if threads > 1 and in_place and m * k * size <= IN_PLACE_A:
        columns = _even(n, _ceil(n, threads), NV * PROCESSOR.width // size)
        tickets = _ceil(tickets, _ceil(n, columns))
    elif threads > 1 and not in_place and n <= IN_PLACE_N:
        rows, tickets = _even(m, _ceil(m, threads), PACKED_MR), 1
    lengths = _lengths(rows, k, columns, size, in_place, tickets)
    room = nest.room_for(*lengths[:3], size, in_place)
    return room * _ceil(m, rows) * _ceil(n, columns), rows, columns, room, *lengths


def _lengths(m: int, k: int, n: int, size: int, in_place: bool, tickets: int) -> tuple[int, ...]:
    """How long blocks are, in rows of `a`, depth and columns of `b`, and the rows and columns of a ticket."""
    height, vectors = (MR, NV) if in_place else (PACKED_MR, PACKED_NV)
    width = vectors * PROCESSOR.width // size
    depth = _even(k, (DEEP_KC if in_place and n <= width else KC) // size, 1)
    columns = min(n, NC if in_place else PACKED_NC)
    strip = _even(m, min(STRIP, _ceil(m, tickets)) if in_place else STRIP, height)
    span = _even(n, max(1, columns // _ceil(tickets, _ceil(m, strip))), width)
    rows = m if in_place else strip if tickets == 1 else _even(m, PACKED_MC, strip)
    return rows, depth, _even(n, columns, span), strip, span


def _even(total: int, most: int, unit: int) -> int:
    """The length of parts of `total` that are at most `most`, nearly equal, and multiples of `unit`."""
    return _ceil(total, _ceil(total, most) * unit) * unit


def _ceil(total: int, unit: int) -> int:
    return -(-total // unit)


def _workspace(size: int) -> np.ndarray:
    """At least so many bytes for nobody else."""
    try:
        space = _spare.pop()
    except IndexError:
        space = np.empty(0, np.uint8)
    return space if space.size >= size else np.empty(size, np.uint8)


RUNGS = {"simd": rung(simd, parallel=True)}
