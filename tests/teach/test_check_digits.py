"""Right and wrong nearest means and IDX files."""

import gzip
import os
import struct

import numpy as np
import pytest

from mlteach import mnist
from mlteach.teach import check


def nearest_by(distance, middle=np.mean):
    """A classifier by the distance between images and one middle image per class."""

    def labels(train, train_labels, test):
        classes = np.unique(train_labels)
        middles = np.array([middle(train[train_labels == one], axis=0) for one in classes])
        return classes[
            [int(np.argmin([distance(image.astype(float), m) for m in middles])) for image in test]
        ]

    return labels


def squares(x, y):
    return ((x - y) ** 2).sum()


def with_products(train, train_labels, test):
    """Nearest without a subtraction: x.x is the same for all classes."""
    classes = sorted(set(train_labels.tolist()))
    train, test = train.reshape(len(train), -1).astype(float), test.reshape(len(test), -1).astype(float)
    means = np.stack([train[train_labels == one].mean(axis=0) for one in classes])
    scores = test @ means.T - (means**2).sum(axis=1) / 2
    return [classes[best] for best in scores.argmax(axis=1)]


def with_loops(train, train_labels, test):
    sums, counts = {}, {}
    for image, label in zip(train.reshape(len(train), -1).tolist(), train_labels.tolist(), strict=True):
        sums[label] = [s + x for s, x in zip(sums.get(label, [0] * len(image)), image, strict=True)]
        counts[label] = counts.get(label, 0) + 1
    means = {label: [s / counts[label] for s in sums[label]] for label in sorted(sums)}
    answers = []
    for image in test.reshape(len(test), -1).tolist():
        distances = {
            label: sum((x - y) ** 2 for x, y in zip(image, mean, strict=True))
            for label, mean in means.items()
        }
        answers.append(min(distances, key=distances.get))
    return answers


def in_single_precision(train, train_labels, test):
    return nearest_by(squares)(train.astype(np.float32), train_labels, test.astype(np.float32))


def nearest_neighbour(train, train_labels, test):
    return train_labels[
        [int(((image.astype(float) - train) ** 2).sum(axis=(1, 2)).argmin()) for image in test]
    ]


def wrapping(train, train_labels, test):
    """Forget that a difference of uint8 wraps around."""
    means = np.array([train[train_labels == one].mean(axis=0) for one in np.unique(train_labels)]).astype(
        np.uint8
    )
    return np.unique(train_labels)[[((image - means) ** 2).sum(axis=(1, 2)).argmin() for image in test]]


def positions(train, train_labels, test):
    classes = np.unique(train_labels)
    return np.searchsorted(classes, nearest_by(squares)(train, train_labels, test))


def ten_classes(train, train_labels, test):
    means = np.array(
        [
            train[train_labels == one].mean(axis=0) if one in train_labels else np.full(train.shape[1:], 1e9)
            for one in range(10)
        ]
    )
    return [((image - means) ** 2).sum(axis=(1, 2)).argmin() for image in test]


def last_of_equals(train, train_labels, test):
    classes = np.unique(train_labels)[::-1]
    means = np.array([train[train_labels == one].mean(axis=0) for one in classes])
    return [classes[((image - means) ** 2).sum(axis=(1, 2)).argmin()] for image in test]


def in_order_of_appearance(train, train_labels, test):
    classes = list(dict.fromkeys(train_labels.tolist()))
    means = np.array([train[train_labels == one].mean(axis=0) for one in classes])
    return [classes[((image - means) ** 2).sum(axis=(1, 2)).argmin()] for image in test]


def by_direction(x, y):
    return -(x * y).sum() / np.sqrt((y**2).sum())


RIGHT_MEANS = [
    nearest_by(squares),
    nearest_by(lambda x, y: np.linalg.norm(x - y)),
    with_products,
    with_loops,
    in_single_precision,
]
WRONG_MEANS = [
    nearest_by(lambda x, y: np.abs(x - y).sum()),
    nearest_by(lambda x, y: np.abs(x - y).max()),
    nearest_by(lambda x, y: -(x * y).sum()),
    nearest_by(by_direction),
    nearest_by(lambda x, y: (x - y).sum() ** 2),
    nearest_by(squares, np.median),
    nearest_by(squares, np.sum),
    nearest_by(squares, np.max),
    nearest_by(squares, lambda images, axis: images[0]),
    nearest_by(lambda x, y: -squares(x, y)),
    nearest_neighbour,
    wrapping,
    positions,
    ten_classes,
    last_of_equals,
    in_order_of_appearance,
    lambda train, labels, test: nearest_by(squares)(train, labels, test)[:, None],
    lambda train, labels, test: nearest_by(squares)(train, labels, test)[:-1],
    lambda train, labels, test: nearest_by(squares)(
        train, labels, np.divide(test, 2, out=test, casting="unsafe")
    ),
    lambda train, labels, test: np.full(len(test), labels[0]),
    lambda train, labels, test: [str(one) for one in nearest_by(squares)(train, labels, test)],
]


@pytest.mark.parametrize("fn", RIGHT_MEANS)
def test_right_nearest_means_pass(fn):
    assert repr(check.nearest_mean(fn)) == "passed: 13 sets of images, 1 to 10 classes"


@pytest.mark.parametrize("fn", WRONG_MEANS)
def test_wrong_nearest_means_do_not(fn):
    report = check.nearest_mean(fn)
    assert report.lines[0] == "not passed"
    assert "expected" in report.lines[1] or "raised" in report.lines[1]


def test_a_tie_goes_to_the_lowest_label():
    assert check.nearest_mean(last_of_equals).lines == (
        "not passed",
        "two equal classes, 8 and 5: expected 5 at [0], came 8",
    )


def test_the_sets_of_images_are_hard_but_fair():
    seen = []
    check.nearest_mean(
        lambda train, labels, test: (
            seen.append((train, labels, test)) or nearest_by(squares)(train, labels, test)
        )
    )
    for train, labels, test in seen:
        assert {train.dtype, labels.dtype, test.dtype} == {np.dtype(np.uint8)}
        assert len(train) == len(labels) > 0
        assert len(test) > 0
    assert max(len(test) for *_, test in seen) > 30
    assert (28, 28) in {train.shape[1:] for train, *_ in seen}


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def by_hand(path, array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    write(path, header + array.tobytes())


def with_struct(path, array):
    path.write_bytes(
        struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape) + bytes(array.flatten().tolist())
    )


def with_numpy(path, array):
    with path.open("wb") as file:
        file.write(np.array([8 * 256 + array.ndim, *array.shape], ">u4").tobytes())
        for number in array.flat:
            file.write(bytes([number]))
    return path


def with_header(header):
    return lambda path, array: write(path, header(array) + array.tobytes())


def sizes(array, order="big", length=4):
    return b"".join((size % 256**length).to_bytes(length, order) for size in array.shape)


def as_npy(path, array):
    with path.open("wb") as file:
        np.save(file, array)


RIGHT_FILES = [by_hand, with_struct, with_numpy]
WRONG_FILES = [
    (with_header(lambda a: b""), "shape (1,): expected byte 0 to be 0 (zero)"),
    (with_header(lambda a: bytes([1, 0, 8, a.ndim]) + sizes(a)), "expected byte 0 to be 0 (zero), came 1"),
    (
        with_header(lambda a: bytes([0, 0, 9, a.ndim]) + sizes(a)),
        "expected byte 2 to be 8 (the type uint8), came 9",
    ),
    (
        with_header(lambda a: bytes([0, 0, 8, 3]) + sizes(a)),
        "expected byte 3 to be 1 (the number of dimensions), came 3",
    ),
    (
        with_header(lambda a: bytes([0, 0, 8, a.ndim]) + sizes(a, "little")),
        "expected byte 4 to be 0 (byte 1 of 4 of size 1), came 1",
    ),
    (
        with_header(lambda a: bytes([0, 0, 8, a.ndim]) + sizes(a, length=2)),
        "expected byte 5 to be 0 (byte 2 of 4 of size 1)",
    ),
    (
        with_header(lambda a: bytes([0, 0, 8, a.ndim, *(x for n in a.shape for x in (0, 0, 0, n % 256))])),
        "shape (300, 2): expected byte 6 to be 1",
    ),
    (
        with_header(
            lambda a: bytes([0, 0, 8, a.ndim, *(x for n in a.shape for x in (0, 0, n // 256 % 256, n % 256))])
        ),
        "shape (70000,): expected byte 5 to be 1",
    ),
    (
        with_header(lambda a: bytes([0, 0, 8, a.ndim]) + sizes(a)[::-1]),
        "expected byte 4 to be 0 (byte 1 of 4 of size 1)",
    ),
    (lambda path, array: by_hand(path, array.astype(np.uint16)), "shape (1,): expected 9 bytes, came 10"),
    (lambda path, array: write(path, mnist_bytes(array)[:-1]), "expected 9 bytes, came 8"),
    (lambda path, array: write(path, mnist_bytes(array) + b"\n"), "expected 9 bytes, came 10"),
    (lambda path, array: write(path, mnist_bytes(array) * 10**4), "expected 9 bytes, came 90000"),
    (
        lambda path, array: by_hand(path, np.asfortranarray(array).T.reshape(array.shape)),
        "expected byte 13 to be",
    ),
    (
        lambda path, array: write(path, bytes([0, 0, 8, array.ndim]) + sizes(array) + array.tobytes("A")),
        "a transposed view of shape (100, 700): expected byte 13",
    ),
    (
        lambda path, array: write(path, gzip.compress(mnist_bytes(array), mtime=0)),
        "expected byte 0 to be 0 (zero), came 31",
    ),
    (lambda path, array: by_hand(path.with_suffix(".txt"), array) or 1, "expected a file at path, came none"),
    (lambda path, array: os.mkdir(path), "expected a file at path, came none"),
    (lambda path, array: mnist_bytes(array), "expected a file at path, came none"),
    (as_npy, "expected byte 0 to be 0 (zero), came 147"),
    (lambda path, array: path.write_text(str(array)), "expected byte 0 to be 0 (zero), came 91"),
    (
        lambda path, array: by_hand(path, np.negative(array, out=array)),
        "expected array as it was, but the call changed it",
    ),
    (
        lambda path, array: by_hand(path.parent / "0a.idx", array),
        "shape (1,): expected a file at path, came none",
    ),
]


def mnist_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + sizes(array) + array.tobytes()


@pytest.mark.parametrize("fn", RIGHT_FILES)
def test_right_files_pass(fn):
    assert repr(check.write_idx(fn)) == "passed: 21 files, compared byte by byte"


@pytest.mark.parametrize(("fn", "line"), WRONG_FILES)
def test_wrong_files_do_not(fn, line):
    report = check.write_idx(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def test_what_passes_can_be_read():
    def write_and_read(path, array):
        by_hand(path, array)
        assert np.array_equal(mnist.read_idx(path), array)

    assert check.write_idx(write_and_read)


def test_no_file_is_left_behind():
    folders = set()
    check.write_idx(lambda path, array: folders.add(path.parent))
    assert len(folders) == 1
    assert not folders.pop().exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_place_of_the_file_does_not_block():
    report = check.write_idx(lambda path, array: os.mkfifo(path))
    assert report.lines[1] == "shape (1,): expected a file at path, came none"
