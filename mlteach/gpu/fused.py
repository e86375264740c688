"""The talk's training iteration on a GPU, over pixels that stay bytes and weights that stay there.

An iteration is two launches, and nothing comes back before the last iteration.
"""

from __future__ import annotations

import numpy as np

from mlteach.gpu import require
from mlteach.gpu.device import NumbaDevice, explained
from mlteach.gpu.fused_kernels import ADDED, CLASSES, GROUPS, IMAGES, PIXELS, THREADS, sweep, update

BLOCKS = 264  # two for each multiprocessor of an H100: more would only leave more to add up


class TalkStep:
    """The talk's training iteration on a GPU.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, 28, 28) or (N, 784)
        At least one. They are copied to the GPU.
    labels : ndarray of integers, shape (N,)
        From 0 to 9.
    rate : float
        The step size, also called the learning rate.
    blocks : int
        How many blocks share the images.
    device : object, optional
        What drives the GPU; `mlteach.gpu.device.NumbaDevice` where it is left out.

    Attributes
    ----------
    seconds : float or None
        Of one iteration of the last `train`, by the GPU's clock; the first one includes compilation.

    Raises
    ------
    GpuUnavailable
        Where there is no GPU.
    ValueError
        Where images or labels are not as described.
    """

    def __init__(self, images, labels, *, rate: float = 0.01, blocks: int = BLOCKS, device=None):
        pixels = _pixels(images)
        labels = _labels(labels, len(pixels))
        if device is None:
            require()
        with explained():
            self._device = device or NumbaDevice()
            self._words = self._device.upload(pixels.view(np.uint32))
            self._labels = self._device.upload(labels)
            self._blocks = min(blocks, -(-len(pixels) // IMAGES))
            self._partial = self._device.empty((self._blocks, PIXELS + 1, CLASSES), np.float32)
            self._right = self._device.empty((self._blocks, IMAGES), np.int32)
            self._sweep = self._device.configure(sweep, self._blocks, THREADS)
            grid, block = -(-(PIXELS + 1) * CLASSES // ADDED), (ADDED, min(GROUPS, self._blocks))
            self._update = self._device.configure(update, grid, block)
        self._count, self._rate = len(pixels), rate
        self.seconds: float | None = None

    def train(self, theta: np.ndarray, iterations: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Take steps; the weights stay on the GPU until the last.

        Parameters
        ----------
        theta : ndarray, shape (785, 10)
            The weights before the first step. Not changed.
        iterations : int
            How many steps to take, one at least.

        Returns
        -------
        accuracies : ndarray of float64, shape (iterations,)
            The share of right answers before each step.
        theta : ndarray of float64, shape (785, 10)
            The weights after the last step.
        """
        if np.shape(theta) != (PIXELS + 1, CLASSES):
            raise ValueError(
                f"theta has the shape {np.shape(theta)}, and must have ({PIXELS + 1}, {CLASSES})"
            )
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, not {iterations}")
        device = self._device
        with explained():
            weights = device.upload(np.array(theta, np.float64, order="C"))
            found = device.upload(np.zeros(iterations))
            begin = device.stamp()
            for iteration in range(iterations):
                self._step(weights, found, iteration)
            self.seconds = device.seconds(begin, device.stamp()) / iterations
            return device.download(found) / self._count, device.download(weights)

    def iterate(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Take one step, there and back: the accuracy of the given weights, and the weights after it."""
        accuracies, after = self.train(theta)
        return float(accuracies[0]), after

    def _step(self, weights, found, iteration: int) -> None:
        self._sweep(self._words, self._labels, weights, self._partial, self._right)
        rate = self._rate / self._count
        self._update(self._partial, self._right, weights, rate, found, iteration)


def _pixels(images) -> np.ndarray:
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] not in {(28, 28), (PIXELS,)} or len(images) == 0:
        raise ValueError(
            f"images must be uint8 of shape (N, 28, 28) or (N, {PIXELS}), "
            f"not {images.dtype} of {images.shape}"
        )
    return np.ascontiguousarray(images).reshape(len(images), PIXELS)


def _labels(labels, count: int) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels must be {count} integers, one for each image, not {labels.dtype} of {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"labels must be from 0 to {CLASSES - 1}, not {labels.min()} to {labels.max()}")
    return labels.astype(np.uint8)
