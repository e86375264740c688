"""What stands where a kernel says `cuda`: places, memory, barriers, warp exchanges and single operations."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import numpy as np

from mlteach.gpu.simt.atomics import Atomic
from mlteach.gpu.simt.counts import WARP
from mlteach.gpu.simt.half import Half
from mlteach.gpu.simt.log import LOAD, STORE
from mlteach.gpu.simt.place import Place
from mlteach.gpu.simt.trace import KernelError

FULL = (1 << WARP) - 1


class Index:
    """`cuda.threadIdx` or `cuda.blockIdx`: of whoever is running."""

    __slots__ = ("x", "y", "z")
    x: int
    y: int
    z: int


class Gpu:
    """The names of `numba.cuda` that a kernel may use, and what stand-ins for intrinsics may use besides.

    A stand-in for an intrinsic (see `simt.stand_in`) gets this object as its first argument. It can use
    everything that a kernel can, and `load`, `store`, `exchange` and `state`.
    """

    warpsize = WARP

    def __init__(self, machine, grid: Place, block: Place):
        self._machine, self.gridDim, self.blockDim = machine, grid, block
        self.threadIdx, self.blockIdx, self.laneid = Index(), Index(), 0
        self.block_index: Place | None = None
        self.shared = SimpleNamespace(array=machine.memory.shared)
        self.local = SimpleNamespace(array=machine.memory.local)
        self.const = SimpleNamespace(array_like=machine.memory.constant)
        self.atomic, self.fp16 = Atomic(), Half()

    def __getattr__(self, name: str):
        raise KernelError(
            f"the simulator does not know cuda.{name}: see mlteach.gpu.simt.gpu.Gpu for what it does"
        )

    # -- places
    def enter_block(self, index: Place) -> None:
        """Set `blockIdx`."""
        self.block_index = index
        self.blockIdx.x, self.blockIdx.y, self.blockIdx.z = index

    def enter_thread(self, thread) -> None:
        """Set `threadIdx` and `laneid`."""
        self.threadIdx.x, self.threadIdx.y, self.threadIdx.z = thread.index
        self.laneid = thread.lane

    def grid(self, ndim: int):
        """Return the thread's place in the whole grid: a number, or a tuple for two or three dimensions."""
        b, n, t = self.blockIdx, self.blockDim, self.threadIdx
        place = (b.x * n.x + t.x, b.y * n.y + t.y, b.z * n.z + t.z)
        return place[0] if ndim == 1 else place[:ndim]

    def gridsize(self, ndim: int):
        """Return the number of threads of the grid along one axis, or along two or three."""
        size = tuple(g * b for g, b in zip(self.gridDim, self.blockDim, strict=True))
        return size[0] if ndim == 1 else size[:ndim]

    # -- barriers
    def syncthreads(self) -> None:
        """Wait for the block."""
        self._machine.wait("block", None, None)

    def syncthreads_count(self, predicate) -> int:
        """Wait for the block; return how many of its threads gave a true value."""
        return self._machine.wait("block", None, bool(predicate), sum)

    def syncthreads_and(self, predicate) -> int:
        """Wait for the block; return 1 if every thread gave a true value."""
        return self._machine.wait("block", None, bool(predicate), lambda values: int(all(values)))

    def syncthreads_or(self, predicate) -> int:
        """Wait for the block; return 1 if some thread gave a true value."""
        return self._machine.wait("block", None, bool(predicate), lambda values: int(any(values)))

    def threadfence(self) -> None:
        """Order this thread's writes for the others. Nothing to do: writes arrive at once."""

    threadfence_block = threadfence_system = threadfence

    # -- warps
    def _warp(self, operation, mask, value, finish):
        return self._machine.wait("warp", (operation, int(mask) & FULL), value, finish)

    def exchange(self, value, mask: int = FULL, operation: str = "exchange") -> dict:
        """Wait for the lanes of a mask; return everyone's value, by lane."""
        return self._warp(operation, mask, value, lambda lane, values: values)

    def syncwarp(self, mask: int = FULL) -> None:
        """Wait for the lanes of a mask; what each wrote before is seen by all after."""
        self._warp("syncwarp", mask, None, None)

    def _shuffle(self, name, mask, value, source):
        return self._warp(name, mask, value, lambda lane, values: values.get(source(lane), value))

    def shfl_sync(self, mask, value, lane):
        """Return the value of a lane."""
        return self._shuffle("shfl_sync", mask, value, lambda _: lane % WARP)

    def shfl_up_sync(self, mask, value, delta):
        """Return the value of the lane `delta` below, or the lane's own."""
        return self._shuffle("shfl_up_sync", mask, value, lambda lane: lane - delta)

    def shfl_down_sync(self, mask, value, delta):
        """Return the value of the lane `delta` above, or the lane's own."""
        return self._shuffle("shfl_down_sync", mask, value, lambda lane: lane + delta)

    def shfl_xor_sync(self, mask, value, lane_mask):
        """Return the value of the lane whose number differs in the bits of `lane_mask`."""
        return self._shuffle("shfl_xor_sync", mask, value, lambda lane: lane ^ lane_mask)

    def ballot_sync(self, mask, predicate) -> int:
        """Return the lanes that gave a true value, as bits."""
        return lanes(self.exchange(bool(predicate), mask, "ballot_sync"), True)

    def all_sync(self, mask, predicate) -> bool:
        """Tell whether every lane gave a true value."""
        return all(self.exchange(bool(predicate), mask, "all_sync").values())

    def any_sync(self, mask, predicate) -> bool:
        """Tell whether some lane gave a true value."""
        return any(self.exchange(bool(predicate), mask, "any_sync").values())

    def eq_sync(self, mask, predicate) -> bool:
        """Tell whether all lanes gave equal truth values."""
        return len(set(self.exchange(bool(predicate), mask, "eq_sync").values())) == 1

    def match_any_sync(self, mask, value) -> int:
        """Return the lanes that gave the same value, as bits."""
        return lanes(self.exchange(value, mask, "match_any_sync"), value)

    def match_all_sync(self, mask, value):
        """Return (lanes as bits, True) if all gave the same value, and (0, False) otherwise."""
        values = self.exchange(value, mask, "match_all_sync")
        same = lanes(values, value)
        return (same, True) if same.bit_count() == len(values) else (0, False)

    def lanemask_lt(self) -> int:
        """Return the lanes below this one, as bits."""
        return (1 << self.laneid) - 1

    # -- single operations
    def fma(self, a, b, c):
        """Return `a * b + c`, rounded once, in the widest type of the three."""
        kind = np.result_type(*(x if isinstance(x, np.generic) else np.float64(x) for x in (a, b, c))).type
        a, b, c = map(np.float64, (a, b, c))
        if kind is not np.float64 or not np.isfinite([a, b, c]).all():
            return kind(a * b + c)  # the product of two float32 is exact in float64
        return kind(float(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))))

    def popc(self, value) -> int:
        """Return the number of bits that are set (of 64 for a negative number)."""
        return (int(value) & (1 << 64) - 1).bit_count()

    def ffs(self, value) -> int:
        """Return the position of the lowest bit that is set, counted from 1, or 0."""
        value = int(value)
        return (value & -value).bit_length()

    def cbrt(self, value):
        """Return the cube root."""
        return np.cbrt(value)

    def selp(self, condition, a, b):
        """Return `a` where the condition holds, otherwise `b`."""
        return a if condition else b

    def nanosleep(self, nanoseconds) -> None:
        """Do nothing: simulated threads have no clock."""

    # -- for stand-ins of intrinsics
    def load(self, array, index, elements: int = 1) -> tuple:
        """Load neighbouring elements from `array[index]` on, as ONE access. Their bytes must be aligned."""
        at = array.span(index, elements)
        if at is None:
            return (array.type(0),) * elements
        array.note(at, LOAD, elements)
        return tuple(array.read(at + e) for e in range(elements))

    def store(self, array, index, values) -> None:
        """Store neighbouring elements from `array[index]` on, as ONE access. Their bytes must be aligned."""
        at = array.span(index, len(values))
        if at is not None:
            array.note(at, STORE, len(values))
            for e, value in enumerate(values):
                array.write(at + e, value)

    def store_later(self, array, index, values):
        """Begin a store that is on its way until the function returned is called, as an asynchronous copy is.

        Until then, nobody sees the values, and whoever touches the elements without a barrier between races.
        """
        at, begun = array.span(index, len(values)), self._machine.interval
        if at is None:
            return lambda: None
        array.note(at, STORE, len(values))

        def arrive():
            if self._machine.interval != begun:  # on its way through a barrier: it races on both sides
                array.note(at, STORE, len(values))
            for e, value in enumerate(values):
                array.write(at + e, value)

        return arrive

    @property
    def state(self) -> dict:
        """A dict of the running thread, for stand-ins that must remember (an asynchronous copy, say)."""
        return self._machine.thread.state


def lanes(values: dict, wanted) -> int:
    """Return the lanes whose value equals `wanted`, as bits."""
    return sum(1 << lane for lane, value in values.items() if value == wanted)
