"""Ask the operating system what it knows about the processor.

Each probe answers None where the system does not tell, and never raises: odd machines get fewer facts, not a
traceback.
"""

import contextlib
import functools
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

CPU_FOLDER = Path("/sys/devices/system/cpu")
CPU_INFO = Path("/proc/cpuinfo")
CPU_TIMES = Path("/proc/stat")
WINDOWS_CPU_KEY = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"

# Host features in LLVM's words, the widest first: (feature, bits of a vector register, how people call it).
SIMD = (
    ("avx512f", 512, "AVX-512"),
    ("avx2", 256, "AVX2"),
    ("avx", 256, "AVX"),
    ("sse2", 128, "SSE2"),
    ("neon", 128, "NEON"),
)
ALWAYS_NEON = ("arm64", "aarch64")  # every 64-bit Arm processor has it, whether LLVM says so or not


def or_unknown(probe: Callable) -> Callable:
    """Make a probe answer None where it would raise."""

    @functools.wraps(probe)
    def guarded(*args, **kwargs):
        try:
            return probe(*args, **kwargs)
        except Exception:  # whatever an odd machine raises, not knowing is the honest answer
            return None

    return guarded


@or_unknown
def processor_name() -> str | None:
    """The name that its maker gave the processor."""
    if sys.platform == "darwin":
        name = _sysctl("machdep.cpu.brand_string")
    elif sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, WINDOWS_CPU_KEY) as key:
            name = winreg.QueryValueEx(key, "ProcessorNameString")[0].strip()
    else:
        name = _linux_processor()
    return name or platform.processor() or platform.machine() or None


@or_unknown
def shared_cores() -> bool | None:
    """Whether two of the cores that this process may use are one physical core."""
    if sys.platform == "darwin":
        return int(_sysctl("hw.logicalcpu")) > int(_sysctl("hw.physicalcpu"))
    usable = os.sched_getaffinity(0)
    siblings = [
        _cpu_list((CPU_FOLDER / f"cpu{core}/topology/thread_siblings_list").read_text()) for core in usable
    ]
    return any(len(together & usable) > 1 for together in siblings)


def caches() -> dict[str, int | None]:
    """Bytes of the caches that one core sees: L1d, L2 and L3, None where unknown or absent."""
    found = (_mac_caches() if sys.platform == "darwin" else _linux_caches()) or {}
    return {level: found.get(level) for level in ("L1d", "L2", "L3")}


@or_unknown
def simd() -> tuple[int, str] | None:
    """Bits of a vector register and the name of the widest instructions, as Numba's compiler sees them."""
    features = host_features()
    for feature, bits, name in SIMD:
        if features.get(feature):
            return bits, name
    return (128, "NEON") if platform.machine().lower() in ALWAYS_NEON else None


@or_unknown
def busy_cores(seconds: float) -> float | None:
    """How many cores work while this process sleeps: other programs use them. Only Linux tells."""
    before = _ticks()
    time.sleep(seconds)
    total, idle = (after - start for after, start in zip(_ticks(), before, strict=True))
    return (os.cpu_count() or 1) * (total - idle) / max(total, 1)


def host_features() -> dict[str, bool]:
    """The processor's features in LLVM's words, such as ``{"avx2": True}``; empty where unknown."""
    try:
        import llvmlite.binding as llvm

        return dict(llvm.get_host_cpu_features())
    except Exception:
        return {}


def _linux_processor() -> str:
    """The "model name" of x86, or what Arm boards say instead."""
    with contextlib.suppress(OSError):
        for field in ("model name", "Hardware", "Model", "cpu model"):
            for line in CPU_INFO.read_text(errors="replace").splitlines():
                key, _, value = line.partition(":")
                if key.strip() == field and value.strip():
                    return value.strip()
    return ""


@or_unknown
def _linux_caches() -> dict[str, int]:
    found: dict[str, int] = {}
    first = min(os.sched_getaffinity(0))
    for folder in sorted((CPU_FOLDER / f"cpu{first}/cache").glob("index*")):
        level, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found["L1d" if level == "1" else f"L{level}"] = int(size.rstrip("K")) * 1024
    return found


@or_unknown
def _mac_caches() -> dict[str, int]:
    """A Mac with fast and slow cores lists the fast ones as performance level 0."""
    found: dict[str, int] = {}
    for level, name in (("L1d", "l1dcachesize"), ("L2", "l2cachesize"), ("L3", "l3cachesize")):
        for key in (f"hw.perflevel0.{name}", f"hw.{name}"):
            with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
                found.setdefault(level, int(_sysctl(key)))
    return found


def _ticks() -> tuple[int, int]:
    """Ticks of all cores since the start of the machine, and those of them that were idle."""
    counts = [int(count) for count in CPU_TIMES.read_text().split(maxsplit=9)[1:9]]
    return sum(counts), counts[3] + counts[4]


def _sysctl(name: str) -> str:
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()


def _cpu_list(text: str) -> set[int]:
    """Read a list of cores as Linux writes it: ``0-1,4`` is {0, 1, 4}."""
    cores: set[int] = set()
    for part in text.strip().split(","):
        low, _, high = part.partition("-")
        cores.update(range(int(low), int(high or low) + 1))
    return cores
