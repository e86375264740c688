"""How many cores there are to use."""

import functools
import math
import os
from pathlib import Path


def usable_cores() -> int:
    """How many cores this process may use: at least 1, at most what its affinity and its container allow."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity to ask for
        cores = os.cpu_count() or 1
    return max(1, min(cores, _container_cores()))


@functools.cache
def _container_cores() -> float:
    """The cores that a Linux control group grants, rounded up; infinity where nothing limits them."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return math.inf if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return math.inf
