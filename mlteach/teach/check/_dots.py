"""The dot products that `check.dot4` times a learner's against; compiled, so imported only then."""

from numba import njit

from mlteach.matmul.cached import keep_apart


@njit(cache=True)
def dot_in_one(x, y):
    """The sum of x[p] * y[p], each addition waiting for the one before it."""
    acc = x.dtype.type(0)
    for p in range(len(x)):
        acc += x[p] * y[p]
    return acc


@njit(cache=True)
def dot_in_four(x, y):
    """The same in four sums, which wait only for themselves."""
    acc0 = acc1 = acc2 = acc3 = x.dtype.type(0)
    whole = len(x) // 4 * 4
    for p in range(0, whole, 4):
        acc0 += x[p] * y[p]
        acc1 += x[p + 1] * y[p + 1]
        acc2 += x[p + 2] * y[p + 2]
        acc3 += x[p + 3] * y[p + 3]
    for p in range(whole, len(x)):
        acc0 += x[p] * y[p]
    return (acc0 + acc1) + (acc2 + acc3)


keep_apart(dot_in_one, dot_in_four)
