"""The GPU ladder: kernels in `numba.cuda`, and `simt`, which runs the same kernels without a GPU.

This module says whether there is a GPU to use, and why not. It imports nothing of CUDA until it is asked.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os

from mlteach.errors import GpuUnavailable
from mlteach.gpu.driver import Driver, NoDriver, find

__all__ = ["available", "extra", "require", "simulated", "why_not"]

INSTEAD = "take a CPU rung such as simd, or run the kernel with mlteach.gpu.simt"
OLDEST = (7, 5)  # compute capability that CUDA 13 compiles for


def available(capability: tuple[int, int] = (0, 0)) -> bool:
    """Tell whether kernels can run here, on a GPU or under Numba's simulator.

    Parameters
    ----------
    capability : tuple of int
        The compute capability that is needed.
    """
    return why_not(capability) is None


def require(capability: tuple[int, int] = (0, 0), package: str = "numba-cuda") -> None:
    """Raise GpuUnavailable, saying what is missing and the cure, where `why_not` finds something."""
    problem = why_not(capability, package)
    if problem:
        raise GpuUnavailable(problem)


def simulated() -> bool:
    """Tell whether Numba's own simulator stands in for the GPU in this process."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


def extra(driver: Driver) -> str:
    """Return the extra of mlteach that fits a driver: gpu-cu13, or gpu-cu12 for older drivers and GPUs."""
    old = any(gpu.capability < OLDEST for gpu in driver.gpus)
    return "gpu-cu12" if old or driver.cuda < (13, 0) else "gpu-cu13"


@functools.cache
def why_not(capability: tuple[int, int] = (0, 0), package: str = "numba-cuda") -> str | None:
    """Return what keeps kernels from running on a GPU here, and the cure, in one sentence.

    Parameters
    ----------
    capability : tuple of int
        The compute capability that is needed.
    package : str
        What drives the GPU: "numba-cuda" or "cupy".

    Returns
    -------
    str or None
        None where nothing is missing, and where `NUMBA_ENABLE_CUDASIM` puts Numba's simulator in a GPU's
        place. The answer is found once in a process.
    """
    if simulated():
        whole = package == "numba-cuda" and capability < (8, 0)
        return None if whole else f"Numba's simulator knows neither tensor cores nor CuPy: {INSTEAD}"
    try:
        driver = find()
    except NoDriver as problem:
        return f"{problem}, otherwise {INSTEAD}"
    gpu = driver.gpus[0]
    if gpu.capability < capability:
        needed, here = (".".join(map(str, version)) for version in (capability, gpu.capability))
        return f"this kernel needs compute capability {needed} and {gpu.name} has {here}: {INSTEAD}"
    return _missing_cupy(driver) if package == "cupy" else _missing_numba(driver)


def _missing_numba(driver: Driver) -> str | None:
    """What is wrong with the packages that `numba.cuda` needs."""
    install = f'run `pip install "mlteach[{extra(driver)}]"`'
    found = _version("numba-cuda")
    if found is None:
        return f"the package numba-cuda is not installed: {install}"
    toolkit, served = _version("cuda-toolkit"), ".".join(map(str, driver.cuda))
    if toolkit and int(toolkit.partition(".")[0]) > driver.cuda[0]:
        return f"the CUDA toolkit is {toolkit} and the driver serves CUDA {served} at most: {install}"
    try:
        from numba import cuda

        cuda.compile_ptx(_nothing, (), cc=driver.gpus[0].capability)
        usable = cuda.is_available()
    except Exception as problem:  # packages that do not fit each other may raise anything
        here = f"numba-cuda {found}, CUDA toolkit {toolkit or 'unknown'} and NumPy {_version('numpy')}"
        return f"{here} do not compile together ({_first_line(problem)}): {install}"
    return (
        None if usable else f"numba-cuda {found} finds no usable GPU: install the driver anew, or {INSTEAD}"
    )


def _nothing():
    """The smallest kernel."""


def _missing_cupy(driver: Driver) -> str | None:
    """What is wrong with CuPy."""
    install = f'run `pip install "mlteach[{extra(driver)}]"`'
    try:
        import cupy
    except ImportError as problem:
        missing = getattr(problem, "name", None) == "cupy"
        reason = "is not installed" if missing else f"does not import ({_first_line(problem)})"
        return f"the package cupy {reason}: {install}"
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        return f"cupy {cupy.__version__} does not work with this driver ({_first_line(problem)}): {install}"
    return None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _first_line(problem: Exception) -> str:
    return next(iter(str(problem).splitlines()), "").rstrip(".: ") or type(problem).__name__
