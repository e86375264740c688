"""Examine what was installed: Python, packages, folders, the digits."""

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from mlteach.measure.contents import Contents, Newer
from mlteach.measure.finding import Finding, how_to_set, output_of
from mlteach.measure.journal import Journal
from mlteach.measure.machine import version
from mlteach.measure.units import count_text

NEWEST_TESTED = (3, 14)
LITTLE_DISK, TOO_LITTLE_DISK = 1 << 30, 100 << 20  # bytes free
SHOWN = ("numpy", "numba", "matplotlib")  # whose versions are told where all is well


def python() -> Iterator[Finding]:
    """Python's version, its width, and whether it runs on the processor it was made for."""
    found = f"Python {platform.python_version()}"
    if sys.maxsize < 2**32:
        yield Finding(
            "Python",
            "fail",
            f"{found} is a 32-bit program, for which there is no Numba.",
            "Install a 64-bit Python.",
        )
    elif sys.version_info[:2] > NEWEST_TESTED:
        newest = ".".join(map(str, NEWEST_TESTED))
        yield Finding(
            "Python",
            "warn",
            f"{found} is newer than any that mlteach was tested with.",
            f"If a package does not install or a lesson fails, use Python {newest}.",
        )
    elif sys.platform == "darwin" and output_of(["sysctl", "-n", "sysctl.proc_translated"]) == "1":
        yield Finding(
            "Python",
            "warn",
            f"{found} was made for an Intel processor and runs translated, at a fraction of the speed.",
            "Install a Python for Apple silicon, and make the environment anew with it.",
        )
    else:
        yield Finding("Python", "ok", f"{found} at {sys.executable}.")


def packages() -> Iterator[Finding]:
    """The packages that mlteach cannot do without, in the versions that it was made for."""
    try:
        wrong = list(_wrong_packages(""))
    except metadata.PackageNotFoundError:
        yield Finding(
            "Packages",
            "fail",
            "mlteach is not installed in this Python, only found in a folder.",
            "Run `python3 run.py lab` (`py run.py lab` on Windows) in mlteach's folder.",
        )
        return
    for requirement, installed in wrong:
        yield _wrong_package("Packages", "fail", requirement, installed, f'pip install "{requirement}"')
    if not wrong:
        yield Finding("Packages", "ok", ", ".join(f"{name} {version(name)}" for name in SHOWN) + ".")


def jupyter() -> Iterator[Finding]:
    """What notebooks need beyond the package itself."""
    try:
        wrong = list(_wrong_packages("lab"))
    except metadata.PackageNotFoundError:
        return  # said under Packages
    for requirement, installed in wrong:
        yield _wrong_package("JupyterLab", "warn", requirement, installed, 'pip install "mlteach[lab]"')
    if not wrong:
        yield Finding(
            "JupyterLab", "ok", f"JupyterLab {version('jupyterlab')}, ipywidgets {version('ipywidgets')}."
        )


def _wrong_packages(extra: str) -> Iterator[tuple]:
    """Requirements of mlteach, or of one of its extras, that are not met, with the version that is there."""
    from packaging.requirements import Requirement

    for line in metadata.requires("mlteach") or []:
        requirement = Requirement(line)
        applies = not requirement.marker or requirement.marker.evaluate({"extra": extra})
        if applies and ("extra" in str(requirement.marker)) == bool(extra):
            installed = version(requirement.name)
            if installed is None or not requirement.specifier.contains(installed, prereleases=True):
                requirement.marker = None
                yield requirement, installed


def _wrong_package(topic: str, status: str, requirement, installed: str | None, command: str) -> Finding:
    state = f"is {installed}, mlteach needs {requirement.specifier}" if installed else "is missing"
    return Finding(topic, status, f"{requirement.name} {state}.", f"Run `{command}`.")


def journal() -> Iterator[Finding]:
    """Whether the reader's journal can be read and written."""
    path = Journal().path
    try:
        damaged = Contents.read(path).damaged
    except Newer:
        yield Finding(
            "Journal",
            "warn",
            f"{path} was written by a later mlteach, so this one keeps its journal in memory.",
            "Run `pip install --upgrade mlteach`.",
        )
        return
    except OSError:
        damaged = False  # said below, where writing is tried
    if problem := _cannot_write(path.parent):
        yield Finding(
            "Journal",
            "warn",
            f"{path.parent} cannot be written ({problem}), so guesses and times last until Python ends.",
            how_to_set("MLTEACH_HOME"),
        )
    elif damaged:
        yield Finding(
            "Journal",
            "warn",
            f"{path} is damaged.",
            "Nothing to do: the next record moves it aside and keeps what can be read.",
        )
    else:
        yield Finding("Journal", "ok", f"Guesses and times are kept in {path.parent}.")


def numba_cache() -> Iterator[Finding]:
    """Whether Numba can keep what it compiled; without any place for it, importing a kernel fails."""
    import platformdirs

    import mlteach.matmul

    places = [Path(mlteach.matmul.__file__).with_name("__pycache__"), platformdirs.user_cache_path("numba")]
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        places.insert(0, Path(chosen))
    for place in places:
        if not _cannot_write(place):
            yield Finding("Numba cache", "ok", f"Compiled kernels are kept in {place}.")
            return
    yield Finding(
        "Numba cache",
        "fail",
        f"None of {', '.join(map(str, places))} can be written, and Numba stops without a cache.",
        how_to_set("NUMBA_CACHE_DIR"),
    )


def digits() -> Iterator[Finding]:
    """Whether the digits are there, whole and unchanged."""
    from mlteach import mnist

    try:
        count = sum(len(mnist.load(split).labels) for split in ("train", "test"))
    except (OSError, mnist.IdxError) as problem:
        cure = "Run `pip install --force-reinstall --no-deps mlteach`, or check out mlteach/data again."
        yield Finding("Digits", "fail", f"{str(problem).rstrip('.')}.", cure)
    else:
        yield Finding("Digits", "ok", f"All {count_text(count)} are there, and their checksums are right.")


def disk() -> Iterator[Finding]:
    """Space for the journal and for the reader's notebooks."""
    folders = [_existing(Journal().path.parent), Path.cwd()]
    free, folder = min((shutil.disk_usage(folder).free, folder) for folder in folders)
    message = f"{free / 2**30:.1f} GiB free in {folder}."
    if free >= LITTLE_DISK:
        yield Finding("Disk", "ok", message)
    else:
        status = "warn" if free >= TOO_LITTLE_DISK else "fail"
        yield Finding("Disk", status, message, "Make room: saved notebooks and compiled kernels need some.")


def _cannot_write(folder: Path) -> str | None:
    """Why no file can be made in a folder, or in the nearest one above it that exists; None where one can."""
    try:
        tempfile.TemporaryFile(dir=_existing(folder)).close()
    except OSError as problem:
        return problem.strerror or str(problem)
    return None


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
