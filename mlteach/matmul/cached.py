"""Compiled functions that a second process finds on disk: quickly, and never somebody else's.

Numba's own cache has one index for all versions of a function, and numbers them. Two processes that add to it
at the same time can give two versions the same number, and from then on each gets what the other compiled.
"""

import contextlib
import hashlib
import uuid

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.runtime import rtsys

from mlteach.matmul.interrupts import keep_while_compiling

keep_while_compiling()


def compiled(function, signature, *, parallel: bool = False):
    """Compile a function for one signature, or load it where an earlier process did.

    Parameters
    ----------
    function : callable
        A plain function. The values that it closes over are part of what it is kept by, so a function that
        is compiled in two ways needs one that tells them apart.
    signature : numba signature
        What it takes. Arrays that fit it are taken as they are, so one signature serves every layout.
    parallel : bool
        Whether its `prange` loops run on several threads.

    Returns
    -------
    numba dispatcher
        It compiles nothing more.
    """
    dispatcher = njit(nogil=True, parallel=parallel)(function)
    with contextlib.suppress(RuntimeError):  # no folder can be written: then every process compiles
        dispatcher._cache = _QuickCache(function)
    dispatcher.compile(signature)
    dispatcher.disable_compile()
    return dispatcher


def keep_apart(*dispatchers) -> None:
    """Let the versions that this process adds have names of their own on disk.

    Where two processes add to the index of a function at once, the later one's remains, and what the other
    compiled is compiled again some day.

    Parameters
    ----------
    *dispatchers : numba dispatchers
        Made with ``cache=True``.
    """
    for dispatcher in dispatchers:
        file = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
        if file is not None:  # there is a folder that can be written
            name = file._data_name_pattern
            file._data_name_pattern = name.replace("{number:d}", f"{uuid.uuid4().hex[:12]}-{{number:d}}")


class _QuickCache(FunctionCache):
    """Numba's cache on disk, asked first, with files of its own for each piece of code.

    Numba's own makes ready to compile before it looks, and that takes longer than to load: it imports
    half of Numba, and SciPy. Loaded code needs only Numba's run-time library.
    """

    def load_overload(self, sig, target_context):
        """Find the code for a signature; the dispatcher asks for it before it saves any."""
        key = repr(self._index_key(sig, target_context.codegen()))
        name = f"{self._impl.filename_base}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
        stamp = self._impl.locator.get_source_stamp()
        self._cache_file = IndexDataCacheFile(self.cache_path, name, stamp)
        rtsys.initialize(target_context)
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)
