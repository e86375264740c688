"""The checkers of notebook 10 pass what is right, and say what is wrong with the rest."""

import itertools

import numpy as np
import pytest

from mlteach.teach import check


def best(latency, fma, loads, registers, lanes, prefer=min):
    """Try every tile that fits."""

    def rate(tile):
        rows, vectors = tile
        return rows * vectors / max(latency, rows * vectors / fma, (rows + vectors) / loads)

    tiles = itertools.product(range(1, registers), repeat=2)
    fitting = [tile for tile in tiles if tile[0] * tile[1] + tile[1] + 1 <= registers]
    most = max(map(rate, fitting))
    rows, vectors = prefer(tile for tile in fitting if rate(tile) == most)
    return rows, vectors * lanes


RIGHT_TILES = [
    best,
    lambda *processor: best(*processor, prefer=max),  # another tile that is as good
    lambda *processor: list(best(*processor)),
    lambda *processor: np.array(best(*processor)),
]
WRONG_TILES = [
    (lambda latency, fma, loads, registers, lanes: (1, lanes), "expected a tile that keeps"),
    (lambda latency, fma, loads, registers, lanes: (12, 2 * lanes), "expected a tile for 3 registers"),
    (lambda latency, fma, loads, registers, lanes: (registers // lanes, lanes), "expected"),
    (lambda latency, fma, loads, registers, lanes: best(latency, fma, loads, registers + 1, lanes), "needs"),
    (lambda latency, fma, loads, registers, lanes: best(latency, fma, loads, registers, 1), "multiples of 4"),
    (lambda latency, fma, loads, registers, lanes: best(1, fma, loads, registers, lanes), "keeps"),
    (lambda latency, fma, loads, registers, lanes: best(latency, fma, 99, registers, lanes), "keeps"),
    (lambda latency, fma, loads, registers, lanes: (0, 0), "at least one row"),
    (lambda latency, fma, loads, registers, lanes: (-1, -lanes), "at least one row"),
    (lambda *processor: best(*processor)[0], "expected two whole numbers (mr, nr), came"),
    (lambda *processor: (1.5, 2), "expected two whole numbers (mr, nr), came"),
    (lambda *processor: (True, True), "expected two whole numbers (mr, nr), came"),
    (lambda *processor: "12", "expected two whole numbers (mr, nr), came"),
    (lambda *processor: 1 // 0, "raised ZeroDivisionError"),
]


@pytest.mark.parametrize("fn", RIGHT_TILES)
def test_any_best_tile_passes(fn):
    assert repr(check.best_tile(fn)) == "passed: 12 processors, 3 to 64 registers"


@pytest.mark.parametrize(("fn", "line"), WRONG_TILES)
def test_other_tiles_do_not(fn, line):
    report = check.best_tile(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


def mask(tile, out, i, j):
    m, n = out.shape
    part = tile[: max(m - i, 0), : max(n - j, 0)]
    out[i : i + len(tile), j : j + tile.shape[1]] += part


def mask_by_cells(tile, out, i, j):
    for r, c in np.ndindex(tile.shape):
        if i + r < out.shape[0] and j + c < out.shape[1]:
            out[i + r, j + c] += tile[r, c]


def whole(tile, out, i, j):
    out[i : i + 3, j : j + 4] += tile


def overwrites(tile, out, i, j):
    m, n = out.shape
    out[i : i + 3, j : j + 4] = tile[: max(m - i, 0), : max(n - j, 0)]


def multiplies_by_the_mask(tile, out, i, j):
    inside = np.add.outer(np.arange(3) + i, np.zeros(4)) < out.shape[0]
    inside &= np.add.outer(np.zeros(3), np.arange(4) + j) < out.shape[1]
    h, w = out[i : i + 3, j : j + 4].shape
    big = np.zeros((3, 4))
    big[:h, :w] = out[i : i + 3, j : j + 4]
    out[i : i + 3, j : j + 4] = (big + tile * inside)[:h, :w]


def writes_past_the_edge(tile, out, i, j):
    beyond = np.lib.stride_tricks.as_strided(out[i:, j:], tile.shape, out.strides) if out[i:, j:].size else 0
    beyond += tile


def wraps(tile, out, i, j):
    for r, c in np.ndindex(tile.shape):
        if out.size:
            out[(i + r) % out.shape[0], (j + c) % out.shape[1]] += tile[r, c]


def returns_out(tile, out, i, j):
    mask(tile, out, i, j)
    return out


def spoils_the_tile(tile, out, i, j):
    mask(tile, out, i, j)
    tile[:] = 0


@pytest.mark.parametrize("fn", [mask, mask_by_cells, multiplies_by_the_mask, returns_out])
def test_right_masks_pass(fn):
    report = check.mask_edge(fn)
    assert report.passed, report
    assert report.lines == ("passed: 26 tiles, inside, over each edge and beyond",)


@pytest.mark.parametrize(
    ("fn", "line"),
    [
        (whole, "a 3 x 4 tile at (4, 0) of a 5 x 7 result: raised ValueError"),
        (overwrites, "a 3 x 4 tile at (0, 0) of a 5 x 7 result: expected"),
        (writes_past_the_edge, "expected nothing to be written beyond the edges of out"),
        (wraps, "expected"),
        (spoils_the_tile, "expected tile as it was"),
        (lambda tile, out, i, j: 1 // 0, "raised ZeroDivisionError"),
    ],
)
def test_other_masks_do_not(fn, line):
    report = check.mask_edge(fn)
    assert not report.passed
    assert line in "\n".join(report.lines)


@pytest.mark.parametrize("checker", [check.best_tile, check.mask_edge])
@pytest.mark.parametrize("stub", [None, ..., lambda *arguments: None, lambda *arguments: ...])
def test_a_stub_is_not_solved_yet(checker, stub):
    assert repr(checker(stub)) == "not solved yet"
