"""The checkers of notebook 15 pass what is right, and say what is wrong with the rest."""

import numpy as np
import pytest
from numba import cuda, float32

from mlteach.teach import check


def turn(line=33, barrier=True, guard=True, direct=False):
    @cuda.jit
    def kernel(a, out):
        tile = cuda.shared.array((32, line), float32)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        i, j = cuda.blockIdx.y * 32 + ty, cuda.blockIdx.x * 32 + tx
        if direct:
            if i < a.shape[0] and j < a.shape[1]:
                out[j, i] = a[i, j]
        else:
            if not guard or (i < a.shape[0] and j < a.shape[1]):
                tile[ty, tx] = a[i, j]
            if barrier:
                cuda.syncthreads()
            row, column = cuda.blockIdx.x * 32 + ty, cuda.blockIdx.y * 32 + tx
            if not guard or (row < out.shape[0] and column < out.shape[1]):
                out[row, column] = tile[tx, ty]

    return kernel


@cuda.jit
def square_only(a, out):
    tile = cuda.shared.array((32, 33), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    i, j = cuda.blockIdx.y * 32 + ty, cuda.blockIdx.x * 32 + tx
    n = a.shape[0]
    if i < n and j < n:
        tile[ty, tx] = a[i, j]
    cuda.syncthreads()
    row, column = cuda.blockIdx.x * 32 + ty, cuda.blockIdx.y * 32 + tx
    if row < n and column < n:
        out[row, column] = tile[tx, ty]


@cuda.jit
def edge_blocks_only(a, out):
    if cuda.blockIdx.x == 0 or cuda.blockIdx.y == 0:
        tile = cuda.shared.array((32, 33), float32)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        i, j = cuda.blockIdx.y * 32 + ty, cuda.blockIdx.x * 32 + tx
        if i < a.shape[0] and j < a.shape[1]:
            tile[ty, tx] = a[i, j]
        cuda.syncthreads()
        row, column = cuda.blockIdx.x * 32 + ty, cuda.blockIdx.y * 32 + tx
        if row < out.shape[0] and column < out.shape[1]:
            out[row, column] = tile[tx, ty]


@cuda.jit
def stub(a, out): ...


def test_a_padded_tile_passes():
    report = check.padded_transpose(turn(33))
    assert report.passed, report
    assert report.lines == ("passed: 12 matrices turned on the simulator, without a bank conflict",)


@pytest.mark.parametrize(
    ("kernel", "line"),
    [
        (turn(32), "expected no bank conflict, came"),
        (turn(34), "expected no bank conflict, came"),
        (turn(37), "expected at most 4505 bytes of shared memory, came 4736"),
        (turn(barrier=False), "race"),
        (turn(guard=False), "out of bounds"),
        (turn(direct=True), "sectors, expected 256: go along rows"),
        (square_only, "expected a number in out"),
        (edge_blocks_only, "a (64, 64): expected a number in out[32, 32]"),
        (lambda a, out: 1 // 0, "raised ZeroDivisionError"),
    ],
)
def test_other_transposes_do_not(kernel, line):
    report = check.padded_transpose(kernel)
    assert not report.passed
    assert line in "\n".join(report.lines)


def share(listing):
    lines = [line.split() for line in listing.splitlines() if line.strip()]
    names = [words[1] if words[0].startswith("@") else words[0] for words in lines]
    return sum(name.split(".")[0] == "FFMA" for name in names) / len(names)


def test_the_right_share_passes():
    assert repr(check.multiply_add_share(share)) == "passed: 9 listings of machine code"
    assert check.multiply_add_share(lambda listing: np.float64(share(listing))).passed


@pytest.mark.parametrize(
    "fn",
    [
        lambda listing: listing.count("FFMA"),
        lambda listing: listing.count("FFMA") / len(listing.split("\n")),
        lambda listing: 100 * share(listing),
        lambda listing: (
            sum(line.startswith("FFMA") for line in listing.split("\n")) / len(listing.split("\n"))
        ),
        lambda listing: share(listing.replace("FFMA.FTZ", "OTHER")),
        lambda listing: share(listing.replace("HFMA2", "FFMA")),
        lambda listing: share(listing.replace("@P0 FFMA", "OTHER")),
        lambda listing: share(listing.replace("@!P3 FFMA", "OTHER")),
        lambda listing: (
            sum("FFMA" in line for line in listing.split("\n") if line.strip())
            / len(list(filter(str.strip, listing.split("\n"))))
        ),
        lambda listing: 1.0,
        lambda listing: str(share(listing)),
    ],
)
def test_other_shares_do_not(fn):
    report = check.multiply_add_share(fn)
    assert not report.passed
    assert "listing" in "\n".join(report.lines)


@pytest.mark.parametrize(
    ("checker", "blank"),
    [
        *((check.padded_transpose, blank) for blank in (None, ..., stub)),
        *((check.multiply_add_share, blank) for blank in (None, ..., lambda listing: None)),
    ],
)
def test_a_stub_is_not_solved_yet(checker, blank):
    assert repr(checker(blank)) == "not solved yet"
