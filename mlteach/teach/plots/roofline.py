"""The roofline: what memory and arithmetic allow, and where kernels stand below."""

from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from mlteach.measure.roofline import Point, Roof
from mlteach.measure.units import number_text
from mlteach.teach.plots.style import (
    CARD,
    COLOURS,
    GREY,
    INK,
    LEADING,
    headline,
    label_ends,
    plain_log,
    spread,
    styled,
)

WORDS = 10.5  # points: the size of a point's name
LOW, HIGH = 0.25, 8  # how far the axis goes beyond the outermost ridge or point, as a factor
DASHES = ("-", "--", (0, (6, 2, 1, 2)), ":")


@styled
def roofline(
    ax: Axes, roofs: Roof | Sequence[Roof], points: Iterable[Point] = (), *, title: str | None = None
) -> Axes:
    """Draw one or more rooflines, and where kernels stand below them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 3.5 high, and more where many points lie close.
    roofs : Roof or sequence of Roof
        At least one. They may share a bandwidth, such as those of one processor for two types of number.
    points : iterable of Point
        In the colour of their rung; grey where they have none.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where there is no roof.
    """
    roofs, points = [roofs] if isinstance(roofs, Roof) else list(roofs), list(points)
    if not roofs:
        raise ValueError("there is no roof to draw: give at least one")
    across = [*(roof.ridge for roof in roofs), *(point.intensity for point in points)]
    low, high = LOW * min(across), HIGH * max(across)
    ends = []
    for roof, dashes in zip(roofs, DASHES * len(roofs), strict=False):
        along = np.array([low, roof.ridge, high])
        ax.plot(along, roof.attainable(along), color=INK, lw=1.8, ls=dashes, gid="roof")
        ends.append((high, roof.peak, f"{roof.name}: {number_text(roof.peak)}", INK))
    ax.set(xscale="log", yscale="log", xlim=(low, high))
    floor = min([*(roof.attainable(low) for roof in roofs), *(point.gflops for point in points)])
    ax.set_ylim(floor / 2, 2 * max([*(roof.peak for roof in roofs), *(point.gflops for point in points)]))
    for axis in (ax.xaxis, ax.yaxis):
        plain_log(axis)
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}".replace(",", " ")))
    ax.grid(True)
    _points(ax, points)
    headline(ax, title or _title(roofs), x="operations per byte from memory", y="GFLOP/s")
    return label_ends(ax, ends)


def _title(roofs: Sequence[Roof]) -> str:
    if len(roofs) > 1:
        return "On the slope memory is the limit, on the level arithmetic"
    return f"Below {number_text(roofs[0].ridge)} operations per byte, memory is the limit"


def _points(ax: Axes, points: Sequence[Point]) -> None:
    """Draw the points, each with its name to the right, pushed up or down where names would overlap."""
    points = sorted(points, key=lambda point: point.gflops)
    to_axes = ax.transScale + ax.transLimits
    places = to_axes.transform([(point.intensity, point.gflops) for point in points]) if points else []
    gap = LEADING * WORDS / (72 * ax.bbox.height / ax.figure.dpi)
    levels = spread([y for _, y in places], gap, 0.03, 0.97)
    for point, (x, y), level in zip(points, places, levels, strict=True):
        colour = COLOURS.get(point.rung, GREY)
        ax.plot(point.intensity, point.gflops, "o", color=colour, ms=9, gid="point", zorder=4)
        ax.annotate(
            f"{point.name}, {number_text(point.gflops)}",
            (x, y),
            (x + 0.022, level),
            xycoords="axes fraction",
            textcoords="axes fraction",
            size=WORDS,
            color=INK,
            va="center",
            bbox={"fc": CARD, "ec": "none", "pad": 0.8},
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
            zorder=3,
        )
