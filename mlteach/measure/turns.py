"""Let kernels take turns: fair samples of several tasks.

Each round begins with another task, so that a machine that slows down slows all of them. On one thread the
tasks share this process. On several threads each has a process of its own (see `mlteach.measure.worker`), and
one starts only when the threads of the others sleep.

Where an environment variable weakens a library, the tasks run in a fresh process without that variable. Where
that cannot be, because a kernel exists only in this process, a race with the weakened library is refused.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence

from mlteach.matmul import KERNELS, Kernel, usable_cores
from mlteach.measure.machine import Machine, blas, describe
from mlteach.measure.race import BUSY, unrest
from mlteach.measure.trial import Task, Trial
from mlteach.measure.units import listing
from mlteach.measure.weakness import Weakness, weaknesses
from mlteach.measure.worker import RemoteTrial, Worker, rest

ATTEMPTS = 3  # at a race on a busy machine, of which the calmest counts


def race(tasks: Sequence[Task], rounds: int) -> tuple[dict[str, tuple[float, ...]], frozenset[str]]:
    """Take samples of all tasks, again while the machine is busy, and name the kernels that are scaled."""
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, not {rounds}")
    with _ready(tasks) as trials:
        attempts: list[dict[str, tuple[float, ...]]] = []
        while len(attempts) < ATTEMPTS:
            attempts.append(_take_turns(trials, rounds))
            if unrest(attempts[-1]) <= BUSY:
                break
        return min(attempts, key=unrest), frozenset(name for name, trial in trials.items() if trial.scaled)


def _take_turns(trials: Mapping[str, Trial | RemoteTrial], rounds: int) -> dict[str, tuple[float, ...]]:
    """Take samples in turns, each round beginning one kernel later; one that has used its budget sits out."""
    names = list(trials)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if turn < trials[name].rounds:
                samples[name].append(trials[name].sample())
    return {name: tuple(seconds) for name, seconds in samples.items()}


@contextlib.contextmanager
def _ready(tasks: Sequence[Task]) -> Iterator[dict[str, Trial | RemoteTrial]]:
    """Make tasks ready in this process, or in processes of their own, as the module's docstring says."""
    names = [task.kernel.name for task in tasks]
    strangers = [name for name, task in zip(names, tasks, strict=True) if not _is_rung(task.kernel)]
    threads = max(task.threads for task in tasks)
    weak = _weak_kernels()
    if strangers and threads > 1:
        raise ValueError(
            f"{listing(strangers)} exists only in this process, so race on one thread: threads=1"
        )
    if strangers and weak and "blas" in names:
        raise ValueError(
            f"no fair race between blas and {listing(strangers)} here: {weak[0].message}; "
            f"unset {weak[0].variable} and start Python again"
        )
    with contextlib.ExitStack() as processes:
        if threads > 1:
            rest()
            workers = [processes.enter_context(Worker(task.threads)) for task in tasks]
        elif not strangers and (weak or ("blas" in names and _blas_ignores_limits())):
            workers = [processes.enter_context(Worker(1))] * len(tasks)
        else:
            workers = []
        if workers:
            yield {name: worker.trial(task) for name, worker, task in zip(names, workers, tasks, strict=True)}
        else:
            yield {name: Trial(task) for name, task in zip(names, tasks, strict=True)}


def _is_rung(kernel: Kernel) -> bool:
    return kernel.name in KERNELS and KERNELS[kernel.name] is kernel


def _weak_kernels() -> list[Weakness]:
    return [weakness for weakness in weaknesses() if weakness.kernels]


def _blas_ignores_limits() -> bool:
    """Whether BLAS takes its number of threads only when it starts, as Apple's Accelerate does."""
    library = blas()
    return library is not None and library.name == "accelerate"


def notes(tasks: Sequence[Task]) -> Iterator[str]:
    """What to say below a race about weakened libraries."""
    for weakness in _weak_kernels():
        if all(_is_rung(task.kernel) for task in tasks):
            yield f"{weakness.message}: timed in a process without it."
        else:
            yield f"{weakness.message}: unset it for a fair race."
    library = timed_machine().blas
    if "blas" in (task.kernel.name for task in tasks) and library and library.weakened:
        yield f"{listing(list(library.reasons))}: a newer NumPy may be faster."


@functools.cache
def timed_machine(measure: bool = False) -> Machine:
    """The machine as the timings see it: described by a process without what weakens a library."""
    if not weaknesses():
        return describe(measure)
    with Worker(usable_cores()) as worker:
        return worker.describe(measure)
