"""One kernel made ready for timing: inputs, the check of its answer, and how much of the work a sample does.

What was chosen, and why:

* Inputs are random, never zero and never tiny, from one seed: no kernel can profit from zeros, none suffers
  from subnormal numbers, and all kernels get the same.
* The first call is never timed: it compiles, and it wakes the threads.
* The answer is checked once against NumPy in float64. A fast wrong answer is only wrong.
* A sample repeats the call until it lasts `SAMPLE` seconds at least, so that the clock's grain does not show,
  and its value is the mean of those calls.
* A kernel whose whole workload takes longer than a third of its budget is timed on the first rows only. Two
  numbers of rows are timed in each sample, for a part of the time, such as turning the second matrix into
  lists, does not grow with the rows; the difference gives the price of a row.
"""

import math
import numbers
import operator
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mlteach.matmul import KERNELS, Kernel, usable_cores

clock: Callable[[], float] = time.perf_counter

SEED = 2017
SAMPLE = 0.005  # seconds a sample lasts at least
WARM = 0.05  # a call shorter than this is made once more before each sample, to wake threads and fill caches
TICK = 1e-6  # seconds that a call takes at least, whatever a coarse clock says
WHOLE, PART = 1 / 3, 1 / 24  # of the budget: what a whole workload may take, and what its first rows should
CLEAR = 2  # times longer than the few rows before is what more rows must take, or their price drowns in noise
SURPRISE = 2  # times longer than so many rows should take, and it was no work on rows
GROWTH = 16  # times more rows at most, from one try to the next
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
        Where the kernel does not compute in the dtype.
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
    if threads is not None and _whole_number(threads) < 1:
        raise ValueError(f"threads must be a whole number from 1, or None for every core, not {threads!r}")
    if not (isinstance(budget, numbers.Real) and 0 < budget < math.inf):
        raise ValueError(f"budget must be a number of seconds above 0, not {budget!r}")
    cores = usable_cores()
    used = min(threads or cores, cores) if chosen.parallel else 1
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


class Trial:
    """A task made ready.

    Attributes
    ----------
    scaled : bool
        Whether a sample times the first rows only.
    rounds : int
        How many samples fit the budget, 1 at least.
    once : dict of str to float
        What is paid once and not timed, for the fields of a `Measurement`: nothing on a CPU.
    """

    once: Mapping[str, float] = MappingProxyType({})

    def __init__(self, task: Task):
        self.task = task
        self._calls = operands(task, *(min(size, 8) for size in task.shape))  # compile on a small product
        self._run()
        self._choose_rows()
        check_answers(task.kernel, self._calls)
        self.scaled = self._rows < task.shape[0]
        self._loops = max(1, math.ceil(SAMPLE / max(self._seconds, TICK)))
        cost = self._loops * self._seconds + (self._seconds if self._seconds < WARM else 0)
        cost += 2 * self._few_seconds if self.scaled else 0
        self.rounds = max(1, int(task.budget / max(cost, TICK)))

    def sample(self) -> float:
        """Time the workload once more, in seconds for the whole of it."""
        if self._seconds < WARM:
            self._run()
        if self.scaled:  # the few rows again: both at the speed that the machine has now
            few = self._first_rows()
            self._few_seconds = min(self._timed(few) for _ in range(2))
        start = clock()
        for _ in range(self._loops):
            self._run()
        return self._whole((clock() - start) / self._loops)

    def _run(self) -> None:
        self._timed(self._calls)

    def _timed(self, calls: list[Call]) -> float:
        """The seconds that some products take."""
        run, threads, start = self.task.kernel.run, self.task.threads, clock()
        for a, b, out in calls:
            run(a, b, out, threads)
        return clock() - start

    def _first_rows(self) -> list[Call]:
        """The same products on the few rows that were timed first."""
        forward, back, few = self._calls[:2], self._calls[2:], self._few
        part = [(a[:few], b, out[:few]) for a, b, out in forward]
        return part + [(a[:, :few], b[:few], out) for a, b, out in back]

    def _time_rows(self, rows: int, expected: float = math.inf) -> float:
        """Seconds of the workload on its first rows: the better of two tries where that costs little.

        Or where the first took far longer than expected, as where a kernel loads what it needs for more rows.
        """
        self._calls = operands(self.task, rows, *self.task.shape[1:])
        tries: list[float] = []
        while len(tries) < 2 and (sum(tries) < WARM or tries[0] > SURPRISE * expected):
            tries.append(self._timed(self._calls))
        return min(tries)

    def _choose_rows(self) -> None:
        """Grow the number of rows until the whole workload is affordable, or the part is worth timing."""
        everything = self.task.shape[0]
        self._few = self._rows = min(self.task.threads, everything)  # a row for each thread to begin with
        self._few_seconds = self._seconds = self._time_rows(self._rows)
        while self._rows < everything:
            affordable = self._whole(self._seconds) <= WHOLE * self.task.budget
            enough = max(PART * self.task.budget, CLEAR * self._few_seconds)
            if self._rows > self._few and not affordable and self._seconds >= enough:
                break
            rows = min(everything, self._more_rows())
            self._seconds = self._time_rows(rows, self._seconds * rows / self._rows)
            self._rows = rows

    def _more_rows(self) -> int:
        wish = WHOLE if self._whole(self._seconds) <= WHOLE * self.task.budget else 2 * PART
        times = wish * self.task.budget / max(self._seconds, TICK)
        return int(self._rows * min(max(times, 2), GROWTH))

    def _whole(self, seconds: float) -> float:
        """What all rows would take, from the seconds of the rows timed."""
        missing = self.task.shape[0] - self._rows
        if self._rows == self._few or seconds <= self._few_seconds:  # the second only in a busy moment
            return seconds * self.task.shape[0] / self._rows
        a_row = (seconds - self._few_seconds) / (self._rows - self._few)
        return seconds + missing * a_row
