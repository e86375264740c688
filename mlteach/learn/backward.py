"""Backpropagation: one batch through the layers of a network and back, in memory that is made once."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from mlteach.learn.elementwise import relu, relu_error, score_error, softmax

Layers = list[tuple[np.ndarray, np.ndarray]]  # weights (inputs, outputs) and biases (outputs,) of each layer


def layers_in(flat: np.ndarray, sizes: Sequence[int]) -> Layers:
    """See one long vector as the weights and biases of a network.

    Parameters
    ----------
    flat : ndarray, shape (``parameters(sizes)``,)
        All weights, layer by layer, then all biases.
    sizes : sequence of int
        The numbers in each layer, the inputs first and the classes last.

    Returns
    -------
    list of (ndarray, ndarray)
        Weights (inputs, outputs) and biases (outputs,) of each layer: views of ``flat``.
    """
    pairs = list(itertools.pairwise(sizes))
    ends = np.cumsum([m * n for m, n in pairs] + list(sizes[1:]))[:-1]
    parts = np.split(flat, ends)
    weights = [part.reshape(pair) for part, pair in zip(parts, pairs, strict=False)]
    return list(zip(weights, parts[len(pairs) :], strict=True))


def parameters(sizes: Sequence[int]) -> int:
    """How many weights and biases a network of these sizes has."""
    return sum((m + 1) * n for m, n in itertools.pairwise(sizes))


class Batch:
    """The memory for a batch of one size on its way through a network and back.

    Parameters
    ----------
    sizes : sequence of int
        The numbers in each layer, the inputs first and the classes last.
    rows : int
        How many examples pass at once.
    dtype : numpy.dtype
    multiply : callable
        ``multiply(a, b, out)``, the product of two matrices.

    Attributes
    ----------
    x, targets : ndarray, shapes (rows, inputs) and (rows, classes)
        The examples and their one-hot labels, to be filled in by the caller.
    outputs : list of ndarray
        What each layer made of the batch; the last are the probabilities, shape (rows, classes).
    """

    def __init__(self, sizes: Sequence[int], rows: int, dtype: np.dtype, multiply: Callable):
        self.x = np.empty((rows, sizes[0]), dtype)
        self.targets = np.empty((rows, sizes[-1]), dtype)
        self.outputs = [np.empty((rows, size), dtype) for size in sizes[1:]]
        self._errors = [np.empty((rows, size), dtype) for size in sizes[1:]]
        self._multiply = multiply

    def forward(self, layers: Layers) -> np.ndarray:
        """The probabilities of each class: scores layer by layer, ReLU between them, softmax at the end."""
        inputs = self.x
        for (weights, biases), outputs in zip(layers, self.outputs, strict=True):
            self._multiply(inputs, weights, outputs)
            activate = softmax if outputs is self.outputs[-1] else relu
            activate(outputs, biases)
            inputs = outputs
        return inputs

    def backward(self, layers: Layers, slopes: Layers, scale: float) -> None:
        """Write the slope of the batch's cross-entropy in every weight, times ``scale``, after ``forward``.

        The error of the scores is probabilities minus targets. The slope in a layer's weights is what came
        in, transposed, times the error of what went out. The error of what came in is that error times the
        weights, transposed, and where the ReLU gave 0 nothing comes back.
        """
        error = self._errors[-1]
        score_error(self.outputs[-1], self.targets, error.dtype.type(scale), error, slopes[-1][1])
        for place in reversed(range(1, len(layers))):
            inputs, before = self.outputs[place - 1], self._errors[place - 1]
            self._multiply(inputs.T, error, slopes[place][0])
            self._multiply(error, layers[place][0].T, before)
            relu_error(inputs, before, slopes[place - 1][1])
            error = before
        self._multiply(self.x.T, error, slopes[0][0])
