"""Why a chain of additions is slow: when each addition can begin, on a unit that starts one every cycle."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mlteach.teach.plots.style import BLUE, CARD, GREY, INK, headline, styled

PALE = "#8FBEDA"  # every other addition of a chain, so that neighbours can be told apart
WIDE_ENOUGH = 0.019  # of the axes: what a box must be wide to hold its number


def addition_starts(latency: int, accumulators: int, lanes: int, numbers: int = 16) -> np.ndarray:
    """Find when each addition begins.

    Addition t goes to accumulator ``t % accumulators``, waits until the addition before it on that
    accumulator is finished, and begins at least one cycle after the one before it.

    Parameters
    ----------
    latency : int
        Cycles from the beginning of an addition to its result.
    accumulators : int
        How many sums grow side by side.
    lanes : int
        How many numbers one addition takes.
    numbers : int
        How many are summed.

    Returns
    -------
    ndarray, shape (ceil(numbers / lanes),), int64
        Cycles.

    Raises
    ------
    ValueError
        Where one of them is below 1.
    """
    if min(latency, accumulators, lanes, numbers) < 1:
        raise ValueError(
            "latency, accumulators, lanes and numbers are 1 or more, "
            f"not {latency}, {accumulators}, {lanes} and {numbers}"
        )
    turns, place = np.divmod(np.arange(-(-numbers // lanes)), accumulators)
    return turns * max(latency, accumulators) + place


def chain_cycles(latency: int, accumulators: int, lanes: int, numbers: int = 16) -> int:
    """How many cycles it takes until the last addition is finished; parameters as in `addition_starts`."""
    return int(addition_starts(latency, accumulators, lanes, numbers)[-1]) + latency


@styled
def chain_and_lanes(
    ax: Axes, latency: int = 4, accumulators: int = 1, lanes: int = 1, *, numbers: int = 16
) -> Axes:
    """Draw when each addition of a sum begins and ends: a row for each accumulator, a box for each number.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    latency, accumulators, lanes, numbers : int
        As in `addition_starts`. Joining the accumulators and lanes at the end is not drawn.

    Returns
    -------
    matplotlib.axes.Axes
    """
    starts = addition_starts(latency, accumulators, lanes, numbers)
    alone = latency * numbers
    for number in range(numbers):
        addition, lane = divmod(number, lanes)
        turn, row = divmod(addition, accumulators)
        height = 0.8 / lanes
        corner = starts[addition], row - 0.4 + lane * height
        look = {"fc": (BLUE, PALE)[turn % 2], "ec": CARD, "lw": 0.8, "gid": f"number {number}"}
        ax.add_patch(Rectangle(corner, latency, height, **look))
        if latency / alone > WIDE_ENOUGH and lanes * accumulators <= 16:
            size = 11 if lanes * accumulators <= 8 else 8
            middle = {"ha": "center", "va": "center_baseline", "color": (CARD, INK)[turn % 2], "size": size}
            ax.text(corner[0] + latency / 2, corner[1] + height / 2, str(number), **middle)
    end = chain_cycles(latency, accumulators, lanes, numbers)
    ax.axvline(end, color=INK, lw=1.2, ls=":", gid="end")
    ax.set(xlim=(0, alone * 1.02), ylim=(accumulators - 0.45, -0.6))
    ax.set_yticks(range(accumulators), [f"sum {row}" for row in range(accumulators)], color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if end < alone:
        ax.text(alone, accumulators - 0.5, "one chain would end here", color=GREY, ha="right", va="bottom")
    return headline(ax, f"{numbers} numbers summed in {end} cycles", x="cycles")
