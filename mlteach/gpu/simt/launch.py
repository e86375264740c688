"""`run`: checks a launch as a GPU would, then simulates it."""

from __future__ import annotations

import inspect

import numpy as np

from mlteach.gpu.simt.machine import Machine
from mlteach.gpu.simt.place import MAX_BLOCK, MAX_GRID, MAX_THREADS, extent
from mlteach.gpu.simt.rebind import plain_function
from mlteach.gpu.simt.spaces import TOTAL_SHARED
from mlteach.gpu.simt.trace import Trace


def run(kernel, grid, block, *args, shared_bytes: int = 0) -> Trace:
    """Run a CUDA kernel in Python, thread by thread, and report what it does to memory.

    Parameters
    ----------
    kernel : function
        A `@cuda.jit` function, or its plain Python body.
    grid, block : int or tuple of int
        Blocks of the grid and threads of a block, x first, up to three dimensions.
    *args : numpy.ndarray or number
        The kernel's arguments. Arrays are written in place, as on a GPU; a Python int is an int64, from 2**63
        on a uint64, and a float is a float64.
    shared_bytes : int
        Dynamic shared memory for each block, in bytes.

    Returns
    -------
    Trace
        Counts of accesses, sectors, conflicts and barriers, and the problems found. Every run of a kernel
        gives the same trace. After an endless loop it speaks of the launch until then.

    Raises
    ------
    TypeError, ValueError
        When the launch itself is wrong: arguments, grid, block or shared memory.
    KernelError
        When Python raises in the kernel, or it asks for what a GPU or the simulator has not.

    Notes
    -----
    Numbers are Numba's: integers have 64 bits and wrap, unsigned with unsigned is unsigned (the difference of
    two uint8 is never negative), unsigned with signed is signed, and float literals are float64. Five things
    differ. Literals below 2**16, sizes and indices, and what `+`, `-`, `*` and `**` make of them alone, are
    Python integers: they never wrap, and leave a float32 that they meet a float32, where Numba would go on in
    float64. An int8 or int16 makes a float32 a float64, where Numba stays with float32. A variable has the
    type of its last value, where Numba gives it one type for all. Comparisons kept in variables may not add
    up. And locks order nothing here: accesses that only a lock keeps apart are reported as a race.
    """
    grid_extent, block_extent = extent(grid, "grid", MAX_GRID), extent(block, "block", MAX_BLOCK)
    threads = block_extent.x * block_extent.y * block_extent.z
    if threads > MAX_THREADS:
        raise ValueError(f"the block has {threads} threads: a GPU takes up to {MAX_THREADS}, use more blocks")
    if not isinstance(shared_bytes, (int, np.integer)) or not 0 <= shared_bytes <= TOTAL_SHARED:
        raise ValueError(f"shared_bytes is {shared_bytes!r}: give a whole number from 0 to {TOTAL_SHARED}")
    machine = Machine(kernel, grid_extent, block_extent, int(shared_bytes))
    function = plain_function(kernel)
    try:
        names = list(inspect.signature(function).bind(*args).arguments)
    except TypeError as error:
        wanted = ", ".join(inspect.signature(function).parameters)
        raise TypeError(
            f"{function.__name__} takes ({wanted}), but {len(args)} arguments were given"
        ) from error
    names += [f"argument {n}" for n in range(len(names), len(args))]
    return machine.run([machine.memory.argument(a, n) for a, n in zip(args, names, strict=False)])
