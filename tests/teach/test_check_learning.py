"""Right and wrong gradients, filters and softmax steps."""

import numpy as np
import pytest

from mlteach.matrix import Matrix, concatenate_rows, minus, product, zeros
from mlteach.teach import check


def error(X, theta, y):
    return minus(product(X, theta), y)


def in_numpy(X, theta, y):
    X, theta, y = (m.to_array() for m in (X, theta, y))
    return X.T @ (X @ theta - y) / len(X)


def with_loops(X, theta, y):
    x, t, z = (m.to_array().tolist() for m in (X, theta, y))
    errors = [
        [sum(a * b[c] for a, b in zip(row, t, strict=True)) - z[r][c] for c in range(y.columns)]
        for r, row in enumerate(x)
    ]
    return [
        [sum(x[r][f] * errors[r][c] for r in range(X.rows)) / X.rows for c in range(y.columns)]
        for f in range(X.columns)
    ]


def change_theta(X, theta, y):
    gradient = in_numpy(X, theta, y)
    object.__setattr__(theta, "_data", bytes(len(theta._data)))
    return gradient


RIGHT_GRADIENTS = [
    lambda X, theta, y: product(X.t, error(X, theta, y)).scale(1 / X.rows),
    lambda X, theta, y: X.t @ (X @ theta - y) / X.rows,
    in_numpy,
    with_loops,
]
WRONG_GRADIENTS = [
    lambda X, theta, y: X.t @ (X @ theta - y),
    lambda X, theta, y: X.t @ (X @ theta - y) / (2 * X.rows),
    lambda X, theta, y: X.t @ (X @ theta - y) / X.columns,
    lambda X, theta, y: X.t @ (X @ theta - y) / (X.rows * y.columns),
    lambda X, theta, y: X.t @ (y - X @ theta) / X.rows,
    lambda X, theta, y: X.t @ (X @ theta) / X.rows,
    lambda X, theta, y: X @ (X @ theta - y) / X.rows,
    lambda X, theta, y: (X @ theta - y).t @ X / X.rows,
    lambda X, theta, y: (X.t @ (X @ theta - y)).sum() / X.rows,
    lambda X, theta, y: np.asarray(X.t @ (X @ theta - y) / X.rows)[:, :1],
    lambda X, theta, y: np.repeat(np.asarray(X.t @ (X @ theta - y) / X.rows)[:, :1], theta.columns, axis=1),
    lambda X, theta, y: X.t @ (X @ theta - y).map(np.sign) / X.rows,
    lambda X, theta, y: theta - X.t @ (X @ theta - y) / X.rows,
    lambda X, theta, y: X.t @ (X @ theta - y) / X.rows + 1e-5,
    lambda X, theta, y: ((X @ theta - y) * (X @ theta - y)).sum() / (2 * X.rows),
    lambda X, theta, y: X.T,
    change_theta,
]


@pytest.mark.parametrize("fn", RIGHT_GRADIENTS)
def test_right_gradients_pass(fn):
    assert repr(check.gradient(fn)) == "passed: 16 gradients against central differences"


@pytest.mark.parametrize("fn", WRONG_GRADIENTS)
def test_wrong_gradients_do_not(fn):
    report = check.gradient(fn)
    assert report.lines[0] == "not passed"


def test_what_a_wrong_gradient_is_told():
    lines = check.gradient(lambda X, theta, y: X.t @ (X @ theta - y)).lines
    assert lines[1].startswith("X (2, 1), theta (1, 3): expected ")
    assert check.gradient(change_theta).lines[1].endswith("expected theta as it was, but the call changed it")


def filtered(matrix, keep):
    return Matrix(np.array([row for row in matrix.to_array() if keep(row)]).reshape(-1, matrix.columns))


def grown(matrix, keep):
    kept = zeros(0, matrix.columns)
    for i in range(matrix.rows):
        row = matrix.slice_rows(i, i + 1)
        if keep(row):
            kept = concatenate_rows(kept, row)
    return kept


RIGHT_FILTERS = [
    lambda matrix, keep: Matrix(matrix.to_array()[[keep(row) for row in matrix.to_array()]]),
    filtered,
    grown,
]
WRONG_FILTERS = [
    (lambda matrix, keep: matrix, "expected an array of shape (0, 2), came an array of shape (1, 2)"),
    (
        lambda matrix, keep: filtered(matrix, lambda row: not keep(row)),
        "shape (1, 1), rows [0] kept: expected",
    ),
    (lambda matrix, keep: filtered(matrix, lambda row: keep(row[::-1])), "shape (2, 3), rows [0] kept"),
    (
        lambda matrix, keep: Matrix(filtered(matrix, keep).to_array()[::-1]),
        "shape (3, 2), rows [0, 2] kept: expected",
    ),
    (lambda matrix, keep: Matrix(np.unique(filtered(matrix, keep).to_array(), axis=0)), "expected"),
    (lambda matrix, keep: filtered(matrix, keep).t, "came an array of shape (2, 0)"),
    (
        lambda matrix, keep: zeros(1, 1) if filtered(matrix, keep).rows == 0 else filtered(matrix, keep),
        "(0, 2)",
    ),
    (
        lambda matrix, keep: Matrix([row for row in matrix.to_array() if keep(row)]),
        "rows [] kept: raised ValueError",
    ),
    (
        lambda matrix, keep: [i for i in range(matrix.rows) if keep(i)],
        "keep(row) takes the 2 numbers of a row, not an int",
    ),
    (lambda matrix, keep: filtered(matrix, keep).scale(1.5), "rows [0] kept: expected"),
    (lambda matrix, keep: filtered(matrix, keep).to_array(), "expected a Matrix, came an array"),
    (lambda matrix, keep: [row for row in matrix.to_array().tolist() if keep(row)], "came a list"),
    (lambda matrix, keep: keep, "came a function"),
]


@pytest.mark.parametrize("fn", RIGHT_FILTERS)
def test_right_filters_pass(fn):
    assert repr(check.filter_rows(fn)) == "passed: 19 matrices, from no row kept to all"


@pytest.mark.parametrize(("fn", "line"), WRONG_FILTERS)
def test_wrong_filters_do_not(fn, line):
    report = check.filter_rows(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def row_by_row(scores):
    return [np.exp(row - np.logaddexp.reduce(row)) for row in scores]


def naive(scores):
    with np.errstate(all="ignore"):
        return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def shifted_by_all(scores):
    with np.errstate(all="ignore"):
        return naive(scores - scores.max(initial=-np.inf))


def clipped(scores):
    return naive(np.clip(scores, -500, 500))


def in_place(scores):
    scores -= scores.max(axis=1, keepdims=True)
    return naive(scores)


RIGHT_SOFTMAX = [
    softmax,
    row_by_row,
    lambda scores: Matrix(softmax(scores)),
    lambda scores: softmax(scores.T.copy().T),
]
WRONG_SOFTMAX = [
    (naive, "expected each row to sum to 1, came nan"),
    (shifted_by_all, "expected each row to sum to 1, came nan"),
    (clipped, "rows of scores near -1e4, 1e4 and 0: expected"),
    (in_place, "expected scores as it was"),
    (lambda scores: np.exp(scores) / np.exp(scores).sum(axis=0), "expected each row to sum to 1"),
    (lambda scores: np.exp(scores) / np.exp(scores).sum(), "expected each row to sum to 1"),
    (lambda scores: np.exp(scores - scores.max(axis=1, keepdims=True)), "expected each row to sum to 1"),
    (lambda scores: 1 / (1 + np.exp(-np.clip(scores, -500, 500))), "expected each row to sum to 1"),
    (lambda scores: softmax(2 * scores), "expected"),
    (lambda scores: softmax(-scores), "expected"),
    (lambda scores: (scores == scores.max(axis=1, keepdims=True)).astype(float), "expected"),
    (lambda scores: np.full(scores.shape, 1 / scores.shape[1]), "expected"),
    (lambda scores: softmax(scores.astype(np.float32)), "too few digits"),
    (lambda scores: softmax(scores.astype(np.float32)).astype(float), "expected"),
    (lambda scores: np.log(softmax(scores) + 1e-300), "expected each row to sum to 1"),
    (lambda scores: softmax(scores).argmax(axis=1), "came an array of shape (0,)"),
]


@pytest.mark.parametrize("fn", RIGHT_SOFTMAX)
def test_right_softmaxes_pass(fn):
    assert repr(check.softmax(fn)) == "passed: 16 arrays of scores, -1e4 to 1e4"


@pytest.mark.parametrize(("fn", "line"), WRONG_SOFTMAX)
def test_wrong_softmaxes_do_not(fn, line):
    report = check.softmax(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def step(probabilities, sign=-1.0):
    return lambda X, Y, theta, rate: theta + sign * rate / len(X) * X.T @ (probabilities(X @ theta) - Y)


def image_by_image(X, Y, theta, rate):
    new = theta.copy()
    for x, y in zip(X, Y, strict=True):
        new -= rate / len(X) * np.outer(x, softmax((x @ theta)[None])[0] - y)
    return new


def step_in_place(X, Y, theta, rate):
    theta -= rate / len(X) * X.T @ (softmax(X @ theta) - Y)
    return theta


def one_after_the_other(X, Y, theta, rate):
    """Use each image's new theta for the next image."""
    for x, y in zip(X, Y, strict=True):
        theta = theta - rate / len(X) * np.outer(x, softmax((x @ theta)[None])[0] - y)
    return theta


RIGHT_STEPS = [
    step(softmax),
    image_by_image,
    lambda X, Y, theta, rate: Matrix(step(softmax)(X, Y, theta, rate)),
]
WRONG_STEPS = [
    step(softmax, sign=1.0),
    step(naive),
    step(shifted_by_all),
    step(lambda scores: 1 / (1 + np.exp(-np.clip(scores, -500, 500)))),
    step(lambda scores: softmax(scores.T).T),
    step(lambda scores: scores),
    step_in_place,
    one_after_the_other,
    lambda X, Y, theta, rate: theta - rate * X.T @ (softmax(X @ theta) - Y),
    lambda X, Y, theta, rate: theta - rate / Y.size * X.T @ (softmax(X @ theta) - Y),
    lambda X, Y, theta, rate: theta - 0.5 / len(X) * X.T @ (softmax(X @ theta) - Y),
    lambda X, Y, theta, rate: X.T @ (softmax(X @ theta) - Y) / len(X),
    lambda X, Y, theta, rate: theta,
    lambda X, Y, theta, rate: step(softmax)(X, Y, theta.astype(np.float32), rate),
    lambda X, Y, theta, rate: step(softmax)(X.astype(np.float32), Y, theta.astype(np.float32), rate).astype(
        float
    ),
]


@pytest.mark.parametrize("fn", RIGHT_STEPS)
def test_right_steps_pass(fn):
    assert repr(check.softmax_step(fn)) == "passed: 16 steps, scores -1e4 to 1e4"


@pytest.mark.parametrize("fn", WRONG_STEPS)
def test_wrong_steps_do_not(fn):
    assert check.softmax_step(fn).lines[0] == "not passed"


def test_a_step_that_overflows_is_told_so():
    assert "scores of 1e4 and -1e4: expected" in check.softmax_step(step(naive)).lines[1]
    assert "came nan" in check.softmax_step(step(naive)).lines[1]
