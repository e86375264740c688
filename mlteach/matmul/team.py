"""Numba's threads, made safe to share.

Two things end a whole process: calling into Numba's simplest team of threads (`workqueue`) from two Python
threads at once, and calling into an OpenMP team that was started before a fork. Here the first waits its
turn, and the second runs on one thread.
"""

import functools
import os
import threading
from contextlib import nullcontext

import numba

_turn = threading.Lock()
_lost = False  # whether this process is a fork of one whose team had started


def together(function, threads: int, *args) -> None:
    """Call a function that Numba compiled with `parallel=True`, on at most so many threads.

    Parameters
    ----------
    function : numba dispatcher
        Its `prange` loops share the work out.
    threads : int
        How many threads may work, at least 1.
    *args
        What the function takes.
    """
    if _lost:
        _alone(function)(*args)
        return
    with nullcontext() if _layer() in ("omp", "tbb") else _turn:
        before, wanted = numba.get_num_threads(), min(threads, numba.config.NUMBA_NUM_THREADS)
        if wanted != before:
            numba.set_num_threads(wanted)
        try:
            function(*args)
        finally:
            if wanted != before:
                numba.set_num_threads(before)


def usable() -> bool:
    """Whether Numba's threads can work in this process; not in a fork of one where they had started."""
    return not _lost


@functools.cache
def _alone(function):
    """The same function compiled for one thread, where `prange` is a plain `range`."""
    return numba.njit(nogil=True)(function.py_func)


def _layer() -> str | None:
    """The name of Numba's team, None while it has not started."""
    try:
        return numba.threading_layer()
    except ValueError:
        return None


def _after_fork() -> None:
    global _turn, _lost
    _turn = threading.Lock()
    _lost = _lost or _layer() in ("omp", "tbb")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
