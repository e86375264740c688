"""Compile C at first use, and keep the result in the user's cache folder."""

import hashlib
import importlib.machinery
import importlib.util
import os
import platform
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import platformdirs

NATIVE = ("-O3", "-mcpu=native") if platform.machine() in ("arm64", "aarch64") else ("-O3", "-march=native")
OPTIONS = [["/O2"]] if sys.platform == "win32" else [[*NATIVE], ["-O3"]]  # the first that the compiler takes


def build(name: str, declarations: str, source: str) -> ModuleType:
    """Compile C into an extension module, or find the one that was compiled before.

    Two processes may do so at the same time: each compiles in a folder of its own, and the finished file
    takes its name in one step.

    Parameters
    ----------
    name : str
        A name for the module.
    declarations : str
        The C declarations of what Python may call.
    source : str
        The C program.

    Returns
    -------
    module
        With ``ffi`` and ``lib``, as cffi makes it.

    Raises
    ------
    RuntimeError
        Where there is no compiler, it fails, or the folder cannot be written.
    """
    facts = (declarations, source, OPTIONS, sys.version, platform.platform(), platform.processor())
    name = f"{name}_{hashlib.sha256(repr(facts).encode()).hexdigest()[:16]}"
    folder = Path(platformdirs.user_cache_dir("mlteach", appauthor=False)) / "c"
    finished = folder / f"{name}.bin"
    if not finished.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as scratch:
                os.replace(_compile(name, declarations, source, scratch), finished)
        except OSError as error:
            if not finished.exists():  # on Windows another process may have made it, and have it open
                raise RuntimeError(
                    f"kernel 'c' keeps what it compiles in {folder}, which cannot be written "
                    f"({error.strerror}): make it writable, or choose another kernel"
                ) from error
    return _load(name, finished)


def _compile(name: str, declarations: str, source: str, folder: str) -> str:
    from cffi import FFI

    problem = None
    for options in OPTIONS:
        ffi = FFI()
        ffi.cdef(declarations)
        ffi.set_source(name, source, extra_compile_args=options)
        try:
            return ffi.compile(tmpdir=folder)
        except Exception as error:  # the compiler's own kind, which lives where setuptools puts it
            problem = error
    raise RuntimeError(
        "kernel 'c' needs a C compiler and Python's header files, and compiling failed "
        f"({problem}): install build-essential and python3-dev, Xcode's command line tools, "
        "or Visual Studio's build tools"
    ) from problem


def _load(name: str, path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
