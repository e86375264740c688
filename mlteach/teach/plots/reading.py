"""A picture and what is read in it."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from mlteach.teach.plots.style import BLUE, FAINT, GREY, INK, image_axes, styled

BARS = 35  # where the bars begin, in pixels of the picture
FULL = 24  # how long a bar is that stands for certainty


@styled
def reading(ax: Axes, picture: ArrayLike, probabilities: ArrayLike, *, title: str = "") -> Axes:
    """Show a picture, and beside it a bar for the probability of each class.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    picture : array_like, shape (28, 28)
        Grey levels from 0, paper, to 255, ink.
    probabilities : array_like, shape (classes,)
        Each from 0 to 1; the first of the largest stands out.
    title : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where the picture has another shape, or the probabilities are no row of numbers.
    """
    picture, shares = np.asarray(picture), np.asarray(probabilities, float)
    if picture.shape != (28, 28) or shares.ndim != 1 or len(shares) == 0:
        raise ValueError(
            f"picture of shape {picture.shape} and probabilities of shape {shares.shape}: "
            "give (28, 28) and (classes,)"
        )
    image_axes(ax, title)
    ax.imshow(picture, extent=(0, 28, 28, 0), vmin=0, vmax=255)
    ax.plot([0, 28, 28, 0, 0], [0, 0, 28, 28, 0], color=FAINT, lw=1)
    rows = 28 * (np.arange(len(shares)) + 0.5) / len(shares)
    colours = [FAINT] * len(shares)
    if shares.max() > 0:
        colours[shares.argmax()] = BLUE
    ax.barh(rows, FULL * shares, height=0.64 * 28 / len(shares), left=BARS, color=colours)
    for label, (row, share) in enumerate(zip(rows, shares, strict=True)):
        look = {"va": "center", "weight": "bold" if colours[label] == BLUE else "normal"}
        ax.text(BARS - 1.5, row, str(label), ha="right", color=INK, **look)
        ax.text(BARS + FULL * share + 1, row, f"{100 * share:.0f} %", color=GREY, size=11, va="center")
    ax.set_xlim(-0.5, BARS + FULL + 7)
    ax.set_ylim(28.5, -0.5)
    return ax
