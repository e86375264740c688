"""A product on a GPU: brings the matrices there, starts the kernel, times it, and brings the result back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from mlteach.errors import GpuUnavailable
from mlteach.gpu import require, simulated
from mlteach.gpu.launch import Launch

CUDA_MODULES = ("numba.cuda.cudadrv", "cuda.", "cupy")  # where the exceptions of a driver or a linker live
NO_ROOM = ("OUT_OF_MEMORY", "OutOfMemory", "out of memory")


class NumbaDevice:
    """Memory and clock of the GPU through `numba.cuda`."""

    def __init__(self):
        from numba import cuda

        self._cuda = cuda

    def upload(self, array: np.ndarray):
        """Copy an array to the GPU."""
        return self._cuda.to_device(array)

    def empty(self, shape: tuple[int, ...], dtype):
        """Make an array on the GPU."""
        return self._cuda.device_array(shape, dtype)

    def configure(self, function, grid, block, shared_bytes: int = 0) -> Callable:
        """Return what starts a kernel with so many blocks and threads, and does not wait for it."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a small grid leaves the GPU idle, and is no mistake
            return function[grid, block, 0, shared_bytes]

    def download(self, array) -> np.ndarray:
        """Wait for the GPU and copy an array back."""
        return array.copy_to_host()

    def stamp(self):
        """Return an event that the GPU passes when it has done everything before."""
        event = self._cuda.event()
        event.record()
        return event

    def seconds(self, begin, end) -> float:
        """Wait for the later of two events and return the time between them."""
        end.synchronize()
        return self._cuda.event_elapsed_time(begin, end) / 1000


class CupyDevice:
    """Memory and clock of the GPU through CuPy."""

    def __init__(self):
        import cupy

        self._cupy = cupy

    def upload(self, array: np.ndarray):
        """Copy an array to the GPU."""
        return self._cupy.asarray(array)

    def empty(self, shape: tuple[int, ...], dtype):
        """Make an array on the GPU."""
        return self._cupy.empty(shape, dtype)

    def download(self, array) -> np.ndarray:
        """Wait for the GPU and copy an array back."""
        return self._cupy.asnumpy(array)

    def stamp(self):
        """Return an event that the GPU passes when it has done everything before."""
        event = self._cupy.cuda.Event()
        event.record()
        return event

    def seconds(self, begin, end) -> float:
        """Wait for the later of two events and return the time between them."""
        end.synchronize()
        return self._cupy.cuda.get_elapsed_time(begin, end) / 1000


class Product:
    """A product whose matrices lie on the GPU.

    Everything runs in the GPU's default stream, so copies and kernels keep their order.

    Parameters
    ----------
    device : NumbaDevice or CupyDevice
    start : callable
        `start(a, b, out)` on arrays of the device; it need not wait for the GPU.
    a, b : ndarray, shapes (m, k) and (k, n)
        Row-major, as the kernel takes them.
    dtype : dtype
        Of the result.
    """

    def __init__(self, device, start: Callable, a: np.ndarray, b: np.ndarray, dtype):
        self.device, self._start = device, start
        self._a, self._b = device.upload(a), device.upload(b)
        self._out = device.empty((a.shape[0], b.shape[1]), dtype)

    def start(self) -> None:
        """Compute the product, without waiting for it."""
        self._start(self._a, self._b, self._out)

    def seconds(self, times: int = 1) -> float:
        """Compute the product several times and return the seconds of the GPU for one, by its own clock."""
        begin = self.device.stamp()
        for _ in range(times):
            self.start()
        return self.device.seconds(begin, self.device.stamp()) / times

    def result(self, out: np.ndarray) -> None:
        """Copy the product to an array of shape (m, n); padding is left behind."""
        out[...] = self.device.download(self._out)[: out.shape[0], : out.shape[1]]


def prepare_launch(launch: Launch) -> Callable[[np.ndarray, np.ndarray], Product]:
    """Return the function that brings matrices to the GPU for a kernel of ours."""

    def prepare(a: np.ndarray, b: np.ndarray) -> Product:
        require(launch.capability)
        a, b = launch.operands(a, b)
        grid = launch.grid(a.shape[0], b.shape[1])
        with explained():
            device = NumbaDevice()
            start = device.configure(launch.function, grid, launch.block, launch.shared_bytes)
            return Product(device, start, a, b, np.float32)

    return prepare


def prepare_cupy(start: Callable) -> Callable[[np.ndarray, np.ndarray], Product]:
    """Return the function that brings matrices to the GPU for a function of CuPy arrays."""

    def prepare(a: np.ndarray, b: np.ndarray) -> Product:
        require(package="cupy")
        with explained():
            return Product(CupyDevice(), start, np.ascontiguousarray(a), np.ascontiguousarray(b), a.dtype)

    return prepare


def run_by(prepare: Callable[[np.ndarray, np.ndarray], Product]) -> Callable:
    """Return the `run(a, b, out, threads)` of a rung: there, one launch, and back."""

    def run(a, b, out, threads):
        with explained():
            product = prepare(a, b)
            product.start()
            product.result(out)

    return run


@contextmanager
def explained() -> Iterator[None]:
    """Turn what CUDA raises into MemoryError or GpuUnavailable, in a sentence."""
    try:
        yield
    except Exception as problem:
        if simulated() or not type(problem).__module__.startswith(CUDA_MODULES):
            raise
        kind, text = type(problem).__name__, str(problem).partition("\n")[0].rstrip(".")
        if any(words in f"{kind} {text}" for words in NO_ROOM):
            raise MemoryError(f"the GPU has no room for these matrices ({text}): take smaller ones") from None
        raise GpuUnavailable(
            f"the GPU did not run the kernel ({kind}: {text}): run `mlteach doctor` for the cure"
        ) from problem
