"""Pictures of a trace, and what they are drawn from."""

import inspect

import numpy as np
import pytest
from matplotlib.figure import Figure
from numba import cuda, float32

from mlteach.gpu import simt
from mlteach.gpu.simt import picture
from mlteach.gpu.simt.log import LOAD, STORE


@cuda.jit
def shifted(src, dst):
    i = cuda.grid(1)
    dst[i] = src[i + 1]


@cuda.jit
def column(out):
    tile = cuda.shared.array((32, 32), float32)
    t = cuda.threadIdx.x
    tile[t, 0] = t
    cuda.syncthreads()
    out[t] = tile[31 - t, 0]


@cuda.jit
def no_barrier(out):
    tile = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    tile[t] = t
    out[t] = tile[63 - t]
    cuda.syncthreads()
    tile[t] = 0


@cuda.jit
def two_blocks(out):
    out[0] = cuda.blockIdx.x


def line_of(kernel, text):
    lines, first = inspect.getsourcelines(kernel.py_func)
    return next(first + n for n, line in enumerate(lines) if text in line)


@pytest.fixture
def ax():
    return Figure().subplots()


def test_the_sectors_of_a_warp():
    trace = simt.run(shifted, 2, 32, np.zeros(65, "f4"), np.zeros(64, "f4"))
    access = picture.warp_access(trace, line_of(shifted, "dst[i]"))
    assert picture.touched_sectors(access).tolist() == [0, 1, 2, 3, 4]
    second = picture.warp_access(trace, access.line, kind="stores", number=1)
    assert (second.array, picture.touched_sectors(second).tolist()) == ("dst", [4, 5, 6, 7])
    assert picture.warp_access(trace, array="src").line == access.line
    assert picture.warp_access(trace, array="dst", kind="stores").offsets.tolist() == list(range(0, 128, 4))
    with pytest.raises(ValueError, match=f"line {access.line} has 2 loads of warps"):
        picture.warp_access(trace, access.line, number=2)
    with pytest.raises(ValueError, match="dst shared has 0 loads of warps"):
        picture.warp_access(trace, array="dst", space="shared")


def test_the_words_of_each_bank():
    trace = simt.run(column, 1, 32, np.zeros(32, "f4"))
    access = picture.warp_access(trace, line_of(column, "tile[t, 0] ="), kind="stores", space="shared")
    assert [len(words) for words in picture.bank_words(access)] == [32] + [0] * 31


def test_space_time(ax):
    trace = simt.run(no_barrier, 1, 64, np.zeros(64, "f4"))
    shown, barriers, element = picture.moments(trace, threads=4)
    (problem,) = trace.problems
    assert sorted(m.row[1] for m in shown if m.racy) == sorted(problem.pair["thread"])
    assert len(barriers) == 1
    steps = [(kind, m.step < barriers[0]) for m in shown for kind in [LOAD, STORE] if m.kind == kind]
    assert sorted(set(steps)) == [(LOAD, True), (STORE, False), (STORE, True)]
    assert element.startswith("tile[")
    assert picture.space_time(ax, trace, threads=4) is ax
    assert len(ax.get_yticks()) == 4
    assert element in ax.get_title(loc="left")


def test_space_time_between_blocks(ax):
    trace = simt.run(two_blocks, 2, 1, np.zeros(1))
    shown, barriers, element = picture.moments(trace)
    assert [(m.row, m.kind, m.racy) for m in shown] == [((0, 0), STORE, True), ((1, 0), STORE, True)]
    assert (barriers, element) == ([], "out[0]")
    picture.space_time(ax, trace)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["block 0, 0", "block 1, 0"]


def test_no_race_to_draw(ax):
    trace = simt.run(column, 1, 32, np.zeros(32, "f4"))
    with pytest.raises(ValueError, match="0 races"):
        picture.space_time(ax, trace)
