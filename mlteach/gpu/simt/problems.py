"""Collects what goes wrong: one problem per kind, line and array, told by the first thread that showed it."""

from __future__ import annotations

import numpy as np

from mlteach.gpu.simt.history import records
from mlteach.gpu.simt.log import GUESS, LOAD, Columns
from mlteach.gpu.simt.trace import Problem

VERBS = ("reads", "writes", "updates", "reads")  # by kind of access


class Problems:
    """The problems of one launch."""

    def __init__(self, machine):
        self.machine = machine
        self._found: dict[tuple, list] = {}  # (kind, line, key) -> [message, block, thread, more, how often]
        self._pairs: dict[tuple, np.ndarray] = {}  # the accesses of races
        self.unset: list[tuple] = []  # reads of unwritten shared memory: a race may explain them

    def add(self, kind, key, message, *, line=None, block=None, thread=None, more="time", times=1) -> None:
        """Count a problem, and keep its message if it is the first with this kind, line and key."""
        machine = self.machine
        line = line or machine.line()
        block = machine.gpu.block_index if block is None else block
        thread = machine.thread.index if thread is None else thread
        entry = self._found.setdefault((kind, line, key), [message, block, thread, more, 0])
        entry[-1] += times

    def out_of_bounds(self, array, index) -> tuple | None:
        """Report an index; return the element that Numba's wraparound makes of a negative one, or None."""
        shape = array.shape
        numbers = [i for i in index if not isinstance(i, slice)]
        shown = ", ".join(":" if isinstance(i, slice) else str(int(i)) for i in index)
        extent = f"shape {shape}" if len(shape) > 1 else f"length {shape[0]}"
        message = f"{array.name}[{shown}] is outside {array.name}, which has {extent}"
        if any(i < 0 for i in numbers):
            message += "; Numba counts a negative index from the end, CUDA C++ would read before the array"
        self.add("out of bounds", (array.name, any(i < 0 for i in numbers)), message)
        if all(isinstance(i, slice) or -n <= i < n for i, n in zip(index, shape, strict=False)):
            return tuple(
                i if isinstance(i, slice) else int(i) % n for i, n in zip(index, shape, strict=False)
            )
        return None

    def unset_local(self, array, index) -> None:
        """Report a read of a local element that was never written."""
        shown = ", ".join(map(str, index)) if isinstance(index, tuple) else index
        self.add("uninitialised read", array.name, f"{array.name}[{shown}] is read before it was written")

    def unset_shared(self, array, at) -> None:
        """Note a read of a shared element that was never written, until the interval is complete."""
        address = (array.word >> 5) + at * array.dtype.itemsize
        machine = self.machine
        where = (machine.line(), machine.gpu.block_index, machine.thread.index)
        self.unset.append((machine.interval, machine.thread.linear, address, array.name, *where))

    def settle_unset(self, writers: dict[tuple, set]) -> None:
        """Report the noted reads, but not those of elements that another thread wrote: they are races.

        `writers` gives the threads that wrote to an (interval, address).
        """
        for interval, reader, address, name, line, block, thread in self.unset:
            if not writers.get((interval, address), set()) - {reader}:
                message = f"{self.machine.memory.describe(address)} is read before anything was written there"
                self.add("uninitialised read", name, message, line=line, block=block, thread=thread)
        self.unset.clear()

    def divergent(self, waiting, reason: str) -> None:
        """Report that a thread waits in vain."""
        line = waiting.wait.line
        self.add("divergent barrier", None, reason, line=line, thread=waiting.index)

    def endless(self, line: int) -> None:
        """Report the loop in which the current thread was stopped."""
        message = "this loop does not end: a thread was stopped after a very large number of steps"
        self.add("endless loop", None, message, line=line)

    def race(self, c: Columns, between_blocks: bool) -> None:
        """Report two accesses, the stronger one first."""
        machine, key = self.machine, (*sorted(c.place.tolist()), between_blocks)
        lines = [machine.log.lines[p] for p in c.place]
        blocks = [machine.block_at(int(b)) for b in c.block]
        threads = [machine.indices[t] for t in c.thread]
        verbs = [VERBS[k] for k in c.kind]
        what = machine.memory.describe(int(c.address[0]))
        other = f"thread {threads[1]}" + (f" of block {blocks[1]}" if between_blocks else "")
        why = "nothing orders two blocks" if between_blocks else "no barrier lies between"
        message = (
            f"thread {threads[0]} of block {blocks[0]} {verbs[0]} {what} (line {lines[0]}) and {other} "
            f"{verbs[1]} it (line {lines[1]}); {why}"
        )
        if key not in self._pairs:
            self._pairs[key] = records(c._replace(kind=np.where(c.kind == GUESS, LOAD, c.kind)), -1, machine)
        self.add("race", key, message, line=lines[0], block=blocks[0], thread=threads[0], more="element")

    def report(self) -> list[Problem]:
        """Return the problems by line."""
        problems = []
        for (kind, line, key), (message, block, thread, more, times) in self._found.items():
            if times > 1:
                message += f" ({times - 1} more {more}{'s' * (times > 2)})"
            pair = self._pairs.get(key)
            problems.append(Problem(kind, message, tuple(block), tuple(thread), line, pair))
        return sorted(problems, key=lambda p: p.line)
