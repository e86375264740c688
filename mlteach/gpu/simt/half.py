"""`cuda.fp16`: what a kernel may do with fp16 numbers by name."""

from __future__ import annotations

import numpy as np

from mlteach.gpu.simt.trace import KernelError


class Half:
    """`cuda.fp16`: arithmetic on float16, rounded after each operation."""

    def __getattr__(self, name: str):
        operation = HALF.get(name)
        if operation is None:
            raise KernelError(f"the simulator does not know cuda.fp16.{name}: use {', '.join(sorted(HALF))}")
        return operation


def _half(operation):
    return lambda *values: np.float16(operation(*map(np.float32, values)))


HALF = {
    "hadd": _half(np.add),
    "hsub": _half(np.subtract),
    "hmul": _half(np.multiply),
    "hdiv": _half(np.divide),
    "hneg": _half(np.negative),
    "habs": _half(np.abs),
    "hmax": _half(np.fmax),
    "hmin": _half(np.fmin),
    "hsqrt": _half(np.sqrt),
    "hexp": _half(np.exp),
    "hfma": lambda a, b, c: np.float16(np.float64(a) * np.float64(b) + np.float64(c)),
    "heq": lambda a, b: bool(a == b),
    "hne": lambda a, b: bool(a != b),
    "hgt": lambda a, b: bool(a > b),
    "hge": lambda a, b: bool(a >= b),
    "hlt": lambda a, b: bool(a < b),
    "hle": lambda a, b: bool(a <= b),
}
