"""A score as a weighted sum: a row of pixels meets a column of weights."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from mlteach.teach.plots.style import CARD, FAINT, INK, ORANGE, image_axes, styled

GAP = 1.5  # cells between two matrices
FULL = 0.87  # the darkest that a pixel is drawn: as dark as the words


@styled
def weighted_sum(
    ax: Axes,
    x: ArrayLike,
    theta: ArrayLike,
    picture: int = 0,
    question: int = 0,
    *,
    names: Sequence[str] = (),
) -> Axes:
    """Show how one score of ``x @ theta`` comes about: pixels times weights, added up.

    The matrices lie so that a row of x and a column of theta meet at their score.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x : array_like, shape (pictures, pixels)
        Grey levels from 0, paper, to 1, ink: a few of each, they are drawn as cells.
    theta : array_like, shape (pixels, questions)
        The weights.
    picture, question : int
        The row of x and the column of theta, from 0.
    names : sequence of str, optional
        What each question is called; its number otherwise.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where x and theta do not multiply, or have no such row or column.
    """
    x, theta = np.asarray(x, float), np.asarray(theta, float)
    if x.ndim != 2 or theta.ndim != 2 or x.shape[1] != len(theta):
        raise ValueError(
            f"x of shape {x.shape} and theta of shape {theta.shape} do not fit: give theta a row per pixel"
        )
    (m, k), n = x.shape, theta.shape[1]
    if not (0 <= picture < m and 0 <= question < n):
        raise ValueError(f"there is no score [{picture}, {question}] among {m} x {n}: count both from 0")
    names = names or [str(j) for j in range(n)]
    scores = x @ theta
    score = scores[picture, question]
    image_axes(ax, f'Picture {picture}, question "{names[question]}": a score of {_word(score)}')
    left = top = k + GAP
    _draw(ax, "X", (0, top), x, (picture, slice(None)), pixels=True)
    _draw(ax, "theta", (left, 0), theta, (slice(None), question))
    _draw(ax, "X @ theta", (left, top), scores, (picture, question))
    for j, name in enumerate(names):
        ax.text(left + j + 0.5, k + 0.18, name, ha="center", va="top", size=11)
    words = _sum(x[picture], theta[:, question], score)
    ax.text(left + n + 0.9, -0.1, words, family="monospace", va="top", linespacing=1.6)
    ax.set_xlim(-0.1, left + n + 5)
    ax.set_ylim(top + m + 0.15, -0.9)
    return ax


def _draw(ax, name, corner, numbers, chosen, *, pixels=False) -> None:
    """Draw a matrix as cells with their numbers, pixels on their grey, and a frame around the chosen ones."""
    left, top = corner
    ax.text(left, top - 0.2, name, family="monospace", size=13, va="bottom", fontweight="bold")
    bold = np.zeros(numbers.shape, bool)
    bold[chosen] = True
    shades = FULL * np.clip(numbers, 0, 1) if pixels else np.zeros(numbers.shape)
    for (i, j), number in np.ndenumerate(numbers):
        shade = shades[i, j]
        look = {"fc": str(1 - shade) if shade else CARD, "ec": FAINT, "lw": 0.9}
        ax.add_patch(Rectangle((left + j, top + i), 1, 1, gid=f"{name}[{i}, {j}]", **look))
        ax.text(
            left + j + 0.5, top + i + 0.5, _word(number), ha="center", va="center_baseline", zorder=4,
            color=CARD if shade > 0.5 else INK, fontweight="bold" if bold[i, j] else "normal",
        )  # fmt: skip
    rows, columns = np.nonzero(bold)
    frame = (left + columns[0], top + rows[0]), np.ptp(columns) + 1, np.ptp(rows) + 1
    ax.add_patch(Rectangle(*frame, fill=False, lw=3, ec=ORANGE, zorder=3, gid=f"{name} frame"))


def _sum(pixels: np.ndarray, weights: np.ndarray, score: float) -> str:
    """The weighted sum, a line for each pixel."""
    lines = [
        f"{_word(x):>5} × {_word(w):>2} = {_word(x * w):>5}" for x, w in zip(pixels, weights, strict=True)
    ]
    rule = "─" * len(lines[0])
    return "\n".join([*lines, rule, f"{'score':<{len(rule) - 5}}{_word(score):>5}"])


def _word(number: float) -> str:
    return f"{number + 0.0:.3g}".replace("-", "−")
