"""How many cores there are to use."""

import functools
import math
import operator
import os
from pathlib import Path


def usable_cores() -> int:
    """How many cores this process may use: at least 1, at most what its affinity and its container allow."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity to ask for
        cores = os.cpu_count() or 1
    return max(1, min(cores, _container_cores()))


def workers(threads: int | None) -> int:
    """How many threads may work where so many were asked for: every core's where it is None, and no more.

    Raises
    ------
    TypeError
        Where it is neither a whole number nor None.
    ValueError
        Where it is below 1.
    """
    if threads is None:
        return usable_cores()
    try:
        wanted = operator.index(threads)
    except TypeError:
        raise TypeError(f"threads must be a whole number or None, not {threads!r}") from None
    if wanted < 1:
        raise ValueError(f"threads must be at least 1, not {wanted}: leave it out to use every core")
    return 1 if wanted == 1 else min(wanted, usable_cores())


@functools.cache
def _container_cores() -> float:
    """The cores that a Linux control group grants, rounded up; infinity where nothing limits them."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return math.inf if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return math.inf
