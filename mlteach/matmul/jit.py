"""Numba: the same loops, compiled."""

from numba import njit

from mlteach.matmul import rung


@njit(nogil=True, cache=True)
def jit(a, b, out):
    """Compile the three loops.

    Idea: the loops of `loops`, turned into machine code once, run without the interpreter.
    Changed from `loops`: the decorator, and arrays instead of lists.
    Limit: the add chain. Each addition waits four cycles for the one before it.
    """
    m, k = a.shape
    n = b.shape[1]
    for i in range(m):
        for j in range(n):
            acc = out.dtype.type(0)
            for p in range(k):
                acc += a[i, p] * b[p, j]
            out[i, j] = acc


RUNGS = {"jit": rung(jit)}
