"""The loops around the micro-kernel: which block of which operand waits in which cache, and who works on it.

After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008).

The work is a row of tickets that every thread knows: pack the panels of a block, multiply the block, pack
the next. Whoever is free takes the next ticket, so that a thread which is held up keeps the others waiting
for one ticket at most. A thread waits only for tickets that another has taken, never for one that nobody
has; so it does not matter how many threads come, or when.
"""

import functools
import zlib
from pathlib import Path

import numpy as np
from numba import from_dtype, njit, prange, types

from mlteach.matmul.cached import compiled
from mlteach.matmul.micro import MR, NV, PACKED_MR, PACKED_NV
from mlteach.matmul.tickets import (
    WIDTH,
    Block,
    Job,
    Operand,
    ceil,
    multiply_in_place,
    multiply_packed,
    pack_part_of_a,
    pack_part_of_b,
    packings,
)
from mlteach.matmul.vector_ir import PROCESSOR, fetch, fetch_add

LINE = 64  # bytes that a core takes away from another when it writes: each counter has a line for itself

# Numba's cache on disk looks at the file of a compiled function, not at the files of what it calls. So this
# number stands for all of them, and for the processor that they write for: it is a constant of the function
# that is cached, and thereby part of its key.
_FILES = [Path(__file__).with_name(f"{x}.py") for x in ("vector_ir", "micro", "pack", "tickets", "nest")]
REVISION = zlib.crc32(b"".join([repr(PROCESSOR).encode(), *(file.read_bytes() for file in _FILES)]))


@njit(nogil=True)
def operand(x):
    """The address and strides of an array; along an axis with one number, any stride will do."""
    row = x.strides[0] if x.shape[0] > 1 else x.itemsize
    column = x.strides[1] if x.shape[1] > 1 else x.itemsize
    return np.int64(x.ctypes.data), row, column


@njit(nogil=True)
def begin(space, room, parts):
    """Where the workspaces begin; each has first the number of tickets taken and of those done, both 0."""
    for part in range(parts):
        space[part * room : part * room + 3 * LINE] = 0
    return ceil(np.int64(space.ctypes.data), LINE) * LINE


@njit(nogil=True)
def wait(counter, least):
    """Wait until a counter is that far."""
    while fetch(counter) < least:
        pass


@njit(nogil=True)
def do_block(job, block, taken, done, ticket, first):
    """Do the tickets of a block as far as this thread gets them: pack first, then multiply.

    Takes and returns the ticket that the thread holds and the number of the first one of a block.
    """
    of_b, of_a, size, depth = 0, 0, job.size, block.depth
    if block.i == 0:
        of_b = packings(block.columns, job.width, job.b.column, size, depth)
    if not job.in_place:
        of_a = packings(block.rows, job.height, job.a.row, size, depth)
    wait(done, first)
    while ticket < first + of_b + of_a:
        if ticket < first + of_b:
            pack_part_of_b(job, block, ticket - first)
        else:
            pack_part_of_a(job, block, ticket - first - of_b)
        fetch_add(done, 1)
        ticket = fetch_add(taken, 1)

    first += of_b + of_a
    down = ceil(block.rows, job.strip)
    last = first + down * ceil(block.columns, job.span)
    wait(done, first)
    while ticket < last:
        i, j = (ticket - first) % down * job.strip, (ticket - first) // down * job.span
        if job.in_place:
            multiply_in_place(job, block, i, j)
        else:
            multiply_packed(job, block, i, j)
        fetch_add(done, 1)
        ticket = fetch_add(taken, 1)
    return ticket, last


@njit(nogil=True)
def work(zero, size, a, b, out, shape, lengths, ticket_size, in_place, space):
    """Go through the blocks, in the same order on every thread, and do the tickets that this one gets."""
    (m, k, n), (rows, depth, columns), (strip, span) = shape, lengths, ticket_size
    height, vectors = (MR, NV) if in_place else (PACKED_MR, PACKED_NV)
    taken, done, panels_b = space, space + LINE, space + 2 * LINE
    job = Job(
        zero=zero,
        size=size,
        a=Operand(*a),
        b=Operand(*b),
        out=Operand(*out),
        in_place=in_place,
        height=height,
        width=vectors * WIDTH // size,
        strip=strip,
        span=span,
        panels_b=panels_b,
        panels_a=panels_b + depth * columns * size,
        a_panel=depth * height * size + WIDTH,  # transposing, packing stores up to a vector too far
    )
    ticket, first = fetch_add(taken, 1), 0
    for j in range(0, n, columns):
        for p in range(0, k, depth):
            for i in range(0, m, rows):
                block = Block(i, j, p, min(rows, m - i), min(columns, n - j), min(depth, k - p))
                ticket, first = do_block(job, block, taken, done, ticket, first)


def room_for(rows, depth, columns, size, in_place):
    """Bytes of workspace that blocks of these lengths need, in whole lines."""
    panels_a = 0 if in_place else ceil.py_func(rows, PACKED_MR) * (depth * PACKED_MR * size + WIDTH)
    return ceil.py_func(3 * LINE + depth * columns * size + panels_a, LINE) * LINE


def _product(revision, parallel):
    def product(a, b, out, space, height, width, room, rows, depth, columns, strip, span, in_place, threads):
        """Multiply in parts of so many rows and columns, and these in blocks; `space` is for this call alone.

        Each part has so many bytes of the space. A thread begins with a part of its own, if there is one for
        it, and helps with the others when there is nothing left to take.
        """
        revision, parallel  # noqa: B018
        zero, size, m, k, n = out.dtype.type(0), out.itemsize, a.shape[0], a.shape[1], b.shape[1]
        a, b, out = operand(a), operand(b), operand(out)
        lengths, ticket_size, across = (rows, depth, columns), (strip, span), ceil(n, width)
        parts = ceil(m, height) * across
        start = begin(space, room, parts)
        for t in prange(threads):
            for part in range(t, t + parts):
                i, j = part % parts // across * height, part % across * width
                place, shape = start + part % parts * room, (min(height, m - i), k, min(width, n - j))
                part_of_a, part_of_b = (a[0] + i * a[1], a[1], a[2]), (b[0] + j * b[2], b[1], b[2])
                target = (out[0] + i * out[1] + j * out[2], out[1], out[2])
                operands = (part_of_a, part_of_b, target)
                work(zero, size, *operands, shape, lengths, ticket_size, in_place, place)

    return product


@functools.cache
def product(dtype, parallel):
    """The function for arrays of a dtype, on one thread or on many."""
    number = from_dtype(dtype)
    matrix, result = (types.Array(number, 2, "A", readonly=readonly) for readonly in (True, False))
    space = types.Array(types.uint8, 1, "C")
    signature = types.void(matrix, matrix, result, space, *[types.int64] * 8, types.boolean, types.int64)
    return compiled(_product(REVISION, parallel), signature, parallel=parallel)
