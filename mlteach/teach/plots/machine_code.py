"""What a GPU kernel is made of: the instructions of its hot loop, and how many of its warps fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from mlteach.gpu.occupancy import MULTIPROCESSORS, blocks_together, occupancy
from mlteach.teach.plots.style import BLUE, CARD, FAINT, GREY, INK, ORANGE, headline, styled

if TYPE_CHECKING:
    from mlteach.gpu.sass import Report

KINDS = {  # what an instruction begins with, and the colour of its kind
    "multiply-adds": (("FFMA", "HMMA"), BLUE),
    "shared memory": (("LDS", "STS"), ORANGE),
    "global memory": (("LDG", "STG"), "#70405B"),
    "local memory": (("LDL", "STL"), INK),
}
REST = "all the rest"
WIDE = 0.07  # a share from which on its percentage is written into its bar
MOST_REGISTERS = 255  # of a thread


@styled
def instruction_mix(ax: Axes, reports: Sequence[Report]) -> Axes:
    """Draw what the hot loop of each kernel is made of, as bars from 0 to 100 %.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 0.4 high for each kernel, and 1.8 more.
    reports : sequence of mlteach.gpu.sass.Report
        In the order in which they are drawn, from the top.

    Returns
    -------
    matplotlib.axes.Axes
    """
    for place, report in enumerate(reports):
        left = 0.0
        for kind, (share, colour) in _shares(report.hot_loop).items():
            ax.barh(
                place, 100 * share, left=100 * left, height=0.68, color=colour, gid=f"{report.name}: {kind}"
            )
            if share >= WIDE:
                ink = INK if colour == FAINT else CARD
                middle = {"ha": "center", "va": "center_baseline", "color": ink, "size": 10.5}
                ax.text(100 * (left + share / 2), place, f"{100 * share:.0f}", **middle)
            left += share
    ax.set(xlim=(0, 100), ylim=(len(reports) - 0.5, -0.5))
    ax.set_yticks(range(len(reports)), [report.name for report in reports], color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    drawn = {kind for report in reports for kind, (share, _) in _shares(report.hot_loop).items() if share}
    patches = [Patch(color=colour, label=kind) for kind, colour in _colours().items() if kind in drawn]
    where = {"loc": "upper right", "bbox_to_anchor": (1, -0.1), "ncols": 3}
    ax.legend(handles=patches, fontsize=10.5, borderpad=0, frameon=False, **where)
    return headline(ax, "Of 100 instructions in the hot loop", x="")


def _colours() -> dict[str, str]:
    return {**{kind: colour for kind, (_, colour) in KINDS.items()}, REST: FAINT}


def _shares(hot_loop: Mapping[str, int]) -> dict[str, tuple[float, str]]:
    """The share of each kind of instruction, and its colour."""
    total = sum(hot_loop.values())
    counts = {
        kind: sum(number for name, number in hot_loop.items() if name.startswith(begins))
        for kind, (begins, _) in KINDS.items()
    }
    counts[REST] = total - sum(counts.values())
    return {kind: (count / total, _colours()[kind]) for kind, count in counts.items()}


@styled
def occupancy_steps(
    ax: Axes,
    registers: int = 32,
    threads: int = 256,
    shared_kilobytes: float = 8,
    *,
    compute_capability: tuple[int, int] = (9, 0),
) -> Axes:
    """Draw how the share of warps that fit falls as a thread takes more registers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    registers : int
        Of a thread, 1 to 255; marked on the curve.
    threads : int
        Of a block.
    shared_kilobytes : float
        Shared memory of a block, in units of 1024 bytes.
    compute_capability : tuple of int
        A key of `mlteach.gpu.occupancy.MULTIPROCESSORS`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    shared = round(1024 * shared_kilobytes)
    along = np.arange(1, MOST_REGISTERS + 1)
    shares = [100 * occupancy(compute_capability, threads, int(count), shared) for count in along]
    here = 100 * occupancy(compute_capability, threads, registers, shared)
    ax.step(along, shares, where="mid", color=BLUE, lw=2.4, gid="steps")
    ax.plot([registers, registers], [0, here], color=BLUE, lw=1, ls=":")
    ax.plot(registers, here, "o", color=BLUE, ms=9, gid="marked")
    ax.axvline(MOST_REGISTERS, color=GREY, lw=1, ls=":")
    ax.set(xlim=(0, 262), ylim=(0, 106))
    return headline(
        ax,
        occupancy_text(registers, threads, shared_kilobytes, compute_capability=compute_capability),
        x="registers of a thread",
        y="% of the warps that fit",
    )


def occupancy_text(
    registers: int,
    threads: int,
    shared_kilobytes: float,
    *,
    compute_capability: tuple[int, int] = (9, 0),
) -> str:
    """Say how many warps fit, and what keeps the next block out; parameters as in `occupancy_steps`."""
    shared = round(1024 * shared_kilobytes)
    limits = blocks_together(compute_capability, threads, registers, shared)
    tightest = min(limits, key=lambda what: limits[what])
    warps = limits[tightest] * -(-threads // 32)
    most = MULTIPROCESSORS[compute_capability].warps
    words = {"warps": "the warps", "blocks": "the number of blocks", "registers": "registers"}
    return f"{warps} of {most} warps fit; {words.get(tightest, 'shared memory')} set the limit"
