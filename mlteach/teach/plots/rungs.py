"""The ladder by the size of a square product, and both ladders below each other."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from mlteach.measure import Journal, Measurement, describe
from mlteach.measure import recorded as recorded_ladder
from mlteach.measure.units import number_text
from mlteach.teach.plots.iteration import (
    NOT_YET,
    RECORDED,
    fastest,
    in_order,
    ladder_by_iteration,
    line_look,
    word_colour,
)
from mlteach.teach.plots.style import INK, figure, headline, label_ends, plain_log, styled


def ladder(newest: str | None = None, *, journal: Journal | None = None, measure: bool = True) -> Figure:
    """Draw both ladders from the reader's journal, with the recorded ones where it has gaps.

    The last cell of each notebook: square products above, the talk's training iteration below.

    Parameters
    ----------
    newest : str, optional
        The rung that the notebook added.
    journal : Journal, optional
        The reader's own by default.
    measure : bool
        Whether to measure the arithmetic limit of this machine for the figure, which takes some seconds the
        first time.

    Returns
    -------
    matplotlib.figure.Figure
    """
    own, elsewhere = (journal or Journal()).measurements(), recorded_ladder()
    threads = max((made.threads for made in own if made.workload == "product"), default=1)
    peaks = describe(measure=True).peak if measure else None
    rungs = len({*fastest([*own, *elsewhere], "float64"), newest})
    heights = [4.6, 1.7 + 0.31 * max(rungs, 4)]
    card, (above, below) = figure(2, size=(8.8, sum(heights)), height_ratios=heights)
    ladder_by_size(above, own, newest, peaks and peaks["float32"].at(threads), recorded=elsewhere)
    ladder_by_iteration(below, own, newest, recorded=elsewhere)
    return card


@styled
def ladder_by_size(
    ax: Axes,
    measurements: Iterable[Measurement],
    newest: str | None = None,
    peak: float | None = None,
    *,
    recorded: Iterable[Measurement] = (),
    dtype: str = "float32",
) -> Axes:
    """Draw how fast each rung multiplies square matrices, against their size.

    The newest rung is solid and in its colour, the reader's earlier rungs are grey and dashed, those from a
    recorded ladder are pale, and BLAS is black. Of several numbers of threads the fastest counts.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measurements : iterable of Measurement
        The reader's own. What is no square product in ``dtype`` is passed over.
    newest : str, optional
        The rung to bring out; where it is not measured yet, a line says so.
    peak : float, optional
        The arithmetic limit of the machine in GFLOP/s, drawn as a level.
    recorded : iterable of Measurement
        From another machine; used for rungs that the reader has not measured.
    dtype : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    own, others = _speeds(measurements, dtype), _speeds(recorded, dtype)
    chosen = {**others, **own}
    ends = []
    for name in in_order(chosen):
        sizes, speeds = zip(*sorted(chosen[name].items()), strict=True)
        look = line_look(name, newest, name in own)
        ax.plot(sizes, speeds, marker="o", label=name, **look)
        ends.append((sizes[-1], speeds[-1], name, word_colour(look["color"])))
    if peak:
        ax.axhline(peak, color=INK, lw=1, ls=":", gid="peak")
    _log_axes(ax, {n for points in chosen.values() for n in points})
    if peak:
        ends.append((ax.get_xlim()[1], peak, f"peak {number_text(peak)}", INK))
    if newest and newest not in chosen:
        words = f"{newest}: {NOT_YET}"
        colour = line_look(newest, newest, False)["color"]
        ax.text(1, 1.02, words, ha="right", color=colour, fontweight="bold", transform=ax.transAxes)
    title = "How fast each rung multiplies square matrices" if chosen else "No square product measured yet"
    note = f"; {RECORDED}" if others.keys() - own.keys() else ""
    return label_ends(headline(ax, title, x=f"n, rows and columns{note}", y="GFLOP/s"), ends)


def _speeds(measurements: Iterable[Measurement], dtype: str) -> dict[str, dict[int, float]]:
    """The most GFLOP/s that each rung reached at each n, for square products in a dtype."""
    found: dict[str, dict[int, float]] = {}
    for made in measurements:
        if made.workload == "product" and made.dtype == dtype and len(set(made.shape)) == 1:
            speeds = found.setdefault(made.kernel, {})
            speeds[made.shape[0]] = max(made.gflops, speeds.get(made.shape[0], 0))
    return found


def _log_axes(ax: Axes, sizes: set[int]) -> None:
    """Make both axes logarithmic, with the numbers that a reader would write."""
    ax.set(xscale="log", yscale="log")
    powers = [2**power for power in range(15) if sizes and min(sizes) <= 2**power <= max(sizes)]
    ax.xaxis.set_major_locator(FixedLocator(powers or sorted(sizes)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    plain_log(ax.yaxis)
    ax.grid(True, axis="y")
