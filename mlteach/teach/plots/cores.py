"""What more cores buy, below the two ceilings: what stays serial, and the bandwidth of memory."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from mlteach.measure.units import number_text
from mlteach.teach.plots.parallel import speed_up
from mlteach.teach.plots.style import BLUE, COLOURS, GREY, INK, ORANGE, headline, label_ends, styled


def serial_share(gain: float, cores: int) -> float:
    """The share of the work that must be serial if cores make it only so many times as fast: Amdahl's law.

    Parameters
    ----------
    gain : float
        How many times as fast as on one core, above 0.
    cores : int
        At least 2.

    Returns
    -------
    float
        Between 0, where the gain is as large as the number of cores, and 1, where there is none.
    """
    if not (gain > 0 and cores >= 2):
        raise ValueError(f"gain is above 0 and cores 2 or more, not {gain} and {cores}")
    return min(max((cores / gain - 1) / (cores - 1), 0.0), 1.0)


@styled
def core_ceilings(
    ax: Axes,
    measured: Mapping[str, Mapping[int, float]],
    *,
    serial: float | None = None,
    bandwidth: float | None = None,
) -> Axes:
    """Draw how many times as fast some work got on several cores, and the ceilings above it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measured : mapping of str to mapping of int to float
        For each kind of work the times as fast as on one core, by cores. At least one number.
    serial : float, optional
        The share that stays serial, for the curve of Amdahl's law.
    bandwidth : float, optional
        The bandwidth of all cores in that of one.

    Returns
    -------
    matplotlib.axes.Axes
    """
    cores = sorted({count for gains in measured.values() for count in gains})
    if not cores:
        raise ValueError("there is nothing to draw: measure at least one number of cores")
    most = max(*cores, 2)
    along = np.linspace(1, most, 200)
    ax.plot(along, along, color=GREY, lw=1.2, ls="--", gid="ideal")
    ends = [(most, float(most), "a core each", GREY)]
    if serial is not None:
        ax.plot(along, speed_up(serial, along), color=BLUE, lw=1.6, gid="law")
        ends.append((most, float(speed_up(serial, most)), f"{number_text(100 * serial)} % serial", BLUE))
    if bandwidth is not None:
        ax.plot(along, np.minimum(along, bandwidth), color=INK, lw=1.6, ls=":", gid="bandwidth")
        ends.append((most, min(most, bandwidth), f"memory: {number_text(bandwidth)} times", INK))
    highest = float(most)
    for (name, gains), marker, other in zip(
        measured.items(), "oDs^v", (ORANGE, INK, GREY, BLUE, ORANGE), strict=False
    ):
        colour = COLOURS.get(name, other)
        counts = sorted(gains)
        ax.plot(counts, [gains[count] for count in counts], marker, color=colour, ms=9, label=name, zorder=4)
        ends.append((counts[-1], gains[counts[-1]], name, colour))
        highest = max(highest, *gains.values())
    ax.set(xlim=(0.9, most + 0.03 * (most - 1)), ylim=(0, 1.08 * highest))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(True, axis="y")
    best, count = max((gain, count) for gains in measured.values() for count, gain in gains.items())
    title = f"{count} core{'s'[: count > 1]}: at best {number_text(best)} times as fast as one"
    return label_ends(headline(ax, title, x="cores", y="times as fast as one core"), ends)
