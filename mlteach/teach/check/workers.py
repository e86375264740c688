"""Checkers of notebook 05: share rows out, and write them into memory that processes share."""

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from mlteach.teach.check.answers import Wrong, close_to
from mlteach.teach.check.engine import Case, checker, examine, is_blank
from mlteach.teach.check.products import product_tolerance, signed
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import kind, plain

SHARINGS = [  # (m, workers)
    *((0, 1), (0, 3), (1, 1), (1, 2), (1, 4), (2, 1), (2, 3), (3, 2), (3, 3), (5, 2), (5, 8), (7, 3)),
    *((8, 4), (10, 4), (11, 4), (31, 32), (100, 7), (60000, 7), (60000, 64)),
]


@checker
def bands(fn) -> Report:
    """Check how rows are shared out.

    Parameters
    ----------
    fn : callable
        ``fn(m, workers) -> [(start, stop), ...]``: rows 0 to m in order, each in one band, and no two
        bands different in size by more than one row. There are ``workers`` bands; where that leaves some
        of them empty, these may be left out.
    """
    return examine(fn, (_sharing(*sizes) for sizes in SHARINGS), "ways to share rows, 0 to 60000")


@checker
def shared_rows(fn) -> Report:
    """Check what a worker process does to its band of a product in shared memory.

    Parameters
    ----------
    fn : callable
        ``fn(a, b, name, start, stop)`` writes rows start to stop of ``a @ b`` into the shared block
        ``name``, which holds the whole product (m, n) as float64 in row order, and leaves its other rows
        alone. It closes its handle and does not unlink the block, which the other workers still need.
        What it returns does not matter.

    Notes
    -----
    The function is called in this process: one that was defined in a notebook cannot be sent to another.
    """
    with contextlib.closing(_shared_products()) as cases:
        return examine(fn, cases, "bands of products in shared memory")


def _sharing(m: int, workers: int) -> Case:
    def judge(answer):
        if not isinstance(answer, list | tuple | np.ndarray):
            raise Wrong(f"expected a list of (start, stop), came {kind(answer)}")
        if len(answer) not in (workers, min(m, workers)):
            raise Wrong(f"expected {min(m, workers)} bands, came {len(answer)}")
        end, sizes = 0, {m // workers}
        for number, band in enumerate(answer):
            start, stop = _pair(band)
            if start != end:
                raise Wrong(f"expected band {number} to start at {end}, came {start}")
            sizes.add(stop - start)
            end = stop
        if end != m:
            raise Wrong(f"expected the last band to stop at {m}, came {end}")
        if max(sizes) - min(sizes) > 1:
            raise Wrong(f"expected sizes that differ by at most 1, came {min(sizes)} to {max(sizes)}")

    return Case(f"m = {m}, workers = {workers}", {"m": m, "workers": workers}, judge)


def _pair(band: object) -> tuple[int, int]:
    numbers = band.tolist() if isinstance(band, np.ndarray) else band
    if not isinstance(numbers, list | tuple):
        raise Wrong(f"expected (start, stop), came {kind(band)}")
    if len(numbers) != 2 or not all(isinstance(number, int | np.integer) for number in numbers):
        raise Wrong(f"expected (start, stop) of two whole numbers, came {plain(repr(numbers))}")
    return int(numbers[0]), int(numbers[1])


def _shared_products() -> Iterator[Case]:
    random = np.random.RandomState(2026)
    for m, k, n, start, stop in (
        *((1, 1, 1, 0, 1), (2, 3, 2, 0, 1), (2, 3, 2, 1, 2), (4, 2, 3, 1, 3), (4, 2, 3, 2, 2)),
        *((3, 3, 3, 1, 3), (7, 5, 6, 0, 7), (9, 4, 5, 6, 9)),
    ):
        for _ in range(2):
            a, b, old = signed(random, m, k), signed(random, k, n), signed(random, m, n)
            with _shared(old) as block, _noted_calls() as calls:
                yield _shared_product(a, b, old, block, calls, (start, stop))


def _shared_product(a, b, old, block: SharedMemory, calls: Counter, band: tuple[int, int]) -> Case:
    start, stop = band
    wanted = old.copy()
    wanted[start:stop] = a[start:stop] @ b
    close = close_to(wanted, product_tolerance(a, b))

    @functools.cache  # the block is gone when the judge is asked again
    def content() -> np.ndarray:
        return np.frombuffer(bytes(block.buf[: old.nbytes])).reshape(old.shape)

    def judge(_):
        close(content())
        if calls["unlink"]:
            raise Wrong("expected the block to stay, but the call unlinked it")
        if calls["close"] < calls["__init__"]:
            raise Wrong("expected the handle of the block to be closed, but the call left it open")

    def blank(answer):
        return is_blank(answer) and not calls and np.array_equal(content(), old)

    arguments = {"a": a, "b": b, "name": block.name, "start": start, "stop": stop}
    return Case(f"rows {start} to {stop} of {a.shape} @ {b.shape}", arguments, judge, blank)


@contextlib.contextmanager
def _shared(array: np.ndarray) -> Iterator[SharedMemory]:
    """A shared block that holds these numbers, for as long as it is needed."""
    block = SharedMemory(create=True, size=array.nbytes)
    try:
        block.buf[: array.nbytes] = array.tobytes()
        yield block
    finally:
        block.close()
        with contextlib.suppress(FileNotFoundError):  # the learner has unlinked it
            block.unlink()


@contextlib.contextmanager
def _noted_calls() -> Iterator[Counter]:
    """Count how often blocks are opened, closed and unlinked; being dropped does not count as closed."""
    calls: Counter = Counter()
    originals = {name: getattr(SharedMemory, name) for name in ("__init__", "close", "unlink", "__del__")}

    def noted(name):
        @functools.wraps(originals[name])
        def call(*args, **kwargs):
            calls[name] += 1
            return originals[name](*args, **kwargs)

        return call

    def drop(self):
        with contextlib.suppress(OSError, BufferError):
            originals["close"](self)

    try:
        for name in ("__init__", "close", "unlink"):
            setattr(SharedMemory, name, noted(name))
        SharedMemory.__del__ = drop
        yield calls
    finally:
        for name, original in originals.items():
            setattr(SharedMemory, name, original)
