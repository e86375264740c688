"""The loops around the micro-kernel: which block of which operand waits in which cache.

After K. Goto and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). An operand is
given as (address, bytes from row to row, bytes from column to column); one of its two strides is the size
of a number.
"""

import zlib
from pathlib import Path

from numba import njit, prange

from mlteach.matmul.micro import MR, NV, PACKED_MR, PACKED_NV, micro
from mlteach.matmul.pack import pack_columns, pack_rows
from mlteach.matmul.vector_ir import PROCESSOR

WIDTH = PROCESSOR.width  # bytes of a vector

# Numba's cache on disk looks at the file of a compiled function, not at the files of what it calls. So this
# number stands for all of them: it is a constant of both functions that are cached, and thereby part of
# their keys.
_SOURCES = [Path(__file__).with_name(f"{name}.py") for name in ("vector_ir", "micro", "pack", "nest")]
REVISION = zlib.crc32(b"".join(source.read_bytes() for source in _SOURCES))


@njit(nogil=True)
def even(total, most, unit):
    """The length of blocks of `total` that are at most `most`, nearly equal, and multiples of `unit`."""
    blocks = (total + most - 1) // most
    return ((total + blocks - 1) // blocks + unit - 1) // unit * unit


def _heights(vectors):
    highest, eight, four, one = (micro(rows, vectors, False) for rows in (MR, 8, 4, 1))

    @njit(nogil=True)
    def tiles(zero, k, a, a_row, b, out, out_row, m, n, add, ahead):
        """Up to MR rows of `a` times one packed panel, with the highest tiles that fit."""
        if m == MR:
            highest(zero, (k, a, a_row, b, out, out_row, MR, n, add, ahead))
            return
        if MR > 8 and m >= 8:
            eight(zero, (k, a, a_row, b, out, out_row, 8, n, add, a))
            a, out, m = a + 8 * a_row, out + 8 * out_row, m - 8
        if m >= 4:
            four(zero, (k, a, a_row, b, out, out_row, 4, n, add, a))
            a, out, m = a + 4 * a_row, out + 4 * out_row, m - 4
        for i in range(m):
            one(zero, (k, a + i * a_row, a_row, b, out + i * out_row, out_row, 1, n, add, a))

    return tiles


wide_tiles, narrow_tiles = _heights(NV), _heights(1)
packed_tile = micro(PACKED_MR, PACKED_NV, True)


def _packer(numbers, vectors):
    copied, transposed = pack_rows(numbers, vectors), pack_columns(numbers, vectors)

    @njit(nogil=True)
    def pack(zero, size, k, source, step, across, count, target):
        """Pack a panel: `step` bytes from one of its k steps to the next, `across` from number to number."""
        if across == size:
            copied(zero, (k, source, step, count, target))
        else:
            transposed(zero, (k, source, across, count, target))

    return pack


pack_wide, pack_narrow, pack_b = _packer(0, NV), _packer(0, 1), _packer(0, PACKED_NV)
pack_a = _packer(PACKED_MR, 0)


@njit(nogil=True)
def direct(zero, size, a, b, out, shape, blocks, space):
    """Read `a` where it lies: a block of `b` is packed into the second-level cache, and all of `a` passes by.

    A panel of MR rows of `a` is in the first-level cache while it meets every panel of the block.
    """
    (a, a_row, _), (b, b_row, b_column), (out, out_row, _) = a, b, out
    m, k, n = shape
    most_k, _, most_n = blocks
    lanes = WIDTH // size
    width = NV * lanes
    block_k, block_n = even(k, most_k, 1), even(n, most_n, width)
    for j0 in range(0, n, block_n):
        nc = min(block_n, n - j0)
        for p0 in range(0, k, block_k):
            kc = min(block_k, k - p0)
            for j in range(0, nc, width):
                panel, source, left = space + j * kc * size, b + p0 * b_row + (j0 + j) * b_column, nc - j
                if left <= lanes:
                    pack_narrow(zero, size, kc, source, b_row, b_column, left, panel)
                else:
                    pack_wide(zero, size, kc, source, b_row, b_column, min(width, left), panel)
            for i in range(0, m, MR):
                rows = a + i * a_row + p0 * size
                ahead = rows + MR * a_row if a_row == kc * size else rows
                for j in range(0, nc, width):
                    panel, target, left = space + j * kc * size, out + i * out_row + (j0 + j) * size, nc - j
                    height, columns = min(MR, m - i), min(width, left)
                    if left <= lanes:
                        narrow_tiles(
                            zero, kc, rows, a_row, panel, target, out_row, height, columns, p0, ahead
                        )
                    else:
                        wide_tiles(zero, kc, rows, a_row, panel, target, out_row, height, columns, p0, ahead)


@njit(nogil=True)
def packed(zero, size, a, b, out, shape, blocks, space):
    """Pack both: a block of `a` is in the second-level cache, and panel after panel of `b` passes by.

    Each panel of `b` meets every panel of the block, while the next is fetched, a line every few steps.
    """
    (a, a_row, a_column), (b, b_row, b_column), (out, out_row, _) = a, b, out
    m, k, n = shape
    most_k, most_m, most_n = blocks
    width = PACKED_NV * (WIDTH // size)
    block_k, block_m, block_n = even(k, most_k, 1), even(m, most_m, PACKED_MR), even(n, most_n, width)
    space_a = space + (block_k * block_n * size + 2 * WIDTH) // WIDTH * WIDTH
    for j0 in range(0, n, block_n):
        nc = min(block_n, n - j0)
        for p0 in range(0, k, block_k):
            kc = min(block_k, k - p0)
            for j in range(0, nc, width):
                source, columns = b + p0 * b_row + (j0 + j) * b_column, min(width, nc - j)
                pack_b(zero, size, kc, source, b_row, b_column, columns, space + j * kc * size)
            for i0 in range(0, m, block_m):
                mc = min(block_m, m - i0)
                for i in range(0, mc, PACKED_MR):
                    source, rows = a + (i0 + i) * a_row + p0 * a_column, min(PACKED_MR, mc - i)
                    pack_a(zero, size, kc, source, a_column, a_row, rows, space_a + i * kc * size)
                for j in range(0, nc, width):
                    panel = space + j * kc * size
                    ahead = panel + width * kc * size
                    for i in range(0, mc, PACKED_MR):
                        target = out + (i0 + i) * out_row + (j0 + j) * size
                        rows, columns = min(PACKED_MR, mc - i), min(width, nc - j)
                        panel_a = space_a + i * kc * size
                        packed_tile(zero, (kc, panel_a, 0, panel, target, out_row, rows, columns, p0, ahead))
                        ahead += kc // 4 * 64


def _alone(revision):
    @njit(nogil=True, cache=True)
    def alone(zero, size, a, b, out, shape, blocks, space, in_place):
        """The whole product on the calling thread; `in_place` says whether `a` is read where it lies."""
        revision  # noqa: B018
        if in_place:
            direct(zero, size, a, b, out, shape, blocks, space)
        else:
            packed(zero, size, a, b, out, shape, blocks, space)

    return alone


@njit(nogil=True)
def cut(total, parts, part, unit):
    """Where a part of `total` begins: at a multiple of `unit`, and the one after the last at the end."""
    return total if part == parts else total * part // parts // unit * unit


def _shared(revision):
    @njit(parallel=True, nogil=True, cache=True)
    def shared(zero, size, a, b, out, shape, blocks, space, room, in_place, grid):
        """Cut `out` into a grid of parts and compute each alone, in a workspace of `room` bytes."""
        revision  # noqa: B018
        m, k, n = shape
        down, across = grid
        for t in prange(down * across):
            i, j = t // across, t % across
            top, bottom = cut(m, down, i, MR), cut(m, down, i + 1, MR)
            left, right = cut(n, across, j, WIDTH // size), cut(n, across, j + 1, WIDTH // size)
            if top < bottom and left < right:
                part_a = (a[0] + top * a[1], a[1], a[2])
                part_b = (b[0] + left * b[2], b[1], b[2])
                part_out = (out[0] + top * out[1] + left * size, out[1], out[2])
                part = (bottom - top, k, right - left)
                alone(zero, size, part_a, part_b, part_out, part, blocks, space + t * room, in_place)

    return shared


alone, shared = _alone(REVISION), _shared(REVISION)
