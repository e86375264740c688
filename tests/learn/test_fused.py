"""The fused step against the same arithmetic in NumPy, and on every kind of processor."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from mlteach import mnist
from mlteach.learn import logistic
from mlteach.learn.fused import TalkStep, layout, lines, sweep
from mlteach.matmul import cores
from mlteach.matmul.vector_ir import PROCESSOR

# The accuracies of the talk's iterations as NumPy computes them in float64.
TALK = """
0.098717 0.395033 0.471133 0.505083 0.529650 0.549217 0.567167 0.583817 0.599700 0.613950 0.626300
0.636617 0.645900 0.654400 0.661617 0.668050 0.673917 0.679067 0.683400 0.687233 0.691117 0.694500
0.697400 0.700150 0.702800 0.704733 0.706583 0.708600 0.709850 0.711583 0.712800 0.714250 0.715367
0.716433 0.717517 0.718350 0.719617
"""


def reference(images, labels, theta, rate=0.01):
    """Accuracy and gradient sums in float64, as the talk's program computes them."""
    x = mnist.talk_features(images)
    certainty = logistic.sigmoid(x @ theta)
    error = certainty - np.eye(theta.shape[1])[labels]
    return np.mean(certainty.argmax(axis=1) == labels), theta - rate / len(x) * (x.T @ error)


def pictures(count, kind="sparse", classes=10, seed=0):
    """Random images with some, no or nothing but ink, and labels."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 784), dtype=np.uint8)
    if kind != "dense":
        images[rng.random(images.shape) < (0.97 if kind == "sparse" else 1)] = 0
    return images, rng.integers(0, classes, count)


def random_theta(classes=10, scale=0.02, seed=1):
    return np.random.default_rng(seed).normal(0, scale, (785, classes))


def assert_step(talk_step, images, labels, theta):
    expected_accuracy, expected = reference(images, labels, theta)
    accuracy, new = talk_step.iterate(theta)
    largest = np.abs(expected - theta).max()
    assert np.abs(new - expected).max() <= 2e-4 * largest + 1e-12
    assert abs(accuracy - expected_accuracy) <= 1e-4 + 1 / len(images) * (len(images) < 10_000)


@pytest.fixture(scope="module")
def digits():
    return mnist.load("train")


@pytest.mark.parametrize("dense", [False, True])
def test_the_talks_accuracies(digits, dense):
    talk_step, theta, accuracies = (
        TalkStep(digits.images, digits.labels, dense=dense),
        np.zeros((785, 10)),
        [],
    )
    for _ in TALK.split():
        accuracy, theta = talk_step.iterate(theta)
        accuracies.append(accuracy)
    assert np.abs(np.subtract(accuracies, [float(x) for x in TALK.split()])).max() <= 1e-4


@pytest.mark.parametrize("scale", [0.001, 0.05, 1.0])
def test_the_gradient_of_all_digits(digits, scale):
    theta = random_theta(scale=scale)
    assert_step(TalkStep(digits.images, digits.labels), digits.images, digits.labels, theta)


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("kind", ["sparse", "blank", "dense"])
@pytest.mark.parametrize("count", [1, 17, 31, 32, 33, 511, 513, 1001])
def test_any_number_of_images(count, kind, dense):
    images, labels = pictures(count, kind)
    assert_step(TalkStep(images, labels, dense=dense), images, labels, random_theta())


@pytest.mark.parametrize(
    "classes", [1, 10, 20, 64, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 12, 13, 25))]
)
def test_any_number_of_classes(classes):
    images, labels = pictures(700, classes=classes)
    assert_step(TalkStep(images, labels), images, labels, random_theta(classes))


def test_one_step_serves_any_theta():
    images, labels = pictures(100, classes=1)
    talk_step = TalkStep(images, labels)
    for classes in (10, 1, 10):
        assert_step(talk_step, images, labels, random_theta(classes))


def test_images_in_every_form():
    images, labels = pictures(50)
    theta = random_theta()
    expected = TalkStep(images, labels).iterate(theta)
    square = images.reshape(-1, 28, 28)
    square.setflags(write=False)
    frame = np.zeros((100, 784), np.uint8)
    frame[::2] = images
    for same in (square, frame[::2], np.asfortranarray(images)):
        accuracy, new = TalkStep(same, labels.astype(np.uint8)).iterate(np.asfortranarray(theta))
        assert accuracy == expected[0]
        assert np.array_equal(new, expected[1])


def test_arguments_are_not_changed():
    images, labels = pictures(50)
    theta = random_theta()
    before = images.copy(), labels.copy(), theta.copy()
    talk_step = TalkStep(images, labels)
    _, new = talk_step.iterate(theta)
    _, again = talk_step.iterate(theta)
    assert all(map(np.array_equal, (images, labels, theta), before))
    assert np.array_equal(new, again)
    assert not np.shares_memory(new, theta)


@pytest.mark.parametrize("count", [1, 1001, 20_000])
def test_the_same_bits_on_any_number_of_threads(count, digits, monkeypatch):
    monkeypatch.setattr(cores, "usable_cores", lambda: 64)
    images, labels, theta = digits.images[:count], digits.labels[:count], random_theta()
    accuracy, expected = TalkStep(images, labels, 1).iterate(theta)
    for threads in (2, 3, 64):
        talk_step = TalkStep(images, labels, threads)
        for _ in range(3):
            got, new = talk_step.iterate(theta)
            assert got == accuracy
            assert np.array_equal(new, expected)


def test_two_callers_at_once():
    images, labels = pictures(1001)
    theta = random_theta()
    talk_step = TalkStep(images, labels)
    _, expected = talk_step.iterate(theta)
    different = []

    def call():
        different.extend(not np.array_equal(talk_step.iterate(theta)[1], expected) for _ in range(20))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(different) == 80
    assert not any(different)


@pytest.mark.parametrize(
    ("scores", "answer"),
    [
        ([1, 3, 2], 1),
        ([2, 2, 1], 0),
        ([37, 40, 50], 0),  # all three sigmoids are 1 in float64
        ([30, 36.1, 35.9], 1),
        ([30, 35.9, 36.1], 1),  # these two sigmoids are the same number
        ([-800, -900, -750], 0),  # and these are 0
        ([-800, -700, -750], 1),
        ([1000, -1000, 500], 0),
    ],
)
def test_the_first_of_equal_sigmoids_is_the_answer(scores, answer):
    images = np.zeros((3, 784), np.uint8)
    theta = np.zeros((785, 10))
    theta[0] = [*scores, *[min(scores)] * 7]
    assert logistic.sigmoid(theta[0]).argmax() == answer
    accuracy, _ = TalkStep(images, [answer] * 3).iterate(theta)
    assert accuracy == 1


def test_columns_that_are_no_class_never_answer():
    """64 classes go in groups with two columns to spare, whose score would be 0."""
    theta = np.zeros((785, 64))
    theta[0] = -5 - np.arange(64)
    accuracy, _ = TalkStep(np.zeros((3, 784), np.uint8), [0] * 3).iterate(theta)
    assert accuracy == 1


def test_the_sigmoid_is_right_to_seven_digits():
    """On one blank image the step in the column of ones is the sigmoid itself."""
    talk_step = TalkStep(np.zeros((1, 784), np.uint8), [0], rate=1)
    for scores in np.linspace(-18, 18, 640).astype(np.float32).reshape(-1, 64):
        theta = np.zeros((785, 64))
        theta[0] = scores
        _, new = talk_step.iterate(theta)
        found = theta[0] - new[0]
        found[0] += 1
        assert np.abs(found - logistic.sigmoid(theta[0])).max() < 2e-7


@pytest.mark.parametrize("size", [1e-3, 1e-6])
def test_small_errors_keep_their_digits(size):
    """Images whose answer is nearly certain and right: where errors are whole steps, these are small."""
    images, labels = pictures(700, "dense", classes=2)
    theta = random_theta(2, scale=0.001)
    theta[0] = -np.log(1 / size - 1)
    theta[0, 0] *= -1
    expected = reference(images, 0 * labels, theta, rate=1)[1] - theta
    found = TalkStep(images, 0 * labels, rate=1).iterate(theta)[1] - theta
    assert np.abs(found - expected).max() <= (2e-4 + 1e-7 / size) * np.abs(expected).max()


def test_one_large_error_among_small_ones():
    """In steps of the largest error, equal small ones would all be wrong by the same if each was rounded."""
    images, labels = np.full((512, 784), 255, np.uint8), np.zeros(512, int)
    labels[-1] = 1
    for size in (1e-2, 1e-3, 1e-5):
        theta = np.zeros((785, 2))
        theta[0] = np.log(1 / size - 1) * np.array([1, -1])
        expected = reference(images, labels, theta, rate=1)[1] - theta
        found = TalkStep(images, labels, rate=1).iterate(theta)[1] - theta
        assert np.abs(found - expected).max() <= 2e-4 * np.abs(expected).max()


def test_sums_stay_accurate_over_many_blocks():
    """Equal images, so that every block adds the same: a float32 sum of so many would drift."""
    images, labels = np.full((200_000, 784), 255, np.uint8), np.zeros(200_000, int)
    theta = random_theta(1, 0.001)
    _, few = TalkStep(images[:512], labels[:512]).iterate(theta)
    _, many = TalkStep(images, labels).iterate(theta)
    assert np.allclose(many - theta, few - theta, rtol=1e-6, atol=0)


def test_the_step_size():
    images, labels = pictures(50)
    theta = random_theta()
    _, new = TalkStep(images, labels, rate=0.5).iterate(theta)
    assert np.allclose(new - theta, 50 * (TalkStep(images, labels).iterate(theta)[1] - theta))


def test_what_it_tells_about_itself(digits):
    sparse, dense = (TalkStep(digits.images, digits.labels, dense=dense) for dense in (False, True))
    assert dense.visited == 1
    assert np.mean(digits.images > 0) < sparse.visited < 0.5
    assert sparse.preparation_seconds > 0


def test_alike_images_share_their_blank_lines(digits, monkeypatch):
    images, labels = digits.images[:5001].reshape(-1, 784), digits.labels[:5001]
    assert lines.lines_of(images, labels, 1, dense=True).visited == 1
    sorted_by_ink = lines.lines_of(images, labels, 1, dense=False).visited
    monkeypatch.setattr(lines, "by_ink", lambda images, threads: np.arange(len(images)))
    assert sorted_by_ink < 0.85 * lines.lines_of(images, labels, 1, dense=False).visited


def test_lines_hold_every_pixel_once(digits):
    images = digits.images[:1001].reshape(-1, 784)
    laid = lines.lines_of(images, digits.labels[:1001], 2, dense=False)
    assert sorted(laid.order) == list(range(1001))
    assert np.array_equal(laid.labels.ravel()[:1001], digits.labels[laid.order])
    shape = (-1, layout.LINES, layout.DEPTH // layout.SIDE_BY_SIDE, layout.IMAGES, layout.SIDE_BY_SIDE)
    used = laid.tiles.reshape(shape).transpose(0, 1, 2, 4, 3).reshape(-1, layout.TILE, layout.IMAGES)
    numbers, places = np.divmod(laid.lines, 1 << lines.LOWER_BITS)[::-1]
    rebuilt = np.zeros((len(laid.first) - 1, lines.PLACES, layout.DEPTH, layout.IMAGES), np.uint8)
    from_tiles = np.zeros((len(rebuilt), 784 // layout.TILE, layout.TILE, layout.IMAGES), np.uint8)
    for chunk, ((tile, line), (_, stop)) in enumerate(zip(laid.first[:-1], laid.first[1:], strict=True)):
        pile = used[tile:].reshape(-1, layout.DEPTH, layout.IMAGES)
        rebuilt[chunk, places[line:stop]] = pile[numbers[line:stop]]
    for block, bounds in enumerate(laid.bounds):
        for place in range(len(bounds) - 1):
            for entry in laid.entries[bounds[place] : bounds[place + 1]]:
                chunk, number = divmod(int(entry), 1 << lines.LOWER_BITS)
                tile = used[laid.first[block * lines.CHUNKS, 0] + number]
                from_tiles[block * lines.CHUNKS + chunk, place] = tile
    for way in (rebuilt, from_tiles):
        way = way.reshape(len(way), 784, layout.IMAGES).transpose(0, 2, 1).reshape(-1, 784)
        assert np.array_equal(way[:1001], images[laid.order][:, layout.ORDER])
        assert not way[1001:].any()


@pytest.mark.parametrize(
    ("images", "labels", "error", "words"),
    [
        (np.zeros((2, 784)), [0, 1], TypeError, "images must be uint8"),
        (np.zeros((2, 783), np.uint8), [0, 1], ValueError, "(2, 783)"),
        (np.zeros(784, np.uint8), [0], ValueError, "(784,)"),
        (np.zeros((0, 784), np.uint8), np.zeros(0, int), ValueError, "N from 1"),
        (np.zeros((2, 784), np.uint8), [0.0, 1.0], TypeError, "labels must be integers"),
        (np.zeros((2, 784), np.uint8), [True, False], TypeError, "labels must be integers"),
        (np.zeros((2, 784), np.uint8), [0, 1, 2], ValueError, "the shape (2,)"),
        (np.zeros((2, 784), np.uint8), [0, -1], ValueError, "label -1 at position 1"),
        (np.zeros((2, 784), np.uint8), [64, 1], ValueError, "label 64 at position 0"),
    ],
)
def test_bad_images_and_labels(images, labels, error, words):
    with pytest.raises(error) as caught:
        TalkStep(images, labels)
    assert words in str(caught.value)


@pytest.mark.parametrize("rate", [0, -0.1, float("nan"), float("inf"), None, "quick"])
def test_bad_rate(rate):
    with pytest.raises(ValueError, match="rate must be a number above 0, not"):
        TalkStep(*pictures(2), rate=rate)


@pytest.mark.parametrize(
    ("threads", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("two", TypeError)]
)
def test_bad_threads(threads, error):
    with pytest.raises(error, match=f"threads must be .*{threads}"):
        TalkStep(*pictures(2), threads)


def marked(value):
    theta = np.zeros((785, 10))
    theta[3, 4] = value
    return theta


@pytest.mark.parametrize(
    ("theta", "error", "words"),
    [
        (np.zeros((785, 10), np.float32), TypeError, "float32"),
        ([[0.0]], TypeError, "list"),
        (np.zeros((784, 10)), ValueError, "(784, 10)"),
        (np.zeros(785), ValueError, "(785,)"),
        (np.zeros((785, 65)), ValueError, "1 to 64 classes"),
        (np.zeros((785, 0)), ValueError, "(785, 0)"),
        (np.zeros((785, 3)), ValueError, "label 9 has no column"),
        (np.zeros((785, 9)), ValueError, "label 9 has no column in a theta of 9 classes"),
        (marked(np.nan), ValueError, "theta[3, 4] is nan"),
        (marked(np.inf), ValueError, "theta[3, 4] is inf"),
        (marked(-1e31), ValueError, "within 1e+30"),
    ],
)
def test_bad_theta(theta, error, words):
    images, labels = pictures(20)
    labels[0] = 9
    with pytest.raises(error) as caught:
        TalkStep(images, labels).iterate(theta)
    assert words in str(caught.value)


def test_the_largest_theta():
    images, labels = pictures(20, "dense")
    _, new = TalkStep(images, labels).iterate(random_theta() * 1e31)
    assert np.isfinite(new).all()


RUN = """
import numpy as np
from mlteach.learn.fused import TalkStep, cut, layout, lines, order, sweep
from tests.learn.test_fused import assert_step, pictures, random_theta
for count, classes in [(1, 10), (33, 1), (1001, 10), (600, 20)]:
    images, labels = pictures(count, classes=classes)
    for dense in (False, True):
        assert_step(TalkStep(images, labels, dense=dense), images, labels, random_theta(classes))
"""


def run(code, **environment):
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | environment)


def test_a_second_process_compiles_nothing():
    run(RUN)
    run(
        RUN
        + """
used = [*vars(lines._compiled()).values(), *vars(order._compiled()).values(), *map(sweep._compiled, (10, 1))]
used += [cut._compiled()] * layout.BYTE_DOTS
assert all(sum(function.stats.cache_hits.values()) == 1 for function in used), [f.stats for f in used]
"""
    )


@pytest.mark.slow
@pytest.mark.skipif(PROCESSOR.width < 32, reason="stands in for older x86 processors")
@pytest.mark.parametrize(
    ("cpu", "features", "width", "images"),
    [
        ("skylake-avx512", "+avx,+avx2,+fma,+avx512f,+avx512bw,+avx512dq,+avx512vl", 64, 32),
        ("haswell", "+avx,+avx2,+fma", 32, 8),
        ("x86-64", "+sse2", 16, 4),
    ],
)
def test_older_processors(cpu, features, width, images):
    if PROCESSOR.width < width:
        pytest.skip(f"this processor has no vectors of {width} bytes")
    check = RUN + f"assert layout.IMAGES == {images} and not layout.BYTE_DOTS"
    run(check, NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES=features)


def test_the_key_of_the_cache_covers_every_source():
    """What the cached pass calls; `order` and `step` are not among it."""
    here = {path.stem for path in Path(sweep.__file__).parent.glob("*.py")} - {"__init__", "order", "step"}
    assert {path.stem for path in sweep.SOURCES} == {"vector_ir", *here}
