"""How learning goes, and where its time goes."""

from collections.abc import Mapping
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from mlteach.measure.units import seconds_text
from mlteach.teach.plots.style import BLUE, COLOURS, FAINT, GREY, INK, headline, label_ends, plain_log, styled

OTHERS = ("#0071B1", "#E86700", "#007B59", "#98587B", "#BE8200", "#4D4D4D")  # for lines that are no rungs
Series = Mapping[str, ArrayLike | tuple[ArrayLike, ArrayLike]]


@styled
def accuracy_curve(
    ax: Axes, series: Series, *, x: str = "iteration", chance: float | None = None, title: str = "Accuracy"
) -> Axes:
    """Draw how the share of digits that are read right grows.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    series : mapping of str to array_like
        Accuracies between 0 and 1, by the name of their line; or pairs (places, accuracies) where the places
        are not 0, 1, 2, ... but seconds, for example.
    x : str
        What the places are, with their unit.
    chance : float, optional
        The accuracy of guessing, drawn as a level.
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    ends = _draw_lines(ax, series)
    ax.set_ylim(0, 1)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
    if chance is not None:
        ax.axhline(chance, color=GREY, lw=1, ls=":", gid="chance")
        ends.append((ax.get_xlim()[1], chance, "guessing", GREY))
    return label_ends(headline(ax, title, x=x, y="% of the digits read right"), ends)


@styled
def mistakes_by_seconds(
    ax: Axes, series: Mapping[str, tuple[ArrayLike, ArrayLike]], *, title: str = "Fewer mistakes in less time"
) -> Axes:
    """Draw how many of the digits are still misread after so many seconds of training, both axes in factors.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    series : mapping of str to (array_like, array_like)
        Seconds, above 0, and accuracies between 0 and 1, by the name of their line.
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    wrong: Series = {
        name: (seconds, np.maximum(100 - 100 * np.asarray(accuracies, float), 0.01))
        for name, (seconds, accuracies) in series.items()
    }
    ends = _draw_lines(ax, wrong)
    ax.set(xscale="log", yscale="log")
    plain_log(ax.xaxis)
    plain_log(ax.yaxis)
    names = [(x, y, f"{name}: {100 - y:.1f} % right", colour) for x, y, name, colour in ends]
    return label_ends(headline(ax, title, x="seconds of training", y="% of the digits misread"), names)


@styled
def cost_curve(
    ax: Axes, series: Series, *, x: str = "iteration", log: bool = False, title: str = "Cost"
) -> Axes:
    """Draw how a cost falls, or does not.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    series : mapping of str to array_like
        As in ``accuracy_curve``. A line that runs to infinity or NaN stops there.
    x : str
        What the places are, with their unit.
    log : bool
        Whether the cost axis is logarithmic: right where lines differ by powers of ten.
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    ends = _draw_lines(ax, series)
    if log:
        ax.set_yscale("log")
        plain_log(ax.yaxis)
    else:
        ax.set_ylim(bottom=0)
    return label_ends(headline(ax, title, x=x, y="cost"), ends)


def _draw_lines(ax: Axes, series: Series) -> list[tuple[float, float, str, str]]:
    """Draw each line up to where it stops being finite; return what ``label_ends`` needs."""
    others, ends = cycle(OTHERS), []
    for name, given in series.items():
        values = np.asarray(given[1] if isinstance(given, tuple) else given, float)
        places = np.asarray(given[0], float) if isinstance(given, tuple) else np.arange(len(values))
        finite = np.logical_and.accumulate(np.isfinite(values))
        places, values = places[finite], values[finite]
        colour = COLOURS.get(name) or next(others)
        ax.plot(places, values, color=colour, marker="o" if len(values) == 1 else None, label=name)
        if len(values):
            ends.append((places[-1], values[-1], name, colour))
    ax.margins(x=0.01)
    return ends


@styled
def product_share(ax: Axes, seconds: Mapping[str, tuple[float, float]]) -> Axes:
    """Show which part of an iteration is the matrix product, one bar for each kernel.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    seconds : mapping of str to (float, float)
        By kernel, the seconds in the product and the seconds in all the rest.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where a time is negative, or both are zero.
    """
    product, rest = np.array(list(seconds.values()), float).reshape(-1, 2).T
    total = product + rest
    if (np.minimum(product, rest) < 0).any() or (total == 0).any():
        raise ValueError(
            f"{dict(seconds)} holds times that cannot be: give (product, rest) in seconds, not both 0"
        )
    share, places = 100 * product / total, np.arange(len(total))
    ax.barh(places, share, height=0.62, color=BLUE, gid="product")
    ax.barh(places, 100 - share, left=share, height=0.62, color=FAINT, gid="rest")
    for place, part, whole in zip(range(len(total)), share, total, strict=True):
        inside = {"x": part - 1.5, "ha": "right", "color": "#FFFFFF"}
        beside = {"x": part + 1.5, "ha": "left", "color": INK}
        look = inside if part >= 12 else beside
        ax.text(y=place, s=f"{part:.0f} %", va="center", fontweight="bold", **look)
        ax.text(101.5, place, seconds_text(whole), va="center")
    ax.text(0, -0.52, "the product", color=BLUE, fontweight="bold", va="bottom")
    ax.text(100, -0.52, "the rest", color=GREY, fontweight="bold", va="bottom", ha="right")
    ax.text(101.5, -0.52, "in all", va="bottom")
    ax.set(xlim=(0, 100), ylim=(len(total) - 0.5, -0.85))
    ax.set_yticks(places, list(seconds), color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return headline(ax, "Where the time of an iteration goes", x="% of the time of one iteration")
