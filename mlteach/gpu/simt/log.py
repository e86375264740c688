"""The record of a launch: one flat list of accesses, and marks that say whose they are."""

from __future__ import annotations

import dis
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

import numpy as np

LOAD, STORE, ATOMIC = 0, 1, 2
GUESS = 3  # a load whose thread goes on to update the element atomically: only `races` knows it
SHARED_TOP = 1 << 20  # byte addresses below are shared memory, from here on global memory
OFFSET_BITS = 20  # a site is: number of the function << OFFSET_BITS | bytecode offset


class Columns(NamedTuple):
    """One entry per access, in the order of the run."""

    place: np.ndarray  # source position, numbered; loads and stores of one position are two places
    address: np.ndarray
    bytes: np.ndarray
    kind: np.ndarray
    thread: np.ndarray
    interval: np.ndarray
    epoch: np.ndarray  # how often the thread has synchronised with its warp in this interval
    block: np.ndarray

    def pick(self, rows) -> Columns:
        """Return the chosen rows."""
        return Columns(*(column[rows] for column in self))


@lru_cache(maxsize=512)
def instruction_starts(code: CodeType) -> list[int]:
    """Return, for each two-byte unit of a code object, where the instruction begins that owns it.

    CPython specialises an instruction that runs often, and `f_lasti` then points at the end of its inline
    caches instead of at its beginning: one place has two offsets, before and after it is warm.
    """
    starts = np.zeros(len(code.co_code) // 2, np.int64)
    begin = np.array([i.offset for i in dis.get_instructions(code)])
    starts[begin // 2] = begin
    return np.maximum.accumulate(starts).tolist()


@lru_cache(maxsize=512)
def source_positions(code: CodeType) -> list[tuple]:
    """Return (line, last line, column, last column) for each two-byte unit of a code object."""
    return list(code.co_positions())


class Log:
    """Accesses as pairs of integers in `entries`: bytecode offset of the caller, and the access's word."""

    def __init__(self):
        self.entries: list[int] = []
        # (length of entries, thread, function, interval, epoch, block)
        self.marks: list[tuple[int, ...]] = []
        self.codes: dict[CodeType, int] = {}
        self.ids: set[int] = set()  # of the codes, quicker to look up
        self._chunks: list[tuple] = []
        self._places: dict[tuple, int] = {}
        self.lines: list[int] = []  # of each place
        self.pending = 0

    def number(self, code: CodeType) -> int:
        """Return the number of a function's code."""
        number = self.codes.setdefault(code, len(self.codes))
        self.ids.add(id(code))
        return number

    def pack(self) -> None:
        """Turn the Python lists into arrays, a fifth of the memory."""
        if self.entries:
            entries = np.array(self.entries, np.int64).reshape(-1, 2)
            marks = np.array(self.marks, np.int64)
            counts = np.diff(np.append(marks[:, 0], 2 * len(entries))) // 2
            self._chunks.append((entries, marks, counts))
            self.pending += len(entries)
        self.entries.clear()
        self.marks.clear()

    def columns(self) -> Columns | None:
        """Return everything since the last call, or None."""
        self.pack()
        if not self._chunks:
            return None
        entries = np.concatenate([c[0] for c in self._chunks])
        owners = [np.concatenate([np.repeat(m[:, i], n) for _, m, n in self._chunks]) for i in range(1, 6)]
        self._chunks, self.pending = [], 0
        thread, function, interval, epoch, block = owners
        word = entries[:, 1]
        kind = word & 3
        place = self._number_places((function << OFFSET_BITS | entries[:, 0]) << 2 | kind)
        return Columns(place, word >> 5, 1 << (word >> 2 & 7), kind, thread, interval, epoch, block)

    def _number_places(self, sites: np.ndarray) -> np.ndarray:
        """Replace bytecode offsets by source positions: a loop's condition is compiled twice but is one."""
        codes = list(self.codes)
        distinct, inverse = np.unique(sites, return_inverse=True)
        places = []
        for site in distinct.tolist():
            function, offset = site >> OFFSET_BITS + 2, site >> 2 & (1 << OFFSET_BITS) - 1
            start = instruction_starts(codes[function])[offset // 2]
            position = source_positions(codes[function])[start // 2]
            key = (function, site & 3, position if position[2] is not None else start)
            if key not in self._places:
                self._places[key] = len(self.lines)
                self.lines.append(position[0] or codes[function].co_firstlineno)
            places.append(self._places[key])
        return np.array(places)[inverse]
