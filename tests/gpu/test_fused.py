"""The talk's iteration on a GPU: under the simulator, against the same lines in NumPy."""

import numpy as np
import pytest

from mlteach.errors import GpuUnavailable
from mlteach.gpu import fused, simt
from mlteach.gpu.fused_kernels import ADDED, GROUPS, update
from tests.gpu.simt_device import SimtDevice


def digits(count, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 784), np.uint8) * (rng.random((count, 784)) < 0.2)
    return images.astype(np.uint8), rng.integers(0, 10, count)


def talk(images, labels, theta, rate=0.01):
    """One iteration as the talk wrote it."""
    x = np.column_stack([np.ones(len(images)), images / 255 + 0.5])
    certainty = 1 / (1 + np.exp(-x @ theta))
    error = certainty - np.eye(10)[labels]
    return np.mean(certainty.argmax(axis=1) == labels), theta - rate / len(x) * x.T @ error


def train(images, labels, theta, iterations=1, **options):
    device = SimtDevice()
    step = fused.TalkStep(images, labels, device=device, **options)
    accuracies, after = step.train(theta, iterations)
    assert [trace.problems for trace in device.traces] == [[]] * 2 * iterations
    return accuracies, after


@pytest.mark.parametrize(
    ("count", "blocks"),
    [(5, 264), (29, 1), (29, 2)],  # a tile is 28 images: one, two of a block, one of each of two blocks
)
def test_a_step_is_that_of_the_talk(count, blocks):
    images, labels = digits(count)
    theta = np.random.default_rng(1).normal(0, 0.05, (785, 10))
    before = theta.copy()
    accuracies, after = train(images, labels, theta, blocks=blocks)
    accuracy, expected = talk(images, labels, theta)
    assert accuracies == pytest.approx([accuracy])
    np.testing.assert_allclose(after, expected, rtol=0, atol=2e-7)
    assert np.array_equal(theta, before)


def test_theta_stays_through_the_iterations():
    images, labels = digits(4)
    theta, expected, accuracies = np.zeros((785, 10)), np.zeros((785, 10)), []
    for _ in range(2):
        accuracy, expected = talk(images, labels, expected, rate=0.5)
        accuracies.append(accuracy)
    found, after = train(images, labels, theta, 2, rate=0.5)
    np.testing.assert_allclose(found, accuracies)
    np.testing.assert_allclose(after, expected, rtol=0, atol=1e-5)
    assert found[1] > found[0]
    step = fused.TalkStep(images, labels, rate=0.5, device=SimtDevice())
    assert step.iterate(theta)[0] == accuracies[0]


@pytest.mark.parametrize("blocks", [1, GROUPS, 2 * GROUPS + 3])
def test_a_step_adds_up_what_any_number_of_blocks_found(blocks):
    rng = np.random.default_rng(blocks)
    partial, right = rng.normal(size=(blocks, 5, 10)).astype("f4"), rng.integers(0, 9, (blocks, 28), "i4")
    theta, found = rng.normal(size=(5, 10)), np.zeros(3)
    expected = theta - 0.25 * partial.astype("f8").sum(axis=0)
    grid, block = -(-theta.size // ADDED), (ADDED, min(GROUPS, blocks))
    trace = simt.run(update, grid, block, partial, right, theta, 0.25, found, 1)
    assert trace.problems == []
    np.testing.assert_allclose(theta, expected, rtol=0, atol=1e-12)
    assert found.tolist() == [0, right.sum(), 0]


def test_each_class_can_be_the_answer():
    images, theta, labels = np.zeros((29, 784), np.uint8), np.zeros((785, 10)), np.arange(29) % 10
    images[range(29), labels], theta[range(1, 11), range(10)] = 255, 10
    assert train(images, labels, theta)[0] == [1]


def test_images_of_28_by_28_are_the_same():
    images, labels = digits(2)
    flat = train(images, labels, np.zeros((785, 10)))
    square = train(images.reshape(2, 28, 28), labels, np.zeros((785, 10)))
    assert all(map(np.array_equal, flat, square))


def test_an_iteration_is_two_launches():
    device = SimtDevice()
    step = fused.TalkStep(*digits(2), device=device)
    step.train(np.zeros((785, 10)))
    assert step.seconds == len(device.traces) == 2


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((2, 784)), [0, 1], "uint8"),
        (np.zeros((2, 783), np.uint8), [0, 1], r"\(2, 783\)"),
        (np.zeros((0, 784), np.uint8), [], r"\(0, 784\)"),
        (np.zeros((2, 784), np.uint8), [0], "labels must be 2 integers"),
        (np.zeros((2, 784), np.uint8), [0, 10], "from 0 to 9, not 0 to 10"),
        (np.zeros((2, 784), np.uint8), [0.0, 1.0], "float64"),
    ],
)
def test_wrong_digits(images, labels, words):
    with pytest.raises(ValueError, match=words):
        fused.TalkStep(images, labels, device=SimtDevice())


def test_wrong_weights():
    step = fused.TalkStep(*digits(1), device=SimtDevice())
    with pytest.raises(ValueError, match=r"\(784, 10\)"):
        step.train(np.zeros((784, 10)))
    with pytest.raises(ValueError, match="at least 1, not 0"):
        step.train(np.zeros((785, 10)), 0)


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr("mlteach.gpu.why_not", lambda *needs: "no GPU here")
    with pytest.raises(GpuUnavailable, match="no GPU here"):
        fused.TalkStep(*digits(1))
