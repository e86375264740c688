"""Logistic regression for many classes: the talk's training loop, and its softmax cousin.

Scores are ``x theta``, one column per class. *One-vs-all* asks each class on its own ("is it a 3, or not?")
and squeezes its score between 0 and 1 with the sigmoid. *Softmax* lets the classes share one certainty. The
gradient is the same expression for both.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from mlteach import mnist
from mlteach.arguments import check_rate, check_whole
from mlteach.matmul import Kernel, matmul


def sigmoid(scores: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-score)), element by element; 0 and 1 far out, without a warning."""
    with np.errstate(over="ignore"):  # exp(710) is infinity, and 1 / infinity is the right answer
        return 1 / (1 + np.exp(-scores))


def softmax(scores: np.ndarray) -> np.ndarray:
    """exp(score) over the sum of its row, shape (N, classes): rows add up to 1, large scores are safe."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


PROBABILITIES = {"one-vs-all": sigmoid, "softmax": softmax}


def step(x, targets, theta, *, rate, kernel=None, threads=None, loss="one-vs-all") -> np.ndarray:
    """One gradient step: ``theta - rate / N * x^T (probabilities(x theta) - targets)``.

    Parameters
    ----------
    x : ndarray, shape (N, features)
    targets : ndarray, shape (N, classes)
        One-hot labels.
    theta : ndarray, shape (features, classes)
        Not changed.
    rate, kernel, threads, loss
        As in ``fit``.

    Returns
    -------
    ndarray, shape (features, classes)
        The new weights.
    """
    multiply = partial(matmul, kernel=kernel, threads=threads)
    error = _probabilities(loss)(multiply(x, theta)) - targets
    return theta - rate / len(x) * multiply(x.T, error)


def predict(x, theta, *, kernel=None, threads=None, loss="one-vs-all") -> np.ndarray:
    """The most probable class of each row, the first of equals: labels of shape (N,)."""
    return _probabilities(loss)(matmul(x, theta, kernel=kernel, threads=threads)).argmax(axis=1)


def accuracy(x, y, theta, *, kernel=None, threads=None, loss="one-vs-all") -> float:
    """The share of rows whose predicted class is right, between 0 and 1; y and errors as in ``fit``."""
    y = np.asarray(y)
    _check_pair(np.asarray(x), y)
    labels = y if y.ndim == 1 else y.argmax(axis=1)
    return float(np.mean(predict(x, theta, kernel=kernel, threads=threads, loss=loss) == labels))


def fit(
    x: np.ndarray,
    y: np.ndarray,
    *,
    kernel: str | Kernel | None = None,
    threads: int | None = None,
    loss: str = "one-vs-all",
    iterations: int,
    rate: float = 0.01,
    on_iteration: Callable[[int, float, np.ndarray], None] | None = None,
) -> np.ndarray:
    """Learn weights with full-batch gradient descent, beginning at zero.

    Parameters
    ----------
    x : ndarray, shape (N, features), float32 or float64
        One example a row; a column of ones gives each class its offset.
    y : ndarray, shape (N,) or (N, classes)
        Labels 0, 1, 2, ..., or one-hot targets.
    kernel : str or Kernel, optional
        The rung of the ladder that multiplies.
    threads : int, optional
        How many threads a parallel rung may use.
    loss : {"one-vs-all", "softmax"}
        How scores become probabilities.
    iterations : int
        How many steps to take.
    rate : float
        The step size, also called the learning rate.
    on_iteration : callable, optional
        ``on_iteration(iteration, accuracy, theta)``, called after each step with the accuracy of the weights
        before it and the weights after it. Watching costs a product: an iteration is then three of them, as
        in the talk, otherwise two.

    Returns
    -------
    ndarray, shape (features, classes)
        The weights after the last step, in the dtype of x.

    Raises
    ------
    ValueError
        Where x and y disagree, there are no examples, or an argument is out of range.
    """
    x = np.asarray(x)
    targets = _targets(x, np.asarray(y))
    check_whole("iterations", iterations, 0)
    check_rate(rate)
    how = {"kernel": kernel, "threads": threads, "loss": loss}
    theta = np.zeros((x.shape[1], targets.shape[1]), targets.dtype)
    for iteration in range(iterations):
        reached = accuracy(x, targets, theta, **how) if on_iteration else 0.0
        theta = step(x, targets, theta, rate=rate, **how)
        if on_iteration:
            on_iteration(iteration, reached, theta)
    return theta


def _probabilities(loss: str) -> Callable[[np.ndarray], np.ndarray]:
    if loss not in PROBABILITIES:
        raise ValueError(f"loss must be {' or '.join(map(repr, PROBABILITIES))}, not {loss!r}")
    return PROBABILITIES[loss]


def _check_pair(x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim != 2 or len(x) == 0:
        raise ValueError(f"x must be rows of examples, at least one, not of shape {x.shape}")
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise ValueError(
            f"y of shape {y.shape} does not fit x of shape {x.shape}: one label or one row per example"
        )
    if y.ndim == 2 and y.dtype.kind not in "biuf":
        raise ValueError(f"y of two dimensions must hold numbers, one-hot targets, not {y.dtype}")


def _targets(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """One-hot targets of shape (N, classes) in the dtype that x computes in."""
    _check_pair(x, y)
    dtype = np.result_type(x.dtype, np.float32)
    if y.ndim == 2:
        return y.astype(dtype, copy=False)
    whole = y.dtype.kind in "iu"
    if not whole or y.min() < 0:
        found = y.min() if whole else y.dtype
        raise ValueError(f"labels must be whole numbers from 0 on, not {found}: give classes 0, 1, 2")
    return mnist.one_hot(y, int(y.max()) + 1, dtype=dtype)
