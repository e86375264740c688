"""Checkers of notebook 12: backpropagation, a reader of 98 %, and an attack on it."""

from collections.abc import Callable
from contextlib import contextmanager

import numpy as np

from mlteach import mnist
from mlteach.teach.check.answers import Wrong, as_array, close_to
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.learning import _probabilities
from mlteach.teach.check.products import signed
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import kind

SLOPES = ("w1", "b1", "w2", "b2")
BACKWARD_SHAPES = (
    (1, 1, 1, 2),
    (1, 2, 3, 2),
    (3, 1, 2, 3),
    (2, 3, 1, 2),
    (5, 4, 7, 3),
    (9, 6, 5, 4),
    (31, 11, 13, 10),
)
ATTACKED = ((1, 3, 5, 2), (4, 6, 5, 3), (20, 11, 9, 10))
GOAL = 9800  # of the 10 000 test digits
# What a digit is called while a reader is checked: who learns from the labels given does not care.
NAMES = np.array([7, 4, 0, 9, 2, 8, 1, 3, 6, 5], np.uint8)


@checker
def backward(fn) -> Report:
    """Check the backpropagation of a network with one hidden layer.

    Parameters
    ----------
    fn : callable
        ``fn(x, targets, w1, b1, w2, b2) -> (slope of w1, of b1, of w2, of b2)``, with float64 arrays x
        (N, inputs), targets (N, classes), one-hot, w1 (inputs, hidden), b1 (hidden,), w2 (hidden, classes)
        and b2 (classes,). The cost is the mean cross-entropy of ``softmax(relu(x @ w1 + b1) @ w2 + b2)``;
        each slope has the shape of its weights or biases and is compared to 1e-5. The way back is the
        learner's own: that of `mlteach.learn.backward`, and so `MLP.gradient`, is closed during the check.
    """
    from mlteach.learn.backward import Batch

    return examine(fn, _gradients(), "networks, four gradients each", without=[Batch.backward, _slopes])


@checker
def attack(fn) -> Report:
    """Check an attack: pictures changed a little so that a network misreads them.

    Parameters
    ----------
    fn : callable
        ``fn(x, targets, w1, b1, w2, b2, most) -> new x``, with arrays as for ``backward`` and pixels from 0
        to 1. No pixel may change by more than ``most`` or leave 0 to 1, and the cost must rise at least nine
        tenths as much as where every pixel moves by ``most`` along the sign of its slope.
    """
    return examine(fn, _attacks(), "networks attacked")


@checker
def beats_98(fn) -> Report:
    """Check that a reader of digits, trained on the training digits alone, reads 98 % of the test digits.

    Parameters
    ----------
    fn : callable
        ``fn(images, labels) -> predict`` with the 60 000 training images, uint8 (60000, 28, 28), and their
        labels, uint8 (60000,). ``predict(images)`` gives the labels of other images of that kind. In the
        labels every digit goes by another name, so that answers from elsewhere, such as the test digits
        themselves, are wrong; and while both run, ``mnist.load("test")`` is refused.
    """

    def learn(images, labels):
        with _test_digits_refused():
            return fn(images, labels)

    return examine(learn if callable(fn) else fn, _reading(), "reader, 98 % of the test digits or more")


def _gradients():
    random = np.random.RandomState(2031)
    for n, inputs, hidden, classes in BACKWARD_SHAPES:
        for _ in range(2):
            yield _gradient(random, n, (inputs, hidden, classes))
    yield _gradient(random, 3, (2, 3, 4), 300, ", scores of 1000 and more")


def _gradient(random, n: int, sizes: tuple[int, int, int], scale: float = 1, words: str = "") -> Case:
    arguments = _network(random, n, sizes)
    arguments["w2"] = scale * arguments["w2"]
    wanted = _slopes(**arguments)
    shapes = [slope.shape for slope in wanted]

    def judge(answer):
        if not isinstance(answer, tuple | list) or len(answer) != len(SLOPES):
            came = f"{len(answer)} of them" if isinstance(answer, tuple | list) else kind(answer)
            raise Wrong(f"expected four slopes, of {', '.join(SLOPES)}, came {came}")
        for name, shape, slope, came in zip(SLOPES, shapes, wanted, answer, strict=True):
            try:
                as_array(came, shape)
                close_to(slope, 1e-5 * max(1, np.abs(slope).max()))(came)
            except Wrong as wrong:
                raise Wrong(f"the slope of {name}: {wrong}") from None

    return Case(f"{n} examples, sizes {'-'.join(map(str, sizes))}{words}", arguments, judge)


def _network(random, n: int, sizes: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """Examples and weights, no unit of which stands where the ReLU has its corner."""
    inputs, hidden, classes = sizes
    while True:
        x, targets = signed(random, n, inputs), np.eye(classes)[random.randint(0, classes, n)]
        w1, b1 = signed(random, inputs, hidden), signed(random, 1, hidden)[0]
        if np.abs(x @ w1 + b1).min() > 1e-3:
            break
    w2, b2 = signed(random, hidden, classes), signed(random, 1, classes)[0]
    return {"x": x, "targets": targets, "w1": w1, "b1": b1, "w2": w2, "b2": b2}


def _slopes(x, targets, w1, b1, w2, b2) -> tuple[np.ndarray, ...]:
    hidden = np.maximum(x @ w1 + b1, 0)
    error = (_probabilities(hidden @ w2 + b2) - targets) / len(x)
    before = error @ w2.T * (hidden > 0)
    return x.T @ before, before.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def _cost(x, targets, w1, b1, w2, b2) -> float:
    scores = np.maximum(x @ w1 + b1, 0) @ w2 + b2
    highest = scores.max(axis=1)
    sums = np.exp(scores - highest[:, None]).sum(axis=1)
    return float(np.mean(highest + np.log(sums) - (scores * targets).sum(axis=1)))


def _attacks():
    random = np.random.RandomState(2032)
    for n, *sizes in ATTACKED:
        for most in (0.02, 0.1):
            network = _network(random, n, tuple(sizes))
            network["x"] = random.random_sample(network["x"].shape).round(1)  # some pixels are 0 or 1
            label = f"{n} pictures, sizes {'-'.join(map(str, sizes))}, most {most}"
            yield Case(label, {**network, "most": most}, _attacked(network, most))


def _attacked(network: dict[str, np.ndarray], most: float) -> Callable[[object], None]:
    network = {name: array.copy() for name, array in network.items()}
    x, rest = network.pop("x"), network
    hidden = np.maximum(x @ rest["w1"] + rest["b1"], 0)
    error = (_probabilities(hidden @ rest["w2"] + rest["b2"]) - rest["targets"]) / len(x)
    slope = error @ rest["w2"].T * (hidden > 0) @ rest["w1"].T
    cost = _cost(x, **rest)
    wanted = 0.9 * (_cost(np.clip(x + most * np.sign(slope), 0, 1), **rest) - cost)

    def judge(answer):
        came = as_array(answer, x.shape)
        furthest = np.abs(came - x).max()
        if not furthest <= most + 1e-9:
            raise Wrong(f"expected no pixel to change by more than {most}, came a change of {furthest:.6g}")
        if not (came.min() >= -1e-9 and came.max() <= 1 + 1e-9):
            raise Wrong(f"expected pixels from 0 to 1, came {came.min():.6g} to {came.max():.6g}")
        rise = _cost(came, **rest) - cost
        if not rise >= wanted - 1e-9:
            raise Wrong(f"expected the cost to rise by {wanted:.4g} or more, came {rise:.4g}")

    return judge


def _reading():
    train, test = mnist.load("train"), mnist.load("test")
    order = np.random.RandomState(2033).permutation(len(test.labels))
    images, digits = test.images[order], test.labels[order]
    labels = NAMES[digits]

    def judge(predict):
        if not callable(predict):
            raise Wrong(f"expected a function predict(images), came {kind(predict)}")
        with _test_digits_refused():
            came = as_array(predict(images), labels.shape)
        if (came == digits).mean() > 0.5:
            raise Wrong(
                f"expected what the given images and labels teach, where a 0 is labelled {NAMES[0]}, "
                "came answers from elsewhere: learn from the arguments alone"
            )
        right = int((came == labels).sum())
        if right < GOAL:
            raise Wrong(f"expected at least {GOAL} of {len(labels)} test digits read right, came {right}")

    yield Case("the training digits", {"images": train.images, "labels": NAMES[train.labels]}, judge)


@contextmanager
def _test_digits_refused():
    """Keep ``mnist.load`` from handing out the test digits, under whatever name it was imported."""
    load = mnist._load

    def refuse(prefix):
        if prefix == mnist.PREFIXES["test"]:
            raise PermissionError("the test digits are for the end: choose by some of the training digits")
        return load(prefix)

    mnist._load = refuse
    try:
        yield
    finally:
        mnist._load = load
