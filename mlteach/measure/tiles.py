"""Tiles of a matrix product: what bounds their size, and how fast one is when all its data is close by.

A micro-kernel keeps a tile of the result in vector registers. A step takes a vector or more of a row of `b`,
one number of `a` for each row of the tile, and multiplies and adds each with each.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import numpy as np

RUNS = 40  # of which the best counts: this is what is possible, as a ceiling is
BURST = 5e-4  # seconds that one run takes
ALIGNED = 4096  # bytes: each array starts on a page, so that no vector lies across two lines


def fits(rows: int, vectors: int, registers: int) -> bool:
    """Whether the sums of a tile, a row of `b` and a number of `a` are in registers at the same time."""
    return rows * vectors + vectors + 1 <= registers


def cycles(rows: int, vectors: int, latency: int, fma: int, loads: int) -> float:
    """How many cycles one step of a tile takes at the least.

    Parameters
    ----------
    rows, vectors : int
        The tile; a step has rows * vectors multiply-adds and rows + vectors loads.
    latency : int
        Cycles from the beginning of a multiply-add to its result, which the next step needs.
    fma, loads : int
        How many multiply-adds, and how many loads, can begin in each cycle.

    Examples
    --------
    The first waits for its own sums, the second for its loads, the third for nothing:

    >>> cycles(2, 1, 4, 2, 2), cycles(12, 1, 4, 2, 2), cycles(12, 2, 4, 2, 2)
    (4, 6.5, 12.0)
    """
    return max(latency, rows * vectors / fma, (rows + vectors) / loads)


def share(rows: int, vectors: int, latency: int, fma: int, loads: int) -> float:
    """How much of the multiply-add units a tile can use, from 0 to 1; parameters as in `cycles`."""
    return rows * vectors / (fma * cycles(rows, vectors, latency, fma, loads))


def run(code: Callable, steps: int, *arrays: np.ndarray) -> None:
    """Run vector code on arrays.

    Parameters
    ----------
    code : function
        What a function under ``@emitted`` makes. Its arguments are the steps and the address of each array.
    steps : int
    *arrays : ndarray
        Of one dtype, float32 or float64, C-contiguous. Nobody checks that the code stays within them.
    """
    _looped(code)(arrays[0].dtype.type(0), (steps, *(_address(array) for array in arrays)), 1)


def speed(code: Callable, steps: int, *arrays: np.ndarray, flops: int) -> float:
    """Measure how fast vector code is, in GFLOP/s, on arrays that stay in the first-level cache.

    Parameters
    ----------
    code, steps, *arrays
        As in `run`; the arrays are copied to where vectors are aligned, and keep their numbers.
    flops : int
        Operations in a step.
    """
    copies = [_aligned(array) for array in arrays]
    loop, zero = _looped(code), arrays[0].dtype.type(0)
    arguments = (steps, *(_address(copy) for copy in copies))
    times = 1
    loop(zero, arguments, times)
    while (seconds := _best(loop, zero, arguments, times, 3)) < BURST / 4:
        times *= 4
    times = max(1, round(times * BURST / seconds))
    return flops * steps * times / _best(loop, zero, arguments, times, RUNS) / 1e9


def assembly(code: Callable, arrays: int, dtype: str = "float32") -> str:
    """Give the machine code of vector code that takes the steps and so many arrays."""
    loop = _looped(code)
    zero, arguments = np.dtype(dtype).type(0), (0,) * (arrays + 1)
    loop(zero, arguments, 0)
    asm = loop.inspect_asm()
    return asm[next(signature for signature in loop.signatures if signature[0].name == dtype)]


@functools.cache
def _looped(code: Callable) -> Any:
    from numba import njit

    @njit(nogil=True)
    def loop(zero, arguments, times):
        for _ in range(times):
            code(zero, arguments)

    return loop


def _best(loop: Callable, zero, arguments: tuple, times: int, runs: int) -> float:
    seconds = []
    for _ in range(runs):
        begin = time.perf_counter()
        loop(zero, arguments, times)
        seconds.append(time.perf_counter() - begin)
    return max(min(seconds), 1e-9)


def _aligned(array: np.ndarray) -> np.ndarray:
    room = np.empty(array.nbytes + ALIGNED, np.uint8)
    copy = room[-_address(room) % ALIGNED :][: array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]
