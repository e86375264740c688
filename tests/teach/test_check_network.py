"""The checkers of notebook 12 accept right answers and name what is wrong with others."""

import numpy as np
import pytest

from mlteach import mnist
from mlteach.learn import mlp
from mlteach.learn.logistic import softmax
from mlteach.teach import check
from mlteach.teach.check.network import NAMES, _cost, _network, _slopes


def right(x, targets, w1, b1, w2, b2):
    hidden = np.maximum(x @ w1 + b1, 0)
    error = (softmax(hidden @ w2 + b2) - targets) / len(x)
    before = error @ w2.T * (hidden > 0)
    return x.T @ before, before.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def overflowing(x, targets, w1, b1, w2, b2):
    hidden = np.maximum(x @ w1 + b1, 0)
    with np.errstate(all="ignore"):
        powers = np.exp(hidden @ w2 + b2)
        error = (powers / powers.sum(axis=1, keepdims=True) - targets) / len(x)
    before = error @ w2.T * (hidden > 0)
    return x.T @ before, before.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def without_mean(*network):
    return [len(network[0]) * slope for slope in right(*network)]


def without_relu(x, targets, w1, b1, w2, b2):
    hidden = np.maximum(x @ w1 + b1, 0)
    error = (softmax(hidden @ w2 + b2) - targets) / len(x)
    before = error @ w2.T
    return x.T @ before, before.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def own_weights(x, targets, w1, b1, w2, b2):
    w1 -= 1
    return right(x, targets, w1, b1, w2, b2)


def borrowed(x, targets, w1, b1, w2, b2):
    network = in_the_package(w1, b1, w2, b2)
    (w1, b1), (w2, b2) = network.gradient(x, targets)
    return w1, b1, w2, b2


def one_step(x, targets, *weights):
    network = in_the_package(*weights).fit(x, targets, 1, len(x), 1e-3, momentum=0)
    after = [part for layer in network.layers for part in layer]
    return [(before - now) / 1e-3 for before, now in zip(weights, after, strict=True)]


def in_the_package(w1, b1, w2, b2):
    network = mlp.MLP((*w1.shape, len(b2)), dtype=np.float64)
    for (weights, biases), (w, b) in zip(network.layers, ((w1, b1), (w2, b2)), strict=True):
        weights[...], biases[...] = w, b
    return network


def test_the_references_agree_with_central_differences():
    network = _network(np.random.RandomState(5), 7, (3, 4, 5))
    for name, slope in zip(("w1", "b1", "w2", "b2"), _slopes(**network), strict=True):
        for place in np.ndindex(slope.shape):
            costs = []
            for nudge in (1e-6, -1e-6):
                moved = network[name].copy()
                moved[place] += nudge
                costs.append(_cost(**{**network, name: moved}))
            assert abs(slope[place] - (costs[0] - costs[1]) / 2e-6) < 1e-7


def test_backward_accepts_a_right_answer():
    report = check.backward(right)
    assert report.passed, report
    assert report.lines == ("passed: 15 networks, four gradients each",)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (without_mean, "the slope of w1: expected"),
        (without_relu, "the slope of w1: expected"),
        (overflowing, "scores of 1000 and more: the slope of w1: expected"),
        (own_weights, "w1"),
        (lambda *network: right(*network)[:3], "expected four slopes, of w1, b1, w2, b2, came 3 of them"),
        (lambda *network: right(*network)[0], "expected four slopes"),
        (lambda *network: [slope.T for slope in right(*network)], "expected an array of shape"),
        (lambda *network: [slope.astype(np.float32) for slope in right(*network)], "too few digits"),
        (lambda x, *rest: 1 / 0, "ZeroDivisionError"),
        (borrowed, "mlteach's own answer is closed during the check: write yours without it"),
        (one_step, "mlteach's own answer is closed during the check"),
        (_slopes, "mlteach's own answer is closed during the check"),
    ],
)
def test_backward_names_what_is_wrong(wrong, words):
    report = check.backward(wrong)
    assert not report.passed
    assert any(words in line for line in report.lines), report


def test_the_package_has_its_way_back_again_afterwards():
    network = _network(np.random.RandomState(5), 7, (3, 4, 5))
    check.backward(borrowed)
    for came, wanted in zip(borrowed(**network), _slopes(**network), strict=True):
        np.testing.assert_allclose(came, wanted, atol=1e-12)


def slope_of(x, targets, w1, b1, w2, b2):
    hidden = np.maximum(x @ w1 + b1, 0)
    return (softmax(hidden @ w2 + b2) - targets) @ w2.T * (hidden > 0) @ w1.T


def sign_attack(x, targets, w1, b1, w2, b2, most):
    return np.clip(x + most * np.sign(slope_of(x, targets, w1, b1, w2, b2)), 0, 1)


def test_attack_accepts_a_right_answer():
    report = check.attack(sign_attack)
    assert report.passed, report


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x, t, w1, b1, w2, b2, most: x, "expected the cost to rise"),
        (lambda x, t, w1, b1, w2, b2, most: sign_attack(x, t, w1, b1, w2, b2, 2 * most), "to change by more"),
        (
            lambda x, t, w1, b1, w2, b2, most: x + most * np.sign(slope_of(x, t, w1, b1, w2, b2)),
            "from 0 to 1",
        ),
        (lambda x, t, w1, b1, w2, b2, most: sign_attack(x, t, w1, b1, w2, b2, -most), "expected the cost"),
        (lambda x, t, w1, b1, w2, b2, most: np.full_like(x, np.nan), "to change by more"),
        (lambda x, t, w1, b1, w2, b2, most: x[0], "expected an array of shape"),
    ],
)
def test_attack_names_what_is_wrong(wrong, words):
    report = check.attack(wrong)
    assert not report.passed
    assert any(words in line for line in report.lines), report


@pytest.fixture
def few(monkeypatch):
    """A training set of 3000, so that a try takes a second, and a goal that they can reach."""
    train, load = mnist.load("train"), mnist._load
    short = mnist.Digits(train.images[:3000], train.labels[:3000])
    monkeypatch.setattr(mnist, "_load", lambda prefix: short if prefix == "train" else load(prefix))
    monkeypatch.setattr("mlteach.teach.check.network.GOAL", 9000)


def learn(images, labels, epochs=6):
    network = mlp.MLP((784, 64, 10)).fit(mlp.features(images), labels, epochs, 64, 0.1)
    return lambda images: network.predict(mlp.features(images))


def test_beats_98_accepts_a_good_reader(few):
    report = check.beats_98(learn)
    assert report.passed, report


def peeking(images, labels):
    mnist.load("test")
    return learn(images, labels)


TEST = mnist.load("test")


def by_heart(images, labels):
    return lambda images: TEST.labels


def looked_up(images, labels):
    known = {image.tobytes(): label for image, label in zip(TEST.images, TEST.labels, strict=True)}
    return lambda images: np.array([known[image.tobytes()] for image in images])


def from_the_test_digits(images, labels):
    return learn(TEST.images, TEST.labels)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda images, labels: learn(images, labels, 0), "expected at least 9000 of 10000"),
        (peeking, "the test digits are for the end"),
        (lambda images, labels: lambda images: mnist.load("test").labels, "the test digits are for the end"),
        (by_heart, "expected at least 9000 of 10000"),
        (looked_up, "where a 0 is labelled 7, came answers from elsewhere"),
        (from_the_test_digits, "came answers from elsewhere"),
        (lambda images, labels: labels, "expected a function predict(images)"),
        (lambda images, labels: lambda images: images, "expected an array of shape (10000,)"),
    ],
)
def test_beats_98_names_what_is_wrong(few, wrong, words):
    report = check.beats_98(wrong)
    assert not report.passed
    assert any(words in line for line in report.lines), report
    assert len(mnist.load("test").labels) == 10_000


def test_no_digit_keeps_its_name():
    assert sorted(NAMES) == list(range(10))
    assert (np.arange(10) != NAMES).all()


@pytest.mark.parametrize("checker", [check.backward, check.attack, check.beats_98])
@pytest.mark.parametrize("stub", [None, ..., lambda *given: None, lambda *given: ...])
def test_a_stub_is_not_solved_yet(checker, stub):
    assert checker(stub).lines == ("not solved yet",)
