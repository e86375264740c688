"""Writing files that are there whole or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Write to a new file that takes the place of ``path`` when the block ends well.

    Whatever goes wrong in the block, ``path`` keeps what it held and no other file is left. A link is
    followed; a device such as standard output is written to directly.

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
    path = Path(path)
    if path.exists() and not path.is_file():  # asked of the link: /dev/stdout may lead to a nameless pipe
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    new = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with new.open("xb") as file:
            yield file
        if path.exists():
            new.chmod(stat.S_IMODE(path.stat().st_mode))
        new.replace(path)
    except OSError as error:
        if error.filename == str(new):  # a name that nobody asked for
            error.filename = str(path)
        raise
    finally:
        new.unlink(missing_ok=True)
