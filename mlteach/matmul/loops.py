"""The rungs in plain Python, and the one that hands whole rows to NumPy."""

from collections.abc import Callable

import numpy as np

from mlteach.matmul import rung

BAND = 1 << 20  # numbers turned into Python objects at a time: about 32 MB of lists


def loops(a, b, out):
    """Multiply as the definition says, on lists.

    Idea: each cell of the result is a row of `a` times a column of `b`, added up one product at a time.
    Limit: the interpreter. A multiply-add costs tens of nanoseconds, nearly all spent on Python itself.
    """
    m, k, n = len(a), len(b), len(b[0])
    for i in range(m):
        for j in range(n):
            acc = 0.0
            for p in range(k):
                acc += a[i][p] * b[p][j]
            out[i][j] = acc


def numpy_rows(a, b, out):
    """Compute a whole row of the result with three calls.

    Idea: NumPy multiplies and adds a row at a time, so the interpreter runs once per row and not per number.
    Changed from `loops`: arrays, and the two inner loops became one expression.
    Limit: bandwidth. A temporary as large as `b` goes to memory and back for every row.
    """
    m = a.shape[0]  # <- changed
    for i in range(m):
        out[i] = (a[i, :, None] * b).sum(axis=0)  # <- changed


def on_lists(kernel: Callable) -> Callable:
    """Make `run(a, b, out, threads)` for arrays from `kernel(a, b, out, threads)` for lists of rows.

    Python is at its best on lists: reading NumPy scalars one by one is six times slower. The lists are made
    band by band, so that a large product does not turn all its numbers into Python objects at once.
    """

    def run(a, b, out, threads):
        m, k = a.shape
        n = b.shape[1]
        rows = max(threads, BAND // k)
        columns = max(1, BAND // k)
        for j in range(0, n, columns):
            band_b = b[:, j : j + columns].tolist()
            for i in range(0, m, rows):
                band_a = a[i : i + rows].tolist()
                band_out = [[0.0] * len(band_b[0]) for _ in band_a]
                kernel(band_a, band_b, band_out, threads)
                with np.errstate(over="ignore"):  # a sum beyond float32 becomes infinity, as in NumPy
                    out[i : i + rows, j : j + columns] = band_out

    return run


RUNGS = {
    "loops": rung(
        loops,
        run=on_lists(lambda a, b, out, threads: loops(a, b, out)),
        device="python",
    ),
    "numpy_rows": rung(numpy_rows),
}
