"""What a simulated launch hands back: counts, problems, and the accesses that a picture needs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

ACCESS = np.dtype(
    [
        ("block", "i4"),  # linear, x fastest
        ("thread", "i4"),  # linear in its block, x fastest
        ("interval", "i4"),  # barrier interval, counted through all blocks
        ("instruction", "i4"),  # accesses with one number are one access of a warp
        ("line", "i4"),
        ("kind", "i1"),  # LOAD, STORE or ATOMIC of `simt.log`
        ("array", "i2"),  # position in `Trace.arrays`
        ("offset", "i8"),  # bytes from the start of the array
        ("bytes", "i1"),
    ]
)


class KernelError(Exception):
    """The kernel cannot run: Python raised in its body, or it asks for something that a GPU has not."""


class EndlessLoop(BaseException):
    """Leaves a thread that does not end. A BaseException: no `except Exception` of a kernel holds it."""

    def __init__(self, line: int):
        self.line = line


@dataclass(frozen=True)
class Problem:
    """One mistake of a kernel.

    Attributes
    ----------
    kind : str
        "race", "divergent barrier", "out of bounds", "uninitialised read" or "endless loop".
    message : str
        One sentence: who did what to which element, and how often.
    block, thread : tuple of int
        (x, y, z) of the first thread that showed it; for a race, of the thread that writes.
    line : int
        Source line of that thread.
    pair : numpy.ndarray or None
        For a race, its two accesses (dtype `ACCESS`, no instruction number), the write first.
    """

    kind: str
    message: str
    block: tuple[int, int, int]
    thread: tuple[int, int, int]
    line: int
    pair: np.ndarray | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return f"line {self.line}: {self.kind}: {self.message}"


@dataclass(frozen=True)
class ArrayInfo:
    """An array that a launch touched: its name in the kernel, and "global" or "shared"."""

    name: str
    space: str
    shape: tuple[int, ...]
    dtype: np.dtype
    step: tuple[int, ...]  # elements from one index to the next, in each dimension
    address: int  # of its lowest byte

    def element(self, offset: int) -> str:
        """Return the element at a distance in bytes, as `name[i, j]`."""
        left, index = int(offset) // self.dtype.itemsize, [0] * len(self.shape)
        for d in sorted(range(len(self.shape)), key=lambda d: -abs(self.step[d])):
            step, last = abs(self.step[d]), self.shape[d] - 1
            i = min(left // step, last) if step else 0
            left -= i * step
            index[d] = i if self.step[d] >= 0 else last - i
        return f"{self.name}[{', '.join(map(str, index))}]"


@dataclass(frozen=True)
class Trace:
    """Counts and problems of one launch.

    Attributes
    ----------
    global_loads, global_stores : int
        Accesses by threads. A 128-bit access is one; an atomic is neither.
    load_sectors, store_sectors : int
        32-byte sectors per access of a warp, summed.
    shared_loads, shared_stores : int
        Accesses to shared memory by threads.
    shared_conflicts : int
        Extra passes over the 32 banks, summed over loads and stores.
    atomics : int
        Atomic operations by threads, on either memory.
    barriers : int
        Block-wide barriers passed, summed over the blocks.
    problems : list of Problem
        By source line; the same ones in the same order in every run.
    accesses : numpy.ndarray
        The first accesses in full (dtype `ACCESS`): what `picture` draws.
    arrays : list of ArrayInfo
        The arrays that `accesses` speaks of.
    """

    global_loads: int = 0
    global_stores: int = 0
    load_sectors: int = 0
    store_sectors: int = 0
    shared_loads: int = 0
    shared_stores: int = 0
    shared_conflicts: int = 0
    atomics: int = 0
    barriers: int = 0
    problems: list[Problem] = field(default_factory=list)
    accesses: np.ndarray = field(default_factory=lambda: np.empty(0, ACCESS), repr=False, compare=False)
    arrays: list[ArrayInfo] = field(default_factory=list, repr=False, compare=False)

    def __str__(self) -> str:
        counts = [
            f"global memory   {self.global_loads} loads in {self.load_sectors} sectors, "
            f"{self.global_stores} stores in {self.store_sectors} sectors",
            f"shared memory   {self.shared_loads} loads, {self.shared_stores} stores, "
            f"{self.shared_conflicts} bank conflicts",
            f"synchronising   {self.barriers} barriers, {self.atomics} atomics",
        ]
        return "\n".join(counts + ([str(p) for p in self.problems] or ["no problems"]))
