"""Keeps a bounded number of accesses in full, for pictures."""

from __future__ import annotations

import numpy as np

from mlteach.gpu.simt.log import SHARED_TOP, Columns
from mlteach.gpu.simt.trace import ACCESS

KEPT = 1 << 16  # accesses from the start of the launch
KEPT_RACING = 1 << 10  # accesses that belong to races, wherever they are


class History:
    """The accesses that a trace carries."""

    def __init__(self, machine):
        self.machine = machine
        self._parts: list[np.ndarray] = []
        self._kept = self._racing = self._instructions = 0

    def keep(self, c: Columns, instruction: np.ndarray, racing: list[int]) -> None:
        """Take what there is still room for."""
        first = max(0, min(KEPT - self._kept, len(c.kind)))
        extra = sorted({row for row in racing[: KEPT_RACING - self._racing] if row >= first})
        rows = np.r_[np.arange(first), np.array(extra, np.int64)]
        self._kept += first
        self._racing += len(extra)
        if len(rows):
            self._parts.append(self._accesses(c.pick(rows), instruction[rows] + self._instructions))
        self._instructions += int(instruction.max()) + 1

    def _accesses(self, c: Columns, instruction: np.ndarray) -> np.ndarray:
        part = np.empty(len(c.kind), ACCESS)
        for name in ("block", "thread", "interval", "kind", "bytes"):
            part[name] = getattr(c, name)
        part["instruction"] = instruction
        part["line"] = np.array(self.machine.log.lines)[c.place]
        for space, here in (("shared", c.address < SHARED_TOP), ("global", c.address >= SHARED_TOP)):
            infos = [(i.address, n) for n, i in enumerate(self.machine.memory.infos) if i.space == space]
            if infos and here.any():
                base, number = np.array(sorted(infos)).T
                at = np.searchsorted(base, c.address[here], side="right") - 1
                part["array"][here], part["offset"][here] = number[at], c.address[here] - base[at]
        return part

    def fields(self) -> dict:
        """Return the fields of `Trace`."""
        accesses = np.concatenate([np.empty(0, ACCESS), *self._parts])
        return {"accesses": accesses, "arrays": self.machine.memory.infos}
