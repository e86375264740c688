"""What several workers do at once, and what that can buy."""

from collections.abc import Hashable, Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from mlteach.measure.units import count_text
from mlteach.teach.plots.style import BLUE, GREY, INK, ORANGE, headline, label_ends, styled

PALE = "#8FBEDA"  # every other task, so that neighbours can be told apart
UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


@styled
def gantt(ax: Axes, spans: Iterable[tuple[Hashable, float, float]], *, title: str | None = None) -> Axes:
    """Show which worker was busy when: a bar for each task.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 1.6 high, and 0.5 more for each worker.
    spans : iterable of (worker, start, stop)
        For each task who did it, and when it began and ended, in seconds on one clock. Workers are drawn in
        the order of their first tasks.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where there is no task, or one ends before it begins.
    """
    spans = sorted(spans, key=lambda span: span[1])
    if not spans or any(stop < start for _, start, stop in spans):
        raise ValueError("spans must be (worker, start, stop) with start <= stop, and at least one")
    begin, end = spans[0][1], max(stop for _, _, stop in spans)
    unit, size = next((known for known in UNITS if end - begin >= known[1]), UNITS[-1])
    whole = (end - begin) / size or 1
    workers = list(dict.fromkeys(worker for worker, _, _ in spans))
    for row, worker in enumerate(workers):
        tasks = [
            ((start - begin) / size, (stop - start) / size) for who, start, stop in spans if who == worker
        ]
        bars = [Rectangle((start, row - 0.31), length, 0.62) for start, length in tasks]
        shades = [(BLUE, PALE)[task % 2] for task in range(len(tasks))]
        ax.add_collection(PatchCollection(bars, facecolors=shades, lw=0, gid=f"worker {row + 1}"))
        busy = f"{100 * sum(length for _, length in tasks) / whole:.0f} % busy"
        ax.text(1.015, row, busy, transform=ax.get_yaxis_transform(), va="center")
    ax.set(xlim=(0, whole), ylim=(len(workers) - 0.4, -0.6))
    ax.set_yticks(range(len(workers)), [f"worker {row + 1}" for row in range(len(workers))], color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    count = f"{_counted(len(spans), 'task')} on {_counted(len(workers), 'worker')}"
    return headline(ax, title or count, x=f"time, {unit}")


def _counted(count: int, what: str) -> str:
    return f"{count_text(count)} {what}{'s' * (count != 1)}"


def speed_up(serial_fraction: ArrayLike, cores: ArrayLike) -> np.ndarray:
    """Amdahl's law, ``1 / (s + (1 - s) / cores)``; arrays broadcast."""
    serial_fraction = np.asarray(serial_fraction)
    return 1 / (serial_fraction + (1 - serial_fraction) / cores)


@styled
def amdahl(
    ax: Axes,
    serial_fraction: float = 0.05,
    cores: int = 8,
    *,
    measured: Mapping[int, float] | None = None,
    most: int = 64,
) -> Axes:
    """Draw the speed-up that cores can buy when a part of the work stays serial.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    serial_fraction : float
        The part that only one core can do, between 0 and 1.
    cores : int
        The number of cores marked on the curve, at least 1.
    measured : mapping of int to float, optional
        Speed-ups that were measured, by cores.
    most : int
        The cores where the axis ends.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where the fraction or the cores are out of range.
    """
    if not (0 <= serial_fraction <= 1 and cores >= 1):
        raise ValueError(f"serial_fraction is 0 to 1 and cores 1 or more, not {serial_fraction} and {cores}")
    most, measured = max(most, cores, 2), measured or {}
    along, gain = np.geomspace(1, most, 200), float(speed_up(serial_fraction, cores))
    law = speed_up(serial_fraction, along)
    ax.plot(along, along, color=GREY, lw=1.2, ls="--", gid="ideal")
    ax.plot(along, law, color=BLUE, lw=2.6, gid="law")
    ax.plot([cores, cores], [1e-3, gain], color=BLUE, lw=1, ls=":")
    ax.plot(cores, gain, "o", color=BLUE, ms=9, gid="marked")
    ends = [(most, most, "no serial part", GREY), (most, law[-1], "Amdahl's law", BLUE)]
    if serial_fraction * most >= 1:
        ax.axhline(1 / serial_fraction, color=GREY, lw=1, ls=":", gid="ceiling")
        ends.append((most, 1 / serial_fraction, f"ceiling {1 / serial_fraction:.3g}", GREY))
    if measured:
        ax.plot(list(measured), list(measured.values()), "D", color=ORANGE, ms=8, gid="measured")
        ends.append((max(measured), measured[max(measured)], "measured", ORANGE))
    ticks = [2**power for power in range(int(np.log2(most)) + 1)]
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(ticks, [str(tick) for tick in ticks])
    lowest = min([1, *(value for value in measured.values() if value > 0)])
    ax.set(xlim=(0.94, most * 1.02), ylim=(0.8 * lowest, most * 1.1))
    title = f"{100 * serial_fraction:.3g} % serial, {_counted(cores, 'core')}: {gain:.3g} times as fast"
    return label_ends(headline(ax, title, x="cores", y="times as fast as one core"), ends)
