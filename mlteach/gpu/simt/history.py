"""Keeps a bounded number of accesses in full, for pictures."""

from __future__ import annotations

import numpy as np

from mlteach.gpu.simt.log import SHARED_TOP, Columns
from mlteach.gpu.simt.trace import ACCESS

KEPT = 1 << 16  # accesses from the start of the launch


def records(c: Columns, instruction, machine) -> np.ndarray:
    """Return columns as records of dtype `ACCESS`."""
    out = np.zeros(len(c.kind), ACCESS)
    for name in ("block", "thread", "interval", "kind", "bytes"):
        out[name] = getattr(c, name)
    out["instruction"] = instruction
    out["line"] = np.array(machine.log.lines)[c.place]
    for space, here in (("shared", c.address < SHARED_TOP), ("global", c.address >= SHARED_TOP)):
        infos = [(i.address, n) for n, i in enumerate(machine.memory.infos) if i.space == space]
        if infos and here.any():
            base, number = np.array(sorted(infos)).T
            at = np.searchsorted(base, c.address[here], side="right") - 1
            out["array"][here], out["offset"][here] = number[at], c.address[here] - base[at]
    return out


class History:
    """The accesses that a trace carries."""

    def __init__(self, machine):
        self.machine = machine
        self._parts: list[np.ndarray] = [np.empty(0, ACCESS)]
        self._kept = self._instructions = 0

    def keep(self, c: Columns, instruction: np.ndarray) -> None:
        """Take what there is still room for."""
        rows = np.arange(min(KEPT - self._kept, len(c.kind)))
        if len(rows):
            self._parts.append(records(c.pick(rows), instruction[rows] + self._instructions, self.machine))
        self._kept += len(rows)
        self._instructions += int(instruction.max()) + 1

    def fields(self) -> dict:
        """Return the fields of `Trace`."""
        return {"accesses": np.concatenate(self._parts), "arrays": self.machine.memory.infos}
