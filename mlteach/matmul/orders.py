"""The three loops compiled in all six orders: the same line inside, other neighbours in time and memory.

They are no rungs of the ladder, but what notebooks 06 and 07 compare. An order is named from its outermost
loop to its innermost; its k is the loop over p, as in the cache simulator.
"""

from collections.abc import Mapping
from types import MappingProxyType

from numba import njit

from mlteach.matmul import FLOATS, Kernel
from mlteach.matmul.cached import keep_apart
from mlteach.matmul.layout import in_order


@njit(nogil=True, cache=True)
def ijk(a, b, out):
    """Finish one cell after the other, row by row."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    out[:] = 0
    for i in range(m):
        for j in range(n):
            for p in range(k):
                out[i, j] += a[i, p] * b[p, j]


@njit(nogil=True, cache=True)
def ikj(a, b, out):
    """Finish one row of out after the other; walk along the rows of b."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    out[:] = 0
    for i in range(m):
        for p in range(k):
            for j in range(n):
                out[i, j] += a[i, p] * b[p, j]


@njit(nogil=True, cache=True)
def jik(a, b, out):
    """Finish one cell after the other, column by column."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    out[:] = 0
    for j in range(n):
        for i in range(m):
            for p in range(k):
                out[i, j] += a[i, p] * b[p, j]


@njit(nogil=True, cache=True)
def jki(a, b, out):
    """Finish one column of out after the other; walk down the columns of a."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    out[:] = 0
    for j in range(n):
        for p in range(k):
            for i in range(m):
                out[i, j] += a[i, p] * b[p, j]


@njit(nogil=True, cache=True)
def kij(a, b, out):
    """Use up one row of b after the other; walk along the rows of out, again and again."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    out[:] = 0
    for p in range(k):
        for i in range(m):
            for j in range(n):
                out[i, j] += a[i, p] * b[p, j]


@njit(nogil=True, cache=True)
def kji(a, b, out):
    """Use up one row of b after the other; walk down the columns of out, again and again."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    out[:] = 0
    for p in range(k):
        for j in range(n):
            for i in range(m):
                out[i, j] += a[i, p] * b[p, j]


keep_apart(ijk, ikj, jik, jki, kij, kji)


def _kernel(loops) -> Kernel:
    return Kernel(
        name=loops.__name__,
        idea=loops.__doc__.splitlines()[0],
        limit="The add chain or the cache, as the order has it",
        device="cpu",
        dtypes=FLOATS,
        parallel=False,
        run=in_order(lambda a, b, out, threads: loops(a, b, out)),
        function=loops,
    )


ORDERS: Mapping[str, Kernel] = MappingProxyType(
    {loops.__name__: _kernel(loops) for loops in (ijk, ikj, jik, jki, kij, kji)}
)
