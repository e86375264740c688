"""One GPU kernel made ready for timing: its matrices lie on the GPU, and samples are the GPU's own time.

What is paid once stands apart: the first call, which starts the driver and compiles, and the way of the
matrices to the GPU and of the results back.
"""

import math

from mlteach.errors import GpuUnavailable
from mlteach.gpu import simulated
from mlteach.measure import trial
from mlteach.measure.task import Task, check_answers, operands
from mlteach.measure.trial import SAMPLE, TICK, Trial

LAUNCHES = 1000  # in a sample, at most


class DeviceTrial:
    """A task made ready on a GPU.

    Attributes
    ----------
    scaled : bool
        Always False: the whole workload is timed.
    rounds : int
        How many samples fit the budget, 1 at least.
    once : dict of str to float
        "first_seconds" of a small product with all that a first call brings, and "transfer_seconds" of the
        matrices to the GPU and the results back.
    """

    scaled = False

    def __init__(self, task: Task):
        if simulated():
            raise GpuUnavailable("Numba's simulator keeps no time: unset NUMBA_ENABLE_CUDASIM to time a GPU")
        start = trial.clock()
        _bring(task, operands(task, *(min(size, 8) for size in task.shape)))
        first = trial.clock() - start
        calls = operands(task, *task.shape)
        self._products, transfer = _bring(task, calls)
        check_answers(task.kernel, calls)
        self.once = {"first_seconds": first, "transfer_seconds": transfer}
        seconds = max(self._seconds(1), TICK)
        self._launches = min(LAUNCHES, math.ceil(SAMPLE / seconds))
        self.rounds = max(1, int(task.budget / (self._launches * seconds)))

    def sample(self) -> float:
        """Time the workload once more, in seconds of the GPU."""
        return self._seconds(self._launches)

    def _seconds(self, times: int) -> float:
        return sum(product.seconds(times) for product in self._products)


def _bring(task: Task, calls: list[trial.Call]) -> tuple[list, float]:
    """Bring matrices to the GPU, multiply once, and bring the results back; also the seconds on the way."""
    assert task.kernel.prepare
    start = trial.clock()
    products = [task.kernel.prepare(a, b) for a, b, _ in calls]
    transfer = trial.clock() - start
    for product, (_, _, out) in zip(products, calls, strict=True):
        product.seconds()
        start = trial.clock()
        product.result(out)
        transfer += trial.clock() - start
    return products, transfer


def make_trial(task: Task) -> Trial | DeviceTrial:
    """Make a task ready where its kernel runs."""
    return DeviceTrial(task) if task.kernel.prepare else Trial(task)
