"""Checkers of notebook 05: share rows out, and write them into memory that processes share."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
    What it writes after ``close`` does not count.
    """
    with contextlib.closing(_shared_products()) as cases:
        return examine(fn, cases, "bands of products in shared memory")


def _sharing(m: int, workers: int) -> Case:
    def judge(answer):
        if not isinstance(answer, list | tuple | np.ndarray):
            raise Wrong(f"expected a list of (start, stop), came {kind(answer)}")
        if len(answer) not in (workers, min(m, workers)):
            raise Wrong(f"number of bands: expected {min(m, workers)}, came {len(answer)}")
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
            with _watched_block(signed(random, m, n)) as watch:
                yield _shared_product(signed(random, m, k), signed(random, k, n), watch, start, stop)


def _shared_product(a: np.ndarray, b: np.ndarray, watch: _Watch, start: int, stop: int) -> Case:
    old = watch.content()
    wanted = old.copy()
    wanted[start:stop] = a[start:stop] @ b
    close = close_to(wanted, product_tolerance(a, b))

    def judge(_):
        close(watch.content())
        if watch.unlinked:
            raise Wrong("expected the block to stay, but the call unlinked it")
        if len(watch.closed) < len(watch.opened):
            raise Wrong("expected the handle of the block to be closed, but the call left it open")

    def blank(answer):
        return is_blank(answer) and not watch.opened and np.array_equal(watch.content(), old)

    arguments = {"a": a, "b": b, "name": watch.block.name, "start": start, "stop": stop}
    return Case(f"rows {start} to {stop} of {a.shape} @ {b.shape}", arguments, judge, blank)


@dataclass
class _Watch:
    """A shared block, and what became of the handles that a learner's function opened."""

    block: SharedMemory
    shape: tuple[int, int]
    opened: list[SharedMemory] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    unlinked: bool = False
    last: np.ndarray | None = None

    def content(self) -> np.ndarray:
        """What the block held when a handle was last closed; until then, what it holds."""
        return self._read() if self.last is None else self.last

    def _read(self) -> np.ndarray:
        return np.frombuffer(bytes(self.block.buf), count=math.prod(self.shape)).reshape(self.shape)

    def replacements(self) -> dict[str, Callable]:
        """Methods of SharedMemory that take notes, and leave closing and unlinking for later.

        An array on a block that is closed points nowhere, and touching it would end Python.
        """
        init = SharedMemory.__init__

        def opened(handle, *args, **kwargs):
            init(handle, *args, **kwargs)
            self.opened.append(handle)

        def closed(handle):
            self.closed.add(id(handle))
            self.last = self._read()

        def unlinked(handle):
            self.unlinked = True

        return {"__init__": opened, "close": closed, "unlink": unlinked}


@contextlib.contextmanager
def _watched_block(array: np.ndarray) -> Iterator[_Watch]:
    """A shared block that holds these numbers and is watched, for as long as it is needed."""
    block = SharedMemory(create=True, size=array.nbytes)
    block.buf[: array.nbytes] = array.tobytes()
    watch = _Watch(block, array.shape)
    originals = {name: getattr(SharedMemory, name) for name in watch.replacements()}
    try:
        for name, method in watch.replacements().items():
            setattr(SharedMemory, name, method)
        yield watch
    finally:
        for name, method in originals.items():
            setattr(SharedMemory, name, method)
        watch.last = watch.content()  # for when the judge is asked again
        for handle in (*watch.opened, block):
            with contextlib.suppress(BufferError):  # something still looks at it
                handle.close()
        block.unlink()
