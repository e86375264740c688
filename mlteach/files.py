"""Writing files that are there whole or not at all."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Write to a new file that takes the place of ``path`` when the block ends well.

    Whatever goes wrong in the block, ``path`` keeps what it held and no other file is left. A link is followed; a
    device such as standard output is written to directly.

    Parameters
    ----------
    path : str or os.PathLike
        The file to make or to replace.

    Yields
    ------
    binary file
        Open for writing.

    Raises
    ------
    OSError
        Where the folder is missing or cannot be written to.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, _mode(path))
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those that a new file gets."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
