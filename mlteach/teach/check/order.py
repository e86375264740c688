"""Check the order in which loops walk through memory, by watching every access."""

import itertools

import numpy as np

from mlteach.teach.check.answers import Wrong
from mlteach.teach.check.engine import Case, checker, examine, is_blank
from mlteach.teach.check.products import product_tolerance, signed
from mlteach.teach.check.report import Report
from mlteach.teach.check.wording import both, kind

SHAPES = ((1, 1, 1), (2, 2, 2), (2, 3, 2), (3, 2, 4), (1, 4, 3), (4, 3, 1), (5, 7, 6))


@checker
def pij(fn) -> Report:
    """Check a product whose loops run in the order p, i, j.

    Parameters
    ----------
    fn : callable
        ``fn(a, b, out)`` adds ``a[i][p] * b[p][j]`` to ``out[i][j]``, with p outermost and j innermost.
        The three are lists of lists, none empty, that note every access; ``a[i, p]``, ``a.shape``,
        ``len``, slices and loops over a row work too. out comes with old numbers in it, and may be
        cleared in any order.

    Returns
    -------
    Report
        Whether out is written in that order, each time with the sum so far, and a and b are read in that
        order. A number or a row may be read once and kept for as long as an inner loop runs.
    """
    return examine(fn, _cases(), "products, every access in the order p, i, j")


def _cases():
    random = np.random.RandomState(2019)
    for m, k, n in SHAPES:
        for _ in range(2):
            yield _case(signed(random, m, k), signed(random, k, n), signed(random, m, n))


def _case(a: np.ndarray, b: np.ndarray, old: np.ndarray) -> Case:
    watched = {"a": Watched(a.tolist()), "b": Watched(b.tolist()), "out": Watched(old.tolist())}
    sums = (a.T[:, :, None] * b[:, None, :]).cumsum(axis=0)  # out[i][j] after step p is sums[p, i, j]
    steps = list(np.ndindex(sums.shape))
    tolerance = product_tolerance(a, b)

    def judge(_):
        _check_writes(watched["out"].writes, steps, sums, tolerance)
        _check_reads("a", watched["a"].reads, [(i, p) for p, i, j in steps])
        _check_reads("b", watched["b"].reads, [(p, j) for p, i, j in steps])

    def blank(answer):
        return is_blank(answer) and not any(one.reads or one.writes for one in watched.values())

    return Case(f"{a.shape} @ {b.shape}", watched, judge, blank)


def _check_writes(writes: list, steps: list, sums: np.ndarray, tolerance: float) -> None:
    writes = [(i, j, _number(value, i, j)) for i, j, value in writes]
    sums_written = list(itertools.dropwhile(lambda write: write[2] == 0, writes))  # clearing out comes first
    cells = [(i, j) for i, j, _ in sums_written]
    wanted = [(i, j) for _, i, j in steps]
    if cells != wanted:
        raise Wrong(_name_order(cells, sums.shape) or _first_difference("out", "write", wanted, cells))
    for (p, i, j), (_, _, value) in zip(steps, sums_written, strict=True):
        if not abs(value - sums[p, i, j]) <= tolerance:
            expected, came = both(sums[p, i, j], value)
            raise Wrong(f"expected {expected} in out[{i}][{j}] after step p = {p}, came {came}")


def _check_reads(name: str, reads: list, wanted: list) -> None:
    once = list(dict.fromkeys(wanted))  # kept while the inner loop runs
    if _without_repeats(reads) not in (_without_repeats(wanted), once):
        raise Wrong(_first_difference(name, "read", _without_repeats(wanted), _without_repeats(reads)))


def _name_order(cells: list, sizes: tuple[int, int, int]) -> str | None:
    """Which wrong order of the loops p, i, j it was that wrote these cells, if it was one."""
    for axes in list(itertools.permutations(range(3)))[1:]:
        steps = np.indices(sizes).transpose(0, *(axis + 1 for axis in axes)).reshape(3, -1)
        if _without_repeats(cells) == _without_repeats(zip(*steps[1:].tolist(), strict=True)):
            return f"expected the order p, i, j, came {', '.join('pij'[axis] for axis in axes)}"
    return None


def _first_difference(name: str, access: str, wanted: list, came: list) -> str:
    if not came:
        return f"{access}s of {name}: expected {len(wanted)}, came none"
    for number, (right, wrong) in enumerate(zip(wanted, came, strict=False), 1):
        if right != wrong:
            places = (f"{name}[{i}][{j}]" for i, j in (right, wrong))
            return f"expected {access} {number} at {', came '.join(places)}"
    return f"{access}s of {name}: expected {len(wanted)}, came {len(came)}"


def _without_repeats(cells) -> list:
    return [cell for cell, _ in itertools.groupby(cells)]


def _number(value: object, i: int, j: int) -> float:
    if not isinstance(value, int | float | np.integer | np.floating):
        raise Wrong(f"expected a number in out[{i}][{j}], came {kind(value)}")
    return float(value)


class Watched:
    """A list of lists that notes each access to its numbers.

    Parameters
    ----------
    rows : list of lists of float
        Equally long, none empty.
    """

    def __init__(self, rows: list[list[float]]):
        self.shape = len(rows), len(rows[0])
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int, object]] = []
        self._rows = [_Row(self, i, numbers) for i, numbers in enumerate(rows)]

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        if isinstance(index, tuple):
            i, j = index
            return self._rows[i][j]
        return self._rows[index]

    def __setitem__(self, index, value):
        if isinstance(index, tuple):
            i, j = index
            self._rows[i][j] = value
        elif isinstance(index, slice):
            for row, numbers in zip(self._rows[index], value, strict=True):
                row[:] = numbers
        else:
            self._rows[index][:] = value


class _Row:
    """A row of a `Watched`."""

    def __init__(self, whole: Watched, i: int, numbers: list[float]):
        self._whole, self._i, self._numbers = whole, i, numbers

    def __len__(self):
        return len(self._numbers)

    def __getitem__(self, index):
        columns = range(len(self))[index]
        if isinstance(columns, range):
            return [self[j] for j in columns]
        self._whole.reads.append((self._i, columns))
        return self._numbers[columns]

    def __setitem__(self, index, value):
        columns = range(len(self))[index]
        if isinstance(columns, range):
            for j, number in zip(columns, value, strict=True):
                self[j] = number
            return
        self._whole.writes.append((self._i, columns, value))
        self._numbers[columns] = value
