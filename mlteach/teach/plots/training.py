"""How learning goes, and where its time goes."""

from itertools import cycle

import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator

from mlteach.measure.units import seconds_text
from mlteach.teach.plots.style import BLUE, COLOURS, FAINT, GREY, INK, headline, label_ends, styled


@styled
def accuracy_curve(ax, series, *, x="iteration", chance=None, title="Accuracy"):
    """Draw how the share of digits read right grows.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    series : mapping of str to array_like (iterations,)
        Accuracies between 0 and 1 by the name of their line, or pairs (places, accuracies) where the places are
        not 0, 1, 2, ...: seconds, for example.
    x : str
        What the places are, with their unit.
    chance : float, optional
        The accuracy of a guess, drawn as a level of reference.
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
    headline(ax, title, x=x, y="% of the digits read right")
    return label_ends(ax, ends)


@styled
def cost_curve(ax, series, *, x="iteration", log=False, title="Cost"):
    """Draw how a cost falls, or does not.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    series : mapping of str to array_like (iterations,)
        As in `accuracy_curve`. A line that runs to infinity or NaN stops there.
    x : str
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
        wide = np.ptp(np.log10(ax.get_ylim())) > 3
        ax.yaxis.set_major_locator(LogLocator(subs=(1,) if wide else (1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:g}"))
    else:
        ax.set_ylim(bottom=0)
    headline(ax, title, x=x, y="cost")
    return label_ends(ax, ends)


def _draw_lines(ax, series):
    """Draw each line up to where it stops being finite; return its end, name and colour for `label_ends`."""
    others = cycle(("#0071B1", "#E86700", "#007B59", "#98587B", "#BE8200", "#4D4D4D"))
    ends = []
    for name, values in series.items():
        places, values = values if isinstance(values, tuple) else (range(len(values)), values)
        places, values = np.asarray(places, float), np.asarray(values, float)
        finite = np.logical_and.accumulate(np.isfinite(values))
        colour = COLOURS.get(name) or next(others)
        ax.plot(places[finite], values[finite], "o-" if finite.sum() < 2 else "-", color=colour, label=name)
        if finite.any():
            ends.append((places[finite][-1], values[finite][-1], name, colour))
    ax.margins(x=0.01)
    return ends


@styled
def product_share(ax, seconds):
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
    names = list(seconds)
    product, rest = np.array([seconds[name] for name in names], float).reshape(-1, 2).T
    total = product + rest
    if (np.minimum(product, rest) < 0).any() or (total == 0).any():
        raise ValueError(f"{dict(seconds)} holds a time that cannot be: give (product, rest) in seconds, not both zero")
    share, places = 100 * product / total, np.arange(len(names))
    ax.barh(places, share, height=0.62, color=BLUE, gid="product")
    ax.barh(places, 100 - share, left=share, height=0.62, color=FAINT, gid="rest")
    for place, part, whole in zip(places, share, total, strict=True):
        inside = part >= 12
        ax.text(
            part - 1.5 if inside else part + 1.5, place, f"{part:.0f} %", va="center", size=12, fontweight="bold",
            ha="right" if inside else "left", color="#FFFFFF" if inside else INK,
        )  # fmt: skip
        ax.text(101.5, place, seconds_text(whole), va="center", color=INK)
    ax.text(0, -0.52, "the product", color=BLUE, fontweight="bold", va="bottom")
    ax.text(100, -0.52, "the rest", color=GREY, fontweight="bold", va="bottom", ha="right")
    ax.text(101.5, -0.52, "in all", color=INK, va="bottom")
    ax.set(xlim=(0, 100), ylim=(len(names) - 0.5, -0.85))
    ax.set_yticks(places, names, color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return headline(ax, "Where the time of an iteration goes", x="% of the time of one iteration")
