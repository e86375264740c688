"""Right and wrong ways to fold the offset, and to fuse softmax."""

import tracemalloc

import numpy as np
import pytest

from mlteach.teach import check


def fold(theta):
    return theta[1:] / 255, theta[0] + 0.5 * theta[1:].sum(axis=0)


def fold_in_place(theta):
    theta[0] += 0.5 * theta[1:].sum(axis=0)
    return theta[1:] / 255, theta[0]


WRONG_FOLDS = [
    lambda theta: theta,
    lambda theta: theta[1:] / 255,
    lambda theta: (theta[1:] / 255, theta[0]),
    lambda theta: (theta[1:] / 255, theta[0] + 0.5),
    lambda theta: (theta[1:] / 255, theta[0] + 0.5 * theta.sum(axis=0)),
    lambda theta: (theta[1:], fold(theta)[1]),
    lambda theta: (theta[1:] / 256, fold(theta)[1]),
    lambda theta: (fold(theta)[0], fold(theta)[1][None]),
    lambda theta: (fold(theta)[0].astype(np.float32), fold(theta)[1]),
    lambda theta: (*fold(theta), None),
    lambda theta: (fold(theta)[0], fold(theta)[1] + 1e-9),
    fold_in_place,
]


def test_a_right_fold_passes():
    assert check.fold_offset(fold)
    assert check.fold_offset(lambda theta: [x.tolist() for x in fold(theta)])


@pytest.mark.parametrize("wrong", WRONG_FOLDS)
def test_wrong_folds_do_not_pass(wrong):
    report = check.fold_offset(wrong)
    assert not report
    assert report.lines[0] == "not passed"


def softmax_pass(pixels, labels, theta, block):
    w, b = fold(theta)
    right, sums = 0, np.zeros_like(theta)
    for start in range(0, len(pixels), block):
        grey, wanted = pixels[start : start + block], labels[start : start + block]
        scores = grey @ w + b
        certainty = np.exp(scores - scores.max(axis=1, keepdims=True))
        certainty /= certainty.sum(axis=1, keepdims=True)
        right += (certainty.argmax(axis=1) == wanted).sum()
        certainty[np.arange(len(wanted)), wanted] -= 1
        sums[0] += certainty.sum(axis=0)
        sums[1:] += grey.T @ certainty
    sums[1:] = sums[1:] / 255 + 0.5 * sums[0]
    return right / len(pixels), sums / len(pixels)


def all_at_once(pixels, labels, theta, block):
    return softmax_pass(pixels, labels, theta, len(pixels))


def twice(pixels, labels, theta, block):
    pixels[:1]
    return softmax_pass(pixels, labels, theta, block)


def without_the_rest(pixels, labels, theta, block):
    class Whole:
        def __len__(self):
            return len(pixels) // block * block

        def __getitem__(self, where):
            return pixels[where]

    return softmax_pass(Whole(), labels, theta, block)


def put_together(pixels, labels, theta, block):
    grey = np.concatenate([pixels[start : start + block] for start in range(0, len(pixels), block)])
    return softmax_pass(grey, labels, theta, len(grey))


def collected(pixels, labels, theta, block):
    blocks = [pixels[start : start + block] for start in range(0, len(pixels), block)]

    class Blocks:
        def __len__(self):
            return len(pixels)

        def __getitem__(self, where):
            return blocks[where.start // block]

    return softmax_pass(Blocks(), labels, theta, block)


def with_sigmoid(pixels, labels, theta, block):
    x = np.concatenate([pixels[i : i + 1] for i in range(len(pixels))])
    x = np.column_stack([np.ones(len(x)), x / 255 + 0.5])
    certainty = 1 / (1 + np.exp(-(x @ theta)))
    error = certainty - np.eye(theta.shape[1])[labels]
    return np.mean(certainty.argmax(axis=1) == labels), x.T @ error / len(x)


WRONG_PASSES = [
    all_at_once,
    twice,
    without_the_rest,
    with_sigmoid,
    put_together,
    collected,
    lambda *args: softmax_pass(*args)[1],
    lambda *args: softmax_pass(*args)[::-1],
    lambda *args: (softmax_pass(*args)[0] + 1e-3, softmax_pass(*args)[1]),
    lambda pixels, *rest: (softmax_pass(pixels, *rest)[0], 0.0),
    lambda pixels, *rest: (pixels[0], pixels[1]),
]


def test_a_right_pass_passes():
    assert check.fused_softmax(softmax_pass)


@pytest.mark.parametrize("wrong", WRONG_PASSES)
def test_wrong_passes_do_not_pass(wrong):
    report = check.fused_softmax(wrong)
    assert not report
    assert report.lines[0] == "not passed"


def test_what_is_said_of_a_pass_without_blocks():
    assert "expected at most 1 images at once, came 2" in check.fused_softmax(all_at_once).lines[1]


def test_what_is_said_of_images_taken_another_way():
    report = check.fused_softmax(lambda pixels, *rest: softmax_pass(pixels._grey, *rest))
    assert "expected each image to be read with pixels[start:stop], but image 0 was not" in report.lines[1]


@pytest.mark.parametrize("wrong", [put_together, collected])
def test_what_is_said_of_all_images_put_together(wrong):
    assert "expected the memory of a few blocks, came" in check.fused_softmax(wrong).lines[1]


def test_tracing_goes_on_where_it_was_on():
    assert check.fused_softmax(softmax_pass)
    assert not tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        assert check.fused_softmax(softmax_pass)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("check_it", [check.fold_offset, check.fused_softmax])
def test_stubs_are_not_solved_yet(check_it):
    assert check_it(lambda *args: None).lines == ("not solved yet",)
