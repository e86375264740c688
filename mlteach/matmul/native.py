"""Code from other languages: our own loops in C, and the BLAS that NumPy calls."""

import functools
import threading
from contextlib import contextmanager

import numpy as np
from threadpoolctl import ThreadpoolController

from mlteach.matmul import c_build, rung
from mlteach.matmul.layout import in_order

DECLARATIONS = """
void ikj_float32(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, ptrdiff_t row, ptrdiff_t column,
                 const float *a, const float *b, float *out);
void ikj_float64(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, ptrdiff_t row, ptrdiff_t column,
                 const double *a, const double *b, double *out);
"""
SOURCE = r"""
#include <stddef.h>
#include <string.h>

#define IKJ(name, number)                                                                        \
    void name(ptrdiff_t m, ptrdiff_t k, ptrdiff_t n, ptrdiff_t row, ptrdiff_t column,            \
              const number *__restrict a, const number *__restrict b, number *__restrict out)    \
    {                                                                                            \
        memset(out, 0, m * n * sizeof *out);                                                     \
        for (ptrdiff_t i = 0; i < m; i++)                                                        \
            for (ptrdiff_t p = 0; p < k; p++) {                                                  \
                number x = a[i * row + p * column];                                              \
                for (ptrdiff_t j = 0; j < n; j++)                                                \
                    out[i * n + j] += x * b[p * n + j];                                          \
            }                                                                                    \
    }

IKJ(ikj_float32, float)
IKJ(ikj_float64, double)
"""


def c(a, b, out):
    """Write the loops in C.

    Idea: a C compiler turns the same loops into the same instructions; the language was never the limit.
    Changed from `jit_ikj`: the language, a compiler that runs once, and the address of each array by hand.
    Limit: the cache. C knows no more about it than Numba does.
    """
    module = _ikj()
    m, k = a.shape
    row, column = (stride // a.itemsize for stride in a.strides)
    number = {"float32": "float *", "float64": "double *"}[out.dtype.name]
    addresses = [module.ffi.cast(number, x.ctypes.data) for x in (a, b, out)]
    getattr(module.lib, f"ikj_{out.dtype.name}")(m, k, b.shape[1], row, column, *addresses)


@functools.cache
def _ikj():
    with _building:
        return c_build.build("mlteach_ikj", DECLARATIONS, SOURCE)


def blas(a, b, out):
    """Call the library that NumPy was built with.

    Idea: a BLAS holds decades of work on this one product, written for each processor by hand.
    Changed from `numpy_rows`: one call for the whole product.
    Limit: the FMA units. It keeps them busy most of the time, if the product is large and square.
    """
    np.matmul(a, b, out=out)


class _BlasThreads:
    """Give BLAS a number of threads for one call, and leave it as it was found.

    The number belongs to the whole process. When calls overlap, each sets its own, and the last to leave puts
    back what the first one found. Nothing is set where it fits already: setting costs more than a small
    product.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._found = []

    @contextmanager
    def __call__(self, threads: int):
        with self._lock:
            if self._inside == 0:
                self._found = [library.get_num_threads() for library in _blas_libraries()]
            self._inside += 1
            self._set([threads] * len(self._found))
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._set(self._found)

    def _set(self, wanted: list[int]) -> None:
        for library, threads in zip(_blas_libraries(), wanted, strict=True):
            if library.get_num_threads() != threads:
                library.set_num_threads(threads)


@functools.cache
def _blas_libraries() -> list:
    return ThreadpoolController().select(user_api="blas").lib_controllers


_threads = _BlasThreads()
_building = threading.Lock()


def _run(a, b, out, threads):
    with _threads(threads):
        blas(a, b, out)


RUNGS = {
    "c": rung(c, run=in_order(lambda a, b, out, threads: c(a, b, out))),
    "blas": rung(blas, run=_run, parallel=True),
}
