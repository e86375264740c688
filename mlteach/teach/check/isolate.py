"""Give the process back as it was, whatever a learner's function did to it."""

import contextlib
import os
import random
import sys
import warnings

import numpy as np


@contextlib.contextmanager
def isolated():
    """Seed the global random numbers; at the end put back what a function may change for everybody.

    That is the working folder, the random states, the warning filters, NumPy's print options, the recursion
    limit and the standard streams. Error settings and other context variables need nothing here:
    `examine` calls every function in a copy of the context.
    """
    states = random.getstate(), np.random.get_state()  # noqa: NPY002
    limit, folder = sys.getrecursionlimit(), _folder()
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    with (
        warnings.catch_warnings(),
        np.printoptions(),  # NumPy 2.0 and 2.1 keep them outside the context
        contextlib.redirect_stdout(_unclosable(sys.stdout)),
        contextlib.redirect_stderr(_unclosable(sys.stderr)),
    ):
        try:
            yield
        finally:
            sys.setrecursionlimit(limit)  # first: the next lines may need it
            random.setstate(states[0])
            np.random.set_state(states[1])  # noqa: NPY002
            if folder is not None and _folder() != folder:
                os.chdir(folder)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return None


class _Unclosable:
    """A stream that cannot be closed."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def close(self):
        """Do nothing: the notebook still needs the stream."""


def _unclosable(stream):
    return stream and _Unclosable(stream)
