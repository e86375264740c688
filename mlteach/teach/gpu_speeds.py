"""Time GPU rungs where there is a GPU; elsewhere, say what was recorded, and what was not measured yet."""

from __future__ import annotations

from dataclasses import dataclass

from mlteach import gpu
from mlteach.measure import Measurement, compare
from mlteach.measure.race import Table
from mlteach.measure.recordings import recordings
from mlteach.measure.units import number_text

NOT_YET = "not measured yet"


@dataclass(frozen=True, repr=False)
class GpuSpeeds:
    """Speeds of GPU rungs, shown as a table; ``gpu_speeds`` makes it.

    Attributes
    ----------
    measurements : tuple of Measurement
        What was measured on this machine; nothing where it has no GPU.
    table : Table
    """

    measurements: tuple[Measurement, ...]
    table: Table

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()


def gpu_speeds(*rungs: str, n: int = 4096) -> GpuSpeeds:
    """Race GPU rungs on a square float32 product, or recall what they did on a recorded machine.

    Parameters
    ----------
    *rungs : str
        Names of GPU rungs.
    n : int
        Rows and columns.

    Returns
    -------
    GpuSpeeds
        Under the table stands why nothing was measured here, where that is so.
    """
    problem = (
        "Numba's simulator plays the GPU here, and times mean nothing" if gpu.simulated() else gpu.why_not()
    )
    here = () if problem else tuple(compare(rungs, n=n).measurements)
    found = {made.kernel: (number_text(made.gflops), "here") for made in here}
    for recording in recordings():
        for made in recording.measurements:
            if made.workload == "product" and made.shape == (n, n, n) and made.dtype == "float32":
                where = f"{recording.machine.get('name', 'another machine')}, {recording.date}"
                found.setdefault(made.kernel, (number_text(made.gflops), where))
    rows = tuple((rung, *found.get(rung, (NOT_YET, ""))) for rung in rungs)
    sentences = (f"No GPU was used: {problem}.",) if problem else ()
    return GpuSpeeds(here, Table(("rung", f"GFLOP/s at n = {n}", "measured on"), rows, sentences))
