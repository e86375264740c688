"""Right and wrong bands, and workers that write into shared memory."""

import contextlib
import itertools
from multiprocessing import shared_memory
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest

from mlteach.teach import check


def first_ones_longer(m, workers):
    size, extra = divmod(m, workers)
    stops = list(itertools.accumulate([size + 1] * extra + [size] * (workers - extra)))
    return list(itertools.pairwise([0, *stops]))


def in_steps_of(m, size):
    return [(start, min(start + size, m)) for start in range(0, m, size)]


RIGHT_BANDS = [
    first_ones_longer,
    lambda m, workers: [(m * w // workers, m * (w + 1) // workers) for w in range(workers)],
    lambda m, workers: [band for band in first_ones_longer(m, workers) if band[0] < band[1]],
    lambda m, workers: [[round(m * w / workers), round(m * (w + 1) / workers)] for w in range(workers)],
    lambda m, workers: tuple(
        (part[0], part[-1] + 1) for part in np.array_split(np.arange(m), workers) if part.size
    ),
    lambda m, workers: np.array(first_ones_longer(m, workers)),
]
WRONG_BANDS = [
    (
        lambda m, workers: in_steps_of(m, max(1, m // workers)),
        "m = 3, workers = 2: number of bands: expected 2, came 3",
    ),
    (
        lambda m, workers: in_steps_of(m, -(-m // workers) or 1),
        "m = 7, workers = 3: expected sizes that differ by at most 1, came 1 to 3",
    ),
    (lambda m, workers: [(0, m)], "m = 0, workers = 3: number of bands: expected 0, came 1"),
    (lambda m, workers: [(0, m)] if m else [], "m = 2, workers = 3: number of bands: expected 2, came 1"),
    (
        lambda m, workers: [(w * (m // workers), (w + 1) * (m // workers)) for w in range(workers)],
        "m = 1, workers = 2: expected the last band to stop at 1, came 0",
    ),
    (
        lambda m, workers: [
            (w * (m // workers), m if w == workers - 1 else (w + 1) * (m // workers)) for w in range(workers)
        ],
        "m = 10, workers = 4: expected sizes that differ by at most 1, came 2 to 4",
    ),
    (
        lambda m, workers: first_ones_longer(m, workers)[::-1],
        "m = 1, workers = 2: expected band 0 to start at 0",
    ),
    (lambda m, workers: [(start, stop - 1) for start, stop in first_ones_longer(m, workers)], "expected"),
    (
        lambda m, workers: [(start, stop + 1) for start, stop in first_ones_longer(m, workers)],
        "expected the last band to stop at 0, came 1",
    ),
    (lambda m, workers: [(start, stop - start) for start, stop in first_ones_longer(m, workers)], "expected"),
    (
        lambda m, workers: [(m * w / workers, m * (w + 1) / workers) for w in range(workers)],
        "expected (start, stop) of two whole numbers, came (0.0, 0.0)",
    ),
    (
        lambda m, workers: [range(*band) for band in first_ones_longer(m, workers)],
        "expected (start, stop), came a range",
    ),
    (
        lambda m, workers: [(*band, 0) for band in first_ones_longer(m, workers)],
        "expected (start, stop) of two whole numbers, came (0, 0, 0)",
    ),
    (
        lambda m, workers: (band for band in first_ones_longer(m, workers)),
        "expected a list of (start, stop), came a generator",
    ),
    (lambda m, workers: dict(first_ones_longer(m, workers)), "expected a list of (start, stop), came a dict"),
    (
        lambda m, workers: first_ones_longer(m, workers) if m else None,
        "m = 0, workers = 1: expected a list of (start, stop), came None",
    ),
    (lambda m, workers: first_ones_longer(m, workers) if m else 1 // m, "raised ZeroDivisionError"),
    (
        lambda m, workers: [(0, m + 1), (m + 1, m)] if workers == 2 else first_ones_longer(m, workers),
        "m = 1, workers = 2",
    ),
]


@pytest.mark.parametrize("fn", RIGHT_BANDS)
def test_right_bands_pass(fn):
    assert repr(check.bands(fn)) == "passed: 19 ways to share rows, 0 to 60000"


@pytest.mark.parametrize(("fn", "line"), WRONG_BANDS)
def test_wrong_bands_do_not(fn, line):
    report = check.bands(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def worker(a, b, name, start, stop):
    block = SharedMemory(name=name)
    out = np.ndarray((len(a), b.shape[1]), np.float64, buffer=block.buf)
    out[start:stop] = a[start:stop] @ b
    del out
    block.close()


def by_bytes(a, b, name, start, stop):
    block = shared_memory.SharedMemory(name, False)
    row = 8 * b.shape[1]
    block.buf[start * row : stop * row] = (a[start:stop] @ b).tobytes()
    block.close()
    return stop - start


def by_cells(a, b, name, start, stop):
    with contextlib.closing(SharedMemory(name=name)) as block:
        numbers = block.buf.cast("d")
        n = b.shape[1]
        for i, j in itertools.product(range(start, stop), range(n)):
            numbers[i * n + j] = sum(a[i, p] * b[p, j] for p in range(len(b)))
        numbers.release()


def write(rows, close=True, unlink=False, dtype=np.float64):
    """A worker that goes about it in another way."""

    def work(a, b, name, first, last):
        block = SharedMemory(name=name)
        out = np.ndarray((len(a), b.shape[1]), dtype, buffer=block.buf)
        rows(out, a @ b, first, last)
        del out
        if unlink:
            block.unlink()
        if close:
            block.close()

    return work


def own_rows(out, product, first, last):
    out[first:last] = product[first:last]


def all_rows(out, product, first, last):
    out[:] = product


def clearing(out, product, first, last):
    out[:] = 0
    own_rows(out, product, first, last)


def adding(out, product, first, last):
    out[first:last] += product[first:last]


def one_short(out, product, first, last):
    own_rows(out, product, first, max(first, last - 1))


def at_the_top(out, product, first, last):
    out[: last - first] = product[first:last]


def closes_before_the_array_goes(a, b, name, start, stop):
    block = SharedMemory(name=name)
    out = np.ndarray((len(a), b.shape[1]), buffer=block.buf)
    out[start:stop] = a[start:stop] @ b
    block.close()
    return out


def writes_after_closing(a, b, name, start, stop):
    block = SharedMemory(name=name)
    out = np.ndarray((len(a), b.shape[1]), buffer=block.buf)
    block.close()
    out[start:stop] = a[start:stop] @ b


def drops_the_block(a, b, name, start, stop):
    out = np.ndarray((len(a), b.shape[1]), buffer=SharedMemory(name=name).buf)
    out[start:stop] = a[start:stop] @ b


def closes_twice(a, b, name, start, stop):
    block = SharedMemory(name=name)
    worker(a, b, name, start, stop)
    block.close()
    block.close()


def opens_twice(a, b, name, start, stop):
    worker(a, b, name, start, stop)
    SharedMemory(name=name)


RIGHT_WORKERS = [worker, by_bytes, by_cells, write(own_rows), closes_before_the_array_goes, closes_twice]
WRONG_WORKERS = [
    (
        write(own_rows, close=False),
        "rows 0 to 1 of (1, 1) @ (1, 1): expected the handle of the block to be closed",
    ),
    (write(own_rows, unlink=True), "expected the block to stay, but the call unlinked it"),
    (write(all_rows), "rows 0 to 1 of (2, 3) @ (3, 2): expected"),
    (write(clearing), "rows 0 to 1 of (2, 3) @ (3, 2): expected"),
    (write(adding), "rows 0 to 1 of (1, 1) @ (1, 1): expected"),
    (write(one_short), "rows 0 to 1 of (1, 1) @ (1, 1): expected"),
    (write(at_the_top), "rows 1 to 2 of (2, 3) @ (3, 2): expected"),
    (write(own_rows, dtype=np.float32), "rows 0 to 1 of (1, 1) @ (1, 1): expected"),
    (writes_after_closing, "rows 0 to 1 of (1, 1) @ (1, 1): expected"),
    (drops_the_block, "expected the handle of the block to be closed"),
    (opens_twice, "expected the handle of the block to be closed"),
    (lambda a, b, name, start, stop: a[start:stop] @ b, "rows 0 to 1 of (1, 1) @ (1, 1): expected"),
    (
        lambda a, b, name, start, stop: SharedMemory(name=name).close(),
        "rows 0 to 1 of (1, 1) @ (1, 1): expected",
    ),
    (lambda a, b, name, start, stop: SharedMemory(name=name + "x"), "raised FileNotFoundError"),
    (
        lambda a, b, name, start, stop: worker(np.multiply(a, 2, out=a) / 2, b, name, start, stop),
        "expected a as it was",
    ),
]


@pytest.mark.parametrize("fn", RIGHT_WORKERS)
def test_right_workers_pass(fn):
    assert repr(check.shared_rows(fn)) == "passed: 16 bands of products in shared memory"


@pytest.mark.parametrize(("fn", "line"), WRONG_WORKERS)
def test_wrong_workers_do_not(fn, line):
    report = check.shared_rows(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def test_a_worker_that_does_nothing_is_unsolved():
    assert check.shared_rows(lambda *args: None).lines == ("not solved yet",)


@pytest.mark.parametrize("fn", [worker, drops_the_block, write(own_rows, unlink=True), lambda *args: 1 / 0])
def test_every_block_is_gone_and_python_is_as_before(fn):
    methods = dict(vars(SharedMemory))
    names = []
    check.shared_rows(lambda a, b, name, start, stop: names.append(name) or fn(a, b, name, start, stop))
    assert dict(vars(SharedMemory)) == methods
    for name in names:
        with pytest.raises(FileNotFoundError):
            SharedMemory(name=name)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_view_that_outlives_the_call_does_no_harm():
    kept = []

    def keeps_a_view(a, b, name, start, stop):
        block = SharedMemory(name=name)
        kept.append(block.buf[:])
        write(own_rows)(a, b, name, start, stop)
        block.close()

    assert check.shared_rows(keeps_a_view)
    for view in kept:
        view.release()
