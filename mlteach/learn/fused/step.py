"""`TalkStep`: what the caller sees of the fused step."""

import time

import numpy as np

from mlteach.arguments import check_rate
from mlteach.learn.fused.layout import PIXELS
from mlteach.learn.fused.lines import lines_of
from mlteach.learn.fused.room import Room
from mlteach.learn.fused.sweep import sweep
from mlteach.matmul.cores import workers

ROWS = 1 + PIXELS
MOST_CLASSES = 64
LARGEST = 1e30  # of theta's numbers: the sum of 784 pixels times as much is still a float32


class TalkStep:
    """The talk's training iteration as one pass over the raw pixels.

    An iteration gives what these lines give, but reads each pixel as the byte that it is, and the images
    once::

        x = talk_features(images)                     # 60 000 x 785: a one, then pixel / 255 + 0.5
        certainty = sigmoid(x @ theta)
        accuracy = np.mean(certainty.argmax(axis=1) == labels)
        theta = theta - rate / len(x) * (x.T @ (certainty - one_hot(labels)))

    It computes in float32, or where the processor multiplies bytes, in whole numbers of 24 bits (weights) and
    16 bits (errors), counted in steps of the largest weight of a class, and of its largest error in a block.
    It adds up the gradient in float64, block by block. The result has the same bits for every number of
    threads.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 28, 28) or (N, 784)
        At least one. They are copied.
    labels : ndarray of integers, shape (N,)
        The class of each image, from 0.
    threads : int, optional
        How many threads may work, at most the cores there are; all of them where it is None.
    rate : float
        The step size, also called the learning rate.
    dense : bool
        Whether to visit the pixels without ink as well, as the two products of matrices do. Otherwise images
        that are alike are put side by side, and lines of pixels that are blank in all of them are left out.

    Attributes
    ----------
    preparation_seconds : float
        What it took to put the images in the order in which they are read, once.
    visited : float
        The share of the pixels that an iteration visits; 1 where it is dense.

    Raises
    ------
    TypeError
        Where the images are not uint8, the labels are not integers, or the number of threads is not whole.
    ValueError
        Where a shape, a label, the rate or the number of threads makes no sense.
    """

    def __init__(
        self, images, labels, threads: int | None = None, *, rate: float = 0.01, dense: bool = False
    ):
        start = time.perf_counter()
        images, labels = _images(images), np.asarray(labels)
        _check_labels(labels, len(images))
        check_rate(rate)
        self._threads = workers(threads)
        self._rate = rate
        self._largest_label = int(labels.max())
        self._lines = lines_of(images, labels, self._threads, dense=dense)
        self._free: dict[int, list[Room]] = {}  # for each number of classes, those that nobody uses
        self.visited = self._lines.visited
        self.preparation_seconds = time.perf_counter() - start

    def iterate(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Take one step.

        Parameters
        ----------
        theta : ndarray of float64, shape (785, classes)
            The weights of up to 64 classes. Not changed.

        Returns
        -------
        accuracy : float
            The share of images that the given weights answer rightly, between 0 and 1.
        theta : ndarray of float64, shape (785, classes)
            The weights after the step.

        Raises
        ------
        TypeError
            Where theta is not an array of float64.
        ValueError
            Where its shape does not fit, a label has no column in it, or a number in it is not finite or
            too large for float32.
        """
        classes = self._check_theta(theta)
        count = len(self._lines.order)
        free = self._free.setdefault(classes, [])
        try:
            room = free.pop()
        except IndexError:  # the first call, or the others are still at work
            room = Room(self._lines, classes)
        right, sums = sweep(self._lines, room, _folded(theta), self._threads)
        free.append(room)
        sums[1:] = sums[1:] / 255 + 0.5 * sums[0]
        return right / count, theta - self._rate / count * sums

    def _check_theta(self, theta) -> int:
        if not isinstance(theta, np.ndarray) or theta.dtype != np.float64:
            kind = theta.dtype if isinstance(theta, np.ndarray) else type(theta).__name__
            raise TypeError(f"theta must be an array of float64, not {kind}: use theta.astype(np.float64)")
        if theta.ndim != 2 or len(theta) != ROWS or not 1 <= theta.shape[1] <= MOST_CLASSES:
            raise ValueError(
                f"theta must have {ROWS} rows and a column for each of 1 to {MOST_CLASSES} classes, "
                f"not the shape {theta.shape}"
            )
        classes = theta.shape[1]
        if self._largest_label >= classes:
            raise ValueError(
                f"label {self._largest_label} has no column in a theta of {classes} classes: "
                f"give it {self._largest_label + 1} columns or more"
            )
        if not np.abs(theta).max() <= LARGEST:  # nor where one is not a number
            row, column = map(int, np.argwhere(~(np.abs(theta) <= LARGEST))[0])
            raise ValueError(
                f"theta[{row}, {column}] is {theta[row, column]}, and the step computes in float32: "
                f"keep every number of theta within {LARGEST:g}"
            )
        return classes


def _folded(theta: np.ndarray) -> np.ndarray:
    """Weights for raw pixels: pixel / 255 + 0.5 times theta is pixel times theta / 255, plus a constant."""
    weights = np.divide(theta, 255, order="C")
    weights[0] = theta[0] + 0.5 * theta[1:].sum(axis=0)
    return weights


def _images(images) -> np.ndarray:
    """The images as rows of pixels in one piece."""
    images = np.asarray(images)
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8, grey levels from 0 to 255, not {images.dtype}")
    if images.shape[1:] not in {(28, 28), (PIXELS,)} or len(images) == 0:
        raise ValueError(
            f"images must have the shape (N, 28, 28) or (N, {PIXELS}) with N from 1, not {images.shape}"
        )
    return np.ascontiguousarray(images).reshape(len(images), PIXELS)


def _check_labels(labels: np.ndarray, count: int) -> None:
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, the class of each image, not {labels.dtype}")
    if labels.shape != (count,):
        raise ValueError(f"labels must have the shape ({count},), one for each image, not {labels.shape}")
    outside = np.flatnonzero((labels < 0) | (labels >= MOST_CLASSES))
    if len(outside):
        raise ValueError(
            f"label {labels[outside[0]]} at position {outside[0]} is not one of up to {MOST_CLASSES} "
            "classes, counted from 0"
        )
