"""Checkers of notebook 11: the features folded into the weights, and softmax in one pass."""

import functools
import tracemalloc

import numpy as np

from mlteach.teach.check.answers import Wrong, as_array, close_to
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.learning import _probabilities
from mlteach.teach.check.products import signed
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import kind

# (pixels, classes), and how many images are looked at with the answer.
FOLDED = ((1, 1, 2), (1, 2, 3), (2, 1, 1), (2, 3, 4), (5, 4, 3), (784, 10, 20))
# (images, pixels, classes, block): one block, a last block that is shorter, one image at a time, and then
# so many images that the memory tells whether they were put together again.
FUSED = (
    (1, 1, 2, 1),
    (1, 2, 3, 4),
    (2, 3, 2, 1),
    (4, 2, 3, 2),
    (5, 3, 4, 2),
    (9, 6, 5, 4),
    (100, 20, 10, 32),
    (2000, 100, 3, 16),
)
MANY = 100_000  # bytes of pixels: below, other things in memory weigh as much


@checker
def fold_offset(fn) -> Report:
    """Check weights for raw pixels.

    Parameters
    ----------
    fn : callable
        ``fn(theta) -> (w, b)``, with theta (1 + pixels, classes), float64, and w (pixels, classes) and b
        (classes,), so that ``P @ w + b`` equals ``X @ theta`` to 1e-10, where P has pixels from 0 to 255 and
        X a column of ones and then ``P / 255 + 0.5``.
    """
    return examine(fn, _thetas(), "thetas, 1 to 784 pixels")


@checker
def fused_softmax(fn) -> Report:
    """Check a softmax iteration in one pass over raw pixels.

    Parameters
    ----------
    fn : callable
        ``fn(pixels, labels, theta, block) -> (accuracy, gradient)``. ``pixels[start:stop]`` gives some images
        as a uint8 array (stop - start, pixels); no more than ``block`` at once, each of them once, and not
        all of them may be kept. ``len(pixels)`` is N. labels (N,) are integers and theta
        (1 + pixels, classes) is float64. The gradient is
        ``X.T @ (softmax(X @ theta) - one_hot(labels)) / N``, with X as for `fold_offset`.
    """
    return examine(_weighed(fn) if callable(fn) else fn, _passes(), "passes, blocks of 1 to 32 images")


def _thetas():
    random = np.random.RandomState(2031)
    for pixels, classes, images in FOLDED:
        for _ in range(2):
            theta = signed(random, 1 + pixels, classes) / pixels
            grey = random.randint(0, 256, (images, pixels)).astype(np.float64)
            yield Case(f"theta {theta.shape}", {"theta": theta.copy()}, _same_scores(theta, grey))


def _same_scores(theta: np.ndarray, grey: np.ndarray):
    wanted = close_to(_features(grey) @ theta, 1e-10)

    def judge(answer):
        w, b = _pair(answer, "(w, b)")
        w, b = as_array(w, (len(theta) - 1, theta.shape[1])), as_array(b, theta.shape[1:])
        wanted(grey @ w + b)

    return judge


def _passes():
    random = np.random.RandomState(2032)
    for images, pixels, classes, block in FUSED:
        for _ in range(2):
            grey = random.randint(0, 256, (images, pixels)).astype(np.uint8)
            labels = random.randint(0, classes, images)
            theta = signed(random, 1 + pixels, classes)
            yield _pass(grey, labels, theta, block)


def _pass(grey: np.ndarray, labels: np.ndarray, theta: np.ndarray, block: int) -> Case:
    certainty = _probabilities(_features(grey) @ theta)
    right = close_to(np.mean(certainty.argmax(axis=1) == labels), 1e-12)
    error = certainty - np.eye(theta.shape[1])[labels]
    slope = close_to(_features(grey).T @ error / len(grey), 1e-9)
    images = Images(grey)

    def judge(answer):
        accuracy, gradient = _pair(answer, "(accuracy, gradient)")
        right(accuracy)
        slope(gradient)
        if images.most > block:
            raise Wrong(f"expected at most {block} images at once, came {images.most}")
        twice = np.flatnonzero(images.reads > 1)
        if len(twice):
            raise Wrong(f"expected each image to be read once, but image {twice[0]} was read again")
        unread = np.flatnonzero(images.reads == 0)
        if len(unread):
            raise Wrong(
                f"expected each image to be read with pixels[start:stop], but image {unread[0]} was not"
            )
        if images.memory > grey.nbytes > MANY:
            raise Wrong(
                f"expected the memory of a few blocks, came {images.memory // 1000} kB for "
                f"{grey.nbytes // 1000} kB of pixels: be done with a block before you read the next"
            )

    label = f"{grey.shape[0]} images of {grey.shape[1]} pixels, {theta.shape[1]} classes, blocks of {block}"
    arguments = {"pixels": images, "labels": labels, "theta": theta.copy(), "block": block}
    return Case(label, arguments, judge)


def _weighed(fn):
    """Note in ``pixels.memory`` the most memory that a call held at a time."""

    @functools.wraps(fn)
    def weighed(pixels, *arguments):
        traced = tracemalloc.is_tracing()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            answer = fn(pixels, *arguments)
            pixels.memory = tracemalloc.get_traced_memory()[1] - before
        finally:
            if not traced:
                tracemalloc.stop()
        return answer

    return weighed


class Images:
    """Images that can be read in slices, and remember it.

    Attributes
    ----------
    reads : ndarray of int, shape (N,)
        How often each image was read.
    most : int
        How many were read at once, at most.
    memory : int
        Bytes that the call which read them held at a time, at most.
    """

    def __init__(self, grey: np.ndarray):
        self._grey = grey
        self.shape, self.dtype, self.ndim = grey.shape, grey.dtype, grey.ndim
        self.reads, self.most, self.memory = np.zeros(len(grey), int), 0, 0

    def __len__(self):
        return len(self._grey)

    def __getitem__(self, where):
        if not isinstance(where, slice):
            raise TypeError(f"pixels[start:stop] gives images; {kind(where)} in the brackets does not")
        self.reads[where] += 1
        self.most = max(self.most, len(self._grey[where]))
        return self._grey[where].copy()


def _features(grey: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(grey)), grey / 255 + 0.5])


def _pair(answer, names: str):
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        raise Wrong(f"expected a pair {names}, came {kind(answer)}")
    return answer
