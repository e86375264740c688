"""Five matrix products for a GPU, each one idea after the one before.

All compute `out = a @ b` for float32 arrays of any shape, with one signature. The same source runs on a GPU,
under Numba's simulator and under `mlteach.gpu.simt`. Hot loops are `while` loops: a `range` costs a
compiled kernel several more instructions per step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from numba import cuda, float32

TILE = 16  # a block of 16 x 16 threads: eight warps, and rows of 64 bytes, two full sectors
BM1, BN1, BK1, MR1 = 64, 64, 8, 8  # 64 x 64 cells by 512 threads, each loading one element of either tile
BM2, BN2, BK2, MR2, NR2 = 128, 128, 8, 8, 8  # 64 sums a thread fill a quarter of its 255 registers
THREADS1 = BM1 * BN1 // MR1
THREADS2 = BM2 * BN2 // (MR2 * NR2)
ACROSS2 = BN2 // NR2  # threads side by side in a block


@dataclass(frozen=True)
class Launch:
    """How to start a kernel.

    Attributes
    ----------
    function : numba.cuda dispatcher
        `function[grid, block](a, b, out)`.
    block : tuple of int
        Threads of a block, x first.
    cells : tuple of int
        Rows and columns of `out` that a block computes.
    rows_first : bool
        Whether the grid's x axis runs down the rows.
    shared_bytes : int
        Dynamic shared memory of a block.
    """

    function: Callable
    block: tuple[int, ...]
    cells: tuple[int, int]
    rows_first: bool = False
    shared_bytes: int = 0

    def grid(self, m: int, n: int) -> tuple[int, int]:
        """Return the blocks that cover an m x n result, x first."""
        down, across = (-(-size // cells) for size, cells in zip((m, n), self.cells, strict=True))
        return (down, across) if self.rows_first else (across, down)


@cuda.jit
def cuda_naive(a, b, out):
    """Give each cell of the result a thread.

    **Idea**: the two outer loops become the grid.
    **Changed from** `jit`: a thread finds its own i and j.
    **Limit**: sectors. Neighbours in a warp take different rows of `a` and `out`, one sector for each.
    """
    i, j = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        acc = float32(0)
        p = 0
        while p < a.shape[1]:
            acc += a[i, p] * b[p, j]
            p += 1
        out[i, j] = acc


@cuda.jit
def cuda_coalesced(a, b, out):
    """Let neighbours in a warp take neighbouring columns.

    **Idea**: x runs along a row, so a warp reads `b` and writes `out` in whole sectors.
    **Changed from** `cuda_naive`: i and j swap.
    **Limit**: global memory. Each element of `a` is read n times, each of `b` m times.
    """
    j, i = cuda.grid(2)  # <- changed
    if i < out.shape[0] and j < out.shape[1]:
        acc = float32(0)
        p = 0
        while p < a.shape[1]:
            acc += a[i, p] * b[p, j]
            p += 1
        out[i, j] = acc


@cuda.jit
def cuda_shared(a, b, out):
    """Read each tile from global memory once for a whole block.

    **Idea**: a block loads a tile of `a` and one of `b` together, and each thread uses both 16 times.
    **Changed from** `cuda_coalesced`: the sum runs over tiles in shared memory, between two barriers.
    **Limit**: shared memory. Each multiply-add loads two elements from it.
    """
    sa = cuda.shared.array((TILE, TILE), float32)  # <- changed
    sb = cuda.shared.array((TILE, TILE), float32)  # <- changed
    j, i = cuda.grid(2)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y  # <- changed
    m, n, k = out.shape[0], out.shape[1], a.shape[1]
    acc = float32(0)
    p0 = 0
    while p0 < k:  # <- changed
        sa[ty, tx] = a[i, p0 + tx] if i < m and p0 + tx < k else float32(0)  # <- changed
        sb[ty, tx] = b[p0 + ty, j] if p0 + ty < k and j < n else float32(0)  # <- changed
        cuda.syncthreads()  # <- changed
        p = 0
        while p < TILE:
            acc += sa[ty, p] * sb[p, tx]  # <- changed
            p += 1
        cuda.syncthreads()  # <- changed
        p0 += TILE  # <- changed
    if i < m and j < n:
        out[i, j] = acc


@cuda.jit
def cuda_registers_1d(a, b, out):
    """Let each thread compute a column of eight cells.

    **Idea**: an element of `b` in a register serves eight sums.
    **Changed from** `cuda_shared`: eight accumulators a thread, and tiles of 64 x 8 and 8 x 64.
    **Limit**: shared memory still. Eight multiply-adds load nine elements.
    """
    sa = cuda.shared.array((BM1, BK1), float32)
    sb = cuda.shared.array((BK1, BN1), float32)
    acc = cuda.local.array(MR1, float32)  # <- changed
    t = cuda.threadIdx.x  # <- changed
    tx, ty = t % BN1, t // BN1  # <- changed
    i0, j0 = cuda.blockIdx.y * BM1, cuda.blockIdx.x * BN1  # <- changed
    m, n, k = out.shape[0], out.shape[1], a.shape[1]
    for r in range(MR1):  # <- changed
        acc[r] = float32(0)
    ia, pa = i0 + t // BK1, t % BK1  # <- changed
    p0 = 0
    while p0 < k:
        sa[t // BK1, pa] = a[ia, p0 + pa] if ia < m and p0 + pa < k else float32(0)  # <- changed
        sb[ty, tx] = b[p0 + ty, j0 + tx] if p0 + ty < k and j0 + tx < n else float32(0)
        cuda.syncthreads()
        p = 0
        while p < BK1:
            y = sb[p, tx]  # <- changed
            for r in range(MR1):  # <- changed
                acc[r] += sa[ty * MR1 + r, p] * y  # <- changed
            p += 1
        cuda.syncthreads()
        p0 += BK1
    for r in range(MR1):  # <- changed
        if i0 + ty * MR1 + r < m and j0 + tx < n:
            out[i0 + ty * MR1 + r, j0 + tx] = acc[r]


@cuda.jit
def cuda_registers_2d(a, b, out):
    """Let each thread compute a square of 8 x 8 cells.

    **Idea**: eight elements of each tile in registers serve 64 sums.
    **Changed from** `cuda_registers_1d`: a square of accumulators, and four loads a thread for each tile.
    **Limit**: load instructions. Every load moves four bytes, and some meet in one bank.
    """
    sa = cuda.shared.array((BM2, BK2), float32)
    sb = cuda.shared.array((BK2, BN2), float32)
    acc = cuda.local.array((MR2, NR2), float32)  # <- changed
    x = cuda.local.array(MR2, float32)  # <- changed
    y = cuda.local.array(NR2, float32)  # <- changed
    t = cuda.threadIdx.x
    tx, ty = t % ACROSS2 * NR2, t // ACROSS2 * MR2  # <- changed
    i0, j0 = cuda.blockIdx.y * BM2, cuda.blockIdx.x * BN2
    m, n, k = out.shape[0], out.shape[1], a.shape[1]
    for r in range(MR2):
        for c in range(NR2):  # <- changed
            acc[r, c] = float32(0)
    p0 = 0
    while p0 < k:
        for e in range(t, BM2 * BK2, THREADS2):  # <- changed
            i, p = i0 + e // BK2, p0 + e % BK2
            sa[e // BK2, e % BK2] = a[i, p] if i < m and p < k else float32(0)
        for e in range(t, BK2 * BN2, THREADS2):  # <- changed
            p, j = p0 + e // BN2, j0 + e % BN2
            sb[e // BN2, e % BN2] = b[p, j] if p < k and j < n else float32(0)
        cuda.syncthreads()
        p = 0
        while p < BK2:
            for r in range(MR2):  # <- changed
                x[r] = sa[ty + r, p]
            for c in range(NR2):  # <- changed
                y[c] = sb[p, tx + c]
            for r in range(MR2):
                for c in range(NR2):
                    acc[r, c] += x[r] * y[c]  # <- changed
            p += 1
        cuda.syncthreads()
        p0 += BK2
    for r in range(MR2):
        for c in range(NR2):  # <- changed
            if i0 + ty + r < m and j0 + tx + c < n:
                out[i0 + ty + r, j0 + tx + c] = acc[r, c]


CUDA = MappingProxyType(
    {
        "cuda_naive": Launch(cuda_naive, (TILE, TILE), (TILE, TILE), rows_first=True),
        "cuda_coalesced": Launch(cuda_coalesced, (TILE, TILE), (TILE, TILE)),
        "cuda_shared": Launch(cuda_shared, (TILE, TILE), (TILE, TILE)),
        "cuda_registers_1d": Launch(cuda_registers_1d, (THREADS1,), (BM1, BN1)),
        "cuda_registers_2d": Launch(cuda_registers_2d, (THREADS2,), (BM2, BN2)),
    }
)
