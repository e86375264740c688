"""The ladder on one product: how fast each rung is, side by side."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mlteach.measure import Measurement
from mlteach.measure.units import number_text
from mlteach.teach.plots.style import CARD, COLOURS, GREY, INK, headline, styled


@styled
def rung_speeds(ax: Axes, measurements: Iterable[Measurement], peak: float | None = None) -> Axes:
    """Draw the GFLOP/s of each rung on one product of any shape, as bars on a logarithmic axis.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 0.35 high for each rung, and 1.5 more.
    measurements : iterable of Measurement
        Of one workload, shape and dtype, in the order in which they are drawn; at least one.
    peak : float, optional
        The arithmetic limit of the machine in GFLOP/s, drawn as a line.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where there is nothing to draw.
    """
    measurements = list(measurements)
    if not measurements:
        raise ValueError("there is no measurement to draw: time at least one rung first")
    places = range(len(measurements))
    low = min(made.gflops for made in measurements) / 3
    for place, made in zip(places, measurements, strict=True):
        ax.barh(
            place,
            made.gflops - low,
            left=low,
            height=0.62,
            color=COLOURS.get(made.kernel, GREY),
            label=made.kernel,
        )
        words = f" {'≈ ' if made.scaled else ''}{number_text(made.gflops)}"
        ax.text(made.gflops, place, words, va="center", color=INK, bbox={"fc": CARD, "ec": "none", "pad": 1})
    if peak:
        ax.axvline(peak, color=INK, lw=1, ls=":", gid="peak")
        ax.text(peak, -0.6, f" peak {number_text(peak)}", va="bottom", color=INK)
    ax.set(xscale="log", xlim=(low, 4 * max([peak or 0, *(made.gflops for made in measurements)])))
    ax.set_ylim(len(measurements) - 0.5, -1.2 if peak else -0.6)
    ax.xaxis.set_major_locator(LogLocator(base=10))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda speed, _: f"{speed:g}"))
    ax.set_yticks(places, [made.kernel for made in measurements], color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    m, k, n = measurements[0].shape
    return headline(ax, f"{m} x {k} times {k} x {n}, {measurements[0].dtype}", x="GFLOP/s, log scale")
