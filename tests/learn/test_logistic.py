"""Logistic regression: the talk's numbers, gradients, and bad input."""

import warnings

import numpy as np
import pytest

from mlteach import mnist
from mlteach.learn import logistic

TALK = [0.098717, 0.395033, 0.471133]  # accuracies of the first iterations, as the talk's program has them


@pytest.fixture(scope="module")
def digits():
    train = mnist.load("train")
    return mnist.talk_features(train.images), train.labels


def watched(x, y, **how):
    accuracies = []
    theta = logistic.fit(
        x, y, on_iteration=lambda i, accuracy, theta: accuracies.append(round(accuracy, 6)), **how
    )
    return theta, accuracies


def test_the_talks_accuracies_on_all_digits(digits):
    assert watched(*digits, kernel="blas", iterations=3)[1] == TALK


def test_float32_differs_by_at_most_a_ten_thousandth(digits):
    x, labels = digits
    theta, accuracies = watched(x.astype(np.float32), labels, iterations=3)
    assert theta.dtype == np.float32
    assert np.allclose(accuracies, TALK, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kernel", ["loops", "threads_row", "numpy_rows", "jit"])
def test_every_kernel_prints_the_same_digits(digits, kernel):
    x, labels = digits[0][:200], digits[1][:200]
    assert (
        watched(x, labels, kernel=kernel, iterations=3)[1]
        == watched(x, labels, kernel="blas", iterations=3)[1]
    )


def small(seed=0, m=30, features=5, classes=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(m, features)), rng.integers(0, classes, m)


def losses(x, targets, theta, loss):
    scores = x @ theta
    if loss == "softmax":
        return -(targets * np.log(logistic.softmax(scores))).sum() / len(x)
    p = logistic.sigmoid(scores)
    return -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum() / len(x)


@pytest.mark.parametrize("loss", logistic.PROBABILITIES)
def test_a_step_follows_the_slope_of_the_loss(loss):
    x, labels = small()
    targets, theta, h = np.eye(4)[labels], np.random.default_rng(1).normal(size=(5, 4)), 1e-6
    moved = logistic.step(x, targets, theta, rate=1.0, loss=loss)
    for i, j in np.ndindex(theta.shape):
        shift = np.zeros_like(theta)
        shift[i, j] = h
        slope = (losses(x, targets, theta + shift, loss) - losses(x, targets, theta - shift, loss)) / (2 * h)
        assert theta[i, j] - moved[i, j] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("loss", logistic.PROBABILITIES)
def test_it_learns_what_can_be_told_apart(loss):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 90)
    x = np.hstack([np.ones((90, 1)), 4 * np.eye(3)[labels] + rng.normal(size=(90, 3))])
    theta = logistic.fit(x, labels, loss=loss, iterations=200, rate=0.3)
    assert logistic.accuracy(x, labels, theta, loss=loss) > 0.95
    assert logistic.predict(x, theta, loss=loss).shape == (90,)


def test_labels_and_one_hot_targets_are_the_same():
    x, labels = small()
    assert np.array_equal(
        logistic.fit(x, labels, iterations=4), logistic.fit(x, np.eye(4)[labels], iterations=4)
    )


def test_ties_go_to_the_first_class():
    x = np.ones((3, 2))
    assert logistic.predict(x, np.zeros((2, 5))).tolist() == [0, 0, 0]
    far = np.array([[0.0, 50.0, 60.0]] * 2)
    assert logistic.predict(x, far).tolist() == [1, 1, 1]  # both sigmoids are 1.0
    assert logistic.predict(x, far, loss="softmax").tolist() == [2, 2, 2]


def test_far_scores_stay_finite_and_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = np.array([[1e4, -1e4, 0.0]])
        assert logistic.softmax(scores).tolist() == [[1, 0, 0]]
        assert logistic.sigmoid(scores).tolist() == [[1, 0, 0.5]]


def test_softmax_rows_add_up_to_one():
    rows = logistic.softmax(np.random.default_rng(0).normal(scale=30, size=(50, 10)))
    assert np.allclose(rows.sum(axis=1), 1, rtol=1e-14)


def test_arguments_are_left_alone():
    x, labels = small()
    kept = x.copy(), labels.copy()
    logistic.fit(x, labels, iterations=2)
    assert np.array_equal(x, kept[0])
    assert np.array_equal(labels, kept[1])


def test_no_iterations_give_zeros():
    x, labels = small()
    assert not logistic.fit(x, labels, iterations=0).any()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": np.zeros(3, int)}, r"y of shape \(3,\) does not fit x of shape \(30, 5\)"),
        ({"x": np.ones((0, 5)), "y": np.zeros(0, int)}, "at least one"),
        ({"y": np.full(30, -1)}, "whole numbers from 0 on"),
        ({"y": np.full(30, 0.5)}, "whole numbers from 0 on, not float64"),
        ({"loss": "hinge"}, "'one-vs-all' or 'softmax', not 'hinge'"),
        ({"iterations": -1}, "iterations must be a whole number from 0 on, not -1"),
        ({"iterations": 2.5}, "not 2.5"),
        ({"y": ["one"] * 30}, "whole numbers from 0 on, not <U3"),
        ({"y": [["one"]] * 30}, "one-hot targets, not <U3"),
        ({"rate": 0}, "rate must be a number above 0, not 0"),
        ({"rate": float("nan")}, "not nan"),
        ({"rate": "quick"}, "not 'quick'"),
    ],
)
def test_bad_input(change, words):
    x, labels = small()
    arguments = {"x": x, "y": labels, "iterations": 1, **change}
    with pytest.raises(ValueError, match=words):
        logistic.fit(arguments.pop("x"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize("labels", [[2], [0, 1], np.zeros((30, 2, 2), int)])
def test_accuracy_wants_a_label_for_each_row(labels):
    x, _ = small()
    with pytest.raises(ValueError, match="does not fit x of shape"):
        logistic.accuracy(x, labels, np.zeros((5, 4)))
