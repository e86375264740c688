"""Which kernel multiplies matrices."""

from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from mlteach.matmul import Kernel, matmul

_kernel: ContextVar[str | Kernel | None] = ContextVar("mlteach_kernel", default=None)


@contextmanager
def using(kernel: str | Kernel | None):
    """Choose the kernel that ``product`` and ``@`` use inside a ``with`` block.

    Parameters
    ----------
    kernel : str or Kernel or None
        A rung of ``mlteach.KERNELS``; None is the fastest one. Each thread and each task has its own choice.
    """
    token = _kernel.set(kernel)
    try:
        yield
    finally:
        _kernel.reset(token)


def multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of a, (m, k), and b, (k, n), with the kernel that ``using`` chose."""
    return matmul(a, b, kernel=_kernel.get())
