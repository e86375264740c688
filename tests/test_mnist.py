import gzip
import hashlib
import io
import re
import shutil
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from mlteach import mnist
from mlteach.mnist import Digits, IdxError, load, one_hot, read_digits, read_idx, talk_features, write_idx

MD5 = {  # of the uncompressed files, as widely published
    "train-images-idx3-ubyte.gz": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte.gz": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte.gz": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte.gz": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture
def fresh():
    """As if the process had just started."""
    mnist._load.cache_clear()
    yield
    mnist._load.cache_clear()


@pytest.fixture
def data(tmp_path, monkeypatch, fresh):
    """A copy of the bundled files that a test may damage."""
    shutil.copytree(mnist.DATA, tmp_path / "data")
    monkeypatch.setattr(mnist, "DATA", tmp_path / "data")
    return tmp_path / "data"


# The bundled digits


def test_the_files_are_the_published_ones():
    assert set(mnist.SHA256) == set(MD5) == {path.name for path in mnist.DATA.glob("*.gz")}
    notice = (mnist.DATA / "NOTICE.md").read_text(encoding="utf-8")
    for name, md5 in MD5.items():
        content = (mnist.DATA / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == mnist.SHA256[name]
        assert hashlib.md5(gzip.decompress(content), usedforsecurity=False).hexdigest() == md5
        assert md5 in notice


@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_shapes_and_types(split, count):
    digits = load(split)
    assert (digits.images.shape, digits.images.dtype) == ((count, 28, 28), np.uint8)
    assert (digits.labels.shape, digits.labels.dtype) == ((count,), np.uint8)
    assert repr(digits) == f"Digits({count} images of 28 x 28 pixels)"


def test_known_facts():
    train, test = load("train"), load("test")
    assert np.bincount(train.labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert round(np.mean(train.images == 0), 3) == 0.809
    assert round(np.mean(train.labels == 0), 6) == 0.098717  # the accuracy of saying "0" to everything
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_everyone_shares_one_read_only_object():
    digits = load()
    assert load("train") is digits
    assert load(split="train") is digits
    assert load("test") is not digits
    for array in (digits.images, digits.labels, digits.images[3], digits.images.reshape(60_000, 784)):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(FrozenInstanceError):
        digits.images = None


def test_the_files_are_checked_and_read_once(monkeypatch, fresh):
    seen = []

    def counted(file, name):
        seen.append(Path(file.name).name)
        return digest(file, name)

    digest = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", counted)
    together = Barrier(8)

    def start(_):
        together.wait()
        return load("test")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert seen == ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: gzip.compress(b"x"), lambda b: b""]
)
def test_a_damaged_file(data, damage):
    path = data / "t10k-labels-idx1-ubyte.gz"
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.raises(IdxError) as caught:
        load("test")
    assert str(caught.value) == f"{path} is damaged, its checksum is not the published one: reinstall mlteach"
    path.write_bytes(whole)
    assert len(load("test").labels) == 10_000  # a failure is not remembered


def test_a_missing_file(data):
    path = data / "t10k-images-idx3-ubyte.gz"
    path.unlink()
    with pytest.raises(IdxError) as caught:
        load("test")
    assert str(caught.value) == f"{path} is missing or cannot be read: reinstall mlteach"


@pytest.mark.parametrize("split", ["validation", "", "Train", None, 0, []])
def test_an_unknown_split(split):
    with pytest.raises(ValueError, match=r"^split .* is not a part of MNIST: choose 'train' or 'test'$"):
        load(split)


# A pair of files of one's own


@pytest.fixture
def pair(tmp_path):
    images, labels = tmp_path / "images.gz", tmp_path / "labels.idx"
    write_idx(images, np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    write_idx(labels, np.array([7, 1], np.uint8))
    return images, labels


def test_read_digits(pair):
    images, labels = pair
    digits = read_digits(images, io.BytesIO(labels.read_bytes()))
    assert isinstance(digits, Digits)
    np.testing.assert_array_equal(digits.images, np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(digits.labels, [7, 1])
    assert digits.images.flags.writeable
    assert repr(digits) == "Digits(2 images of 3 x 4 pixels)"


def test_counts_that_disagree(pair):
    images, labels = pair
    write_idx(labels, np.array([7, 1, 1], np.uint8))
    with pytest.raises(IdxError) as caught:
        read_digits(images, labels)
    assert str(caught.value) == (
        f"{images} holds 2 images, but {labels} holds 3 labels: take both from one data set"
    )


def test_files_that_hold_something_else(pair):
    images, labels = pair
    with pytest.raises(IdxError) as caught:
        read_digits(labels, images)
    assert str(caught.value) == (
        f"{labels} does not hold images: they are 3-dimensional uint8, and this is uint8 of shape (2,)"
    )
    with pytest.raises(IdxError, match=r"images\.gz does not hold labels: they are 1-dimensional uint8, "):
        read_digits(images, images)
    write_idx(labels, np.array([7, 1], np.int32))
    with pytest.raises(
        IdxError, match=r"labels\.idx does not hold labels: .* and this is int32 of shape \(2,\)"
    ):
        read_digits(images, labels)


# Matrices to learn from


def test_one_hot():
    targets = one_hot([2, 0, 2], classes=3)
    np.testing.assert_array_equal(
        targets, np.array([[0, 0, 1], [1, 0, 0], [0, 0, 1]], np.float64), strict=True
    )
    labels = load("test").labels
    targets = one_hot(labels, dtype=np.float32)
    assert (targets.shape, targets.dtype, targets.sum()) == ((10_000, 10), np.float32, 10_000)
    np.testing.assert_array_equal(targets.argmax(axis=1), labels)
    assert one_hot([]).shape == (0, 10)
    assert one_hot(np.array([299], np.uint64), 300).argmax() == 299
    assert one_hot(np.array([255], np.uint8), 300).argmax() == 255


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([3, 10, 11], "label 10 at position 1 is not one of 10 classes, counted from 0"),
        ([-1], "label -1 at position 0 is not one of 10 classes, counted from 0"),
        (
            np.array([2**64 - 1], np.uint64),
            "label 18446744073709551615 at position 0 is not one of 10 classes",
        ),
        ([1.0], "labels are whole numbers in one dimension, not float64 of shape (1,)"),
        ([True], "labels are whole numbers in one dimension, not bool of shape (1,)"),
        ([[1, 2]], "labels are whole numbers in one dimension, not int64 of shape (1, 2)"),
        (3, "labels are whole numbers in one dimension, not int64 of shape ()"),
    ],
)
def test_labels_that_are_none(labels, why):
    with pytest.raises(ValueError, match=f"^{re.escape(why)}"):
        one_hot(labels)


@pytest.mark.parametrize("classes", [-1, 2.5, "ten", None])
def test_classes_that_are_none(classes):
    with pytest.raises(ValueError, match=r"^classes must be a whole number from 0 on, not"):
        one_hot([], classes)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_talk_features(dtype):
    images = load("test").images[:2500]  # two blocks and a half
    features = talk_features(images, dtype=dtype)
    expected = np.hstack([np.ones((2500, 1)), images.reshape(2500, 784) / 255 + 0.5]).astype(dtype)
    np.testing.assert_array_equal(features, expected, strict=True)
    assert features.flags.c_contiguous
    np.testing.assert_array_equal(talk_features(images.reshape(2500, 784), dtype=dtype), expected)
    turned = np.asfortranarray(images)[::-3]
    np.testing.assert_array_equal(talk_features(turned, dtype=dtype), expected[::-3])
    assert talk_features(images[:0], dtype=dtype).shape == (0, 785)


@pytest.mark.parametrize("shape", [(28, 28), (784,), (), (3, 785), (2, 28, 27), (1, 2, 28, 28)])
def test_images_of_another_shape(shape):
    why = f"images have shape (N, 28, 28) or (N, 784), not {shape}"
    with pytest.raises(ValueError, match=f"^{re.escape(why)}$"):
        talk_features(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float16", "complex128"])
def test_features_of_another_type(dtype):
    with pytest.raises(TypeError, match=f"^features are float32 or float64, not {dtype}$"):
        talk_features(load("test").images, dtype=dtype)


def test_features_are_made_in_place():
    images = load("test").images
    tracemalloc.start()
    try:
        features = talk_features(images)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < features.nbytes + 20_000_000


def test_the_module_offers_what_it_reads_with(tmp_path):
    write_idx(tmp_path / "a.gz", np.arange(3, dtype=np.int16))
    np.testing.assert_array_equal(read_idx(tmp_path / "a.gz"), np.arange(3, dtype=np.int16), strict=True)
