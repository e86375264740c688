"""Two kernels that are no rungs, and show what goes wrong: a hot loop over `range`, and a tile too large."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MappingProxyType

from numba import cuda, float32

from mlteach.gpu.kernels import BM, BN, TILE, cuda_registers_2d
from mlteach.gpu.launch import Launch

SIDE = 16  # of a thread's tile: 256 sums, where a thread has 255 registers
THREADS = BM * BN // SIDE**2


@cuda.jit
def coalesced_range(a, b, out):
    """`cuda_coalesced` with the loop that a Python programmer would write."""
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        acc = float32(0)
        for p in range(a.shape[1]):
            acc += a[i, p] * b[p, j]
        out[i, j] = acc


def with_constants(function: Callable, **constants: int) -> FunctionType:
    """The same function in a module where some constants are others."""
    return FunctionType(function.__code__, {**function.__globals__, **constants}, function.__name__)


registers_16x16 = cuda.jit(
    with_constants(cuda_registers_2d.py_func, MR=SIDE, NR=SIDE, ACROSS=BN // SIDE, THREADS=THREADS)
)

VARIANTS = MappingProxyType(
    {
        "coalesced_range": Launch(coalesced_range, (TILE, TILE), (TILE, TILE)),
        "registers_16x16": Launch(registers_16x16, (THREADS,), (BM, BN)),
    }
)
