"""The machine that the reader's numbers come from.

A time without its machine means nothing, so every journal and every recorded ladder carries this description.
Whatever cannot be found out is None.
"""

import dataclasses
import functools
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from mlteach.gpu import driver
from mlteach.matmul import usable_cores
from mlteach.measure import probe
from mlteach.measure.units import bytes_text
from mlteach.measure.weakness import old_kernels, weaknesses

PACKAGES = ("mlteach", "numpy", "numba", "numba-cuda", "llvmlite", "matplotlib", "jupyterlab", "ipywidgets")


@dataclass(frozen=True)
class Blas:
    """The library behind NumPy's ``@``.

    Attributes
    ----------
    name : str
        "openblas", "mkl", "blis" or "accelerate".
    version, architecture : str or None
        The architecture is the processor whose kernels run.
    threads : int or None
        How many threads it would use.
    weakened : bool
        Whether something slows it down; no comparison with it is fair then.
    reasons : tuple of str
        What slows it down, each in one sentence.
    """

    name: str
    version: str | None = None
    architecture: str | None = None
    threads: int | None = None
    weakened: bool = False
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ceiling:
    """A measured limit, for one core and for all of them together.

    Attributes
    ----------
    one, all : float
        GFLOP/s or GB/s.
    """

    one: float
    all: float

    def at(self, threads: int) -> float:
        """The limit for a number of threads: as many times that of one, up to that of all cores."""
        return min(threads * self.one, self.all)


@dataclass(frozen=True)
class Machine:
    """What is known about a machine; None where something could not be found out.

    Attributes
    ----------
    name : str or None
        The processor.
    cores : int
        How many this process may use.
    shared_cores : bool or None
        Whether two of them are one physical core.
    caches : dict
        Bytes of "L1d", "L2" and "L3".
    simd : str or None
        The widest vector instructions, such as "AVX-512".
    simd_bits : int or None
        Bits of a vector register.
    system : str
        Operating system and its version.
    python : str
        Version of Python.
    packages : dict
        Versions of the packages that decide about speed; None where one is not installed.
    blas : Blas or None
        The library behind NumPy's ``@``.
    peak : dict or None
        The arithmetic limit in GFLOP/s, a ``Ceiling`` for "float32" and one for "float64"; None unless
        measured.
    bandwidth : Ceiling or None
        The memory's limit in GB/s; None unless measured.
    gpu : str or None
        The first NVIDIA GPU, its compute capability, and the newest CUDA that its driver serves.
    """

    name: str | None
    cores: int
    shared_cores: bool | None
    caches: dict[str, int | None]
    simd: str | None
    simd_bits: int | None
    system: str
    python: str
    packages: dict[str, str | None]
    blas: Blas | None
    peak: dict[str, Ceiling] | None = None
    bandwidth: Ceiling | None = None
    gpu: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The description as JSON can hold it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Machine":
        """Read what ``as_dict`` wrote."""
        blas, peak, bandwidth = (record.get(name) for name in ("blas", "peak", "bandwidth"))
        parts = {
            "blas": blas and Blas(**{**blas, "reasons": tuple(blas["reasons"])}),
            "peak": peak and {dtype: Ceiling(**limit) for dtype, limit in peak.items()},
            "bandwidth": bandwidth and Ceiling(**bandwidth),
        }
        return cls(**{**record, **parts})

    def __str__(self) -> str:
        """One line for a person: the processor, its cores, its vectors, its last cache."""
        parts = [self.name or "unknown processor", f"{self.cores} core{'s'[: self.cores > 1]}"]
        if self.simd:
            parts.append(self.simd)
        parts += [
            f"{bytes_text(size)} {level}" for level, size in self.caches.items() if size and level != "L1d"
        ]
        return ", ".join([*parts, *filter(None, [self.gpu]), self.system, f"Python {self.python}"])


def describe(measure: bool = False) -> Machine:
    """Describe this machine.

    Parameters
    ----------
    measure : bool
        Whether to measure the limits of arithmetic and memory too, which takes some seconds the first time
        and is remembered for the life of the process.

    Notes
    -----
    Nothing but NumPy, threadpoolctl and llvmlite is imported unless ``measure`` is true: versions come from
    the packages' metadata.
    """
    width = probe.simd()
    ceilings = _ceilings() if measure else None
    return Machine(
        name=probe.processor_name(),
        cores=usable_cores(),
        shared_cores=probe.shared_cores(),
        caches=probe.caches(),
        simd=width and width[1],
        simd_bits=width and width[0],
        system=_system() or os.name,
        python=platform.python_version(),
        packages={name: version(name) for name in PACKAGES},
        blas=blas(),
        peak=ceilings and ceilings[0],
        bandwidth=ceilings and ceilings[1],
        gpu=gpu(),
    )


@probe.or_unknown
def blas() -> Blas | None:
    """Find the library behind NumPy's ``@`` and what slows it down."""
    import numpy as np
    import threadpoolctl

    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    found = [weakness for weakness in weaknesses() if weakness.library == "BLAS"]
    if not pools:  # Apple's Accelerate, say, which threadpoolctl does not know
        built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        pools = [{"internal_api": built["name"], "version": built.get("version")}]
    pool = next((p for p in pools if "numpy" in p.get("filepath", "")), pools[0])
    old = old_kernels(pool["internal_api"], pool.get("architecture"))
    if old and not any(weakness.kernels for weakness in found):
        found.append(old)
    return Blas(
        name=pool["internal_api"],
        version=pool.get("version"),
        architecture=pool.get("architecture"),
        threads=pool.get("num_threads"),
        weakened=bool(found),
        reasons=tuple(weakness.message for weakness in found),
    )


@probe.or_unknown
def gpu() -> str | None:
    """The first NVIDIA GPU as the driver tells; None where there is none."""
    found = driver.find()
    first = found.gpus[0]
    capability, cuda = (".".join(map(str, version)) for version in (first.capability, found.cuda))
    return f"{first.name} (compute capability {capability}, driver for CUDA {cuda})"


def version(package: str) -> str | None:
    """The version of an installed package, without importing it; None where it is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


@probe.or_unknown
def _system() -> str:
    if platform.system() == "Linux":
        names = platform.freedesktop_os_release()
        return names.get("PRETTY_NAME") or f"Linux {platform.release()}"
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}"
    return f"{platform.system()} {platform.release()}"


@functools.cache
@probe.or_unknown
def _ceilings() -> tuple[dict[str, Ceiling], Ceiling]:
    from mlteach.measure import ceilings

    cores = usable_cores()

    def both(measured) -> Ceiling:
        one = measured(1)
        return Ceiling(one, max(one, measured(cores)) if cores > 1 else one)

    peak = {dtype: both(functools.partial(ceilings.peak, dtype)) for dtype in ("float32", "float64")}
    return peak, both(ceilings.bandwidth)
