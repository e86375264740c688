"""Pictures of digits, and of what a set of them looks like as numbers."""

import numpy as np

from mlteach.teach.plots.style import BLUE, GREY, INK, ORANGE, headline, image_axes, styled

# Ten digits need ten colours; the figures that use them write the digit itself too, so colour never stands alone.
DIGIT_COLOURS = (
    "#0071B1 #B34E00 #007B59 #98587B #BE8200 #25546F #E86700 #756E1B #C574A1 #4D4D4D".split()
)  # fmt: skip


@styled
def image_grid(ax, images, labels=None, *, columns=10, title=""):
    """Lay images out in rows, with a word above each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like (N, rows, columns)
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
    if images.ndim != 3:
        raise ValueError(f"images of shape {images.shape} are no stack of pictures: give shape (N, rows, columns)")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(images)} images have {len(labels)} labels: give one label for each image")
    count, height, width = images.shape
    across, down = width + 4, height + (13 if labels is not None else 4)
    image_axes(ax, title)
    for i, image in enumerate(images):
        left, top = i % columns * across, i // columns * down
        ax.imshow(image, extent=(left, left + width, top + height, top), vmin=images.min(), vmax=images.max() or 1)
        if labels is not None:
            ax.text(left + width / 2, top - 2, str(labels[i]), ha="center", va="bottom", size=12, color=INK)
    rows = -(-count // columns)
    ax.set_xlim(-1, min(count, columns) * across - 3)
    ax.set_ylim(rows * down - (down - height) + 1, -(down - height) + 1)
    return ax


def mean_digits(ax, images, labels):
    """Show the mean image of each class, in one row; `images` (N, rows, columns), `labels` (N,) of any kind."""
    images, labels = np.asarray(images), np.asarray(labels)
    classes = np.unique(labels)
    means = np.array([images[labels == label].mean(axis=0) for label in classes])
    return image_grid(ax, means, classes, columns=len(classes), title="The mean of each digit")


def wrong_digits(ax, images, labels, predicted, *, columns=10, rows=3):
    """Show the first digits that were misread, each with its label and what was read instead.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like (N, 28, 28)
    labels, predicted : array_like (N,)
        What each image is, and what it was taken for.
    columns, rows : int
        How many are shown at most.

    Returns
    -------
    matplotlib.axes.Axes
    """
    images, labels, predicted = map(np.asarray, (images, labels, predicted))
    wrong = np.flatnonzero(labels != predicted)
    shown = wrong[: columns * rows]
    words = [f"{label} → {read}" for label, read in zip(labels[shown], predicted[shown], strict=True)]
    title = f"{len(wrong):,} of {len(labels):,} misread: what it is → what was read".replace(",", " ")
    if len(shown) == 0:
        return image_axes(ax, f"None of {len(labels):,} misread".replace(",", " "))
    return image_grid(ax, images[shown], words, columns=columns, title=title)


def principal_components(images, count=2):
    """Find the directions in which images differ most.

    Parameters
    ----------
    images : array_like (N, ...)
    count : int

    Returns
    -------
    places : ndarray (N, count) float32
        Where each image lies along the directions. Each direction points the way in which its largest entry
        is positive, so that the picture is the same on every machine.
    share : ndarray (count,) float32
        The part of all variance that each direction explains, between 0 and 1.
    """
    x = np.asarray(images, dtype=np.float32).reshape(len(images), -1)
    x = x - x.mean(axis=0)
    _, lengths, directions = np.linalg.svd(x, full_matrices=False)
    directions = directions[:count]
    largest = np.abs(directions).argmax(axis=1)
    directions *= np.sign(directions[np.arange(len(directions)), largest])[:, None]
    variance = lengths**2
    return x @ directions.T, variance[:count] / max(variance.sum(), np.finfo(np.float32).tiny)


@styled
def pca_scatter(ax, images, labels, *, sample=800):
    """Place digits on the two directions in which they differ most; each point is written as its digit.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like (N, 28, 28)
    labels : array_like (N,)
        Integers 0 to 9.
    sample : int
        How many are used, from the first on: a singular value decomposition of 800 images takes 0.1 s.

    Returns
    -------
    matplotlib.axes.Axes
    """
    images, labels = np.asarray(images)[:sample], np.asarray(labels)[:sample]
    places, share = principal_components(images)
    for digit in np.unique(labels):
        x, y = places[labels == digit].T
        ax.scatter(x, y, marker=rf"$\mathbf{{{digit}}}$", s=52, lw=0, color=DIGIT_COLOURS[digit % 10], gid=f"digit {digit}")
    ax.set(xticks=[], yticks=[])
    first, second = (f"{part:.0%}".replace("%", " %") for part in share)
    return headline(
        ax,
        f"{len(labels)} digits in two numbers instead of {images[0].size}",
        x=f"first principal component, {first} of the variance",
        y=f"second component, {second}",
    )


@styled
def pixel_histogram(ax, images):
    """Show how often each grey level occurs: exactly 0, then fifteen bands of seventeen levels.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    images : array_like of uint8

    Returns
    -------
    matplotlib.axes.Axes
    """
    levels = np.bincount(np.asarray(images, dtype=np.uint8).ravel(), minlength=256)
    share = 100 * np.array([levels[0], *levels[1:].reshape(15, 17).sum(axis=1)]) / levels.sum()
    names = ["0", *(f"{low}–{low + 16}" for low in range(1, 256, 17))]
    bars = ax.bar(range(16), share, width=0.82, color=[ORANGE, *[BLUE] * 15])
    tall = [f"{value:.0f} %" if value >= 9.95 else f"{value:.1f}" for value in share]
    ax.bar_label(bars, tall, padding=3, size=11, color=GREY)
    ax.texts[0].set(color=INK, fontweight="bold")
    ax.set_xticks(range(0, 16, 3), names[::3])
    ax.set(yticks=[], ylim=(0, 1.12 * share.max()))
    ax.spines["left"].set_visible(False)
    return headline(ax, f"{share[0]:.0f} % of all pixels are exactly 0", x="grey level, 0 paper to 255 ink", y="% of all pixels")
