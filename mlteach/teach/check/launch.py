"""Launch a learner's kernel on the simulator, and judge what it left behind."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from mlteach.gpu.simt import KernelError, Trace, run
from mlteach.gpu.simt.place import Place
from mlteach.teach.check.answers import Hopeless, Wrong, close_to
from mlteach.teach.check.engine import Case, examine, is_blank
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import describe, plain


@dataclass(frozen=True)
class Launch:
    """How a kernel is started, and the shape of what it fills."""

    grid: int | tuple[int, ...]
    block: int | tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Launched:
    """What a launch left behind.

    Attributes
    ----------
    out : ndarray, float64
        The array that the kernel filled.
    trace : Trace or None
        None where Python raised in the kernel.
    stopped : str
        What it raised then.
    """

    out: np.ndarray
    trace: Trace | None
    stopped: str = ""

    def untouched(self) -> bool:
        """Tell whether the kernel touched nothing and waited nowhere, as a stub does."""
        t = self.trace
        if t is None:
            return False
        loads, stores = t.global_loads + t.shared_loads, t.global_stores + t.shared_stores
        return not (loads or stores or t.atomics or t.barriers)


def examine_kernel(kernel: Callable, cases: Iterable[Case], tried: str) -> Report:
    """Try a kernel on cases that `kernel_case` made, as `examine` tries a function."""
    usable = callable(kernel) and not is_blank(kernel)
    return examine(functools.partial(_run, kernel) if usable else kernel, cases, tried)


def _run(kernel: Callable, launch: Launch, *inputs: np.ndarray) -> Launched:
    """Run a kernel on the simulator; what it is to fill begins full of NaN."""
    out = np.full(launch.shape, np.nan, np.float32)
    try:
        trace, stopped = run(kernel, launch.grid, launch.block, *inputs, out), ""
    except KernelError as error:
        cause = error.__cause__
        if isinstance(cause, NotImplementedError):
            raise cause from None  # a stub's way to say that it is one
        line = str(error).partition(":")[0]  # "line 3: ..." where Python raised in the kernel
        trace, stopped = None, f"{line} raised {describe(cause)}" if cause else plain(str(error))
    return Launched(out.astype(np.float64), trace, stopped)


def kernel_case(
    label: str, launch: Launch, inputs: dict, wanted: np.ndarray, tolerance: float, thrifty
) -> Case:
    """Make a case that wants no problems, these numbers, and what `thrifty` asks of the trace."""
    close = close_to(wanted, tolerance)

    def judge(done):
        if is_blank(done):
            raise Wrong("expected a kernel that fills out, came a stub")
        if done.trace is None:
            raise Hopeless(done.stopped)
        if done.trace.problems:
            raise Hopeless(str(done.trace.problems[0]))
        held = np.isnan(done.out)
        if held.any():
            where = ", ".join(str(i) for i in np.argwhere(held)[0])
            share = f" ({held.sum()} of {held.size} cells)" if held.size > 1 else ""
            raise Wrong(f"expected a number in out[{where}], came the nan that was there before{share}")
        close(done.out)
        thrifty(done.trace)

    def blank(done):
        return is_blank(done) or done.untouched()

    return Case(label, {"launch": launch, **inputs}, judge, blank)


def at_most(most: int, each: float, what: str, *counts: str) -> Callable[[Trace], None]:
    """Make a judge that wants the sum of some counts of a trace, over `each`, to be at most so much."""

    def judge(trace):
        came = sum(getattr(trace, count) for count in counts) / each
        if came > most:
            raise Wrong(f"the numbers are right, but take {came:g} {what}, expected at most {most}")

    return judge


def any_trace(trace: Trace) -> None:
    """Ask nothing of a trace."""


def cover(block: Place, across: int, down: int) -> tuple[int, int]:
    """Find the fewest blocks that cover so many cells, one at the least."""
    return max(1, -(-across // block.x)), max(1, -(-down // block.y))
