"""Runs CUDA kernels in Python, counting and checking every access: what a GPU does, but shown.

`run(kernel, grid, block, *args, shared_bytes=0)` gives a `Trace`. How it works, in five steps:

1. `rebind` gives the kernel's own bytecode new globals: `cuda` is a `gpu.Gpu`, arrays are `arrays.Array`, and
   numbers are Numba's (`integers`, `operators`).
2. Every CUDA thread is a greenlet (`threads`). It gives way only at a barrier, a warp exchange, or after many
   loop iterations; threads run in order, so every run is the same.
3. Arrays append each access to one flat `log`; marks beside it say whose the accesses are.
4. `counts` and `races` sort that log with NumPy, one barrier interval after another.
5. `loops` counts iterations, so that an endless loop is found without a clock.
"""

from mlteach.gpu.simt.launch import run
from mlteach.gpu.simt.rebind import stand_in
from mlteach.gpu.simt.trace import KernelError, Problem, Trace

__all__ = ["KernelError", "Problem", "Trace", "run", "stand_in"]
