"""Work on blocks that stay in a cache, then on blocks that stay in registers."""

import numpy as np
from numba import njit, prange

from mlteach.matmul import rung
from mlteach.matmul.cached import keep_apart
from mlteach.matmul.layout import in_order
from mlteach.matmul.team import together

BK, BN = 64, 1024  # a tile of `b`: 64 rows of 1024 float32 are 256 KB, at most half a second-level cache
KC = 256  # rows of a packed panel: 256 rows of 64 float32 are 64 KB, and a row of `a` beside it 1 KB
MR, NR = 4, 64  # a register tile: 4 rows of 64 float32 are 16 vectors of 64 bytes, half of the 32 registers


@njit(parallel=True, nogil=True, cache=True)
def tiled(a, b, out, threads):
    """Finish with a tile of b before touching the next.

    Idea: a tile of `b` that fits in the cache is used for every row of `a` while it is there.
    Changed from `jit_prange`: each thread takes a band of rows, and walks over `b` tile by tile.
    Limit: the cache. A tile comes from memory once, but each multiply-add still loads and stores `out`.
    """
    m, k = a.shape
    n = b.shape[1]
    for t in prange(threads):  # <- changed
        first, last = m * t // threads, m * (t + 1) // threads  # <- changed
        out[first:last] = 0  # <- changed
        for p0 in range(0, k, BK):  # <- changed
            for j0 in range(0, n, BN):  # <- changed
                for i in range(first, last):  # <- changed
                    row = out[i, j0 : j0 + BN]  # <- changed
                    for p in range(p0, min(p0 + BK, k)):  # <- changed
                        x, tile = a[i, p], b[p, j0 : j0 + BN]  # <- changed
                        for j in range(row.size):  # <- changed
                            row[j] += x * tile[j]  # <- changed


@njit(nogil=True, fastmath={"contract"})
def micro(a, panel, acc):
    """Add `a` times a packed panel to the register tile `acc`, one row of the panel after another."""
    for p in range(a.shape[1]):
        for r in range(a.shape[0]):
            x = a[r, p]
            for c in range(NR):
                acc[r, c] += x * panel[p, c]


@njit(parallel=True, nogil=True, cache=True)
def packed(a, b, out, threads):
    """Copy a panel of b to where the inner loop wants it, and sum in a small tile.

    Idea: a panel copied once lies in one piece, so the inner loop has a fixed length and its sums stay close.
    Changed from `tiled`: `b` is read through the copy, and `out` is written once per panel.
    Limit: the cache. The compiler keeps the tile in the first-level cache, not in registers.
    """
    m, k = a.shape
    n = b.shape[1]
    for t in prange(threads):
        first, last = m * t // threads, m * (t + 1) // threads
        out[first:last] = 0
        panel, acc = np.zeros((KC, NR), b.dtype), np.empty((MR, NR), b.dtype)  # <- changed
        for p0 in range(0, k, KC):  # <- changed
            for j0 in range(0, n, NR):  # <- changed
                part = b[p0 : p0 + KC, j0 : j0 + NR]  # <- changed
                kc, nr = part.shape  # <- changed
                panel[:kc, :nr] = part  # <- changed
                for i in range(first, last, MR):  # <- changed
                    rows = a[i : min(i + MR, last), p0 : p0 + kc]  # <- changed
                    acc[:] = 0  # <- changed
                    micro(rows, panel, acc)  # <- changed
                    out[i : i + rows.shape[0], j0 : j0 + nr] += acc[: rows.shape[0], :nr]  # <- changed


keep_apart(tiled, packed)

RUNGS = {
    kernel.__name__: rung(
        kernel,
        run=in_order(lambda a, b, out, threads, kernel=kernel: together(kernel, threads, a, b, out, threads)),
        parallel=True,
    )
    for kernel in (tiled, packed)
}
