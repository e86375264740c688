"""Let kernels take turns: fair samples of several tasks.

Each round begins with another task, so that a machine that slows down slows all of them. On one thread the
tasks share this process. On several threads each has a process of its own (see `mlteach.measure.worker`), and
one starts only when the threads of the others sleep.

Where an environment variable weakens a library, the tasks run in a fresh process without that variable. Where
that cannot be, because a kernel exists only in this process, a race with the weakened library is refused.

A crowded machine is recognised before each round, where the system tells: kernels whose threads wait for each
other are held up by other programs evenly, so that the spread of their samples shows nothing.
"""

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlteach.arguments import check_whole
from mlteach.matmul import KERNELS, Kernel, usable_cores
from mlteach.measure import probe
from mlteach.measure.device_trial import DeviceTrial, make_trial
from mlteach.measure.machine import Machine, blas, describe
from mlteach.measure.race import BUSY, unrest
from mlteach.measure.task import Task
from mlteach.measure.trial import Trial
from mlteach.measure.units import listing
from mlteach.measure.weakness import Weakness, weaknesses
from mlteach.measure.worker import RemoteTrial, Worker, compile_all, rest

ATTEMPTS = 3  # at a race on a busy machine, of which the calmest counts
LOOK = 0.05  # seconds in each round for a look at what other programs do
# Of a core that other programs may use beyond those that the kernels leave: a browser's share.
ELBOW_ROOM = 0.5


@dataclass(frozen=True)
class Turns:
    """What came of taking turns.

    Attributes
    ----------
    samples : dict of str to tuple of float
        Seconds of each sample, kernel by kernel.
    scaled : frozenset of str
        The kernels of which only the first rows were timed.
    others : float
        How many cores other programs used meanwhile; 0 where unknown.
    crowded : bool
        Whether that was more than the kernels left over.
    once : dict of str to dict
        What each kernel paid once and was not timed, see `Trial`.
    """

    samples: dict[str, tuple[float, ...]]
    scaled: frozenset[str]
    others: float
    crowded: bool
    once: dict[str, Mapping[str, float]]


def race(tasks: Sequence[Task], rounds: int) -> Turns:
    """Let all tasks take turns, again while the machine is busy, and choose the calmest attempt."""
    check_whole("rounds", rounds, 1)
    room = (os.cpu_count() or 1) - max(task.threads for task in tasks) + ELBOW_ROOM
    attempts: list[Turns] = []
    with _ready(tasks) as trials:
        while len(attempts) < ATTEMPTS:
            attempts.append(_take_turns(trials, rounds, room))
            if unrest(attempts[-1].samples) <= BUSY and not attempts[-1].crowded:
                break
    return min(attempts, key=lambda attempt: (attempt.crowded, unrest(attempt.samples)))


def _take_turns(trials: Mapping[str, Trial | DeviceTrial | RemoteTrial], rounds: int, room: float) -> Turns:
    """Take samples in turns, each round beginning one kernel later; one whose budget is used sits out."""
    names = list(trials)
    samples: dict[str, list[float]] = {name: [] for name in names}
    others = 0.0
    for turn in range(rounds):
        others += (probe.busy_cores(LOOK) or 0.0) / rounds
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if turn < trials[name].rounds:
                samples[name].append(trials[name].sample())
    return Turns(
        samples={name: tuple(seconds) for name, seconds in samples.items()},
        scaled=frozenset(name for name, trial in trials.items() if trial.scaled),
        others=others,
        crowded=others > room,
        once={name: trial.once for name, trial in trials.items()},
    )


@contextlib.contextmanager
def _ready(tasks: Sequence[Task]) -> Iterator[dict[str, Trial | DeviceTrial | RemoteTrial]]:
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
            compile_all(workers, tasks)
            yield {name: worker.trial(task) for name, worker, task in zip(names, workers, tasks, strict=True)}
        else:
            yield {name: make_trial(task) for name, task in zip(names, tasks, strict=True)}


def _is_rung(kernel: Kernel) -> bool:
    return kernel.name in KERNELS and KERNELS[kernel.name] is kernel


def _weak_kernels() -> list[Weakness]:
    return [weakness for weakness in weaknesses() if weakness.kernels]


def _blas_ignores_limits() -> bool:
    """Whether BLAS takes its number of threads only when it starts, as Apple's Accelerate does."""
    library = blas()
    return library is not None and library.name == "accelerate"


def notes(tasks: Sequence[Task], turns: Turns) -> Iterator[str]:
    """What to say below a race about other programs and weakened libraries."""
    if turns.crowded:
        cores = os.cpu_count()
        yield f"Other programs use {turns.others:.1f} of {cores} cores: close them for times to trust."
    for weakness in _weak_kernels():
        if all(_is_rung(task.kernel) for task in tasks):
            yield f"{weakness.message}: timed in a process without it."
        else:
            yield f"{weakness.message}: unset it for a fair race."
    if any(task.kernel.name == "blas" for task in tasks):
        library = timed_machine().blas
        if library and library.weakened:
            yield f"{listing(list(library.reasons))}: a newer NumPy may be faster."


@functools.cache
def timed_machine(measure: bool = False) -> Machine:
    """The machine as the timings see it: described by a process without what weakens a library."""
    if not weaknesses():
        return describe(measure)
    with Worker(usable_cores()) as worker:
        return worker.describe(measure)
