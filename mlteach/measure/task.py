"""What is timed: a kernel and its workload, with the inputs, and the check of its answer.

* Inputs are random, never zero and never tiny, from one seed: no kernel can profit from zeros, none suffers
  from subnormal numbers, and all kernels get the same.
* The answer is checked once against NumPy in float64. A fast wrong answer is only wrong.
"""

import math
import numbers
import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlteach.matmul import KERNELS, Kernel
from mlteach.matmul.cores import workers

SEED = 2017
CHECKED = 1 << 25  # multiply-adds that the check may cost; rows are picked evenly where the product has more


@dataclass(frozen=True)
class Task:
    """What to time.

    Attributes
    ----------
    kernel : Kernel
    workload : str
        "product" or "iteration".
    shape : tuple of int
        (m, k, n), each at least 1.
    dtype : str
        "float32" or "float64".
    threads : int
        As many as the kernel will really use.
    budget : float
        Seconds that its samples may take in all, roughly.
    """

    kernel: Kernel
    workload: str
    shape: tuple[int, int, int]
    dtype: str
    threads: int
    budget: float

    def as_dict(self) -> dict:
        """The task as a process of its own can be told it: the kernel by its name."""
        return {**vars(self), "kernel": self.kernel.name}


def make_task(kernel: str | Kernel, workload: str, shape, dtype, threads: int | None, budget: float) -> Task:
    """Check what is to be timed, and settle the number of threads.

    Raises
    ------
    TypeError
        Where the kernel does not compute in the dtype, or the number of threads is not whole.
    ValueError
        Where a name, a size or a number makes no sense.
    """
    if isinstance(kernel, str) and kernel not in KERNELS:
        raise ValueError(f"kernel {kernel!r} is not a rung of the ladder: choose one of {', '.join(KERNELS)}")
    chosen = KERNELS[kernel] if isinstance(kernel, str) else kernel
    if not isinstance(chosen, Kernel):
        raise ValueError(f"{chosen!r} is no kernel: give the name of a rung, or a Kernel of your own")
    sizes = tuple(_whole_number(size) for size in shape) if np.iterable(shape) else ()
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"shape {shape!r} cannot be timed: give (m, k, n), three whole numbers from 1")
    number = _dtype_name(dtype)
    if number not in map(_dtype_name, chosen.dtypes):
        known = " or ".join(map(_dtype_name, chosen.dtypes))
        raise TypeError(f"kernel {chosen.name!r} computes in {known}, not in {number}")
    if not (isinstance(budget, numbers.Real) and 0 < budget < math.inf):
        raise ValueError(f"budget must be a number of seconds above 0, not {budget!r}")
    most = workers(threads)
    used = most if chosen.parallel else 1
    return Task(chosen, workload, sizes, number, used, budget)


def _whole_number(value) -> int:
    """The value as an int, 0 where it is not a whole number."""
    try:
        return operator.index(value)
    except TypeError:
        return 0


def _dtype_name(dtype) -> str:
    try:
        return np.dtype(dtype).name
    except TypeError:
        return str(dtype)


Call = tuple[np.ndarray, np.ndarray, np.ndarray]  # a, b and out of a product


def operands(task: Task, m: int, k: int, n: int) -> list[Call]:
    """Make the (a, b, out) of each product in the workload, for its first m rows."""
    random = np.random.default_rng(SEED)
    dtype = np.dtype(task.dtype)

    def numbers(*shape):
        filled = random.random(shape, dtype)
        filled += dtype.type(0.5)
        return filled

    a, b = numbers(m, k), numbers(k, n)
    scores = np.empty((m, n), dtype)
    if task.workload == "product":
        return [(a, b, scores)]
    forward = (a, b, scores)
    back = (a.T, numbers(m, n), np.empty((k, n), dtype))
    return [forward, forward, back]


def check_answers(kernel: Kernel, calls: Sequence[Call]) -> None:
    """Compare with NumPy in float64; all inputs are positive, so k roundings bound the relative error.

    Raises
    ------
    ValueError
        Where a product is wrong.
    """
    for a, b, out in calls[::2]:
        m, k = a.shape
        count = min(m, max(2, CHECKED // b.size))
        rows = np.unique(np.linspace(0, m - 1, count).astype(np.intp))
        expected = np.einsum("ij,jk->ik", a[rows], b, dtype=np.float64, casting="safe")
        error = np.abs(out[rows] - expected) / expected
        if not (error <= _bound(kernel, k, out.dtype)).all():
            i, j = np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), error.shape)
            raise ValueError(
                f"kernel {kernel.name!r} is wrong, so there is nothing to time: row {rows[i]}, "
                f"column {j} of {a.shape} times {b.shape} is {out[rows[i], j]:.8g}, "
                f"expected {expected[i, j]:.8g}"
            )


def _bound(kernel: Kernel, k: int, dtype: np.dtype) -> float:
    """The relative error of a sum of k positive products, with the two factors rounded before if need be."""
    rounded = np.finfo(kernel.rounds_to).eps if kernel.rounds_to else 0.0
    return k * float(np.finfo(dtype).eps) + float(rounded)
