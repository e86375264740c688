"""A product on tensor cores: fp16 in, float32 out, for whole tiles: m and n multiples of 128, k of 32."""

from __future__ import annotations

from types import MappingProxyType

from numba import cuda, float32, uint32
from numba.core.types import float16

from mlteach.gpu.intrinsics import copy16, wait_copies
from mlteach.gpu.launch import Launch, jit_for
from mlteach.gpu.warp_matrices import load_matrices, load_transposed, multiply_add

BM, BN, BK = 128, 128, 32  # both buffers of both tiles take 35 KB of the 48 that a block may declare
WM, WN = 64, 32  # cells of a warp: 64 sums a lane, half of the registers that two blocks leave it
ROWS, COLUMNS = WM // 16, WN // 8  # of 16 x 8 tiles in the cells of a warp
ACROSS = BN // WN  # warps side by side
THREADS = 32 * (BM // WM) * ACROSS
FAR = BN // 2  # between the two pieces of a row of `b` that a thread copies
PIECE = 8  # fp16 numbers in a copy of 16 bytes
LINE_A, LINE_B = 2 * BK + PIECE, 2 * BN + PIECE  # two buffers, and 16 bytes: eight rows meet no bank twice


@cuda.jit(device=True, inline="always")
def fetch(sa, sb, buffer, a, b, i0, j0, p0):
    """Begin to copy the tiles of a step into a buffer: two pieces of either by each thread."""
    t = cuda.threadIdx.x
    i, p = t // (BK // PIECE), t % (BK // PIECE) * PIECE
    copy16(sa, i, buffer * BK + p, a, i0 + i, p0 + p)
    copy16(sa, i + BM // 2, buffer * BK + p, a, i0 + i + BM // 2, p0 + p)
    p, j = t // (FAR // PIECE), t % (FAR // PIECE) * PIECE
    copy16(sb, p, buffer * BN + j, b, p0 + p, j0 + j)
    copy16(sb, p, buffer * BN + j + FAR, b, p0 + p, j0 + j + FAR)


@jit_for(THREADS)
def cuda_tensor_core(a, b, out):
    """Let a warp multiply 16 x 16 by 16 x 8 with one instruction.

    Idea: a tensor core does 2048 multiply-adds at once, on fp16 numbers and with float32 sums.
    Changed from `cuda_double_buffer`: a warp holds matrices together, and copies go on by themselves.
    Limit: bandwidth. The tensor cores of an H100 eat faster than a warp can load matrices for them.
    """
    sa = cuda.shared.array((BM, LINE_A), float16)
    sb = cuda.shared.array((BK, LINE_B), float16)
    acc = cuda.local.array((ROWS, COLUMNS, 4), float32)
    y = cuda.local.array((COLUMNS, 2), uint32)
    t = cuda.threadIdx.x
    lane, warp = t % 32, t // 32
    i0, j0, k = cuda.blockIdx.y * BM, cuda.blockIdx.x * BN, a.shape[1]
    iw, jw = warp // ACROSS * WM, warp % ACROSS * WN
    row, column = lane % 16, lane // 16 * 8  # where the row of a matrix begins that this lane names
    for r in range(ROWS):
        for c in range(COLUMNS):
            for e in range(4):
                acc[r, c, e] = float32(0)
    fetch(sa, sb, 0, a, b, i0, j0, 0)
    now = 0
    p0 = 0
    while p0 < k:
        wait_copies()
        cuda.syncthreads()
        if p0 + BK < k:
            fetch(sa, sb, 1 - now, a, b, i0, j0, p0 + BK)
        p = 0
        while p < BK:
            for c in range(0, COLUMNS, 2):
                y[c, 0], y[c, 1], y[c + 1, 0], y[c + 1, 1] = load_transposed(
                    sb, p + row, now * BN + jw + c * 8 + column
                )
            for r in range(ROWS):
                x = load_matrices(sa, iw + r * 16 + row, now * BK + p + column)
                for c in range(COLUMNS):
                    acc[r, c, 0], acc[r, c, 1], acc[r, c, 2], acc[r, c, 3] = multiply_add(
                        x[0], x[1], x[2], x[3], y[c, 0], y[c, 1],
                        acc[r, c, 0], acc[r, c, 1], acc[r, c, 2], acc[r, c, 3],
                    )  # fmt: skip
            p += 16
        now = 1 - now
        p0 += BK
    for r in range(ROWS):
        for c in range(COLUMNS):
            i, j = i0 + iw + r * 16 + lane // 4, j0 + jw + c * 8 + lane % 4 * 2
            out[i, j], out[i, j + 1] = acc[r, c, 0], acc[r, c, 1]
            out[i + 8, j], out[i + 8, j + 1] = acc[r, c, 2], acc[r, c, 3]


CUDA = MappingProxyType(
    {
        "cuda_tensor_core": Launch(
            cuda_tensor_core,
            (THREADS,),
            (BM, BN),
            multiples=(BM, BK, BN),
            dtype="float16",
            capability=(8, 0),
        )
    }
)
