"""What a ticket does: pack a part of a block, or multiply a part of it.

A block is a part of the product: some rows of `a`, some columns of `b`, and some of the depth that they
share. It is packed into panels, each for one column of tiles or one row of them, and then multiplied.
"""

from typing import NamedTuple

from numba import njit

from mlteach.matmul.micro import MR, NV, PACKED_MR, PACKED_NV, micro
from mlteach.matmul.pack import pack_columns, pack_rows
from mlteach.matmul.vector_ir import PROCESSOR

WIDTH = PROCESSOR.width  # bytes of a vector
SLICE = 64  # steps that are packed together: reading them is long work, and yet there are many such parts


class Operand(NamedTuple):
    """A matrix: the address of its first number, and the bytes from row to row and from column to column.

    One of the two strides is the size of a number.
    """

    address: int
    row: int
    column: int


class Job(NamedTuple):
    """What all threads know: operands, sizes, and where in the workspace what is kept.

    `zero` is a number of the element type, `size` its bytes. A panel has `height` rows of `a` or `width`
    columns of `b`; a ticket covers `strip` rows and `span` columns of a block of `out`.
    """

    zero: float
    size: int
    a: Operand
    b: Operand
    out: Operand
    in_place: bool
    height: int
    width: int
    strip: int
    span: int
    panels_a: int
    panels_b: int
    a_panel: int


class Block(NamedTuple):
    """Where a block begins, and how long it is: rows of `a`, columns of `b`, and the depth they share."""

    i: int
    j: int
    p: int
    rows: int
    columns: int
    depth: int


@njit(nogil=True)
def ceil(total, unit):
    """How many units cover `total`."""
    return (total + unit - 1) // unit


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


def _widths():
    one, two, whole = (micro(PACKED_MR, min(v, PACKED_NV), True, PACKED_NV) for v in (1, 2, PACKED_NV))

    @njit(nogil=True)
    def tile(zero, bytes_left, arguments):
        """PACKED_MR packed rows times one packed panel, with as few vectors as cover its columns."""
        if bytes_left <= WIDTH:
            one(zero, arguments)
        elif PACKED_NV > 2 and bytes_left <= 2 * WIDTH:
            two(zero, arguments)
        else:
            whole(zero, arguments)

    return tile


packed_tile = _widths()


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
def packings(count, unit, across, size, depth):
    """Into how many tickets the packing of `count` rows or columns is cut: see `part_to_pack`."""
    return ceil(depth, SLICE) if across == size else ceil(count, unit)


@njit(nogil=True)
def part_to_pack(ticket, count, unit, across, size, depth):
    """What a ticket packs, from where to where: numbers of a step, and steps.

    Where the numbers of a step are neighbours in memory, it is some steps of all panels, otherwise all steps
    of one panel. Either way memory is read in long pieces.
    """
    if across == size:
        return 0, count, ticket * SLICE, min(depth, (ticket + 1) * SLICE)
    return ticket * unit, min(count, (ticket + 1) * unit), 0, depth


@njit(nogil=True)
def pack_part_of_b(job, block, ticket):
    """Pack some columns of a block."""
    size, b, width, depth = job.size, job.b, job.width, block.depth
    first, end, p, stop = part_to_pack(ticket, block.columns, width, b.column, size, depth)
    for j in range(first, end, width):
        source = b.address + (block.p + p) * b.row + (block.j + j) * b.column
        panel, left = job.panels_b + j * depth * size, min(width, end - j)
        if not job.in_place:
            pack_b(job.zero, size, stop - p, source, b.row, b.column, left, panel + p * width * size)
        elif left * size <= WIDTH:
            pack_narrow(job.zero, size, stop - p, source, b.row, b.column, left, panel + p * WIDTH)
        else:
            pack_wide(job.zero, size, stop - p, source, b.row, b.column, left, panel + p * width * size)


@njit(nogil=True)
def pack_part_of_a(job, block, ticket):
    """Pack some rows of a block."""
    size, a, height = job.size, job.a, job.height
    first, end, p, stop = part_to_pack(ticket, block.rows, height, a.row, size, block.depth)
    for i in range(first, end, height):
        source = a.address + (block.i + i) * a.row + (block.p + p) * a.column
        panel = job.panels_a + i // height * job.a_panel + p * height * size
        pack_a(job.zero, size, stop - p, source, a.column, a.row, min(height, end - i), panel)


@njit(nogil=True)
def multiply_in_place(job, block, i0, j0):
    """Multiply a strip of `a` where it lies: MR rows are in the first-level cache and meet every panel."""
    zero, size, a, out, depth, add = job.zero, job.size, job.a, job.out, block.depth, block.p
    for i in range(i0, min(i0 + job.strip, block.rows), MR):
        rows, height = a.address + (block.i + i) * a.row + block.p * size, min(MR, block.rows - i)
        ahead = rows + MR * a.row if a.row == depth * size else rows
        line = out.address + (block.i + i) * out.row + block.j * size
        for j in range(j0, min(j0 + job.span, block.columns), job.width):
            panel, tile, left = job.panels_b + j * depth * size, line + j * size, block.columns - j
            if left * size <= WIDTH:
                narrow_tiles(zero, depth, rows, a.row, panel, tile, out.row, height, left, add, ahead)
            else:
                left = min(job.width, left)
                wide_tiles(zero, depth, rows, a.row, panel, tile, out.row, height, left, add, ahead)


@njit(nogil=True)
def multiply_packed(job, block, i0, j0):
    """Multiply a packed strip of `a`, in the second-level cache: each panel of `b` meets all of it.

    Meanwhile the next panel is fetched, a line every few steps.
    """
    zero, size, out, depth, add = job.zero, job.size, job.out, block.depth, block.p
    for j in range(j0, min(j0 + job.span, block.columns), job.width):
        panel, left = job.panels_b + j * depth * size, min(job.width, block.columns - j)
        ahead = panel + job.width * depth * size
        for i in range(i0, min(i0 + job.strip, block.rows), PACKED_MR):
            rows, height = job.panels_a + i // PACKED_MR * job.a_panel, min(PACKED_MR, block.rows - i)
            tile = out.address + (block.i + i) * out.row + (block.j + j) * size
            packed_tile(zero, left * size, (depth, rows, 0, panel, tile, out.row, height, left, add, ahead))
            ahead += depth // 4 * 64
