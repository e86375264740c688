"""Pictures of digits, and of what a set of them looks like as numbers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from mlteach.measure.units import count_text
from mlteach.teach.plots.style import BLUE, GREY, INK, ORANGE, headline, image_axes, styled

# Ten colours cannot all stay apart for every eye: each point is therefore written as its digit too.
DIGIT_COLOURS = [
    *("#0071B1", "#B34E00", "#007B59", "#98587B", "#BE8200"),
    *("#25546F", "#E86700", "#756E1B", "#C574A1", "#4D4D4D"),
]


@styled
def image_grid(
    ax: Axes,
    images: ArrayLike,
    labels: Sequence | np.ndarray | None = None,
    *,
    columns: int = 10,
    title: str = "",
) -> Axes:
    """Lay images out in rows, with a word above each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like, shape (N, rows, columns)
        Grey levels of any numeric type; the largest of all is ink, the smallest paper.
    labels : sequence of N, optional
        What to write above each image.
    columns : int
        Images per row, at least 1.
    title : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where images are not a stack of pictures, or there are not as many labels as images.
    """
    images = np.asarray(images)
    if images.ndim != 3 or images.size == 0:
        raise ValueError(f"images of shape {images.shape} are no pictures: give shape (N, rows, columns)")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(images)} images have {len(labels)} labels: give one label for each image")
    count, height, width = images.shape
    across, down = width + 4, height + (13 if labels is not None else 4)
    image_axes(ax, title)
    for i, image in enumerate(images):
        left, top = i % columns * across, i // columns * down
        place = (left, left + width, top + height, top)
        ax.imshow(image, extent=place, vmin=images.min(), vmax=max(images.max(), images.min() + 1e-9))
        if labels is not None:
            ax.text(left + width / 2, top - 2, str(labels[i]), ha="center", va="bottom")
    rows = -(-count // columns)
    ax.set_xlim(-1, min(count, columns) * across - 3)
    ax.set_ylim(rows * down - (down - height) + 1, -(down - height) + 1)
    return ax


def mean_digits(ax: Axes, images: ArrayLike, labels: ArrayLike) -> Axes:
    """Show the mean image of each class, in one row.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like, shape (N, rows, columns)
    labels : array_like, shape (N,)
        Classes of any kind that sorts.

    Returns
    -------
    matplotlib.axes.Axes
    """
    images, labels = np.asarray(images), np.asarray(labels)
    classes = np.unique(labels)
    means = np.array([images[labels == label].mean(axis=0) for label in classes])
    return image_grid(ax, means, classes, columns=len(classes), title="The mean of each digit")


def wrong_digits(
    ax: Axes, images: ArrayLike, labels: ArrayLike, predicted: ArrayLike, *, columns: int = 10, rows: int = 3
) -> Axes:
    """Show the first digits that were misread, each with its label and what was read instead.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like, shape (N, 28, 28)
    labels, predicted : array_like, shape (N,)
        What each image is, and what it was taken for.
    columns, rows : int
        How many are shown at most.

    Returns
    -------
    matplotlib.axes.Axes
    """
    images, labels, predicted = np.asarray(images), np.asarray(labels), np.asarray(predicted)
    wrong = np.flatnonzero(labels != predicted)
    score = f"{count_text(len(wrong))} of {count_text(len(labels))} misread"
    if len(wrong) == 0:
        return image_axes(ax, score)
    shown = wrong[: columns * rows]
    words = [f"{label} → {read}" for label, read in zip(labels[shown], predicted[shown], strict=True)]
    title = f"{score}: what it is → what was read"
    return image_grid(ax, images[shown], words, columns=columns, title=title)


def principal_components(images: ArrayLike, count: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Find the directions in which images differ most, by a singular value decomposition.

    Parameters
    ----------
    images : array_like, shape (N, ...)
    count : int

    Returns
    -------
    places : ndarray, shape (N, count), float32
        Where each image lies along the directions. Each points the way in which its largest entry is
        positive, so that the picture is the same on every machine.
    share : ndarray, shape (count,), float32
        The part of all variance that each direction explains, between 0 and 1.
    """
    x = np.asarray(images, dtype=np.float32)
    x = x.reshape(len(x), -1) - x.reshape(len(x), -1).mean(axis=0)
    _, lengths, directions = np.linalg.svd(x, full_matrices=False)
    directions = directions[:count]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    variance = lengths**2
    return x @ directions.T, variance[:count] / max(variance.sum(), np.finfo(np.float32).tiny)


@styled
def pca_scatter(ax: Axes, images: ArrayLike, labels: ArrayLike, *, sample: int = 800) -> Axes:
    """Place digits along the two directions in which they differ most; each point is written as its digit.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like, shape (N, 28, 28)
    labels : array_like, shape (N,)
        Integers from 0 to 9.
    sample : int
        How many are used, from the first on. More than 800 hide each other.

    Returns
    -------
    matplotlib.axes.Axes
    """
    images, labels = np.asarray(images)[:sample], np.asarray(labels)[:sample]
    places, share = principal_components(images)
    for digit in np.unique(labels):
        look = {"marker": rf"$\mathbf{{{digit}}}$", "s": 52, "lw": 0, "color": DIGIT_COLOURS[digit]}
        ax.scatter(*places[labels == digit].T, gid=f"digit {digit}", **look)
    ax.set(xticks=[], yticks=[])
    first, second = (f"{100 * part:.0f} %" for part in share)
    title = f"{len(labels)} digits in two numbers instead of {images[0].size}"
    across = f"first principal component, {first} of the variance"
    return headline(ax, title, x=across, y=f"second component, {second}")


@styled
def pixel_histogram(ax: Axes, images: ArrayLike) -> Axes:
    """Show how often each grey level occurs: exactly 0, then fifteen bands of seventeen levels.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like of uint8, any shape

    Returns
    -------
    matplotlib.axes.Axes
    """
    pixels = np.asarray(images, dtype=np.uint8).ravel()
    blocks = np.array_split(pixels, pixels.size // 2**20 + 1)  # bincount widens each pixel to eight bytes
    levels = np.sum([np.bincount(block, minlength=256) for block in blocks], axis=0)
    share = 100 * np.array([levels[0], *levels[1:].reshape(15, 17).sum(axis=1)]) / levels.sum()
    names = ["0", *(f"{low}–{low + 16}" for low in range(1, 256, 17))]
    bars = ax.bar(range(16), share, width=0.82, color=[ORANGE, *[BLUE] * 15])
    words = [f"{value:.0f} %" if value >= 9.95 else f"{value:.1f}" for value in share]
    zero, *_ = ax.bar_label(bars, words, padding=3, size=11, color=GREY)
    zero.set(color=INK, fontweight="bold")
    ax.set_xticks(range(0, 16, 3), names[::3])
    ax.set(yticks=[], ylim=(0, 1.12 * share.max()))
    ax.spines["left"].set_visible(False)
    title = f"{share[0]:.0f} % of all pixels are exactly 0"
    return headline(ax, title, x="grey level, from 0 (paper) to 255 (ink)", y="% of all pixels")
