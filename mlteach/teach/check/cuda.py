"""Checkers of notebooks 13 and 14: CUDA kernels, run thread by thread on the simulator."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from mlteach.gpu.simt.counts import SECTOR, WARP
from mlteach.gpu.simt.place import MAX_BLOCK, Place, extent
from mlteach.teach.check.engine import Case, checker
from mlteach.teach.check.launch import Launch, any_trace, at_most, cover, examine_kernel, kernel_case
from mlteach.teach.check.products import product_tolerance
from mlteach.teach.check.report import Report

SIZE = 32  # of the square matrices on which sectors are counted: a warp is as long as a row
VECTOR_BLOCK, TURN_BLOCK = 32, (16, 16)
SMALL = [  # (m, k, n): every remainder modulo 8
    *((1, 1, 1), (0, 2, 3), (2, 3, 0), (2, 0, 3), (1, 2, 3), (3, 1, 2), (2, 3, 5), (3, 4, 7), (4, 2, 6)),
    *((5, 5, 5), (6, 7, 3), (7, 8, 4), (8, 6, 1), (9, 9, 8)),
]
VECTORS = (0, 1, 2, 5, 31, 32, 33, 64, 100, 257)
TURNS = [  # (m, n)
    *((1, 1), (0, 3), (3, 0), (1, 4), (4, 1), (2, 3), (3, 2), (5, 5), (7, 10), (18, 3), (3, 18)),
    *((32, 32), (35, 17)),
]


@checker
def cuda_matmul(kernel, block, grid=None) -> Report:
    """Check a matrix product for a GPU.

    Parameters
    ----------
    kernel : function
        ``kernel(a, b, out)``, under ``@cuda.jit`` or plain. a (m, k), b (k, n) and out (m, n) are float32 in
        row order; out begins full of NaN. It must be right for every shape, without a problem that the
        simulator knows, and load at most 5 sectors for 32 multiply-adds where all three are 32 x 32.
    block : int or tuple of int
        Threads of a block, x first.
    grid : int or tuple of int, or callable, optional
        Blocks of the grid, or ``grid(m, n)`` that gives them. By default enough to cover the larger of m and
        n on both axes, so that either may run along x.
    """
    threads = extent(block, "block", MAX_BLOCK)
    edge = min(max(threads), SIZE)

    def launch(m, n):
        if callable(grid):
            return Launch(grid(max(m, 1), max(n, 1)), block, (m, n))
        blocks = grid or cover(threads, max(m, n), max(m, n))
        return Launch(blocks, block, (m, n))

    shapes = [*SMALL, (35, 2, 5), (2, 2 * edge + 3, 3), (edge + 1, 3, edge + 2)]
    thrifty = at_most(5, SIZE**3 / WARP, "sectors for a warp and step", "load_sectors")
    cases = _products(2031, shapes, launch)
    last = _products(2032, [(SIZE, SIZE, SIZE)], launch, lambda m, k, n: thrifty, times=1)
    largest = max(map(max, shapes))
    return examine_kernel(
        kernel, itertools.chain(cases, last), f"products on the simulator, sizes 0 to {largest}"
    )


@checker
def tiled_product(kernel, tile: int = 16) -> Report:
    """Check a matrix product that goes through tiles in shared memory.

    Parameters
    ----------
    kernel : function
        ``kernel(a, b, out)`` as in `cuda_matmul`, for a block of tile x tile threads and a grid that just
        covers out, x along its rows. A block may load each element that it needs from global memory once:
        ``m k ceil(n / tile) + k n ceil(m / tile)`` loads in all.
    tile : int
        Threads along either side of a block.
    """

    def launch(m, n):
        return Launch(cover(Place(tile, tile), n, m), (tile, tile), (m, n))

    def thrifty(m, k, n):
        return at_most(
            m * k * -(-n // tile) + k * n * -(-m // tile), 1, "loads from global memory", "global_loads"
        )

    shapes = [
        *((1, 1, 1), (2, 0, 3), (2, 3, 4), (4, 3, 2), (3, 2, 3), (tile, tile, tile), (3, 2 * tile + 3, 2)),
        *((tile + 1, 3, 2), (2, 5, tile + 1), (tile + 3, tile - 1, 2 * tile + 1)),
    ]
    return examine_kernel(
        kernel, _products(2033, shapes, launch, thrifty), "products on the simulator, every load counted"
    )


@checker
def vector_add(kernel) -> Report:
    """Check the sum of two vectors.

    Parameters
    ----------
    kernel : function
        ``kernel(x, y, out)`` with float32 arrays (n,), for blocks of 32 threads and a grid that just covers
        out. No sector may be loaded twice.
    """
    return examine_kernel(kernel, _sums(2034), f"sums on the simulator, sizes 0 to {max(VECTORS)}")


@checker
def transpose(kernel) -> Report:
    """Check the transpose of a matrix.

    Parameters
    ----------
    kernel : function
        ``kernel(a, out)`` with float32 arrays a (m, n) and out (n, m), for blocks of 16 x 16 threads and a
        grid that covers the larger of m and n on both axes. Each element has a thread, so that at least the
        reading or the writing goes along rows.
    """
    return examine_kernel(kernel, _turns(2035), "matrices turned on the simulator")


def _floats(random: np.random.RandomState, *shape: int) -> np.ndarray:
    return random.uniform(-2, 2, shape).astype(np.float32)


def _products(seed: int, shapes, launch, thrifty=lambda m, k, n: any_trace, times: int = 2) -> Iterator[Case]:
    random = np.random.RandomState(seed)
    coarse = np.finfo(np.float32).eps / np.finfo(np.float64).eps
    for m, k, n in shapes:
        for _ in range(times):
            a, b = _floats(random, m, k), _floats(random, k, n)
            label, wanted = f"({m}, {k}) @ ({k}, {n})", a.astype(np.float64) @ b
            tolerance = coarse * product_tolerance(a, b)
            yield kernel_case(label, launch(m, n), {"a": a, "b": b}, wanted, tolerance, thrifty(m, k, n))


def _sums(seed: int) -> Iterator[Case]:
    random = np.random.RandomState(seed)
    for n in VECTORS:
        launch = Launch(max(1, -(-n // VECTOR_BLOCK)), VECTOR_BLOCK, (n,))
        thrifty = at_most(2 * -(-4 * n // SECTOR), 1, "sectors of x and y", "load_sectors")
        for _ in range(2):
            x, y = _floats(random, n), _floats(random, n)
            yield kernel_case(f"n = {n}", launch, {"x": x, "y": y}, x + y, 0, thrifty)


def _turns(seed: int) -> Iterator[Case]:
    random = np.random.RandomState(seed)
    whole = at_most(36, SIZE, "sectors for 32 elements", "load_sectors", "store_sectors")
    for m, n in TURNS:
        launch = Launch(cover(Place(*TURN_BLOCK), max(m, n), max(m, n)), TURN_BLOCK, (n, m))
        for _ in range(2):
            a = _floats(random, m, n)
            yield kernel_case(
                f"a {a.shape}", launch, {"a": a}, a.T, 0, whole if m == n == SIZE else any_trace
            )
