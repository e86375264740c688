"""What a rung of the ladder is."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

FLOATS = (np.dtype("float32"), np.dtype("float64"))


@dataclass(frozen=True)
class Kernel:
    """One rung of the ladder.

    Attributes
    ----------
    name : str
        The rung's name, its key in ``KERNELS``.
    idea : str
        What it does that the rung before did not, in one sentence.
    limit : str
        What it hits next: the interpreter, the add chain, the cache, bandwidth, the FMA units or the launch.
    device : str
        "python", "cpu" or "gpu".
    dtypes : tuple of numpy.dtype
        The element types that it computes in.
    parallel : bool
        Whether it uses more than one thread.
    run : callable
        ``run(a, b, out, threads)`` on aligned, non-empty arrays a (m, k), b (k, n) and out (m, n), all of one
        dtype, with any strides; ``out`` shares no memory with the others. It is overwritten, whatever it
        held, and nothing else is written. None of this is checked, and a wrong shape can touch memory of
        others: ``mlteach.matmul.matmul`` checks, and converts.
    function : callable
        The kernel itself, as the notebooks show it; what it is given is checked no more than by ``run``.
    prepare : callable or None
        For a GPU rung, ``prepare(a, b)`` brings the matrices to the GPU and returns a
        ``mlteach.gpu.device.Product``, which can be timed there.
    rounds_to : numpy.dtype or None
        The shorter type that it rounds its operands to, where it does.
    """

    name: str
    idea: str
    limit: str
    device: str
    dtypes: tuple[np.dtype, ...]
    parallel: bool
    run: Callable[[np.ndarray, np.ndarray, np.ndarray, int], None] = field(repr=False)
    function: Callable = field(repr=False)
    prepare: Callable | None = field(repr=False, default=None)
    rounds_to: np.dtype | None = None


def rung(function: Callable, *, run: Callable | None = None, device: str = "cpu", parallel: bool = False,
         dtypes: tuple[np.dtype, ...] = FLOATS, prepare: Callable | None = None,
         rounds_to: np.dtype | None = None) -> Kernel:  # fmt: skip
    """Make a ``Kernel`` of a function whose docstring has the labelled lines Idea and Limit.

    Parameters
    ----------
    function : callable
        ``function(a, b, out)``, or ``function(a, b, out, threads)`` where ``parallel`` is true.
    run : callable, optional
        ``run(a, b, out, threads)`` where the function itself cannot take arrays, such as one for lists.
    device, parallel, dtypes, prepare, rounds_to
        As in ``Kernel``.

    Raises
    ------
    ValueError
        Where the docstring lacks one of the two lines.
    """
    if run is None:
        run = function if parallel else lambda a, b, out, threads: function(a, b, out)
    idea, limit = (_labelled(function, label) for label in ("Idea", "Limit"))
    return Kernel(
        name=function.__name__,
        idea=idea,
        limit=limit.split(".")[0],
        device=device,
        dtypes=dtypes,
        parallel=parallel,
        run=run,
        function=function,
        prepare=prepare,
        rounds_to=rounds_to,
    )


def _labelled(function: Callable, label: str) -> str:
    """What a docstring says after a label: to the next label, or to the end of the paragraph."""
    found = re.search(
        rf"^{label}: (.+(?:\n(?![A-Z][\w` ]*:).+)*)", inspect.getdoc(function) or "", re.MULTILINE
    )
    if not found:
        raise ValueError(
            f"{function.__name__} is no rung yet: give its docstring a line that begins '{label}: '"
        )
    return " ".join(found[1].split())
