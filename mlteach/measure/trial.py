"""One kernel made ready for timing: how a sample is taken, and how much of the work it does.

What was chosen, and why:

* The first call is never timed: it compiles, and it wakes the threads.
* A sample repeats the call until it lasts `SAMPLE` seconds at least, so that the clock's grain does not show,
  and its value is the mean of those calls.
* A kernel whose whole workload takes longer than a third of its budget is timed on the first rows only. Two
  numbers of rows are timed in each sample, for a part of the time, such as turning the second matrix into
  lists, does not grow with the rows; the difference gives the price of a row.
"""

import math
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

from mlteach.measure.task import Call, Task, check_answers, operands

clock: Callable[[], float] = time.perf_counter

SAMPLE = 0.005  # seconds a sample lasts at least
WARM = 0.05  # a call shorter than this is made once more before each sample, to wake threads and fill caches
TICK = 1e-6  # seconds that a call takes at least, whatever a coarse clock says
WHOLE, PART = 1 / 3, 1 / 24  # of the budget: what a whole workload may take, and what its first rows should
CLEAR = 2  # times longer than the few rows before is what more rows must take, or their price drowns in noise
SURPRISE = 2  # times longer than so many rows should take, and it was no work on rows
GROWTH = 16  # times more rows at most, from one try to the next


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
