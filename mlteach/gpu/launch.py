"""How to start a kernel: its blocks, and the arrays as it takes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import cuda


def jit_for(threads: int) -> Callable:
    """Return the decorator of a kernel whose blocks have so many threads.

    The compiler then knows that all warps are whole, which saves registers. Only the package numba-cuda
    passes it on; elsewhere this is plain `cuda.jit`.
    """
    known = "launch_bounds" in inspect.signature(cuda.jit).parameters
    options: dict[str, Any] = {"launch_bounds": threads} if known else {}
    return cuda.jit(**options)


@dataclass(frozen=True)
class Launch:
    """How to start a kernel.

    Attributes
    ----------
    function : numba.cuda dispatcher
        `function[grid, block](a, b, out)`.
    block : tuple of int
        Threads of a block, x first.
    cells : tuple of int
        Rows and columns of `out` that a block computes.
    rows_first : bool
        Whether the grid's x axis runs down the rows.
    shared_bytes : int
        Dynamic shared memory of a block.
    multiples : tuple of int
        What m, k and n must be multiples of; ones where the kernel minds the edges itself.
    dtype : str
        Of `a` and `b`; `out` is float32.
    capability : tuple of int
        The compute capability that a GPU needs.
    """

    function: Any
    block: tuple[int, ...]
    cells: tuple[int, int]
    rows_first: bool = False
    shared_bytes: int = 0
    multiples: tuple[int, int, int] = (1, 1, 1)
    dtype: str = "float32"
    capability: tuple[int, int] = (5, 0)

    def grid(self, m: int, n: int) -> tuple[int, int]:
        """Return the blocks that cover an m x n result, x first."""
        down, across = (-(-size // cells) for size, cells in zip((m, n), self.cells, strict=True))
        return (down, across) if self.rows_first else (across, down)

    def operands(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the matrices as the kernel takes them: row-major, in its dtype, padded with zeros.

        The kernel's `out` then has the rows of the one and the columns of the other, and its first m rows and
        n columns are the product.

        Raises
        ------
        ValueError
            Where a number is beyond the largest of the kernel's dtype.
        """
        m, k, n = self.multiples
        if self.dtype == "float16":
            _check_range(a=a, b=b)
        return _padded(a, (m, k), self.dtype), _padded(b, (k, n), self.dtype)


def _check_range(**matrices: np.ndarray) -> None:
    largest = float(np.finfo(np.float16).max)
    for name, x in matrices.items():
        beyond = np.abs(x) > largest
        if beyond.any():
            raise ValueError(
                f"{name} holds {x[beyond][0]:.8g}, and float16 ends at {largest:g}: scale it down first, "
                "or take a kernel for float32"
            )


def _padded(x: np.ndarray, multiples: tuple[int, int], dtype: str) -> np.ndarray:
    shape = tuple(-(-size // of) * of for size, of in zip(x.shape, multiples, strict=True))
    if shape == x.shape:
        return np.ascontiguousarray(x, dtype)
    padded = np.zeros(shape, dtype)
    padded[: x.shape[0], : x.shape[1]] = x
    return padded
