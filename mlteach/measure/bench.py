"""Time kernels fairly.

The number for a kernel is the median of its samples: half of them were faster, half slower, and a pause of
the machine moves it little. The spread beside it is the width of the middle half of the samples.
`mlteach.measure.trial` says how a sample is taken, `mlteach.measure.turns` how kernels take turns.
"""

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mlteach.arguments import check_whole
from mlteach.matmul import KERNELS, Kernel
from mlteach.measure.race import Race
from mlteach.measure.records import Measurement
from mlteach.measure.task import Task, make_task
from mlteach.measure.turns import notes, race, timed_machine

__all__ = ["Measurement", "Race", "compare", "ladder", "time_iteration", "time_product", "timed_machine"]

ROUNDS = 5
BUDGET = 2.0  # seconds of samples for one kernel: a race of two ends before the reader looks away
ITERATION_BUDGET = 6.0  # the talk's iteration is large, and better timed whole than scaled
FEATURES, CLASSES = 785, 10  # of the talk's digits


def compare(
    kernels: Sequence[str | Kernel],
    shape: tuple[int, int, int] | None = None,
    *,
    n: int | None = None,
    dtype: str = "float32",
    threads: int | None = 1,
    rounds: int = ROUNDS,
    budget: float = BUDGET,
) -> Race:
    """Race kernels against each other on one product.

    Parameters
    ----------
    kernels : sequence of str or Kernel
        The first is what the others are compared with. A ``Kernel`` of your own can race on one thread.
    shape : tuple of int, optional
        (m, k, n): an m x k matrix times a k x n one.
    n : int, optional
        Short for the shape (n, n, n).
    dtype : str
        "float32" or "float64".
    threads : int, optional
        How many threads a parallel kernel may use, at most the cores there are; all of them where it is None.
    rounds : int
        How many samples each kernel gives; a slow one gives fewer.
    budget : float
        Seconds that the samples of one kernel may take, roughly. A kernel that needs more than a third of it
        for the whole product is timed on the first rows and scaled.

    Raises
    ------
    GpuUnavailable
        Where a GPU kernel is asked for and there is no GPU.
    TypeError
        Where a kernel does not compute in the dtype.
    ValueError
        Where a kernel gives a wrong product, a name or number makes no sense, or no fair race is possible.
    """
    _check_list(kernels)
    size = _shape(shape, n)
    tasks = [make_task(kernel, "product", size, dtype, threads, budget) for kernel in kernels]
    names = [task.kernel.name for task in tasks]
    if not tasks or len(set(names)) < len(names):
        raise ValueError(f"a race needs different kernels, each named once, not {names}")
    turns = race(tasks, rounds)
    return Race(
        shape=tasks[0].shape,
        dtype=tasks[0].dtype,
        threads={task.kernel.name: task.threads for task in tasks},
        samples=turns.samples,
        scaled=turns.scaled,
        crowded=turns.crowded,
        notes=tuple(notes(tasks, turns)),
        once=turns.once,
    )


def time_product(
    kernel: str | Kernel,
    shape: tuple[int, int, int] | None = None,
    dtype: str = "float32",
    threads: int | None = 1,
    *,
    n: int | None = None,
    rounds: int = ROUNDS,
    budget: float = BUDGET,
) -> Measurement:
    """Time one kernel on one product; parameters and errors as in `compare`."""
    return _time(make_task(kernel, "product", _shape(shape, n), dtype, threads, budget), rounds)


def time_iteration(
    kernel: str | Kernel,
    images: int = 60_000,
    dtype: str = "float64",
    threads: int | None = 1,
    *,
    rounds: int = ROUNDS,
    budget: float = ITERATION_BUDGET,
) -> Measurement:
    """Time the three products of the talk's training iteration.

    They are X theta, twice, and X transposed times the error. What lies between the products, the sigmoid
    above all, is not timed: it is the same for every kernel.

    Parameters
    ----------
    kernel : str or Kernel
    images : int
        How many rows X has; a slow kernel is timed on fewer and scaled.
    dtype, threads, rounds, budget
        As in `compare`.
    """
    check_whole("images", images, 1)
    return _time(make_task(kernel, "iteration", (images, FEATURES, CLASSES), dtype, threads, budget), rounds)


def ladder(
    kernels: Iterable[str] = KERNELS,
    shape: tuple[int, int, int] | None = None,
    dtype: str = "float32",
    threads: int | None = None,
    progress: Callable[[str, Measurement | Exception | None], None] | None = None,
    *,
    time: Callable[..., Measurement] = time_product,
    **options: Any,
) -> list[Measurement]:
    """Time one rung after another on the same work, each at a size that it can bear.

    Parameters
    ----------
    kernels : iterable of str
        All rungs where it is left out.
    shape, dtype, threads
        As in `compare`; here ``threads`` is every core where it is left out.
    progress : callable, optional
        ``progress(name, outcome)`` is called with None when a rung starts, then with its `Measurement`, or
        with the exception that keeps it from running here, such as `GpuUnavailable`, an ImportError or the
        RuntimeError of a missing compiler; such a rung is left out of the result.
    time : callable
        `time_product` or `time_iteration`.
    **options
        What else ``time`` takes: ``n``, ``images``, ``rounds`` or ``budget``.
    """
    _check_list(kernels)
    report = progress or (lambda name, outcome: None)
    if shape is not None:
        options["shape"] = shape
    measured = []
    for name in kernels:
        report(name, None)
        try:
            measured.append(time(name, dtype=dtype, threads=threads, **options))
        except (ImportError, OSError, RuntimeError) as problem:
            report(name, problem)
        else:
            report(name, measured[-1])
    return measured


def _check_list(kernels) -> None:
    if isinstance(kernels, str | Kernel) or not isinstance(kernels, Iterable):
        raise ValueError(f"kernels must be a list, not {kernels!r} alone: put it in brackets")


def _shape(shape, n: int | None):
    if (shape is None) == (n is None):
        raise ValueError(f"give either shape=(m, k, n) or n for (n, n, n), not shape={shape} and n={n}")
    return (n, n, n) if shape is None else shape


def _time(task: Task, rounds: int) -> Measurement:
    turns = race([task], rounds)
    name = task.kernel.name
    return Measurement(
        kernel=name,
        workload=task.workload,
        shape=task.shape,
        dtype=task.dtype,
        threads=task.threads,
        seconds=statistics.median(turns.samples[name]),
        scaled=name in turns.scaled,
        **turns.once[name],
    )
