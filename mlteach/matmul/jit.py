"""Numba: the same loops compiled, then reordered, then on every core."""

from concurrent.futures import ThreadPoolExecutor

from numba import njit, prange

from mlteach.matmul import rung
from mlteach.matmul.cached import keep_apart
from mlteach.matmul.layout import in_order
from mlteach.matmul.team import together


@njit(nogil=True, cache=True)
def jit(a, b, out):
    """Compile the three loops.

    Idea: the loops of `loops`, turned into machine code once, run without the interpreter.
    Changed from `loops`: the decorator, and arrays instead of lists.
    Limit: the add chain. Each addition waits a few cycles for the one before it.
    """
    m, k = a.shape
    n = b.shape[1]
    for i in range(m):
        for j in range(n):
            acc = out.dtype.type(0)
            for p in range(k):
                acc += a[i, p] * b[p, j]
            out[i, j] = acc


@njit(nogil=True, cache=True)
def jit_ikj(a, b, out):
    """Let n sums grow side by side.

    Idea: with j innermost the sums don't wait for each other, so the compiler adds a vector at a time.
    Changed from `jit`: the two inner loops swap, and `out` holds the running sums.
    Limit: the cache. `out` and `b` pass through it once per row of `a`.
    """
    m, k = a.shape
    n = b.shape[1]
    out[:] = 0  # <- changed
    for i in range(m):
        for p in range(k):  # <- changed
            x = a[i, p]  # <- changed
            for j in range(n):  # <- changed
                out[i, j] += x * b[p, j]  # <- changed


def jit_threads(a, b, out, threads):
    """Give every thread a band of rows.

    Idea: compiled code needs no interpreter lock, so Python threads run it at the same time.
    Changed from `jit_ikj`: the rows are cut into bands, one a thread, and each band is a product of its own.
    Limit: the cache. Every core has its own small ones, but all share the way to memory.
    """
    m = a.shape[0]  # <- changed
    edges = [m * t // threads for t in range(threads + 1)]  # <- changed

    def band(first, last):  # <- changed
        jit_ikj(a[first:last], b, out[first:last])  # <- changed

    with ThreadPoolExecutor(threads) as pool:  # <- changed
        list(pool.map(band, edges, edges[1:]))  # <- changed


@njit(parallel=True, nogil=True, cache=True)
def jit_prange(a, b, out):
    """Let the compiler share out the rows.

    Idea: `prange` promises that the rows don't depend on each other, and Numba runs them on its own threads.
    Changed from `jit_ikj`: `prange` for the rows; a row is set to zero by the thread that computes it.
    Limit: the cache. Whatever core computes a row reads all of `b` for it.
    """
    m, k = a.shape
    n = b.shape[1]
    for i in prange(m):  # <- changed
        out[i] = 0  # <- changed
        for p in range(k):
            x = a[i, p]
            for j in range(n):
                out[i, j] += x * b[p, j]


keep_apart(jit, jit_ikj, jit_prange)

RUNGS = {
    "jit": rung(jit, run=in_order(lambda a, b, out, threads: jit(a, b, out))),
    "jit_ikj": rung(jit_ikj, run=in_order(lambda a, b, out, threads: jit_ikj(a, b, out))),
    "jit_threads": rung(jit_threads, run=in_order(jit_threads), parallel=True),
    "jit_prange": rung(
        jit_prange,
        run=in_order(lambda a, b, out, threads: together(jit_prange, threads, a, b, out)),
        parallel=True,
    ),
}
