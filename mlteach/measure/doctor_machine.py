"""Examine what the machine has: cores, caches, vectors, BLAS, threads, compiler, GPU."""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from mlteach.gpu import why_not
from mlteach.gpu.driver import load
from mlteach.matmul import usable_cores
from mlteach.measure import machine, probe
from mlteach.measure.finding import Finding, for_system, how_to_unset, output_of
from mlteach.measure.units import bytes_text
from mlteach.measure.weakness import old_kernels, weaknesses

NO_VECTORS = ("SSE2", "AVX")  # without AVX2 and its multiply-add, half the arithmetic or less
NUMBA_LAYER = "import numba; numba.get_num_threads(); print(numba.threading_layer())"
GPU_QUERY = ("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
GPU_PACKAGES = ("numba-cuda", "cuda-toolkit", "cupy-cuda13x", "cupy-cuda12x")


def cores() -> Iterator[Finding]:
    """How many cores there are to use, and whether they are real ones."""
    count, there = usable_cores(), os.cpu_count() or 1
    shared = probe.shared_cores()
    if count == 1:
        yield Finding(
            "Cores",
            "warn",
            f"One core of {there}: the lessons on threads have nothing to gain here.",
            "Give the container or the virtual machine two cores or more.",
        )
        return
    message = f"{count} cores" if count >= there else f"{count} of the machine's {there} cores"
    kind = {
        True: "some are two threads of one core, so twice the threads is not twice the speed",
        False: "each a core of its own",
        None: "whether some share a physical core is unknown",
    }
    yield Finding("Cores", "ok", f"{message}, {kind[shared]}.")


def caches() -> Iterator[Finding]:
    """The caches of one core."""
    known = [f"{level} {bytes_text(size)}" for level, size in probe.caches().items() if size]
    message = f"{', '.join(known)}." if known else "Their sizes are unknown: the system does not tell."
    yield Finding("Caches", "ok", message)


def simd() -> Iterator[Finding]:
    """The vector instructions."""
    width = probe.simd()
    if width is None:
        yield Finding("SIMD", "ok", "The width of the vectors is unknown: the system does not tell.")
        return
    bits, name = width
    message = f"{name}: {bits // 32} float32 numbers in one instruction."
    if name in NO_VECTORS:
        cure = "If this is a virtual machine, let it pass on the features of its host's processor."
        yield Finding("SIMD", "warn", message, cure)
    else:
        yield Finding("SIMD", "ok", message)


def blas() -> Iterator[Finding]:
    """The library behind NumPy's `@`, and what slows it down."""
    library = machine.blas()
    if library is None:
        yield Finding("BLAS", "ok", "The library behind NumPy is unknown.")
        return
    found = [weakness for weakness in weaknesses() if weakness.library == "BLAS"]
    for weakness in found:
        yield Finding("BLAS", "warn", f"{weakness.message}.", how_to_unset(weakness.variable))
    old = old_kernels(library.name, library.architecture)
    if old and not any(weakness.kernels for weakness in found):
        yield Finding("BLAS", "warn", f"{old.message}.", "Run `pip install --upgrade numpy`.")
    if not library.weakened:
        kernels = f", {library.architecture} kernels" if library.architecture else ""
        threads = f", {library.threads} threads" if library.threads else ""
        yield Finding(
            "BLAS", "ok", f"{library.name} {library.version or ''}".strip() + f"{kernels}{threads}."
        )


def numba() -> Iterator[Finding]:
    """Whether Numba works, with what threads, and what slows it down."""
    for weakness in weaknesses():
        if weakness.library == "Numba":
            yield Finding("Numba", "warn", f"{weakness.message}.", how_to_unset(weakness.variable))
    # In a child process, for a process keeps the layer that it first used.
    child = subprocess.run([sys.executable, "-c", NUMBA_LAYER], capture_output=True, text=True, timeout=120)
    layer = child.stdout.strip()
    if child.returncode:
        errors = re.findall(r"^\w*Error: .*", child.stderr, re.MULTILINE) or child.stderr.splitlines()
        reason = errors[-1] if errors else f"it ended with code {child.returncode}"
        forced = os.environ.get("NUMBA_THREADING_LAYER")
        yield Finding(
            "Numba",
            "fail",
            f"Numba does not work: {reason.rstrip('.')}.",
            how_to_unset("NUMBA_THREADING_LAYER") if forced else "Run `pip install --force-reinstall numba`.",
        )
    elif layer == "workqueue":
        yield Finding(
            "Numba",
            "warn",
            "Threads come from workqueue: a parallel loop takes about 50 µs to start instead of 2, and two "
            "Python threads must not start one at once.",
            for_system(
                linux="Run `sudo apt install libgomp1` (`sudo dnf install libgomp` on Fedora).",
                mac="Run `brew install libomp && brew link --force libomp`.",
                windows="Run `pip install tbb`.",
            ),
        )
    else:
        yield Finding("Numba", "ok", f"Threads come from {layer}.")


def compiler() -> Iterator[Finding]:
    """A C compiler, looked for where building a Python extension would look."""
    if found := _compiler():
        yield Finding("Compiler", "ok", f"{found}.")
        return
    yield Finding(
        "Compiler",
        "warn",
        "There is no C compiler, so the kernel written in C is left out.",
        for_system(
            linux="Run `sudo apt install build-essential` (`sudo dnf install gcc` on Fedora).",
            mac="Run `xcode-select --install`.",
            windows="Install the Build Tools for Visual Studio with its C++ workload.",
        ),
    )


def _compiler() -> str | None:
    """The first line that a working compiler says about itself, or where Visual Studio keeps its own."""
    if sys.platform == "win32":
        if found := shutil.which("cl"):
            return found
        programs = os.environ.get("PROGRAMFILES(X86)", r"C:\Program Files (x86)")
        finder = Path(programs, "Microsoft Visual Studio", "Installer", "vswhere.exe")
        target = "ARM64" if platform.machine() == "ARM64" else "x86.x64"
        tools = f"Microsoft.VisualStudio.Component.VC.Tools.{target}"
        query = ("-latest", "-products", "*", "-requires", tools, "-property", "installationPath")
        return output_of([str(finder), *query]) or None
    chosen = os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc"
    for name in (chosen.split()[0], "cc", "gcc", "clang"):
        # Asked for its version, for a Mac without the developer tools has a `cc` that only says so.
        if said := output_of([name, "--version"]):
            return said.partition("\n")[0]
    return None


def gpu() -> Iterator[Finding]:
    """An NVIDIA GPU with its driver, and the packages that compile for it."""
    cards = output_of(GPU_QUERY) or ""
    if ", " not in cards:
        if shutil.which("nvidia-smi") and _driver():
            yield Finding(
                "GPU",
                "warn",
                "There is an NVIDIA driver, but it does not answer.",
                "Restart the machine; if that does not help, install the driver anew.",
            )
        else:
            yield Finding("GPU", "ok", "No NVIDIA GPU: notebooks 13 to 16 use the simulator.")
        return
    names = "; ".join(line.replace(", ", ", driver ") for line in cards.splitlines())
    if not _driver():
        cure = "Start the container with its GPU (`--gpus all`), or install the driver anew."
        yield Finding("GPU", "warn", f"{names}, but Python cannot load the driver's library.", cure)
    elif problem := why_not():
        what, _, cure = problem.rpartition(": ")
        yield Finding("GPU", "warn", f"{names}, but {what}.", f"{cure[0].upper()}{cure[1:]}.")
    else:
        packages = [f"{name} {machine.version(name)}" for name in GPU_PACKAGES if machine.version(name)]
        yield Finding("GPU", "ok", f"{', '.join([names, *packages])}.")


def _driver() -> bool:
    """Whether the library of the NVIDIA driver can be loaded."""
    return load() is not None
