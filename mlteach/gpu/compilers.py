"""Compiles a kernel to machine code with no GPU and no driver.

Three programs do it: libNVVM, through Numba, makes PTX of a kernel; `ptxas` makes machine code of PTX, and
`nvdisasm` text of machine code. They come as packages from pip (the dependency group "compilers").
"""

from __future__ import annotations

import functools
import importlib.metadata
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlteach.errors import GpuUnavailable
from mlteach.gpu import simulated
from mlteach.gpu.launch import Launch

PACKAGES = ("numba-cuda", "nvidia-nvvm", "nvidia-cuda-nvcc", "nvidia-cuda-nvdisasm")
PROGRAMS = ("ptxas", "nvdisasm")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
SPILLED = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")


@dataclass(frozen=True)
class MachineCode:
    """The disassembly of a kernel, and what `ptxas` says about it."""

    text: str
    registers: int
    spill_bytes: int
    shared_bytes: int


def versions() -> dict[str, str | None]:
    """Return the version of each package that compiles, None where it is not installed."""
    found: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def missing() -> str | None:
    """Return what keeps kernels from being compiled here, and the cure, in a sentence, or None."""
    lacking = [package for package, version in versions().items() if version is None]
    lacking += [program for program in PROGRAMS if not lacking and _program(program) is None]
    if lacking:
        return f"{', '.join(lacking)} not installed: run `pip install {' '.join(PACKAGES)}`"
    if simulated():
        return "Numba's simulator compiles nothing: unset NUMBA_ENABLE_CUDASIM and start Python again"
    return None


def machine_code(launch: Launch, compute_capability: tuple[int, int]) -> MachineCode:
    """Compile a kernel.

    Raises
    ------
    GpuUnavailable
        Where a compiler is not installed.
    RuntimeError
        Where `ptxas` or `nvdisasm` refuses the code, with what it says.
    """
    if problem := missing():
        raise GpuUnavailable(problem)
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(_ptx(launch, compute_capability), encoding="utf-8")
        architecture = "sm_{}{}".format(*compute_capability)
        said = _run("ptxas", "-v", f"-arch={architecture}", str(source), "-o", str(binary)).stderr
        text = _run("nvdisasm", "-c", str(binary)).stdout
    used, spilled = USED.search(said), SPILLED.search(said)
    if not used or not spilled:
        raise RuntimeError(f"ptxas does not say what the kernel uses: {said.strip()!r}")
    return MachineCode(text, int(used[1]), int(spilled[1]) + int(spilled[2]), int(used[2] or 0))


def _ptx(launch: Launch, compute_capability: tuple[int, int]) -> str:
    from numba import cuda
    from numba.core import types as numbers

    matrix, result = (numbers.Array(getattr(numbers, d), 2, "C") for d in (launch.dtype, "float32"))
    signature = (matrix, matrix, result)
    options = {n: v for n, v in launch.function.targetoptions.items() if n == "launch_bounds" and v}
    with _pretended_device(compute_capability), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cuda.compile_ptx(launch.function.py_func, signature, cc=compute_capability, **options)[0]


@contextmanager
def _pretended_device(compute_capability: tuple[int, int]) -> Iterator[None]:
    """Answer Numba when it asks which GPU is there, as it does for device functions."""
    from numba.cuda import compiler, dispatcher

    device = types.SimpleNamespace(compute_capability=compute_capability)
    asked: list[Any] = [module for module in (compiler, dispatcher) if hasattr(module, "get_current_device")]
    before = [module.get_current_device for module in asked]
    for module in asked:
        module.get_current_device = lambda: device
    try:
        yield
    finally:
        for module, function in zip(asked, before, strict=True):
            module.get_current_device = function


def _program(name: str) -> str | None:
    """Return the path of a program that came from pip."""
    packages = Path(sysconfig.get_path("purelib"), "nvidia")
    folders = [packages / "cu13" / "bin", *packages.glob("*/bin")]
    end = ".exe" if sys.platform == "win32" else ""
    found = next((folder / (name + end) for folder in folders if (folder / (name + end)).is_file()), None)
    return str(found) if found else shutil.which(name)


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess:
    program = _program(name)
    assert program
    done = subprocess.run([program, *arguments], capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"{name} refused the kernel: {' '.join(done.stderr.split())[:500]}")
    return done
