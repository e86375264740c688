"""From accesses to counts: which ones a warp makes together, in how many sectors, with how many conflicts."""

from __future__ import annotations

import numpy as np

from mlteach.gpu.simt.log import ATOMIC, LOAD, SHARED_TOP, STORE, Columns

WARP = 32  # threads that run in step
SECTOR = 32  # bytes that memory delivers at once
BANKS, BANK_BYTES = 32, 4  # shared memory: words that it delivers at once


def group_key(*columns: np.ndarray) -> np.ndarray:
    """Return one integer per row, equal where all columns (not negative) are equal."""
    key = columns[0]
    for column in columns[1:]:
        key = key * (int(column.max(initial=0)) + 1) + column
    return key


def warp_accesses(c: Columns) -> np.ndarray:
    """Number the accesses so that equal numbers are one access of a warp.

    It is the n-th execution of one source position since the last barrier, by the lanes of one warp.
    """
    interval = c.interval - c.interval.min()
    key = group_key(interval, c.thread, c.place)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    begins = np.r_[True, ordered[1:] != ordered[:-1]]
    position = np.arange(len(key))
    nth = np.empty(len(key), np.int64)
    nth[order] = position - np.maximum.accumulate(np.where(begins, position, 0))
    return np.unique(group_key(interval, c.thread // WARP, c.place, nth), return_inverse=True)[1]


def sectors(instruction: np.ndarray, address: np.ndarray) -> int:
    """Return how many 32-byte sectors the accesses of warps touch, summed."""
    sector = address // SECTOR
    return len(np.unique(group_key(instruction, sector - sector.min(initial=0))))


def words(address: np.ndarray, bytes_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (row, address) for each four-byte word that an access covers; a narrower access is one."""
    count = np.maximum(bytes_ // BANK_BYTES, 1)
    if count.max(initial=1) == 1:
        return np.arange(len(address)), address
    row = np.repeat(np.arange(len(address)), count)
    return row, address[row] + BANK_BYTES * (np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count))


def bank_conflicts(instruction: np.ndarray, lane: np.ndarray, address: np.ndarray, bytes_: np.ndarray) -> int:
    """Return the extra passes over the banks.

    The hardware serves 128 bytes a pass: 8-byte elements by half warps, 16-byte ones by quarters. The passes
    that the width alone makes necessary are no conflicts, and equal words of one bank are one.
    """
    part = lane * np.maximum(bytes_, BANK_BYTES) // (BANKS * BANK_BYTES)
    row, address = words(address, bytes_)
    word = address // BANK_BYTES
    distinct = np.unique(group_key(group_key(instruction, part)[row], word))
    span = int(word.max(initial=0)) + 1
    pairs, count = np.unique(distinct // span * BANKS + distinct % span % BANKS, return_counts=True)
    first = np.flatnonzero(np.diff(pairs // BANKS, prepend=-1))
    return int((np.maximum.reduceat(count, first) - 1).sum()) if len(first) else 0


def add_counts(totals: dict[str, int], c: Columns, instruction: np.ndarray) -> None:
    """Add the counts of some accesses to the totals, which are fields of `Trace`."""
    shared = c.address < SHARED_TOP
    for kind, name in ((LOAD, "load"), (STORE, "store")):
        here = (c.kind == kind) & ~shared
        totals[f"global_{name}s"] += int(here.sum())
        totals[f"{name}_sectors"] += sectors(instruction[here], c.address[here])
        totals[f"shared_{name}s"] += int(((c.kind == kind) & shared).sum())
    totals["atomics"] += int((c.kind == ATOMIC).sum())
    here = shared & (c.kind != ATOMIC)
    totals["shared_conflicts"] += bank_conflicts(
        instruction[here], c.thread[here] % WARP, c.address[here], c.bytes[here]
    )
