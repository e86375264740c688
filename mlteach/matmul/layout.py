"""Arrays in the few orders that compiled loops are made for.

Numba compiles a kernel anew for every combination of element type, order and writability. Here a rung gets
`b` and `out` row by row and `a` row by row or column by column, so that two versions per type are enough.
"""

from collections.abc import Callable

import numpy as np


def in_order(kernel: Callable) -> Callable:
    """Make `run(a, b, out, threads)` for any strides from `kernel(a, b, out, threads)` for the plain ones.

    An operand in another order is copied first, and a result in another order afterwards. A transposed `a`
    stays as it is: a rung reads each of its numbers once, so a copy would cost as much as it saves.
    """

    def run(a, b, out, threads):
        if not (a.flags.c_contiguous or a.flags.f_contiguous):
            a = np.ascontiguousarray(a)
        a, b = _as_writable(a), _as_writable(np.ascontiguousarray(b))
        if out.flags.c_contiguous:
            kernel(a, b, out, threads)
        else:
            rows = np.empty(out.shape, out.dtype)
            kernel(a, b, rows, threads)
            out[...] = rows

    return run


class _Memory:
    """The memory of an array, without the note that it is read-only."""

    def __init__(self, array: np.ndarray):
        self.array = array  # keeps the memory alive
        self.__array_interface__ = array.__array_interface__ | {"data": (array.ctypes.data, False)}


def _as_writable(array: np.ndarray) -> np.ndarray:
    """The same memory in Numba's type for writable arrays; the kernels only read it."""
    return array if array.flags.writeable else np.asarray(_Memory(array))
