"""The same loops in Python threads: a task per cell, a task per row."""

import itertools
from concurrent.futures import ThreadPoolExecutor

from mlteach.matmul import rung
from mlteach.matmul.loops import on_lists

PENDING = 10_000  # tasks that may wait at once: a task weighs about a kilobyte, a product can have millions


def threads_cell(a, b, out, threads):
    """Give every cell of the result a task of its own.

    Idea: the cells do not depend on each other, so several workers can compute them at the same time.
    Changed from `loops`: the two outer loops hand out tasks, and the inner one is a task.
    Limit: the interpreter. One thread at a time may run Python, and a task costs more than a short sum.
    """
    m, k, n = len(a), len(b), len(b[0])

    def cell(i, j):  # <- changed
        acc = 0.0
        for p in range(k):
            acc += a[i][p] * b[p][j]
        out[i][j] = acc

    each(cell, itertools.product(range(m), range(n)), threads)  # <- changed


def threads_row(a, b, out, threads):
    """Give every row of the result a task of its own.

    Idea: a task that computes a whole row is worth its price, and there are n times fewer of them.
    Changed from `threads_cell`: the loop over j moved into the task.
    Limit: the interpreter. The tasks are cheap now, and still only one thread at a time may run Python.
    """
    m, k, n = len(a), len(b), len(b[0])

    def row(i):  # <- changed
        for j in range(n):  # <- changed
            acc = 0.0
            for p in range(k):
                acc += a[i][p] * b[p][j]
            out[i][j] = acc

    each(row, zip(range(m)), threads)  # <- changed


def each(task, arguments, threads: int) -> None:
    """Call `task(*args)` for every tuple of `arguments` on a pool of `threads`, at most `PENDING` waiting."""
    arguments = iter(arguments)
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(itertools.islice(arguments, PENDING)):
            for _ in pool.map(lambda args: task(*args), batch):
                pass


RUNGS = {
    kernel.__name__: rung(kernel, run=on_lists(kernel), device="python", parallel=True)
    for kernel in (threads_cell, threads_row)
}
