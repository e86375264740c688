"""The memory of a launch: where arrays live, and what they are called."""

from __future__ import annotations

import dis
import itertools
from math import prod

import numpy as np
from numpy.lib.array_utils import byte_bounds

from mlteach.gpu.simt.arrays import UNSET, Array, array_of_rank
from mlteach.gpu.simt.integers import number
from mlteach.gpu.simt.local import Local
from mlteach.gpu.simt.log import SHARED_TOP
from mlteach.gpu.simt.trace import ArrayInfo, KernelError

STATIC_SHARED = 48 * 1024  # bytes of shared memory that a block may declare
TOTAL_SHARED = 227 * 1024  # bytes that a block may have in all, on the largest GPUs (H100)
DYNAMIC_BASE = SHARED_TOP // 2
ALIGNMENT = 256  # of an allocation in global memory


def as_shape(shape) -> tuple[int, ...]:
    """Return a shape given as a number or a tuple as a tuple of int."""
    shape = shape if isinstance(shape, tuple) else (shape,)
    if not all(isinstance(n, (int, np.integer)) and n >= 0 for n in shape):
        raise KernelError(f"an array has the shape {shape}: whole numbers are needed, known when it compiles")
    return tuple(map(int, shape))


class Raw:
    """Dynamic shared memory seen as one dtype: several such views share the bytes."""

    def __init__(self, memory: np.ndarray, written: np.ndarray, dtype: np.dtype):
        self.values = memory[: memory.size // dtype.itemsize * dtype.itemsize].view(dtype)
        self.written, self.bytes = written, dtype.itemsize

    def __len__(self):
        return len(self.values)

    def __getitem__(self, at):
        if not self.written[at * self.bytes : (at + 1) * self.bytes].all():
            return UNSET
        return self.values[at]

    def __setitem__(self, at, value):
        self.values[at] = value
        self.written[at * self.bytes : (at + 1) * self.bytes] = True


class Memory:
    """Gives a launch its arrays."""

    def __init__(self, machine, shared_bytes: int):
        self.machine, self.shared_bytes = machine, shared_bytes
        self.infos: list[ArrayInfo] = []
        self._global: dict[int, tuple[np.ndarray, ArrayInfo]] = {}
        self._next = SHARED_TOP
        self._locals: dict[tuple, tuple] = {}
        self.new_block()

    def new_block(self) -> None:
        """Forget the shared memory: a block finds nothing there that it could rely on."""
        self._shared: dict[tuple, Array] = {}
        self._top = 0
        self._dynamic: tuple[np.ndarray, np.ndarray] | None = None

    # -- global memory
    def argument(self, value, name: str):
        """Return what the kernel sees for an argument: arrays become stand-ins, numbers get Numba's types."""
        if isinstance(value, tuple):
            return tuple(self.argument(v, f"{name}[{i}]") for i, v in enumerate(value))
        if isinstance(value, (int, float, complex, np.generic)):
            return number(value)
        if not isinstance(value, np.ndarray):
            raise TypeError(
                f"argument {name} is a {type(value).__name__}: a kernel takes NumPy arrays and numbers"
            )
        size = value.dtype.itemsize
        if value.dtype.kind not in "fiubc" or size > 16 or any(s % size for s in value.strides):
            raise TypeError(
                f"argument {name} has dtype {value.dtype} and strides {value.strides}: "
                "pass a plain array of numbers"
            )
        start, end = byte_bounds(value) if value.size else (0, 0)
        step = tuple(s // size for s in value.strides)
        if id(value) not in self._global:
            info = ArrayInfo(name, "global", value.shape, value.dtype, step, self._next)
            self._global[id(value)] = value, info
            self.infos.append(info)
            self._next += -(-(end - start) // ALIGNMENT) * ALIGNMENT + ALIGNMENT
        lowest = value[tuple(slice(None, None, -1 if s < 0 else 1) for s in value.strides)]
        cells = np.lib.stride_tricks.as_strided(lowest, ((end - start) // size,), (size,))
        first = sum((1 - n) * s for n, s in zip(value.shape, value.strides, strict=True) if s < 0)
        address = self._global[id(value)][1].address
        rest = (address, value.dtype, name, value.flags.writeable)
        return array_of_rank(value.ndim)(
            self.machine, cells, value.shape, step, first // size if value.size else 0, *rest
        )

    def overlaps(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return (addresses, shifts) that bring arguments which share memory onto one another, or None.

        Each argument counts as an allocation of its own, so sectors don't need this. Races do.
        """
        arrays = sorted((*byte_bounds(v), i.address) for v, i in self._global.values() if v.size)
        if all(a[1] <= b[0] for a, b in itertools.pairwise(arrays)):
            return None
        low = arrays[0][0] - SHARED_TOP
        shifts = sorted((address, start - low - address) for start, _, address in arrays)
        bases, moves = np.array(shifts).T
        return bases, moves

    # -- shared memory
    def shared(self, shape, dtype, alignment=None) -> Array:
        """`cuda.shared.array`: one array per source position and block; shape 0 is the dynamic memory."""
        code, offset = self.machine.position()
        if (code, offset) not in self._shared:
            dtype, shape = self.dtype(dtype), as_shape(shape)
            name = self._name(code, offset, "shared")
            cells: Raw | list
            if shape == (0,):
                cells, address = self._dynamic_view(dtype), DYNAMIC_BASE
                shape = (len(cells),)
            else:
                cells, address = [UNSET] * prod(shape), -(-self._top // 128) * 128
                self._top = address + prod(shape) * dtype.itemsize
            self._check_room()
            step = tuple(prod(shape[d + 1 :]) for d in range(len(shape)))
            info = ArrayInfo(name, "shared", shape, dtype, step, address)
            if info not in self.infos:
                self.infos.append(info)
            self._shared[code, offset] = array_of_rank(len(shape))(
                self.machine, cells, shape, step, 0, address, dtype, name
            )
        return self._shared[code, offset]

    def _dynamic_view(self, dtype: np.dtype) -> Raw:
        if self._dynamic is None:
            self._dynamic = np.zeros(self.shared_bytes, np.uint8), np.zeros(self.shared_bytes, bool)
        return Raw(*self._dynamic, dtype)

    def _check_room(self) -> None:
        if self._top > STATIC_SHARED:
            raise KernelError(
                f"the kernel declares {self._top} bytes of shared memory, a block may have {STATIC_SHARED}: "
                "make the tiles smaller, or ask for dynamic shared memory with shared_bytes"
            )
        if self._top + self.shared_bytes > TOTAL_SHARED:
            raise KernelError(
                f"a block wants {self._top + self.shared_bytes} bytes of shared memory, no GPU has more than "
                f"{TOTAL_SHARED} for it: make the tiles smaller"
            )

    # -- private memory
    def local(self, shape, dtype, alignment=None) -> Local:
        """`cuda.local.array`: a new array for the thread."""
        code, offset = self.machine.position()
        if (code, offset) not in self._locals:
            self._locals[code, offset] = (
                as_shape(shape),
                self.dtype(dtype),
                self._name(code, offset, "local"),
            )
        return Local(self.machine, *self._locals[code, offset])

    def constant(self, array, name: str = "the constant array") -> Local:
        """`cuda.const.array_like`, and an array that the kernel knows as a global name."""
        if isinstance(array, Local):
            return array
        array = np.asarray(array)
        return Local(self.machine, array.shape, array.dtype, name, array)

    # -- names
    def dtype(self, dtype) -> np.dtype:
        """Return the NumPy dtype of what a kernel gives as a dtype: a Numba or NumPy type, or a name."""
        if not isinstance(dtype, type):
            dtype = getattr(dtype, "dtype", dtype)
        if type(dtype).__module__.startswith("numba."):
            from numba.np.numpy_support import as_dtype

            return as_dtype(dtype)
        return np.dtype(dtype)

    def _name(self, code, offset: int, space: str) -> str:
        """Return the variable that an array goes to, or where it is made."""
        instruction = next(i for i in dis.get_instructions(code) if i.offset > offset)
        if instruction.opname.startswith(("STORE_FAST", "STORE_DEREF")):
            stored = instruction.argval  # a pair where CPython joins two instructions
            return stored if isinstance(stored, str) else stored[0]
        line = next(line for begin, end, line in code.co_lines() if begin <= offset < end)
        return f"the {space} array of line {line}"

    def describe(self, address: int) -> str:
        """Return the element at an address, as `name[index]`."""
        info = max((i for i in self.infos if i.address <= address), key=lambda i: i.address)
        return info.element(address - info.address)
