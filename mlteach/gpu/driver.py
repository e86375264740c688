"""Asks the NVIDIA driver what it is and which GPUs it has, without any CUDA package."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

LIBRARIES = {"win32": "nvcuda.dll", "darwin": None}  # elsewhere libcuda.so.1
MAJOR, MINOR = 75, 76  # attributes of a device: its compute capability
NO_DEVICE = 100
IN_CONTAINER = "start the container with its GPU (`--gpus all`) if there is one"


class NoDriver(Exception):
    """There is no driver with a GPU; the message says why and what to do, ready for an "otherwise"."""


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name and compute capability."""

    name: str
    capability: tuple[int, int]


@dataclass(frozen=True)
class Driver:
    """The driver: the newest CUDA that it serves, and its GPUs, at least one."""

    cuda: tuple[int, int]
    gpus: tuple[Gpu, ...]


def load() -> ctypes.CDLL | None:
    """Return the driver's library, or None."""
    name = LIBRARIES.get(sys.platform, "libcuda.so.1")
    try:
        return ctypes.CDLL(name) if name else None
    except OSError:
        return None


def find() -> Driver:
    """Ask the driver.

    Raises
    ------
    NoDriver
        Where there is none, or none that has a GPU.
    """
    library = load()
    if library is None:
        raise NoDriver("there is no NVIDIA driver here: install it if the machine has an NVIDIA GPU")
    code = library.cuInit(0)
    count, version = ctypes.c_int(), ctypes.c_int()
    if code == 0:
        code = library.cuDeviceGetCount(ctypes.byref(count)) or (0 if count.value else NO_DEVICE)
    if code == NO_DEVICE:
        raise NoDriver(f"the NVIDIA driver finds no GPU: {IN_CONTAINER}")
    if code:
        raise NoDriver(
            f"the NVIDIA driver does not start (error {code}): restart the machine, or install it anew"
        )
    library.cuDriverGetVersion(ctypes.byref(version))
    cuda = (version.value // 1000, version.value % 1000 // 10)
    return Driver(cuda, tuple(_gpu(library, number) for number in range(count.value)))


def _gpu(library: ctypes.CDLL, number: int) -> Gpu:
    name, value = ctypes.create_string_buffer(256), ctypes.c_int()
    library.cuDeviceGetName(name, len(name), number)
    capability = []
    for attribute in (MAJOR, MINOR):
        library.cuDeviceGetAttribute(ctypes.byref(value), attribute, number)
        capability.append(value.value)
    return Gpu(name.value.decode(), (capability[0], capability[1]))
