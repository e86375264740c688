"""Pictures of a trace, as figure and as text."""

import inspect

import numpy as np
import pytest
from matplotlib.figure import Figure
from numba import cuda, float32

from mlteach.gpu import simt
from mlteach.gpu.simt import picture


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


def test_a_warp_on_memory(ax):
    trace = simt.run(shifted, 2, 32, np.zeros(65, "f4"), np.zeros(64, "f4"))
    access = picture.warp_access(trace, line_of(shifted, "dst[i]"))
    assert picture.touched_sectors(access).tolist() == [0, 1, 2, 3, 4]
    second = picture.warp_access(trace, access.line, kind="stores", number=1)
    assert (second.array, picture.touched_sectors(second).tolist()) == ("dst", [4, 5, 6, 7])
    text = picture.warp_on_memory_text(access).splitlines()
    assert "32 lanes load src in 5 sectors, 128 of 160 bytes used" in text[0]
    assert text[-1].endswith("lane 31")
    assert picture.warp_on_memory(ax, access) is ax
    assert len(ax.lines) == 32
    assert picture.warp_access(trace, array="src").line == access.line
    assert picture.warp_access(trace, array="dst", kind="stores").offsets.tolist() == list(range(0, 128, 4))
    with pytest.raises(ValueError, match=f"line {access.line} has 2 loads of warps"):
        picture.warp_access(trace, access.line, number=2)
    with pytest.raises(ValueError, match="dst shared has 0 loads of warps"):
        picture.warp_access(trace, array="dst", space="shared")


def test_banks(ax):
    trace = simt.run(column, 1, 32, np.zeros(32, "f4"))
    access = picture.warp_access(trace, line_of(column, "tile[t, 0] ="), kind="stores", space="shared")
    assert [len(words) for words in picture.bank_words(access)] == [32] + [0] * 31
    assert "use 1 of 32 banks of tile; the busiest delivers 32" in picture.banks_text(access)
    assert picture.banks(ax, access) is ax
    assert [bar.get_height() for bar in ax.patches] == [32] + [0] * 31
    assert ax.patches[0].get_facecolor()[0] > 0.8  # red


def test_space_time(ax):
    trace = simt.run(no_barrier, 1, 64, np.zeros(64, "f4"))
    text = picture.space_time_text(trace, threads=4)
    lines = {line.split()[3]: line.split()[4:] for line in text.splitlines()[1:]}
    racy = sorted(thread for thread, cells in lines.items() if any("!" in c for c in cells))
    (problem,) = trace.problems
    assert racy == sorted(str(t) for t in problem.pair["thread"])
    assert all("|" in cells for cells in lines.values())
    assert picture.space_time(ax, trace, threads=4) is ax
    assert len(ax.get_yticks()) == 4
    assert picture.space_time_text(trace, threads=4) == text


def test_space_time_between_blocks(ax):
    trace = simt.run(two_blocks, 2, 1, np.zeros(1))
    text = picture.space_time_text(trace).splitlines()
    assert [line.split()[1] for line in text[1:]] == ["0", "1"]
    assert all("W!" in line for line in text[1:])
    picture.space_time(ax, trace)


def test_no_race_to_draw():
    trace = simt.run(column, 1, 32, np.zeros(32, "f4"))
    with pytest.raises(ValueError, match="0 races"):
        picture.space_time_text(trace)
