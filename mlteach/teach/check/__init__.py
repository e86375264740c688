"""Check a reader's answer and say in a few lines what was expected and what came.

One function per exercise. Each takes the reader's function and returns a `Report`, which a notebook shows::

    from mlteach.teach import check

    check.matmul(lambda a, b: a @ b)  # passed: 80 products, sizes 0 to 257

Whatever the function does becomes a line: a wrong shape, an exception, ``sys.exit``, an object that bites.
A stub that nobody filled in is "not solved yet". A function that runs for ever is ended with the interrupt
button, and the line is "interrupted". Two things no checker survives: ``os._exit`` and a crash of Python.

A new checker is a generator of `Case` and a function under `checker` that hands it to `examine`.
"""

from mlteach.teach.check.answers import Wrong, as_array, close_to
from mlteach.teach.check.caches import misses
from mlteach.teach.check.cores import argmax_p
from mlteach.teach.check.cuda import cuda_matmul, tiled_product, transpose, vector_add
from mlteach.teach.check.digits import nearest_mean, write_idx
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.fusing import fold_offset, fused_softmax
from mlteach.teach.check.learning import filter_rows, gradient, softmax, softmax_step
from mlteach.teach.check.network import attack, backward, beats_98
from mlteach.teach.check.order import pij
from mlteach.teach.check.products import matmul, row_times_matrix
from mlteach.teach.check.registers import best_tile, mask_edge
from mlteach.teach.check.report import Report
from mlteach.teach.check.rounding import bound
from mlteach.teach.check.speed import dot4
from mlteach.teach.check.staging import multiply_add_share, padded_transpose
from mlteach.teach.check.tiles import traffic
from mlteach.teach.check.workers import bands, shared_rows

__all__ = [
    "Case",
    "Report",
    "Wrong",
    "argmax_p",
    "as_array",
    "attack",
    "backward",
    "bands",
    "beats_98",
    "best_tile",
    "bound",
    "checker",
    "close_to",
    "cuda_matmul",
    "dot4",
    "examine",
    "filter_rows",
    "fold_offset",
    "fused_softmax",
    "gradient",
    "mask_edge",
    "matmul",
    "misses",
    "multiply_add_share",
    "nearest_mean",
    "padded_transpose",
    "pij",
    "row_times_matrix",
    "shared_rows",
    "softmax",
    "softmax_step",
    "tiled_product",
    "traffic",
    "transpose",
    "vector_add",
    "write_idx",
]
