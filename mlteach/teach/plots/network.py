"""What a network reads, and what it looks at."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike

from mlteach.teach.plots.style import BLUE, CARD, INK, ORANGE, headline, image_axes, styled

FULL = 0.8  # the strongest tint of a cell, so that words on it can be read


@styled
def confusion_matrix(ax: Axes, labels: ArrayLike, predicted: ArrayLike, *, title: str = "") -> Axes:
    """Count what each digit was read as: a row for what it is, a column for what was read.

    The diagonal, blue, is what was read right. All other cells are mistakes, and the more of them, the
    stronger their orange.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    labels, predicted : array_like, shape (N,)
        What each example is, and what it was taken for: whole numbers from 0 on.
    title : str
        How many are right and the commonest mistake, where it is empty.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where there are no labels, or not as many predictions.
    """
    labels, predicted = np.asarray(labels, int), np.asarray(predicted, int)
    if labels.shape != predicted.shape or labels.ndim != 1 or labels.size == 0:
        raise ValueError(f"{labels.shape} labels do not fit {predicted.shape} predictions: give one for each")
    classes = int(max(labels.max(), predicted.max())) + 1
    counts = np.zeros((classes, classes), int)
    np.add.at(counts, (labels, predicted), 1)
    wrong = counts - np.diag(np.diag(counts))
    for (i, j), count in np.ndenumerate(counts):
        share = FULL * count / max(counts.sum(axis=1)[i] if i == j else wrong.max(), 1)
        ax.fill(
            [j, j + 1, j + 1, j], [i, i, i + 1, i + 1], color=BLUE if i == j else ORANGE, alpha=share, lw=0
        )
        look: dict[str, Any] = {
            "color": CARD if i == j and share > 0.5 else INK,
            "fontweight": "bold" if i == j else "normal",
        }
        if count:
            ax.text(j + 0.5, i + 0.5, str(count), ha="center", va="center_baseline", size=11, **look)
    ax.set(xlim=(0, classes), ylim=(classes, 0), aspect="equal")
    names = [str(label) for label in range(classes)]
    ax.set_xticks(np.arange(classes) + 0.5, names)
    ax.set_yticks(np.arange(classes) + 0.5, names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return headline(ax, title or _commonest(counts, wrong), x="what was read", y="what it is")


def _commonest(counts: np.ndarray, wrong: np.ndarray) -> str:
    right = f"{100 * np.trace(counts) / counts.sum():.2f} % right"
    if not wrong.any():
        return right
    label, read = np.unravel_index(wrong.argmax(), wrong.shape)
    times = f"{wrong.max()} times" if wrong.max() > 1 else "once"
    return f"{right}; {label} was taken for {read}, {times}"


@styled
def hidden_units(ax: Axes, weights: ArrayLike, *, count: int = 24, columns: int = 8, title: str = "") -> Axes:
    """Draw the weights of hidden units as pictures: ink in orange speaks for a unit, in blue against it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    weights : array_like, shape (pixels, units)
        The weights of the first layer; the pixels are a square.
    count : int
        How many units are shown, the ones with the largest weights, the largest first.
    columns : int
        Units per row.
    title : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where the pixels are no square.
    """
    weights = np.asarray(weights, float)
    side = round(len(weights) ** 0.5)
    if weights.ndim != 2 or side * side != len(weights):
        raise ValueError(
            f"weights of shape {weights.shape} are no pictures: give a row for each pixel of a square"
        )
    chosen = np.argsort(-np.linalg.norm(weights, axis=0), kind="stable")[:count]
    title = title or f"What {len(chosen)} of {weights.shape[1]} hidden units look for"
    image_axes(ax, title)
    for place, unit in enumerate(chosen):
        left, top = place % columns * (side + 3), place // columns * (side + 3)
        picture = weights[:, unit].reshape(side, side)
        ax.imshow(_tint(picture), extent=(left, left + side, top + side, top), gid=f"unit {unit}")
    rows = -(-len(chosen) // columns)
    words = [("ink here speaks for it", ORANGE), ("ink here speaks against it", BLUE)]
    for place, (text, colour) in enumerate(words):
        ax.text(place * 9 * side / 4, rows * (side + 3) + 1, text, color=colour, va="top")
    ax.set_xlim(-1, min(len(chosen), columns) * (side + 3) - 2)
    ax.set_ylim(rows * (side + 3) + 8, -1)
    return ax


def _tint(picture: np.ndarray) -> np.ndarray:
    """Colours, shape (rows, columns, 3): the card where a weight is 0, orange above, blue below."""
    strength = np.clip(np.abs(picture) / max(np.quantile(np.abs(picture), 0.995), 1e-12), 0, 1)[..., None]
    colour = np.where(picture[..., None] > 0, to_rgb(ORANGE), to_rgb(BLUE))
    return (1 - strength) * np.array(to_rgb(CARD)) + strength * colour
