"""Two products that move 128 bits at a time, for whole tiles: m and n multiples of 128, k of 8."""

from __future__ import annotations

from types import MappingProxyType

from numba import cuda, float32

from mlteach.gpu.intrinsics import load4, store4
from mlteach.gpu.launch import Launch

BM, BN, BK = 128, 128, 8  # 256 threads load four neighbours of either tile each
MR, NR = 8, 8
THREADS = BM * BN // (MR * NR)
ACROSS = BN // NR  # threads side by side in a block
FAR = BN // 2  # a thread's columns are two fours this far apart: a quarter warp then reads 128 bytes in a row
LINE = BM + 4  # four more than a row of `a`'s transposed tile: its eight rows meet no bank twice when stored
BK_TWICE = 2 * BK


@cuda.jit
def cuda_vector(a, b, out):
    """Move four numbers with each load and store.

    Idea: an instruction that moves 128 bits does the work of four, which leaves more room for sums.
    Changed from `cuda_registers_2d`: `load4` and `store4`, and for them the tile of `a` transposed.
    Limit: latency. All threads of a block wait for a tile, then all compute, then all wait again.
    """
    sa = cuda.shared.array((BK, LINE), float32)  # <- changed
    sb = cuda.shared.array((BK, BN), float32)
    acc = cuda.local.array((MR, NR), float32)
    x = cuda.local.array(MR, float32)
    y = cuda.local.array(NR, float32)
    t = cuda.threadIdx.x
    tx, ty = t % ACROSS * 4, t // ACROSS * MR  # <- changed
    i0, j0 = cuda.blockIdx.y * BM, cuda.blockIdx.x * BN
    ia, pa = t // (BK // 4), t % (BK // 4) * 4  # <- changed
    pb, jb = t // (BN // 4), t % (BN // 4) * 4  # <- changed
    for r in range(MR):
        for c in range(NR):
            acc[r, c] = float32(0)
    p0 = 0
    while p0 < a.shape[1]:  # <- changed
        sa[pa, ia], sa[pa + 1, ia], sa[pa + 2, ia], sa[pa + 3, ia] = load4(a, i0 + ia, p0 + pa)  # <- changed
        v = load4(b, p0 + pb, j0 + jb)  # <- changed
        store4(sb, pb, jb, v[0], v[1], v[2], v[3])  # <- changed
        cuda.syncthreads()
        p = 0
        while p < BK:
            x[0], x[1], x[2], x[3] = load4(sa, p, ty)  # <- changed
            x[4], x[5], x[6], x[7] = load4(sa, p, ty + 4)  # <- changed
            y[0], y[1], y[2], y[3] = load4(sb, p, tx)  # <- changed
            y[4], y[5], y[6], y[7] = load4(sb, p, tx + FAR)  # <- changed
            for r in range(MR):
                for c in range(NR):
                    acc[r, c] += x[r] * y[c]
            p += 1
        cuda.syncthreads()
        p0 += BK
    for r in range(MR):
        store4(out, i0 + ty + r, j0 + tx, acc[r, 0], acc[r, 1], acc[r, 2], acc[r, 3])  # <- changed
        store4(out, i0 + ty + r, j0 + tx + FAR, acc[r, 4], acc[r, 5], acc[r, 6], acc[r, 7])  # <- changed


@cuda.jit
def cuda_double_buffer(a, b, out):
    """Load the next tile while computing with this one.

    Idea: with two buffers, numbers are on their way while the sums of the tile before are done.
    Changed from `cuda_vector`: two buffers, one barrier a tile, and loads before the sums that hide them.
    Limit: the FMA units. Of seven instructions six are multiply-adds, and they wait for nothing else.
    """
    sa = cuda.shared.array((BK_TWICE, LINE), float32)  # <- changed
    sb = cuda.shared.array((BK_TWICE, BN), float32)  # <- changed
    acc = cuda.local.array((MR, NR), float32)
    x = cuda.local.array(MR, float32)
    y = cuda.local.array(NR, float32)
    t = cuda.threadIdx.x
    tx, ty = t % ACROSS * 4, t // ACROSS * MR
    i0, j0 = cuda.blockIdx.y * BM, cuda.blockIdx.x * BN
    ia, pa = t // (BK // 4), t % (BK // 4) * 4
    pb, jb = t // (BN // 4), t % (BN // 4) * 4
    for r in range(MR):
        for c in range(NR):
            acc[r, c] = float32(0)
    sa[pa, ia], sa[pa + 1, ia], sa[pa + 2, ia], sa[pa + 3, ia] = load4(a, i0 + ia, pa)  # <- changed
    v = load4(b, pb, j0 + jb)  # <- changed
    store4(sb, pb, jb, v[0], v[1], v[2], v[3])  # <- changed
    cuda.syncthreads()  # <- changed
    now = 0  # <- changed
    p0 = 0
    while p0 < a.shape[1]:
        then = BK - now  # <- changed
        more = p0 + BK < a.shape[1]  # <- changed
        if more:  # <- changed
            u = load4(a, i0 + ia, p0 + BK + pa)  # <- changed
            v = load4(b, p0 + BK + pb, j0 + jb)  # <- changed
        p = 0
        while p < BK:
            x[0], x[1], x[2], x[3] = load4(sa, now + p, ty)  # <- changed
            x[4], x[5], x[6], x[7] = load4(sa, now + p, ty + 4)  # <- changed
            y[0], y[1], y[2], y[3] = load4(sb, now + p, tx)  # <- changed
            y[4], y[5], y[6], y[7] = load4(sb, now + p, tx + FAR)  # <- changed
            for r in range(MR):
                for c in range(NR):
                    acc[r, c] += x[r] * y[c]
            p += 1
        if more:  # <- changed
            q = then + pa  # <- changed
            sa[q, ia], sa[q + 1, ia], sa[q + 2, ia], sa[q + 3, ia] = u  # <- changed
            store4(sb, then + pb, jb, v[0], v[1], v[2], v[3])  # <- changed
        cuda.syncthreads()
        now = then  # <- changed
        p0 += BK
    for r in range(MR):
        store4(out, i0 + ty + r, j0 + tx, acc[r, 0], acc[r, 1], acc[r, 2], acc[r, 3])
        store4(out, i0 + ty + r, j0 + tx + FAR, acc[r, 4], acc[r, 5], acc[r, 6], acc[r, 7])


CUDA = MappingProxyType(
    {
        "cuda_vector": Launch(cuda_vector, (THREADS,), (BM, BN), multiples=(BM, BK, BN)),
        "cuda_double_buffer": Launch(cuda_double_buffer, (THREADS,), (BM, BN), multiples=(BM, BK, BN)),
    }
)
