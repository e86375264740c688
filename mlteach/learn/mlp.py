"""A network of layers: ReLU inside, softmax at the end, trained on minibatches by backpropagation.

MLP stands for multilayer perceptron. Each layer multiplies what comes in by its weights and adds its biases;
between two layers the ReLU turns everything below zero into zero. The cost is the cross-entropy, which is
minus the logarithm of the probability that the right class got.
"""

import math
import numbers
import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from mlteach.arguments import check_rate, check_share, check_whole
from mlteach.files import replacing
from mlteach.learn.backward import Batch, Layers, layers_in, parameters
from mlteach.learn.elementwise import descend
from mlteach.learn.examples import checked_examples, checked_inputs
from mlteach.learn.recipe import EPOCHS, RECIPE, SIZES, cosine, features
from mlteach.matmul import FLOATS, Kernel, resolve

__all__ = ["EPOCHS", "MLP", "RECIPE", "SIZES", "cosine", "features"]

FORMAT = "mlteach network 1"  # in every saved file; another number once the arrays in it change


class MLP:
    """A reader of digits, or of anything that comes as rows of numbers.

    Parameters
    ----------
    sizes : sequence of int
        The numbers in each layer, the inputs first and the classes last: (784, 128, 10).
    seed : int
        Decides the first weights and the order of the examples; the same seed learns the same network.
    kernel : str or Kernel, optional
        The rung of the ladder that multiplies; the fastest where it is None.
    threads : int, optional
        How many threads a parallel rung may use; every core where it is None.
    dtype : data type
        float32, or float64.

    Raises
    ------
    ValueError, TypeError
        Where there are fewer than two sizes or one is below 1, or no rung computes that way.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        seed: int = 0,
        *,
        kernel: str | Kernel | None = None,
        threads: int | None = None,
        dtype: DTypeLike = np.float32,
    ):
        self.sizes = _sizes(sizes)
        self.dtype = np.dtype(dtype)
        chosen, workers = resolve(kernel, threads, self.dtype)
        self._multiply = lambda a, b, out: chosen.run(a, b, out, workers)
        self._random = np.random.default_rng(seed)
        self._parameters = np.zeros(parameters(self.sizes), self.dtype)
        for weights, _ in self.layers:  # after He et al., "Delving Deep into Rectifiers" (2015)
            weights[...] = self._random.normal(0, math.sqrt(2 / len(weights)), weights.shape)

    def __repr__(self) -> str:
        return f"MLP({'-'.join(map(str, self.sizes))}, {self.dtype})"

    @property
    def layers(self) -> Layers:
        """Weights (inputs, outputs) and biases (outputs,) of each layer, to be read or written in place."""
        return layers_in(self._parameters, self.sizes)

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        epochs: int,
        batch: int,
        rate: float,
        momentum: float = 0.9,
        decay: float = 0,
        schedule: Callable[[float], float] | None = None,
        on_epoch: Callable[[int, "MLP"], None] | None = None,
    ) -> "MLP":
        """Learn from examples by stochastic gradient descent, going on from the weights so far.

        Parameters
        ----------
        x : array_like of floats, shape (N, inputs)
            One example a row, numbers near 1 in size, as ``features`` gives them.
        y : array_like, shape (N,) or (N, classes)
            Labels 0, 1, 2, ..., or targets: the share of each class, such as one-hot rows. They add up to 1.
        epochs : int
            How often every example is used.
        batch : int
            How many examples a step learns from; the last batch of an epoch takes what is left.
        rate : float
            The learning rate, above 0: how far a step goes.
        momentum : float
            The part of each step that goes on into the next, from 0 to below 1. A step is the gradient times
            the rate, so a falling rate does not shorten what goes on. It begins at 0 in each call.
        decay : float
            Weight decay (L2) pulls each weight, not the biases, towards 0: added to its slope, times the
            weight.
        schedule : callable, optional
            ``schedule(done)`` is what the rate is multiplied by when a part of the work from 0 to below 1
            is done, such as ``cosine``.
        on_epoch : callable, optional
            ``on_epoch(epoch, network)``, called after each epoch, the first of which is 0.

        Returns
        -------
        MLP
            The network itself.

        Raises
        ------
        ValueError, TypeError
            Where an argument is out of range, or x and y do not fit the network or each other.
        FloatingPointError
            Where the weights grew without bound; they are then what they were before that epoch.
        """
        x, targets = checked_examples(x, y, self)
        check_whole("epochs", epochs, 0)
        check_whole("batch", batch, 1)
        check_rate(rate)
        check_share("momentum", momentum, below=1)
        check_share("decay", decay, below=math.inf)
        batch = min(batch, len(x))
        memory = {rows: self._memory(rows) for rows in {batch, len(x) % batch} - {0}}
        gradient, velocity = np.empty_like(self._parameters), np.zeros_like(self._parameters)
        layers, slopes = self.layers, layers_in(gradient, self.sizes)
        split = sum(weights.size for weights, _ in layers)  # behind all weights lie the biases
        weights = self._parameters[:split], velocity[:split], gradient[:split]
        biases = self._parameters[split:], velocity[split:], gradient[split:]
        number: Any = self.dtype.type  # the steps are computed in the type of the weights
        for epoch in range(epochs):
            order, good = self._random.permutation(len(x)), self._parameters.copy()
            for start in range(0, len(x), batch):
                rows = order[start : start + batch]
                step = rate * (schedule((epoch + start / len(x)) / epochs) if schedule else 1)
                passing = memory[len(rows)]
                np.take(x, rows, axis=0, out=passing.x, mode="clip")  # the other modes go through a copy
                np.take(targets, rows, axis=0, out=passing.targets, mode="clip")
                passing.forward(layers)
                passing.backward(layers, slopes, step / len(rows))
                descend(*weights, number(momentum), number(step * decay))
                descend(*biases, number(momentum), number(0))
            if not np.isfinite(self._parameters).all():
                self._parameters[...] = good
                raise FloatingPointError(
                    f"the weights grew without bound in epoch {epoch}: choose a rate below {rate}"
                )
            if on_epoch:
                on_epoch(epoch, self)
        return self

    def probabilities(self, x: ArrayLike) -> np.ndarray:
        """How sure the network is of each class: shape (N, classes), rows add up to 1."""
        return self._forward(checked_inputs(x, self)).outputs[-1]

    def predict(self, x: ArrayLike) -> np.ndarray:
        """The most probable class of each row of x, shape (N, inputs): labels of shape (N,)."""
        return self.probabilities(x).argmax(axis=1)

    def accuracy(self, x: ArrayLike, y: ArrayLike) -> float:
        """The share of rows whose predicted class is right, between 0 and 1; y as in ``fit``."""
        x, targets = checked_examples(x, y, self)
        return float(np.mean(self.predict(x) == targets.argmax(axis=1)))

    def cost(self, x: ArrayLike, y: ArrayLike) -> float:
        """The mean cross-entropy of the probabilities; x and y as in ``fit``."""
        x, targets = checked_examples(x, y, self)
        with np.errstate(divide="ignore", invalid="ignore"):  # a right class of no probability costs infinity
            surprise = np.where(targets > 0, targets * -np.log(self.probabilities(x)), 0)
        return float(surprise.sum() / len(x))

    def gradient(self, x: ArrayLike, y: ArrayLike) -> list[tuple[np.ndarray, np.ndarray]]:
        """The slope of ``cost`` in each layer's weights and biases, in the shapes of ``layers``."""
        x, targets = checked_examples(x, y, self)
        passing = self._forward(x)
        passing.targets = targets
        slopes = layers_in(np.empty_like(self._parameters), self.sizes)
        passing.backward(self.layers, slopes, 1 / len(x))
        return slopes

    def save(self, path: str | os.PathLike | BinaryIO) -> None:
        """Write the network to an .npz file, there whole or not at all, or to a binary file that is open."""
        with nullcontext(path) if hasattr(path, "write") else replacing(path) as file:
            np.savez(file, format=FORMAT, sizes=self.sizes, parameters=self._parameters)

    @classmethod
    def load(cls, path: str | os.PathLike, *, kernel: str | Kernel | None = None, threads: int | None = None):
        """Read a network that ``save`` wrote.

        Raises
        ------
        OSError
            Where the file cannot be read.
        ValueError
            Where it is anything else than a saved network.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                kind, sizes, flat = (file[name] for name in ("format", "sizes", "parameters"))
            sizes = _sizes(sizes.tolist())
            whole = kind == FORMAT and flat.shape == (parameters(sizes),) and flat.dtype in FLOATS
            whole = whole and np.isfinite(flat).all()
        except OSError:
            raise
        except Exception:  # there is no end of what else a file can hold
            whole = False
        if not whole:
            raise ValueError(f"{path} is not a network that this version of mlteach saved: train it anew")
        network = cls(sizes, kernel=kernel, threads=threads, dtype=flat.dtype)
        network._parameters[...] = flat
        return network

    def _memory(self, rows: int) -> Batch:
        return Batch(self.sizes, rows, self.dtype, self._multiply)

    def _forward(self, x: np.ndarray) -> Batch:
        """A batch of all of x, with everything that the layers made of it."""
        passing = self._memory(len(x))
        passing.x = x
        passing.forward(self.layers)
        return passing


def _sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(sizes) if np.iterable(sizes) else (sizes,)
    if len(sizes) < 2 or not all(isinstance(size, numbers.Integral) and size > 0 for size in sizes):
        raise ValueError(
            f"sizes must be two or more whole numbers from 1, such as (784, 128, 10), not {sizes}"
        )
    return tuple(int(size) for size in sizes)
