"""The plane of tiles: how many rows by how many vectors a micro-kernel may keep in registers."""

import itertools
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from mlteach.measure.tiles import fits, share
from mlteach.teach.plots.style import BLUE, CARD, FAINT, GREY, INK, ORANGE, headline, plain_log, styled

SHADES = LinearSegmentedColormap.from_list("tiles", [CARD, BLUE])
DARK = 0.6  # a share from which on its number is written in the colour of the card


@styled
def tile_plane(
    ax: Axes,
    shares: Mapping[tuple[int, int], float],
    *,
    registers: int,
    sums: float,
    title: str = "",
) -> Axes:
    """Draw tiles by their rows and vectors, each with the share of the peak that it reaches.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With a column for each number of rows that occurs.
    shares : mapping of (rows, vectors) to float
        From 0 to 1. A tile that is not there stays empty; at least one is there.
    registers : int
        Of the processor. A tile that needs more is hatched.
    sums : float
        How many sums the multiply-add units need to be busy. A tile with fewer is dotted.
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    rows, vectors = (sorted({tile[axis] for tile in shares}) for axis in (0, 1))
    for (x, r), (y, v) in itertools.product(enumerate(rows), enumerate(vectors)):
        part = shares.get((r, v))
        spilled, few = not fits(r, v, registers), r * v < sums
        look = {"fc": CARD if part is None else SHADES(part), "ec": FAINT, "lw": 0.8}
        ax.add_patch(Rectangle((x, y), 1, 1, gid=f"tile {r} x {v}", **look))
        if spilled or few:
            hatch, colour = ("xxx", ORANGE) if spilled else ("..", GREY)
            marked = {"fc": "none", "ec": colour, "lw": 0, "alpha": 0.35, "hatch": hatch}
            ax.add_patch(Rectangle((x, y), 1, 1, gid="spills" if spilled else "waits", **marked))
        if part is not None:
            colour = CARD if part > DARK else INK
            words = {"ha": "center", "va": "center", "color": colour, "size": 10.5}
            box = {"fc": SHADES(part), "ec": "none", "pad": 1.2}
            ax.text(x + 0.5, y + 0.5, f"{100 * part:.0f}", bbox=box, **words)
    ax.set(xlim=(-0.1, len(rows) + 0.1), ylim=(-0.1, len(vectors) + 0.1))
    ax.set_xticks(np.arange(len(rows)) + 0.5, rows)
    ax.set_yticks(np.arange(len(vectors)) + 0.5, vectors)
    ax.tick_params(length=0)
    ax.spines[["left", "bottom"]].set_visible(False)
    _explain(ax)
    return headline(
        ax, title or "Share of the peak, in percent", x="rows of the tile", y="vectors of the tile"
    )


def _explain(ax: Axes) -> None:
    """Say to the right of the plane what the two patterns mean."""
    for level, (hatch, colour, words) in enumerate(
        (("xxx", ORANGE, "more than the\nregisters hold"), ("..", GREY, "too few sums\nto keep busy"))
    ):
        place = {"transform": ax.transAxes, "clip_on": False}
        corner = (1.02, 0.78 - 0.28 * level)
        ax.add_patch(Rectangle(corner, 0.025, 0.1, fc=CARD, ec=colour, lw=0.8, hatch=hatch, **place))
        ax.text(corner[0] + 0.035, corner[1] + 0.05, words, va="center", color=INK, size=10.5, **place)


@styled
def tile_model(ax: Axes, latency: int = 4, fma: int = 2, loads: int = 2, registers: int = 32) -> Axes:
    """Draw which share of the peak each tile can reach on a processor, by the model of `tiles.share`.

    The title names the best tile; of several, the one with the fewest loads for each multiply-add.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    latency : int
        Cycles from the beginning of a multiply-add to its result.
    fma, loads : int
        How many multiply-adds, and how many loads, can begin in each cycle.
    registers : int
        At least 3.

    Returns
    -------
    matplotlib.axes.Axes
    """
    tiles = itertools.product(range(1, 17), range(1, 7))
    shares = {tile: share(*tile, latency, fma, loads) for tile in tiles if fits(*tile, registers)}
    rows, vectors = best = max(shares, key=lambda tile: (shares[tile], -1 / tile[0] - 1 / tile[1]))
    title = f"{registers} registers: {rows} x {vectors} can keep {shares[best]:.0%} of the units busy"
    return tile_plane(ax, shares, registers=registers, sums=latency * fma, title=title)


@styled
def chain_speeds(ax: Axes, speeds: Mapping[int, float], *, registers: int) -> Axes:
    """Draw how fast multiply-adds are, by how many sums grow side by side.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    speeds : mapping of int to float
        GFLOP/s by the number of chains, at least one.
    registers : int
        Of the processor, drawn as a line.

    Returns
    -------
    matplotlib.axes.Axes
    """
    chains, gflops = list(speeds), list(speeds.values())
    best = max(gflops)
    ax.plot(chains, gflops, "o-", color=BLUE, lw=2.4, ms=6, gid="speeds")
    side = np.geomspace(1, max(best / speeds[min(chains)], 1), 50)
    ax.plot(side, side * speeds[min(chains)], color=GREY, lw=1.2, ls="--", gid="in step")
    ax.axvline(registers, color=ORANGE, lw=1.4, ls=":", gid="registers")
    ax.text(registers, 0, f" {registers} registers", color=ORANGE, va="bottom")
    ax.set(xscale="log", xlim=(0.94, 1.25 * max(chains)), ylim=(0, 1.1 * best))
    plain_log(ax.xaxis)
    return headline(
        ax, "More sums side by side, until the units are busy", x="sums side by side", y="GFLOP/s"
    )
