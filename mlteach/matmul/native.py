"""Compiled libraries: the BLAS that NumPy calls."""

import functools
import threading
from contextlib import contextmanager

import numpy as np
from threadpoolctl import ThreadpoolController

from mlteach.matmul import rung


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
    back what the first one found.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._found = None

    @contextmanager
    def __call__(self, threads: int):
        with self._lock:
            limit = _controller().limit(limits=threads, user_api="blas")
            if self._inside == 0:
                self._found = limit
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._found.restore_original_limits()


@functools.cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


_threads = _BlasThreads()


def _run(a, b, out, threads):
    with _threads(threads):
        blas(a, b, out)


RUNGS = {"blas": rung(blas, run=_run, parallel=True)}
