"""Checkers of notebooks 02 and 03: matrices, the gradient, softmax."""

import numpy as np

from mlteach.matrix import Matrix
from mlteach.teach.check.answers import Wrong, as_array, close_to
from mlteach.teach.check.engine import Case, checker, examine
from mlteach.teach.check.products import signed
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import kind

GRADIENT_SHAPES = ((1, 1, 1), (2, 1, 3), (3, 2, 1), (2, 3, 1), (3, 3, 3), (5, 4, 2), (4, 6, 3), (20, 7, 2))


@checker
def gradient(fn) -> Report:
    """Check the gradient of the talk's cost, ``((X theta - y) ** 2).sum() / (2 m)``.

    Parameters
    ----------
    fn : callable
        ``fn(X, theta, y) -> gradient``, with X (m, features), theta (features, columns) and y (m,
        columns) each a `Matrix`. The gradient has the shape of theta and may be a `Matrix` or an array;
        it is compared with central differences, to 1e-6.
    """
    from mlteach.learn import linear

    return examine(fn, _gradients(), "gradients against central differences", without=[linear.gradient])


@checker
def filter_rows(fn) -> Report:
    """Check a function that keeps some rows of a matrix.

    Parameters
    ----------
    fn : callable
        ``fn(matrix, keep) -> Matrix`` with the rows for which ``keep(row)`` is true, in their order. keep
        takes the numbers of a row as an array, a list or a `Matrix`. Where no row is kept, the result
        still has its columns.
    """
    return examine(fn, _filters(), "matrices, from no row kept to all", without=[Matrix.filter_rows])


@checker
def softmax(fn) -> Report:
    """Check the softmax of each row.

    Parameters
    ----------
    fn : callable
        ``fn(scores) -> probabilities``, both float64 arrays (N, classes): ``exp(score)`` divided by its
        sum over the row, finite for scores of ±1e4.
    """
    return examine(fn, _softmaxes(), "arrays of scores, -1e4 to 1e4")


@checker
def softmax_step(fn) -> Report:
    """Check one gradient step of softmax regression.

    Parameters
    ----------
    fn : callable
        ``fn(X, Y, theta, rate) -> new theta``, with float64 arrays X (N, features), Y (N, classes), a
        single one in each row, and theta (features, classes). The new theta is
        ``theta - rate / N * X.T @ (softmax(X @ theta) - Y)``, finite for scores of ±1e4; theta itself
        stays.
    """
    from mlteach.learn import logistic

    return examine(fn, _steps(), "steps, scores -1e4 to 1e4", without=[logistic.step])


def _gradients():
    random = np.random.RandomState(2022)
    for m, features, columns in GRADIENT_SHAPES:
        for _ in range(2):
            x, y = signed(random, m, features), signed(random, m, columns)
            theta = signed(random, features, columns)
            arguments = {"X": Matrix(x), "theta": Matrix(theta), "y": Matrix(y)}
            label = f"X {x.shape}, theta {theta.shape}"
            yield Case(label, arguments, close_to(_central_differences(x, theta, y), 1e-6))


def _central_differences(x: np.ndarray, theta: np.ndarray, y: np.ndarray, step: float = 1e-4) -> np.ndarray:
    def cost(theta):
        return ((x @ theta - y) ** 2).sum() / (2 * len(x))

    slopes = np.empty_like(theta)
    for place in np.ndindex(theta.shape):
        nudge = np.zeros_like(theta)
        nudge[place] = step
        slopes[place] = (cost(theta + nudge) - cost(theta - nudge)) / (2 * step)
    return slopes


def _filters():
    random = np.random.RandomState(2023)
    for rows, columns, kept in (
        *((1, 1, [0]), (1, 2, []), (2, 1, [1]), (2, 3, [0]), (3, 2, [0, 2]), (3, 3, [])),
        *((4, 2, [0, 1, 2, 3]), (4, 5, [1, 2]), (9, 4, [0, 3, 4, 8])),
    ):
        for _ in range(2):
            yield _filter(signed(random, rows, columns), kept)
    twice = np.repeat(signed(random, 2, 3), 2, axis=0)
    yield _filter(twice, [0, 1], "two pairs of equal rows, the first pair kept")


def _filter(numbers: np.ndarray, kept: list[int], label: str = "") -> Case:
    label = label or f"shape {numbers.shape}, rows {kept} kept"
    wanted = {tuple(numbers[i]) for i in kept}

    def keep(row):
        values = np.asarray(row, np.float64)
        if values.size != numbers.shape[1]:
            raise TypeError(f"keep(row) takes the {numbers.shape[1]} numbers of a row, not {kind(row)}")
        return tuple(values.ravel().tolist()) in wanted

    close = close_to(numbers[kept])

    def judge(answer):
        if not isinstance(answer, Matrix):
            came = "an array" if isinstance(answer, np.ndarray) else kind(answer)
            raise Wrong(f"expected a Matrix, came {came}")
        close(answer)

    return Case(label, {"matrix": Matrix(numbers), "keep": keep}, judge)


def _softmaxes():
    random = np.random.RandomState(2024)
    for shape in ((0, 2), (1, 1), (1, 3), (2, 2), (3, 2), (2, 5), (30, 10)):
        for _ in range(2):
            yield _softmax(f"scores {shape}", 3 * signed(random, *shape))
    near = np.array([[-1e4, -1e4 + 1], [1e4, 1e4 - 1], [1e4, -1e4], [0, 1]])
    yield _softmax("rows of scores near -1e4, 1e4 and 0", near)
    yield _softmax("scores of 1e4 and -1e4", 1e4 * np.sign(signed(random, 6, 4)))


def _softmax(label: str, scores: np.ndarray) -> Case:
    wanted = _probabilities(scores)
    close = close_to(wanted, 1e-12)

    def judge(answer):
        sums = as_array(answer, wanted.shape).sum(axis=1)
        for row in np.flatnonzero(~(np.abs(sums - 1) <= 1e-9)):
            raise Wrong(f"expected each row to sum to 1, came {sums[row]:.6g} in row {row}")
        close(answer)

    return Case(label, {"scores": scores}, judge)


def _steps():
    random = np.random.RandomState(2025)
    for images, features, classes, size in (
        *((1, 1, 2, 1), (1, 2, 3, 1), (2, 3, 2, 1), (3, 3, 3, 1), (4, 2, 5, 1), (5, 6, 4, 1), (30, 8, 10, 1)),
        (6, 3, 4, 1e4),
    ):
        for rate in (0.5, 0.01):
            x, theta = signed(random, images, features), size * signed(random, features, classes)
            y = np.eye(classes)[random.randint(0, classes, images)]
            arguments = {"X": x, "Y": y, "theta": theta, "rate": rate}
            wanted = theta - rate / images * x.T @ (_probabilities(x @ theta) - y)
            scale = ", scores of 1e4 and -1e4" if size > 1 else ""
            label = f"X {x.shape}, theta {theta.shape}, rate {rate}{scale}"
            yield Case(label, arguments, close_to(wanted, 1e-12 * size))


def _probabilities(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
