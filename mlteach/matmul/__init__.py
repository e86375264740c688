"""The ladder: one matrix product, written faster from rung to rung.

``matmul`` multiplies with the rung you name, ``KERNELS`` lists the rungs in order, and a ``Kernel`` says what
a rung's idea is and which limit it hits next. A rung is imported when it is first asked for, so that listing
the ladder costs nothing and needs neither a compiler nor a GPU.
"""

import difflib
import functools
import importlib
from collections.abc import Iterator, Mapping

import numpy as np

from mlteach.matmul.cores import usable_cores, workers
from mlteach.matmul.kernel import FLOATS, Kernel, rung

__all__ = ["FLOATS", "KERNELS", "Kernel", "matmul", "resolve", "rung", "usable_cores"]


class _Ladder(Mapping[str, Kernel]):
    """The rungs in order; each is imported from its module at first use."""

    def __init__(self, modules: Mapping[str, str]):
        self._modules = dict(modules)

    def __getitem__(self, name: str) -> Kernel:
        module = importlib.import_module(self._modules[name])
        return module.RUNGS[name]

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __repr__(self) -> str:
        return f"KERNELS({', '.join(self)})"


KERNELS: Mapping[str, Kernel] = _Ladder(
    {
        "loops": "mlteach.matmul.loops",
        "threads_cell": "mlteach.matmul.threads",
        "threads_row": "mlteach.matmul.threads",
        "numpy_rows": "mlteach.matmul.loops",
        "jit": "mlteach.matmul.jit",
        "jit_ikj": "mlteach.matmul.jit",
        "jit_threads": "mlteach.matmul.jit",
        "jit_prange": "mlteach.matmul.jit",
        "tiled": "mlteach.matmul.tiled",
        "packed": "mlteach.matmul.tiled",
        "simd": "mlteach.matmul.simd",
        "c": "mlteach.matmul.native",
        "blas": "mlteach.matmul.native",
        "cuda_naive": "mlteach.gpu.rungs",
        "cuda_coalesced": "mlteach.gpu.rungs",
        "cuda_shared": "mlteach.gpu.rungs",
        "cuda_registers_1d": "mlteach.gpu.rungs",
        "cuda_registers_2d": "mlteach.gpu.rungs",
        "cuda_vector": "mlteach.gpu.rungs",
        "cuda_double_buffer": "mlteach.gpu.rungs",
        "cuda_tensor_core": "mlteach.gpu.rungs",
        "cublas": "mlteach.gpu.rungs",
    }
)

FASTEST = ("simd", "blas")  # what kernel=None means: the first of these that can be imported here


def matmul(
    a,
    b,
    *,
    kernel: str | Kernel | None = None,
    threads: int | None = None,
    out: np.ndarray | None = None,
):
    """Multiply two matrices with a rung of the ladder.

    Parameters
    ----------
    a, b : array_like, shapes (m, k) and (k, n)
        Any strides and any size. They are computed in ``np.result_type(a, b, np.float32)``.
    kernel : str or Kernel, optional
        A name from ``KERNELS``, or a ``Kernel`` of your own. The fastest CPU rung where it is None.
    threads : int, optional
        How many threads a parallel rung may use; all cores that this process may use where it is None, and
        never more than those. Other rungs ignore it.
    out : ndarray, shape (m, n), optional
        Where the product goes: of the computing dtype, writable, apart from ``a`` and ``b``.

    Returns
    -------
    ndarray, shape (m, n)
        The product, float32 or float64; ``out`` itself where it was given. Zeros where k is 0.

    Raises
    ------
    TypeError
        Where the computing dtype is neither float32 nor float64, or the rung does not compute in it.
    ValueError
        Where the shapes do not fit, ``out`` cannot take the product, the rung is unknown or ``threads`` is
        below 1.
    GpuUnavailable
        Where a GPU rung is asked for and there is no GPU.
    """
    chosen = _kernel(kernel)
    team = workers(threads)
    a, b = np.asarray(a), np.asarray(b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ValueError(f"shapes {a.shape} and {b.shape} do not multiply: they must be (m, k) and (k, n)")
    dtype = _dtype(a, b, chosen)
    shape = (a.shape[0], b.shape[1])
    if out is None:
        out = np.empty(shape, dtype)
    else:
        _check_out(out, shape, dtype, a, b)
    if a.shape[1] == 0:
        out[...] = 0
    elif out.size:
        chosen.run(_aligned(a, dtype), _aligned(b, dtype), out, team)
    return out


def resolve(
    kernel: str | Kernel | None = None, threads: int | None = None, dtype: np.dtype = FLOATS[0]
) -> tuple[Kernel, int]:
    """The rung and the number of threads that ``matmul`` would use, to run many products after one check.

    Raises
    ------
    TypeError, ValueError
        As ``matmul`` does for its arguments.
    """
    chosen = _kernel(kernel)
    if np.dtype(dtype) not in chosen.dtypes:
        known = " or ".join(str(d) for d in chosen.dtypes)
        raise TypeError(f"kernel {chosen.name!r} computes in {known}, not in {np.dtype(dtype)}")
    return chosen, workers(threads)


def _kernel(kernel) -> Kernel:
    if isinstance(kernel, Kernel):
        return kernel
    if kernel is None:
        return _fastest()
    if isinstance(kernel, str) and kernel in KERNELS:
        return KERNELS[kernel]
    near = difflib.get_close_matches(str(kernel), KERNELS, n=1)
    hint = f"did you mean {near[0]!r}" if near else f"choose one of {', '.join(KERNELS)}"
    raise ValueError(f"kernel {kernel!r} is not a rung of the ladder: {hint}")


@functools.cache
def _fastest() -> Kernel:
    """The fastest CPU rung that works here: a Python too new for Numba still has BLAS."""
    for name in FASTEST[:-1]:
        try:
            return KERNELS[name]
        except ImportError:
            continue
    return KERNELS[FASTEST[-1]]


def _dtype(a: np.ndarray, b: np.ndarray, kernel: Kernel) -> np.dtype:
    dtype = a.dtype
    if dtype != b.dtype or dtype not in FLOATS:  # asking NumPy takes as long as a small product
        try:
            dtype = np.result_type(dtype, b.dtype, np.float32)
        except TypeError:
            dtype = np.dtype(object)  # not None, which NumPy calls equal to float64
    if dtype not in FLOATS:
        raise TypeError(f"cannot multiply {a.dtype} by {b.dtype}: convert both to float32 or float64 first")
    if dtype not in kernel.dtypes:
        known = " or ".join(str(d) for d in kernel.dtypes)
        raise TypeError(f"kernel {kernel.name!r} computes in {known}, not in {dtype}: convert a and b first")
    return dtype


def _aligned(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The array in the computing dtype, itself where it already is; compiled code needs aligned elements."""
    if array.dtype == dtype and array.flags.aligned:
        return array
    return np.require(array, dtype=dtype, requirements="A")


def _check_out(out, shape: tuple[int, int], dtype: np.dtype, a: np.ndarray, b: np.ndarray) -> None:
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be a NumPy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise ValueError(
            f"out is {out.dtype} {out.shape}, but {a.shape} times {b.shape} is {dtype} {shape}: "
            f"give np.empty({shape}, '{dtype}')"
        )
    if not (out.flags.writeable and out.flags.aligned):
        raise ValueError(
            f"out of shape {out.shape} is read-only or unaligned: give np.empty({shape}, '{dtype}')"
        )
    for name, array in (("a", a), ("b", b)):
        if _overlap(out, array):
            raise ValueError(
                f"out of shape {out.shape} overlaps {name} of shape {array.shape}: give it memory of its own"
            )


def _overlap(x: np.ndarray, y: np.ndarray) -> bool:
    try:
        return np.shares_memory(x, y, max_work=100_000)
    except np.exceptions.TooHardError:  # two tangled strided views: safe to call them overlapping
        return True
