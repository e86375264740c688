"""Checkers of notebook 01: the nearest mean, and the IDX format."""

import os
import struct
import tempfile
from pathlib import Path

import numpy as np

from mlteach import idx
from mlteach.teach.check.answers import Wrong, close_to
from mlteach.teach.check.engine import Case, checker, examine, is_blank
from mlteach.teach.check.report import Report

FILE_SHAPES = ((1,), (0,), (5,), (2, 3), (3, 0), (4, 3, 2), (2, 1, 3, 2), (3, 28, 28), (300, 2), (70000,))


@checker
def nearest_mean(fn) -> Report:
    """Check a classifier that answers with the class whose mean image is nearest.

    Parameters
    ----------
    fn : callable
        ``fn(train_images, train_labels, test_images) -> labels``. Images are uint8 (N, height, width),
        labels are uint8 (N,), any of 0 to 255. Nearest is by the sum of squared differences; of equals,
        the lowest label.
    """
    return examine(fn, _classifications(), "sets of images, 1 to 10 classes")


@checker
def write_idx(fn) -> Report:
    """Check a writer of IDX files.

    Parameters
    ----------
    fn : callable
        ``fn(path, array)`` writes a uint8 array of 1 to 4 dimensions, in any memory order, to the file at
        ``path``: two zero bytes, the type 8, the number of dimensions, each size as four bytes, the
        highest first, and then the numbers, the last index fastest.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        return examine(fn, _files(Path(folder)), "files, compared byte by byte", without=[idx.write_idx])


def _classifications():
    random = np.random.RandomState(2020)
    for classes, train, test, size in (
        ((7,), 2, 1, (1, 2)),
        ((4, 9), 4, 1, (2, 3)),
        ((9, 4), 8, 6, (2, 3)),
        ((250, 0, 3), 15, 20, (5, 7)),
        ((200, 25, 100, 50), 30, 40, (7, 5)),
        (tuple(range(10)), 60, 40, (28, 28)),
    ):
        for _ in range(2):
            shifts = random.randint(0, 40, (len(classes), *size))
            which = random.randint(0, len(classes), train + test)
            which[: len(classes)] = range(len(classes))
            images = shifts[which] + random.randint(0, 200, (train + test, *size))
            yield _classification(images[:train], np.array(classes)[which[:train]], images[train:])
    same = random.randint(0, 256, (1, 3, 2))
    yield _classification(np.concatenate([same, same]), np.array([8, 5]), same, "two equal classes, 8 and 5")


def _classification(images: np.ndarray, labels: np.ndarray, tests: np.ndarray, label: str = "") -> Case:
    classes = np.unique(labels)
    means = np.array([images[labels == one].mean(axis=0) for one in classes])
    distances = ((tests[:, None] - means) ** 2).sum(axis=(2, 3))
    gaps = distances - distances.min(axis=1, keepdims=True)
    fair = np.all((gaps == 0) | (gaps > 1e-3 * distances), axis=1)  # rounding decides none of these
    arguments = {
        "train_images": images.astype(np.uint8),
        "train_labels": labels.astype(np.uint8),
        "test_images": tests[fair].astype(np.uint8),
    }
    height, width = images.shape[1:]
    label = label or f"labels {classes.tolist()}, {len(images)} images of {height} x {width}"
    return Case(label, arguments, close_to(classes[distances[fair].argmin(axis=1)]))


def _files(folder: Path):
    random = np.random.RandomState(2021)
    for number, shape in enumerate(FILE_SHAPES):
        for name in "ab":
            array = random.randint(0, 256, shape).astype(np.uint8)
            yield _file(folder / f"{number}{name}.idx", array, f"shape {shape}")
    yield _file(folder / "turned.idx", array.reshape(700, 100).T, "a transposed view of shape (100, 700)")


def _file(path: Path, array: np.ndarray, label: str) -> Case:
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    wanted = header + array.tobytes()
    sizes = array.ndim

    def judge(_):
        if not path.is_file():
            raise Wrong("expected a file at path, came none")
        with path.open("rb") as file:
            came = file.read(len(wanted) + 1)
        if came != wanted:
            raise Wrong(_first_byte(wanted, came, path.stat().st_size, sizes))

    def blank(answer):
        return is_blank(answer) and not os.path.lexists(path)

    return Case(label, {"path": path, "array": array}, judge, blank)


def _first_byte(wanted: bytes, came: bytes, length: int, sizes: int) -> str:
    for place, (right, wrong) in enumerate(zip(wanted, came, strict=False)):
        if right != wrong:
            return f"expected byte {place} to be {right} ({_part(place, sizes)}), came {wrong}"
    return f"expected {len(wanted)} bytes, came {length}"


def _part(place: int, sizes: int) -> str:
    """What a byte of the file means."""
    if place < 4:
        return ("zero", "zero", "the type uint8", "the number of dimensions")[place]
    size, byte = divmod(place - 4, 4)
    return f"byte {byte + 1} of 4 of size {size + 1}" if size < sizes else "a number of the array"
