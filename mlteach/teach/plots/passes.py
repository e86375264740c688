"""The way of a batch through a network, and of its error back."""

from matplotlib.axes import Axes

from mlteach.teach.plots.style import BLUE, INK, ORANGE, image_axes, styled

HIGH, WIDE = 2.2, 4.8  # of a box
BOXES = (("x", "pixels"), ("hidden", "after the ReLU"), ("p", "after the softmax"))
PITCH = 12.5  # from one box to the next


@styled
def passes(ax: Axes) -> Axes:
    """Draw the forward pass of a network with one hidden layer, and below it the way back of the error.

    Parameters
    ----------
    ax : matplotlib.axes.Axes

    Returns
    -------
    matplotlib.axes.Axes
    """
    image_axes(ax, "Forward from the pixels, back from the error")
    for place, (name, words) in enumerate(BOXES):
        _box(ax, place * PITCH, 0, name, words, BLUE)
    _arrow(ax, (WIDE, 1.1), (PITCH, 1.1), "@ w1 + b1", BLUE)
    _arrow(ax, (PITCH + WIDE, 1.1), (2 * PITCH, 1.1), "@ w2 + b2", BLUE)
    _box(ax, 2 * PITCH, 5, "error", "(p - targets) / N", ORANGE)
    _box(ax, PITCH, 5, "error", "of hidden units", ORANGE)
    _arrow(ax, (2 * PITCH + WIDE / 2, HIGH), (2 * PITCH + WIDE / 2, 5), "", ORANGE)
    _arrow(ax, (2 * PITCH, 6.1), (PITCH + WIDE, 6.1), "@ w2.T\n0 where hidden is 0", ORANGE)
    for place, weights, inputs in ((2, "w2", "hidden"), (1, "w1", "x")):
        left = place * PITCH + WIDE / 2
        _arrow(ax, (left, 5 + HIGH), (left, 8.6), "", INK)
        words = f"slope of {weights}\n{inputs}.T @ error"
        ax.text(left, 8.8, words, ha="center", va="top", family="monospace", size=12, linespacing=1.5)
    ax.set_xlim(-0.3, 2 * PITCH + WIDE + 0.3)
    ax.set_ylim(10.7, -0.4)
    return ax


def _box(ax: Axes, left: float, top: float, name: str, words: str, colour: str) -> None:
    ax.fill(
        [left, left + WIDE, left + WIDE, left], [top, top, top + HIGH, top + HIGH],
        facecolor="none", edgecolor=colour, lw=2, gid=name,
    )  # fmt: skip
    middle = left + WIDE / 2
    ax.text(middle, top + 0.85, name, ha="center", va="center", family="monospace", fontweight="bold")
    ax.text(middle, top + 1.65, words, ha="center", va="center", size=10)


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float], words: str, colour: str) -> None:
    look = {"arrowstyle": "-|>", "color": colour, "lw": 2, "shrinkA": 3, "shrinkB": 3}
    ax.annotate("", end, start, arrowprops=look)
    middle = (start[0] + end[0]) / 2
    ax.text(middle, start[1] - 0.25, words, ha="center", va="bottom", family="monospace", size=12, color=INK)
