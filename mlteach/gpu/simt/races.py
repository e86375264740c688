"""Finds races: one address, two threads, a plain access that changes or sees what the other does, no order.

Inside a block a barrier orders accesses, and `syncwarp` those of the lanes it names. Nothing orders blocks.
"""

from __future__ import annotations

import numpy as np

from mlteach.gpu.simt.counts import WARP, group_key, words
from mlteach.gpu.simt.log import ATOMIC, GUESS, LOAD, SHARED_TOP, STORE, Columns

CLASHES = np.zeros((4, 4), bool)  # which two kinds of access must not meet unordered
CLASHES[STORE, :] = CLASHES[:, STORE] = True
CLASHES[ATOMIC, LOAD] = CLASHES[LOAD, ATOMIC] = True
REPORTED = 2000  # elements with a race after which a flush of the log stops looking for more


class Races:
    """Looks for races, interval by interval, and keeps what is needed to find those between blocks."""

    def __init__(self, machine):
        self.machine = machine
        self._touched: Columns | None = None
        self._guesses = np.empty(0, np.int64)  # places of loads that an atomic follows

    def inside_blocks(self, c: Columns) -> None:
        """Report races in complete barrier intervals."""
        origin, address = words(c.address, c.bytes)
        if len(origin) > len(c.address):
            c = c.pick(origin)._replace(address=address)
        self._settle_unset(c)
        key = group_key(c.interval - c.interval.min(), self._unaliased(c.address))
        changed = np.unique(key[c.kind != LOAD])
        at = np.flatnonzero(np.isin(key, changed))  # the rest is only read
        places = guess_places(key[at], c.thread[at], c.kind[at], c.place[at])
        self._guesses = np.union1d(self._guesses, places)
        c = self._with_guesses(c)
        self._report(c, at, key[at], c.thread[at], self._unordered(c))
        self._remember(c)

    def between_blocks(self) -> None:
        """Report races between blocks, at the end of the launch."""
        if self._touched is not None:
            c = self._with_guesses(self._touched)
            self._report(c, np.arange(len(c.kind)), self._unaliased(c.address), c.block, None)

    def _report(self, c: Columns, at, key, who, unordered) -> None:
        """Report a clash for each group of rows `at` with one key; `unordered` None compares blocks."""
        found = 0
        order = np.argsort(key, kind="stable")
        begin = np.flatnonzero(np.diff(key[order], prepend=-1))
        if not len(begin):
            return
        end = np.r_[begin[1:], len(key)]
        several = np.minimum.reduceat(who[order], begin) != np.maximum.reduceat(who[order], begin)
        for b, e in zip(begin[several].tolist(), end[several].tolist(), strict=True):
            pair = first_clash(c, at[order[b:e]].tolist(), who[order[b:e]].tolist(), unordered)
            if pair:
                self.machine.problems.race(c.pick(pair), between_blocks=unordered is None)
                found += 1
            if found == REPORTED:
                return

    def _with_guesses(self, c: Columns) -> Columns:
        guess = (c.kind == LOAD) & np.isin(c.place, self._guesses)
        return c._replace(kind=np.where(guess, GUESS, c.kind))

    def _unordered(self, c: Columns):
        """Return a function that tells whether no `syncwarp` has put one of two rows before the other."""
        clocks = self.machine.clocks

        def before(r1, r2):
            clock = clocks.get((int(c.interval[r2]), int(c.thread[r2]), int(c.epoch[r2])))
            return clock is not None and clock[int(c.thread[r1]) % WARP] > c.epoch[r1]

        def unordered(r1, r2):
            if c.thread[r1] // WARP != c.thread[r2] // WARP:
                return True
            return not before(r1, r2) and not before(r2, r1)

        return unordered

    def _unaliased(self, address: np.ndarray) -> np.ndarray:
        """Return small numbers that are equal where addresses are, or where arguments share memory."""
        overlaps = self.machine.memory.overlaps()
        if overlaps is None:
            return address - address.min()
        bases, shifts = overlaps
        at = np.searchsorted(bases, address, side="right") - 1
        real = np.where(address < SHARED_TOP, address, address + shifts[at])
        return np.unique(real, return_inverse=True)[1]

    def _settle_unset(self, c: Columns) -> None:
        """Tell apart elements that nobody has written from those that a race reads too early."""
        problems = self.machine.problems
        if problems.unset:
            stores = c.pick(c.kind != LOAD)
            writers: dict[tuple, set] = {}
            where = zip(stores.interval.tolist(), stores.address.tolist(), strict=True)
            for spot, thread in zip(where, stores.thread.tolist(), strict=True):
                writers.setdefault(spot, set()).add(thread)
            problems.settle_unset(writers)

    def _remember(self, c: Columns) -> None:
        """Keep, for each global address and kind, the first access of two different blocks."""
        c = c.pick(c.address >= SHARED_TOP)
        if self._touched is not None:
            c = Columns(*(np.concatenate(pair) for pair in zip(self._touched, c, strict=True)))
        if len(c.kind):
            spot = group_key(c.address - c.address.min(), c.kind)
            _, first = np.unique(group_key(spot, c.block), return_index=True)
            spot = spot[first]
            kept = np.r_[True, True, spot[2:] != spot[:-2]][: len(spot)]
            self._touched = c.pick(first[kept])


def guess_places(key: np.ndarray, thread: np.ndarray, kind: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the places of loads from which some thread goes on to update the same element atomically.

    The first look of a compare-and-swap loop need not see the newest value: the atomic finds out.
    """
    atomic = np.flatnonzero(kind == ATOMIC)
    mine = group_key(key, thread)
    last = dict(zip(mine[atomic].tolist(), atomic.tolist(), strict=True))
    loads = np.flatnonzero((kind == LOAD) & np.isin(mine, mine[atomic])).tolist()
    return np.unique(place[[row for row in loads if row < last[int(mine[row])]]])


def first_clash(c: Columns, rows: list[int], who: list[int], unordered) -> list[int] | None:
    """Return two rows that clash, the stronger access first, or None. All rows share one address."""
    kinds = c.kind[rows].tolist()
    if STORE not in kinds and not (ATOMIC in kinds and LOAD in kinds):
        return None
    seen: dict[tuple, int] = {}  # one access of each sort is enough
    for row, w, k, epoch in zip(rows, who, kinds, c.epoch[rows].tolist(), strict=True):
        seen.setdefault((k, w, epoch), row)
    strength = [STORE, ATOMIC, LOAD, GUESS]
    for (k1, w1, _), r1 in sorted(seen.items(), key=lambda item: strength.index(item[0][0])):
        for (k2, w2, _), r2 in seen.items():
            if w1 != w2 and CLASHES[k1, k2] and (unordered is None or unordered(r1, r2)):
                return [r1, r2]
    return None
