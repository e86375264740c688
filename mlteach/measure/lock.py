"""One writer at a time, between processes."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PAUSE = 0.01  # seconds between two tries


@contextmanager
def locked(path: Path, timeout: float = 5.0) -> Iterator[None]:
    """Hold a lock file for the length of the block.

    The operating system keeps the lock, and lets go of it when the process that holds it ends, however it
    ends: a lock file left lying about by a crash is simply free. The file itself stays, for removing it would
    let two processes lock two files of one name. Where the file system knows no locks, there is none.

    Parameters
    ----------
    path : Path
        The lock file; it is made where it is missing.
    timeout : float
        Seconds to wait for another holder.

    Raises
    ------
    TimeoutError
        Where another process holds the lock for longer.
    OSError
        Where the file cannot be made.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        deadline = time.monotonic() + timeout
        while not _try_lock(handle):
            if time.monotonic() > deadline:
                raise TimeoutError(None, f"another program has held {path.name} for {timeout:g} seconds")
            time.sleep(PAUSE)
        yield
    finally:
        os.close(handle)  # which unlocks it


if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        except OSError:  # no locks here: better no protection than no journal
            return True
        return True

else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # no locks here: better no protection than no journal
            return True
        return True
