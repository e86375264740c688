"""What fusing saves: an iteration step by step, and by the size of its blocks."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from mlteach.measure.units import number_text, seconds_text
from mlteach.teach.plots.style import BLUE, FAINT, GREY, INK, ORANGE, headline, plain_log, styled


@styled
def waterfall(ax: Axes, seconds: Mapping[str, float], title: str = "What each step saves") -> Axes:
    """Draw how the time of the same work falls from step to step.

    Each bar is what a step takes; the pale part before it is what it saved. A step that saved nothing has its
    bar in orange.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 0.6 high for each step, and 1 more.
    seconds : mapping of str to float
        The steps in their order, at least one.
    title : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where there is no step.
    """
    if not seconds:
        raise ValueError("there is nothing to draw: give at least one step and its seconds")
    first = before = next(iter(seconds.values()))
    for row, (name, time) in enumerate(seconds.items()):
        worse = time > before
        ax.barh(row, 1000 * time, height=0.6, color=ORANGE if worse else BLUE, label=name)
        if time < before:
            ax.barh(row, 1000 * (before - time), left=1000 * time, height=0.6, color=FAINT, alpha=0.45)
        words = seconds_text(time) + (f", {number_text(first / time)} x" if row else "")
        ax.text(1000 * max(time, before), row, f"  {words}", va="center_baseline", color=INK)
        before = time
    ax.set_yticks(range(len(seconds)), list(seconds), color=INK)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(seconds) - 0.5, -0.5)
    ax.set_xlim(0, 1.22 * 1000 * max(seconds.values()))
    return headline(ax, title, x="ms per iteration; pale: saved by this step")


@styled
def block_sizes(ax: Axes, seconds: Mapping[int, float]) -> Axes:
    """Draw what an image costs in a pass over blocks, against the number of images in a block.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    seconds : mapping of int to float
        Seconds per image for each size, at least two.

    Returns
    -------
    matplotlib.axes.Axes
    """
    sizes = sorted(seconds)
    times = [1e6 * seconds[size] for size in sizes]
    ax.plot(sizes, times, "o-", color=BLUE)
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(sizes, map(str, sizes))
    ax.set_ylim(min(times) / 2, max(times) * 2)
    plain_log(ax.yaxis)
    ax.minorticks_off()
    ax.grid(True, axis="y")
    best = min(sizes, key=seconds.__getitem__)
    ax.plot(best, 1e6 * seconds[best], "o", ms=11, color=ORANGE, gid="best")
    for size, time, before in zip(sizes, times, [times[0], *times], strict=False):
        ax.annotate(
            seconds_text(seconds[size]),
            (size, time),
            xytext=(0, -20) if size == best else (4, 8) if time < before else (0, 10),
            textcoords="offset points",
            ha="left" if time < before and size != best else "center",  # beside a line that falls to it
            color=ORANGE if size == best else GREY,
            fontweight="bold" if size == best else "normal",
        )
    return headline(ax, "One pass, in blocks of different sizes", x="images in a block", y="µs per image")
