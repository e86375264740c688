"""The ladder as a whole: every rung timed on the same work, and the table that compares them."""

from collections.abc import Callable, Iterator, Sequence

from mlteach.matmul import KERNELS
from mlteach.measure.bench import ladder, time_iteration
from mlteach.measure.machine import Machine
from mlteach.measure.race import Table
from mlteach.measure.records import Measurement
from mlteach.measure.units import number_text, seconds_text


def climb(
    kernels: Sequence[str],
    shapes: Sequence[tuple[int, int, int]],
    dtype: str = "float32",
    threads: int | None = None,
    iteration: bool = False,
    report: Callable | None = None,
) -> Iterator[list[Measurement]]:
    """Time rungs on one product after another, and on the talk's training iteration if wanted.

    Parameters
    ----------
    kernels : sequence of str
        Names of rungs.
    shapes : sequence of tuple of int
        (m, k, n) of each product.
    dtype, threads
        As in `mlteach.measure.bench.compare`; the iteration is timed in float64, as the talk computed it,
        and in float32 for rungs that know nothing longer.
    iteration : bool
        Whether to time the iteration too, last.
    report : callable, optional
        What `mlteach.measure.bench.ladder` calls ``progress``.

    Yields
    ------
    list of Measurement
        The rungs that could run, for one workload.
    """
    for shape in shapes:
        yield ladder(kernels, shape, dtype, threads, report)
    if iteration:
        for number in ("float64", "float32"):
            able = [name for name in kernels if _best(name) == number]
            if able:
                yield ladder(able, None, number, threads, report, time=time_iteration)


def ladder_table(measurements: Sequence[Measurement], machine: Machine) -> Table:
    """Compare the rungs that were timed on one workload.

    Parameters
    ----------
    measurements : sequence of Measurement
        Of one workload, shape and dtype, in ladder order; at least one.
    machine : Machine
        Where they were taken, with its measured peak.
    """
    first = measurements[0]
    on_gpu = any(one.transfer_seconds is not None for one in measurements)
    library, best = ("cuBLAS", "cublas") if on_gpu else ("NumPy", "blas")
    best_seconds = next((one.seconds for one in measurements if one.kernel == best), None)
    rows = [
        (
            one.kernel,
            ("≈ " if one.scaled else "") + seconds_text(one.seconds),
            number_text(one.gflops),
            number_text(first.seconds / one.seconds),
            _percent(best_seconds and best_seconds / one.seconds),
            *(_paid_once(one) if on_gpu else _share_of_peak(one, machine)),
        )
        for one in measurements
    ]
    last = ("there and back", "first call") if on_gpu else ("% of peak", "threads")
    headings = ("rung", "time", "GFLOP/s", f"x {first.kernel}", f"% of {library}", *last)
    m, k, n = first.shape
    work = (
        f"{m} x {k} times {k} x {n}" if first.workload == "product" else f"The talk's iteration, {m} images"
    )
    notes = (
        f"{work}, {first.dtype}.",
        "≈ timed on the first rows and scaled." if any(one.scaled for one in measurements) else "",
        "The time is the GPU's own; copying there and back, and the first call, come once." if on_gpu else "",
    )
    return Table(headings, tuple(rows), tuple(filter(None, notes)))


def _share_of_peak(one: Measurement, machine: Machine) -> tuple[str, str]:
    """The last cells of a rung on a CPU: how near it comes to the processor's limit, on how many threads."""
    peak = machine.peak[one.dtype].at(one.threads) if machine.peak else None
    return _percent(peak and one.gflops / peak), str(one.threads)


def _paid_once(one: Measurement) -> tuple[str, str]:
    """The last cells of a rung on a GPU: what copying its matrices and its first call took."""
    both = (one.transfer_seconds, one.first_seconds)
    transfer, first = ("" if seconds is None else seconds_text(seconds) for seconds in both)
    return transfer, first


def _best(name: str) -> str:
    """The longest dtype that a rung computes in; float64 for one that cannot be imported, to say so later."""
    try:
        dtypes = KERNELS[name].dtypes
    except ImportError:
        return "float64"
    return max(dtypes, key=lambda dtype: dtype.itemsize).name


def _percent(share: float | None) -> str:
    return "" if share is None else number_text(100 * share)
