"""Stand-ins for a kernel's arrays: they check every index, log every access, and keep Numba's number types.

The hot path (`Array1`, `Array2`, `load`, `store`) appends two integers to one flat list: the bytecode offset
of the caller and a word, `address << 5 | log2(bytes) << 2 | kind`. Everything else is worked out afterwards.
"""

from __future__ import annotations

from sys import _getframe

import numpy as np

from mlteach.gpu.simt.integers import UNSIGNED, integer_type
from mlteach.gpu.simt.log import ATOMIC, LOAD, STORE

INTEGERS = {int, np.int64, *UNSIGNED.values()}  # types of the numbers that a kernel computes as an index
UNSET = object()  # an element of shared or local memory that nobody has written


def converter(dtype: np.dtype):
    """Return what a store into `dtype` does to a value: integers are cut and wrap, floats are rounded."""
    if dtype.kind not in "iu":
        return dtype.type
    bits = 8 * dtype.itemsize
    mask, half = (1 << bits) - 1, (1 << bits - 1 if dtype.kind == "i" else 0)
    kind = integer_type(dtype)

    def convert(value):
        try:
            whole = int(value)
        except (ValueError, OverflowError):  # not a number, or infinite: C leaves the result open
            whole = 0
        return kind((whole + half & mask) - half)

    return convert


def loaded_type(dtype: np.dtype) -> type:
    """Type of a loaded value. Numba computes with 64-bit integers whatever the array holds."""
    return integer_type(dtype) if dtype.kind in "iu" else dtype.type


class Array:
    """A view of global or shared memory, of any rank.

    `cells` is indexed by the flat position `first + sum(index * step)`: a one-dimensional ndarray for global
    memory, so that arguments are really written, and a list that begins as UNSET for shared memory.
    """

    __slots__ = (
        "cells",
        "convert",
        "dtype",
        "first",
        "m",
        "machine",
        "n",
        "name",
        "put",
        "s0",
        "s1",
        "scale",
        "shape",
        "step",
        "type",
        "word",
        "writable",
    )  # fmt: skip
    __iter__ = __contains__ = None
    __array_ufunc__ = None

    def __init__(self, machine, cells, shape, step, first, address, dtype, name, writable=True):
        self.machine, self.put, self.cells = machine, machine.log.entries.append, cells
        self.shape, self.step, self.first = shape, step, first
        self.dtype, self.name, self.writable = dtype, name, writable
        self.word = address << 5 | (dtype.itemsize.bit_length() - 1) << 2
        self.scale = dtype.itemsize << 5
        self.type, self.convert = loaded_type(dtype), converter(dtype)
        self.m, self.n = (*shape, 0, 0)[:2]
        self.s0, self.s1 = (*step, 0, 0)[:2]

    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: int(np.prod(self.shape)))
    itemsize = property(lambda self: self.dtype.itemsize)
    strides = property(lambda self: tuple(s * self.dtype.itemsize for s in self.step))
    T = property(lambda self: self.view(self.shape[::-1], self.step[::-1], self.first))

    def __len__(self):
        return self.shape[0]

    def view(self, shape, step, first):
        """Return another view of the same memory."""
        rest = (self.word >> 5, self.dtype, self.name, self.writable)
        return array_of_rank(len(shape))(self.machine, self.cells, shape, step, first, *rest)

    def __getitem__(self, index):
        at = self.locate(index)
        if at is None:
            return self.type(0)
        if isinstance(at, Array):
            return at
        return self.load(at, self.machine.offset())

    def __setitem__(self, index, value):
        at = self.locate(index)
        if isinstance(at, Array):
            raise TypeError(f"a slice of {self.name} is assigned: assign one element at a time")
        if at is not None:
            self.store(at, value, self.machine.offset())

    def load(self, at, offset):
        """Log a load by the instruction at a bytecode offset; return the value at a flat position."""
        put = self.put
        put(offset)
        put(self.word + at * self.scale + LOAD)
        value = self.cells[at]
        return value if type(value) is self.type else self.read(at)

    def store(self, at, value, offset):
        """Log a store by the instruction at a bytecode offset, and store at a flat position."""
        put = self.put
        put(offset)
        put(self.word + at * self.scale + STORE)
        if type(value) is self.dtype.type and self.writable:
            self.cells[at] = value
        else:
            self.write(at, value)

    def note(self, at, kind, elements=1):
        """Log an access of `elements` neighbours that begins at flat position `at`."""
        self.put(self.machine.offset())
        self.put(self.word + at * self.scale + kind + (elements.bit_length() - 1 << 2))

    def read(self, at):
        """Return the value at a flat position, with the type that Numba would compute with."""
        value = self.cells[at]
        if value is UNSET:
            self.machine.problems.unset_shared(self, at)
            return self.type(0)
        return value if type(value) is self.type else self.type(value)

    def write(self, at, value):
        """Store a value at a flat position as the array's dtype."""
        if not self.writable:
            raise TypeError(f"{self.name} is read-only: pass a writable array")
        self.cells[at] = self.convert(value)

    def locate(self, index):
        """Return a flat position, a view where dimensions are left over, or None past the end (reported)."""
        index = index if isinstance(index, tuple) else (index,)
        if len(index) > len(self.shape):
            raise IndexError(f"{self.name} has {len(self.shape)} dimensions, not {len(index)}")
        at, shape, step, fits = self.first, [], [], True
        for i, n, s in zip(index, self.shape, self.step, strict=False):
            if isinstance(i, slice):
                start, stop, stride = i.indices(n)
                shape.append(len(range(start, stop, stride)))
                step.append(s * stride)
                at += start * s
                continue
            if not isinstance(i, (int, np.integer)):
                raise TypeError(f"index {i} of {self.name} is not a whole number")
            fits = fits and 0 <= i < n
            at += int(i) * s
        if not fits:
            wrapped = self.machine.problems.out_of_bounds(self, index)
            return None if wrapped is None else self.locate(wrapped)
        if len(index) == len(self.shape) and not shape:
            return at
        rest = len(index)
        return self.view((*shape, *self.shape[rest:]), (*step, *self.step[rest:]), at)

    def span(self, index, elements):
        """Return the flat position of `elements` neighbours in a row, or None when one is past the end."""
        index = index if isinstance(index, tuple) else (index,)
        at, last = (self.locate((*index[:-1], index[-1] + e)) for e in (0, elements - 1))
        if at is None or last is None:
            return None
        bytes_ = elements * self.dtype.itemsize
        if last != at + elements - 1 or ((self.word >> 5) + at * self.dtype.itemsize) % bytes_:
            where = ", ".join(map(str, index))
            raise ValueError(f"{self.name}[{where}] does not begin {bytes_} aligned neighbouring bytes")
        return at

    def change(self, index, new):
        """Replace an element by `new(old)` in one step, as an atomic does, and return the old value."""
        at = self.locate(index)
        if at is None:
            return self.type(0)
        if isinstance(at, Array):
            raise TypeError(f"an atomic changes one element: {self.name} has {len(self.shape)} dimensions")
        self.note(at, ATOMIC)
        old = self.read(at)
        self.write(at, new(old))
        return old


class Array1(Array):
    """One dimension, the same behaviour, faster."""

    __slots__ = ()

    def __getitem__(self, i):
        if type(i) is int and 0 <= i < self.m:
            return self.load(i * self.s0 + self.first, _getframe(1).f_lasti)
        if type(i) in INTEGERS and 0 <= i < self.m:
            return self.load(int(i) * self.s0 + self.first, _getframe(1).f_lasti)
        return Array.__getitem__(self, i)

    def __setitem__(self, i, value):
        if type(i) is int and 0 <= i < self.m:
            self.store(i * self.s0 + self.first, value, _getframe(1).f_lasti)
        elif type(i) in INTEGERS and 0 <= i < self.m:
            self.store(int(i) * self.s0 + self.first, value, _getframe(1).f_lasti)
        else:
            Array.__setitem__(self, i, value)


class Array2(Array):
    """Two dimensions, the same behaviour, faster."""

    __slots__ = ()

    def __getitem__(self, index):
        if type(index) is tuple and len(index) == 2:
            i, j = index
            if type(i) is type(j) is int and 0 <= i < self.m and 0 <= j < self.n:
                return self.load(i * self.s0 + j * self.s1 + self.first, _getframe(1).f_lasti)
            if type(i) in INTEGERS and type(j) in INTEGERS and 0 <= i < self.m and 0 <= j < self.n:
                return self.load(int(i) * self.s0 + int(j) * self.s1 + self.first, _getframe(1).f_lasti)
        return Array.__getitem__(self, index)

    def __setitem__(self, index, value):
        if type(index) is tuple and len(index) == 2:
            i, j = index
            if type(i) is type(j) is int and 0 <= i < self.m and 0 <= j < self.n:
                return self.store(i * self.s0 + j * self.s1 + self.first, value, _getframe(1).f_lasti)
            if type(i) in INTEGERS and type(j) in INTEGERS and 0 <= i < self.m and 0 <= j < self.n:
                at = int(i) * self.s0 + int(j) * self.s1 + self.first
                return self.store(at, value, _getframe(1).f_lasti)
        return Array.__setitem__(self, index, value)


def array_of_rank(rank: int) -> type[Array]:
    """Return the fastest class for a number of dimensions."""
    return {1: Array1, 2: Array2}.get(rank, Array)
