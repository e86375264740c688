"""The summit: a micro-kernel of vector instructions, and the caches fed for it."""

import numpy as np

from mlteach.matmul import nest, rung, team
from mlteach.matmul.vector_ir import PROCESSOR

KC = 4096  # bytes of a row of `a` in a block, a page: a panel of 12 rows is 48 KB, near the first-level cache
DEEP_KC = 8 * KC  # the same where `b` is one panel wide: then `a` is not used again, and need not stay
NC = 128  # columns of `b` in a block where `a` is read in place: 512 KB, a part of the second-level cache
PACKED_MC = 120  # rows of a packed block of `a`: 480 KB in the second-level cache
PACKED_NC = 2064  # columns of `b` in a block where `a` is packed: 8 MB, a fair part of the third-level cache
IN_PLACE_N = 256  # up to so many columns, `a` is used too seldom to pay for its packing
IN_PLACE_A = 1 << 20  # an `a` of up to so many bytes is in the second-level cache without being packed
ALONE = 1 << 21  # up to so many multiply-adds, waking other threads costs more than they save

_spare: list[tuple[np.ndarray, int]] = []  # workspaces that nobody uses, each with its first aligned address


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
    (m, k), n = a.shape, b.shape[1]
    size = out.itemsize
    a, b = _operand(a), _operand(b)
    in_place = a[2] == size and (n <= IN_PLACE_N or m * k * size <= IN_PLACE_A)
    kc = DEEP_KC if in_place and n * size <= nest.NV * PROCESSOR.width else KC
    blocks = (kc // size, PACKED_MC, NC if in_place else PACKED_NC)
    grid = _grid(m, n, threads) if m * k * n > ALONE and team.usable() else (1, 1)
    room = _room(blocks, k, size)
    space = _workspace(room * grid[0] * grid[1])
    try:
        plan = (out.dtype.type(0), size, a[:3], b[:3], _operand(out)[:3], (m, k, n), blocks, space[1])
        if grid == (1, 1):
            nest.alone(*plan, in_place)
        else:
            team.together(nest.shared, threads, *plan, room, in_place, grid)
    finally:
        _spare.append(space)


def _stride(x, axis: int) -> int:
    """Bytes from one number to the next along an axis; an axis with one number fits any."""
    return x.strides[axis] if x.shape[axis] > 1 else x.itemsize


def _operand(x) -> tuple[int, int, int, np.ndarray]:
    """Address and strides of a matrix, and the array that holds it.

    That is a copy where neither the rows nor the columns lie in one piece.
    """
    row, column = _stride(x, 0), _stride(x, 1)
    if x.itemsize not in (row, column):
        return _operand(np.ascontiguousarray(x))
    return _address(x), row, column, x


def _address(x) -> int:
    return x.__array_interface__["data"][0]


def _grid(m: int, n: int, threads: int) -> tuple[int, int]:
    """Into how many parts to cut the rows and the columns, so that the parts' edges are short."""
    cuts = [(down, threads // down) for down in range(1, threads + 1) if threads % down == 0]
    return min(cuts, key=lambda cut: m / cut[0] + n / cut[1])


def _room(blocks: tuple[int, int, int], k: int, size: int) -> int:
    """Bytes of workspace for one part: a block of `b`, a block of `a`, and a panel of each in reserve."""
    kc, mc, nc = blocks
    panel = nest.PACKED_NV * PROCESSOR.width // size
    return (min(k, kc) * (nc + mc + 2 * panel) * size + 8 * PROCESSOR.width + 4095) // 4096 * 4096


def _workspace(size: int) -> tuple[np.ndarray, int]:
    """At least so many bytes for nobody else, and the address where they begin."""
    try:
        space, start = _spare.pop()
    except IndexError:
        space, start = np.empty(0, np.uint8), 0
    if space.size < size + PROCESSOR.width:
        space = np.empty(size + PROCESSOR.width, np.uint8)
        start = -(-_address(space) // PROCESSOR.width) * PROCESSOR.width
    return space, start


RUNGS = {"simd": rung(simd, parallel=True)}
