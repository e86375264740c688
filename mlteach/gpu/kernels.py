"""Five matrix products for a GPU, each one idea after the one before; `CUDA` has the later ones too.

All compute `out = a @ b` for float32 arrays of any shape, with one signature. The same source runs on a GPU,
under Numba's simulator and under `mlteach.gpu.simt`. Hot loops are `while` loops: a `range` costs a
compiled kernel several more instructions per step.
"""

from __future__ import annotations

from types import MappingProxyType

from numba import cuda, float32

from mlteach.gpu import tensor_core, vector
from mlteach.gpu.launch import Launch

TILE = 16  # a block of 16 x 16 threads: eight warps, and rows of 64 bytes, two full sectors
BM1, BN1, BK1, MR1 = 64, 64, 8, 8  # 64 x 64 cells by 512 threads, each loading one element of either tile
BM, BN, BK, MR, NR = 128, 128, 8, 8, 8  # 64 sums a thread fill a quarter of its 255 registers
THREADS1 = BM1 * BN1 // MR1
THREADS = BM * BN // (MR * NR)
ACROSS = BN // NR  # threads side by side in a block


@cuda.jit
def cuda_naive(a, b, out):
    """Give each cell of the result a thread.

    Idea: the two outer loops become the grid.
    Changed from `jit`: a thread finds its own i and j.
    Limit: bandwidth. Neighbours in a warp take different rows of `a` and `out`, one sector for each.
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

    Idea: x runs along a row, so a warp reads `b` and writes `out` in whole sectors.
    Changed from `cuda_naive`: i and j swap.
    Limit: bandwidth. Each element of `a` is read n times, each of `b` m times.
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

    Idea: a block loads a tile of `a` and one of `b` together, and each thread uses both 16 times.
    Changed from `cuda_coalesced`: the sum runs over tiles in shared memory, between two barriers.
    Limit: bandwidth. Now it is that of shared memory: each multiply-add loads two elements.
    """
    sa = cuda.shared.array((TILE, TILE), float32)  # <- changed
    sb = cuda.shared.array((TILE, TILE), float32)  # <- changed
    j, i = cuda.grid(2)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y  # <- changed
    m, n, k = out.shape[0], out.shape[1], a.shape[1]  # <- changed
    acc = float32(0)  # <- changed
    p0 = 0  # <- changed
    while p0 < k:  # <- changed
        sa[ty, tx] = a[i, p0 + tx] if i < m and p0 + tx < k else float32(0)  # <- changed
        sb[ty, tx] = b[p0 + ty, j] if p0 + ty < k and j < n else float32(0)  # <- changed
        cuda.syncthreads()  # <- changed
        p = 0
        while p < TILE:  # <- changed
            acc += sa[ty, p] * sb[p, tx]  # <- changed
            p += 1
        cuda.syncthreads()  # <- changed
        p0 += TILE  # <- changed
    if i < m and j < n:  # <- changed
        out[i, j] = acc


@cuda.jit
def cuda_registers_1d(a, b, out):
    """Let each thread compute a column of eight cells.

    Idea: an element of `b` in a register serves eight sums.
    Changed from `cuda_shared`: eight accumulators a thread, and tiles of 64 x 8 and 8 x 64.
    Limit: bandwidth. Shared memory delivers nine elements for eight multiply-adds.
    """
    sa = cuda.shared.array((BM1, BK1), float32)  # <- changed
    sb = cuda.shared.array((BK1, BN1), float32)  # <- changed
    acc = cuda.local.array(MR1, float32)  # <- changed
    t = cuda.threadIdx.x  # <- changed
    tx, ty = t % BN1, t // BN1  # <- changed
    i0, j0 = cuda.blockIdx.y * BM1, cuda.blockIdx.x * BN1  # <- changed
    m, n, k = out.shape[0], out.shape[1], a.shape[1]
    for r in range(MR1):  # <- changed
        acc[r] = float32(0)  # <- changed
    ia, pa = i0 + t // BK1, t % BK1  # <- changed
    p0 = 0
    while p0 < k:
        sa[t // BK1, pa] = a[ia, p0 + pa] if ia < m and p0 + pa < k else float32(0)  # <- changed
        sb[ty, tx] = b[p0 + ty, j0 + tx] if p0 + ty < k and j0 + tx < n else float32(0)  # <- changed
        cuda.syncthreads()
        p = 0
        while p < BK1:  # <- changed
            y = sb[p, tx]  # <- changed
            for r in range(MR1):  # <- changed
                acc[r] += sa[ty * MR1 + r, p] * y  # <- changed
            p += 1
        cuda.syncthreads()
        p0 += BK1  # <- changed
    for r in range(MR1):  # <- changed
        if i0 + ty * MR1 + r < m and j0 + tx < n:  # <- changed
            out[i0 + ty * MR1 + r, j0 + tx] = acc[r]  # <- changed


@cuda.jit
def cuda_registers_2d(a, b, out):
    """Let each thread compute a square of 8 x 8 cells.

    Idea: eight elements of each tile in registers serve 64 sums.
    Changed from `cuda_registers_1d`: a square of accumulators, and four loads a thread for each tile.
    Limit: bandwidth. Every load moves four bytes, and some meet in one bank.
    """
    sa = cuda.shared.array((BM, BK), float32)  # <- changed
    sb = cuda.shared.array((BK, BN), float32)  # <- changed
    acc = cuda.local.array((MR, NR), float32)  # <- changed
    x = cuda.local.array(MR, float32)  # <- changed
    y = cuda.local.array(NR, float32)  # <- changed
    t = cuda.threadIdx.x
    tx, ty = t % ACROSS * NR, t // ACROSS * MR  # <- changed
    i0, j0 = cuda.blockIdx.y * BM, cuda.blockIdx.x * BN  # <- changed
    m, n, k = out.shape[0], out.shape[1], a.shape[1]
    for r in range(MR):  # <- changed
        for c in range(NR):  # <- changed
            acc[r, c] = float32(0)  # <- changed
    p0 = 0
    while p0 < k:
        for e in range(t, BM * BK, THREADS):  # <- changed
            i, p = i0 + e // BK, p0 + e % BK  # <- changed
            sa[e // BK, e % BK] = a[i, p] if i < m and p < k else float32(0)  # <- changed
        for e in range(t, BK * BN, THREADS):  # <- changed
            p, j = p0 + e // BN, j0 + e % BN  # <- changed
            sb[e // BN, e % BN] = b[p, j] if p < k and j < n else float32(0)  # <- changed
        cuda.syncthreads()
        p = 0
        while p < BK:  # <- changed
            for r in range(MR):  # <- changed
                x[r] = sa[ty + r, p]  # <- changed
            for c in range(NR):  # <- changed
                y[c] = sb[p, tx + c]  # <- changed
            for r in range(MR):  # <- changed
                for c in range(NR):  # <- changed
                    acc[r, c] += x[r] * y[c]  # <- changed
            p += 1
        cuda.syncthreads()
        p0 += BK  # <- changed
    for r in range(MR):  # <- changed
        for c in range(NR):  # <- changed
            if i0 + ty + r < m and j0 + tx + c < n:  # <- changed
                out[i0 + ty + r, j0 + tx + c] = acc[r, c]  # <- changed


CUDA = MappingProxyType(
    {
        "cuda_naive": Launch(cuda_naive, (TILE, TILE), (TILE, TILE), rows_first=True),
        "cuda_coalesced": Launch(cuda_coalesced, (TILE, TILE), (TILE, TILE)),
        "cuda_shared": Launch(cuda_shared, (TILE, TILE), (TILE, TILE)),
        "cuda_registers_1d": Launch(cuda_registers_1d, (THREADS1,), (BM1, BN1)),
        "cuda_registers_2d": Launch(cuda_registers_2d, (THREADS,), (BM, BN)),
        **vector.CUDA,
        **tensor_core.CUDA,
    }
)
