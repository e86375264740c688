"""Pictures of what a file holds, before it means anything: pixels and bytes as numbers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from mlteach.teach.plots.style import BLUE, CARD, FAINT, GREY, INK, ORANGE, image_axes, styled


@styled
def pixel_values(ax: Axes, image: ArrayLike, *, title: str = "Every pixel is a number") -> Axes:
    """Write into each pixel of an image its grey level.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    image : array_like of integers, shape (rows, columns)
        The smallest is drawn as paper, the largest as ink; zeros are written faintly.
    title : str

    Returns
    -------
    matplotlib.axes.Axes
    """
    image = np.asarray(image)
    middle = (int(image.min()) + int(image.max())) / 2
    image_axes(ax, title)
    ax.imshow(image)
    for (i, j), level in np.ndenumerate(image):
        colour = FAINT if level == 0 else CARD if level > middle else INK
        ax.text(j, i, str(level), ha="center", va="center_baseline", size=7, color=colour)
    return ax


@styled
def byte_strip(ax: Axes, data: bytes, parts: Sequence[tuple[str, int]], *, title: str = "") -> Axes:
    """Draw bytes in a row, in hexadecimal, with their places above and the name of each part below.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    data : bytes
    parts : sequence of (str, int)
        The name of each part, in order, and how many bytes it takes.
    title : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where the parts are not as long as the data.
    """
    promised = sum(count for _, count in parts)
    if promised != len(data):
        raise ValueError(f"the parts take {promised} bytes, but there are {len(data)}: name every byte once")
    image_axes(ax, title)
    place, left = 0, 0.0
    for number, (name, count) in enumerate(parts):
        colour = (BLUE, ORANGE)[number % 2]
        for byte in data[place : place + count]:
            ax.add_patch(Rectangle((left, 0), 1, 1, facecolor=f"{colour}22", edgecolor=colour, lw=1))
            ax.text(left + 0.5, 0.5, f"{byte:02x}", ha="center", va="center_baseline", family="monospace")
            ax.text(left + 0.5, 1.2, str(place), ha="center", size=9, color=GREY)
            place, left = place + 1, left + 1
        ax.plot([left - count + 0.06, left - 0.06], [-0.22] * 2, color=colour, lw=3, solid_capstyle="butt")
        ax.text(left - count / 2, -0.5, name, ha="center", va="top", color=INK, size=11)
        left += 0.4
    ax.set(xlim=(-0.1, left - 0.3), ylim=(-1.6, 1.9))
    return ax
