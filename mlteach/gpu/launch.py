"""How to start a kernel: its blocks, and the arrays as it takes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


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

    function: Callable
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
        """
        m, k, n = self.multiples
        return _padded(a, (m, k), self.dtype), _padded(b, (k, n), self.dtype)


def _padded(x: np.ndarray, multiples: tuple[int, int], dtype: str) -> np.ndarray:
    shape = tuple(-(-size // of) * of for size, of in zip(x.shape, multiples, strict=True))
    if shape == x.shape:
        return np.ascontiguousarray(x, dtype)
    padded = np.zeros(shape, dtype)
    padded[: x.shape[0], : x.shape[1]] = x
    return padded
