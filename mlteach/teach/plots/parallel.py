"""What several workers do at once, and what that can buy."""

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from mlteach.teach.plots.style import BLUE, GREY, INK, ORANGE, headline, label_ends, styled

PALE = "#8FBEDA"
UNITS = (("s", 1), ("ms", 1e-3), ("µs", 1e-6))


@styled
def gantt(ax, spans, *, title=None):
    """Show which worker was busy when: a bar for each task.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    spans : iterable of (worker, start, stop)
        A task each: who did it, any hashable, and when it began and ended, in seconds on one clock. Workers are
        drawn in the order of their first tasks.
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
    whole = end - begin
    unit, size = next(((u, s) for u, s in UNITS if whole >= s), UNITS[-1])
    workers = list(dict.fromkeys(worker for worker, _, _ in spans))
    for row, worker in enumerate(workers):
        tasks = [((start - begin) / size, (stop - start) / size) for who, start, stop in spans if who == worker]
        bars = [Rectangle((start, row - 0.31), length, 0.62) for start, length in tasks]
        shades = [(BLUE, PALE)[task % 2] for task in range(len(tasks))]  # so that neighbours can be told apart
        ax.add_collection(PatchCollection(bars, facecolors=shades, lw=0, gid=f"worker {row}"))
        busy = sum(length for _, length in tasks) * size / whole if whole else 1
        ax.text(1.015, row, f"{busy:.0%} busy".replace("%", " %"), transform=ax.get_yaxis_transform(), va="center", color=INK)
    ax.set(xlim=(0, whole / size or 1), ylim=(len(workers) - 0.4, -0.6))
    ax.set_yticks(range(len(workers)), [f"worker {row + 1}" for row in range(len(workers))], color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    count = f"{len(spans):,} task{'s' * (len(spans) != 1)} on {len(workers)} worker{'s' * (len(workers) != 1)}"
    return headline(ax, title or count.replace(",", " "), x=f"time, {unit}")


def speed_up(serial_fraction, cores):
    """Apply Amdahl's law: 1 / (s + (1 - s) / cores); arrays broadcast."""
    return 1 / (serial_fraction + (1 - serial_fraction) / cores)


@styled
def amdahl(ax, serial_fraction=0.05, cores=8, *, measured=None, most=64):
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
        Where the axis ends.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where the fraction or the cores are out of range.
    """
    if not (0 <= serial_fraction <= 1 and cores >= 1):
        raise ValueError(f"serial_fraction {serial_fraction} and cores {cores}: the first is 0 to 1, the second from 1 on")
    most = max(most, cores)
    along = np.geomspace(1, most, 200)
    gain = speed_up(serial_fraction, cores)
    ax.plot(along, along, color=GREY, lw=1.2, ls="--", gid="ideal")
    ax.plot(along, speed_up(serial_fraction, along), color=BLUE, lw=2.6, gid="law")
    ends = [(most, most, "no serial part", GREY), (most, speed_up(serial_fraction, most), "Amdahl's law", BLUE)]
    if serial_fraction and 1 / serial_fraction <= most:
        ax.axhline(1 / serial_fraction, color=GREY, lw=1, ls=":", gid="ceiling")
        ends.append((most, 1 / serial_fraction, f"ceiling {1 / serial_fraction:.3g}", GREY))
    ax.plot([cores, cores], [0.4, gain], color=BLUE, lw=1, ls=":")
    ax.plot(cores, gain, "o", color=BLUE, ms=9, gid="marked")
    if measured:
        ax.plot(list(measured), list(measured.values()), "D", color=ORANGE, ms=8, ls="none", gid="measured")
        last = max(measured)
        ends.append((last, measured[last], "measured", ORANGE))
    ticks = [2**power for power in range(0, int(np.log2(most)) + 1)]
    for axis in "xy":
        getattr(ax, f"set_{axis}scale")("log", base=2)
        getattr(ax, f"set_{axis}ticks")(ticks, [str(tick) for tick in ticks])
    lowest = min([0.8, *(0.8 * value for value in (measured or {}).values() if value > 0)])
    ax.set(xlim=(0.94, most * 1.02), ylim=(lowest, most * 1.1))
    title = f"{100 * serial_fraction:.3g} % serial, {cores} core{'s' * (cores != 1)}: {gain:.3g} times as fast"
    return label_ends(headline(ax, title, x="cores", y="times as fast as one core"), ends)
