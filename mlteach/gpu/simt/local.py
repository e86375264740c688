"""Arrays that belong to one thread, and constant ones: unseen by other threads, so nothing is logged."""

from __future__ import annotations

from math import prod

import numpy as np

from mlteach.gpu.simt.arrays import UNSET, converter, loaded_type


class Local(dict):
    """A thread's own array, or a constant one: nothing to count, but indices and first reads are checked.

    A dict from index to value: reading what is there runs no Python code of ours.
    """

    __slots__ = ("convert", "dtype", "exact", "machine", "name", "shape", "type", "writable")
    __iter__ = __contains__ = None  # type: ignore[assignment]

    def __init__(self, machine, shape, dtype, name, values=None):
        self.machine, self.shape, self.dtype, self.name = machine, shape, dtype, name
        self.type, self.convert = loaded_type(dtype), converter(dtype)
        self.exact = None if dtype.kind == "i" and dtype.itemsize < 8 else self.type  # needs no conversion
        self.writable = values is None
        if values is not None:
            flat = map(self.type, values.ravel())
            self.update(zip(range(len(values)) if values.ndim == 1 else np.ndindex(shape), flat, strict=True))

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: prod(self.shape))

    def __len__(self):
        return self.shape[0]

    def _inside(self, index):
        """Return the index as the dict knows it, or None past the end (reported)."""
        full = index if isinstance(index, tuple) else (index,)
        if len(full) != len(self.shape):
            raise IndexError(f"{self.name} takes {len(self.shape)} indices, not {len(full)}")
        if any(isinstance(i, slice) for i in full):
            raise TypeError(f"{self.name} is sliced: index one element of a local array at a time")
        if not all(0 <= i < n for i, n in zip(full, self.shape, strict=True)):
            full = self.machine.problems.out_of_bounds(self, full)
        if full is None:
            return None
        return int(full[0]) if len(full) == 1 else tuple(map(int, full))

    def __missing__(self, index):
        at = self._inside(index)
        if at is None:
            return self.type(0)
        value = self.get(at, UNSET)
        if value is UNSET:
            self.machine.problems.unset_local(self, at)
            return self.type(0)
        return value

    def __setitem__(self, index, value, has=dict.__contains__, put=dict.__setitem__):
        if type(value) is self.exact and has(self, index) and self.writable:
            return put(self, index, value)
        index = self._inside(index)
        if not self.writable:
            raise TypeError(f"{self.name} is constant: nothing can be written to it")
        if index is not None:
            put(self, index, self.convert(value))
