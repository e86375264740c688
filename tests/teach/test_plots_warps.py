"""Threads on a matrix, warps on sectors, tiles on banks, and rungs that nobody has measured yet."""

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from numba import cuda, float32

from mlteach.gpu import simt
from mlteach.gpu.simt import picture
from mlteach.measure import Journal, Measurement
from mlteach.teach import gpu_speeds, plots
from mlteach.teach.plots import rungs, style, warps
from mlteach.teach.widgets import explore

PALE = "#B5D5E8"


@pytest.fixture
def ax():
    return plots.figure()[1]


def words(ax):
    return [word.get_text() for word in ax.texts]


def title(ax):
    return ax.get_title(loc="left")


def test_thread_map_names_the_thread_of_each_cell(ax):
    assert plots.thread_map(ax, (3, 5), (2, 2), (3, 2)) is ax
    cells = {(word.get_position()[1] - 0.5, word.get_position()[0] - 0.5): word for word in ax.texts}
    assert len(cells) == 4 * 6
    assert cells[0, 1].get_text() == "1, 0"
    assert cells[1, 0].get_text() == "0, 1"
    assert cells[2, 4].get_text() == "1, 0"  # of the block below on the right
    assert {cells[2, 4].get_color(), cells[3, 4].get_color()} == {warps.INK, warps.GREY}
    assert title(ax).startswith("24 threads for 3 x 5 cells: 9 have nothing to do")


def test_thread_map_with_x_down_the_rows(ax):
    plots.thread_map(ax, (3, 5), (1, 3), (3, 2), x_down=True)
    cells = {
        (word.get_position()[1] - 0.5, word.get_position()[0] - 0.5): word.get_text() for word in ax.texts
    }
    assert (cells[1, 0], cells[0, 1], cells[0, 2]) == ("1, 0", "0, 1", "0, 0")
    assert "18 threads" in title(ax)


@pytest.mark.parametrize(
    ("values", "sectors", "used"),
    [((32, 1, False), 4, "100%"), ((8, 1, False), 4, "100%"), ((32, 2, False), 8, "50%"),
     ((32, 1, True), 32, "12%"), ((4, 1, False), 8, "50%"), ((1, 4, True), 16, "25%")],
)  # fmt: skip
def test_a_warp_of_a_block_lies_in_as_many_sectors_as_counted_by_hand(ax, values, sectors, used):
    assert len(picture.touched_sectors(warps.block_warp(*values))) == sectors
    assert f"touch {sectors} sectors and use {used} of" in plots.block_warp_text(*values)
    assert plots.warp_explorer(ax, *values) is ax
    cells = ax.images[0].get_array()
    assert ((cells == 2).sum(), (cells > 0).sum()) == (32, 8 * sectors)
    assert title(ax).startswith(f"a: {sectors} sectors, {used} used")


def test_the_explorer_works_at_the_ends_of_its_sliders():
    sliders = {"block_width": [1, 2, 4, 8, 16, 32], "stride": (1, 4), "swap": [False, True]}
    explorer = explore(plots.warp_explorer, describe=plots.block_warp_text, **sliders)
    assert explorer.start == {"block_width": 32, "stride": 1, "swap": False}
    frames = [explorer.frame(**values) for values in explorer.extremes()]
    assert all(frame.png and frame.sentence.startswith("Blocks ") for frame in frames)


def test_a_warp_that_shares_one_element(ax):
    same = picture.WarpAccess("b", 0, 1, np.arange(32), np.full(32, 8), 4)
    plots.warp_on_matrix(ax, same, (4, 8))
    assert title(ax).startswith("b: 1 sector, one element")
    assert ax.images[0].get_array()[0].tolist() == [1, 1, 2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("pitch", "said", "colour"), [(32, "1 bank, 32 words each", 3), (33, "32 banks, 1 word each", 2)]
)
def test_a_column_of_a_tile_on_its_banks(ax, pitch, said, colour):
    @cuda.jit
    def column(out):
        tile = cuda.shared.array((32, pitch), float32)
        t = cuda.threadIdx.x
        tile[t, 0] = t
        out[t] = tile[t, 0]

    trace = simt.run(column, 1, 32, np.zeros(32, "f4"))
    access = picture.warp_access(trace, array="tile")
    assert plots.tile_on_banks(ax, access, pitch) is ax
    cells = ax.images[0].get_array()
    assert (cells[:, 0] == colour).all()
    assert (cells == 1).sum() == (0 if pitch == 32 else 32)  # bank 0, less the word that the warp reads
    assert title(ax) == f"{pitch} wide: {said}"


def test_threads_in_time_come_in_the_style_of_the_notebooks(ax):
    @cuda.jit
    def reversed_too_soon(out):
        tile = cuda.shared.array(32, float32)
        t = cuda.threadIdx.x
        tile[t] = t
        out[t] = tile[31 - t]
        cuda.syncthreads()
        tile[t] = 0

    trace = simt.run(reversed_too_soon, 1, 32, np.zeros(32, "f4"))
    with matplotlib.rc_context({"font.size": 40}):
        assert plots.space_time(ax, trace) is ax
    assert title(ax).startswith("race on tile[")
    assert [(word.get_text(), word.get_size()) for word in ax.texts] == [("barrier", 12)]


@pytest.mark.parametrize("step", [0, 3])
def test_a_block_walks_through_its_tiles(ax, step):
    assert plots.tile_walk(ax, step) is ax
    dark = [box.get_xy() for box in ax.patches if box.get_facecolor() == to_rgba(style.BLUE)]
    assert dark == [(step, 5.6), (6.6, step)]
    light = [box for box in ax.patches if box.get_facecolor() == to_rgba(PALE)]
    assert len(light) == 2 * step
    assert f"tile (1, {step}) of a and tile ({step}, 2) of b" in plots.tile_walk_text(step)


def test_a_newest_rung_without_figures_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(rungs, "recorded_ladder", list)
    journal = Journal(tmp_path)
    journal.record(Measurement("loops", "iteration", (100, 785, 10), "float64", 1, 47.0))
    above, below = plots.ladder("cuda_shared", journal=journal, measure=False).axes
    assert "cuda_shared: not measured yet" in words(above)
    assert [word.get_text() for word in below.get_yticklabels()] == ["loops", "cuda_shared"]
    assert words(below) == ["47 s", "not measured yet"]
    for ax in plots.ladder("loops", journal=journal, measure=False).axes[1:]:
        assert words(ax) == ["47 s"]


def test_gpu_rungs_are_raced_only_on_a_gpu(monkeypatch):
    monkeypatch.setattr(gpu_speeds.gpu, "why_not", lambda: "there is none")
    monkeypatch.setattr(gpu_speeds, "recordings", list)
    speeds = gpu_speeds.gpu_speeds("cuda_naive", "cublas", n=64)
    assert speeds.measurements == ()
    assert [line.split() for line in repr(speeds).splitlines()[1:3]] == [
        ["cuda_naive", "not", "measured", "yet"],
        ["cublas", "not", "measured", "yet"],
    ]
    assert repr(speeds).endswith("No GPU was used: there is none.")


def test_recorded_gpu_rungs_are_recalled_with_machine_and_date(monkeypatch):
    made = Measurement("cuda_naive", "product", (64, 64, 64), "float32", 1, 64**3 * 2e-9)
    recording = type("R", (), {"machine": {"name": "H"}, "date": "2026-11-30", "measurements": (made,)})
    monkeypatch.setattr(gpu_speeds.gpu, "why_not", lambda: "there is none")
    monkeypatch.setattr(gpu_speeds, "recordings", lambda: [recording])
    assert "cuda_naive" in repr(gpu_speeds.gpu_speeds("cuda_naive", n=64))
    assert "1.00  H, 2026-11-30" in repr(gpu_speeds.gpu_speeds("cuda_naive", n=64))
    assert "not measured yet" in repr(gpu_speeds.gpu_speeds("cuda_naive", n=32))


def test_gpu_rungs_race_here_where_there_is_a_gpu(monkeypatch):
    made = Measurement("cuda_naive", "product", (64, 64, 64), "float32", 1, 64**3 * 2e-9)
    monkeypatch.setattr(gpu_speeds.gpu, "why_not", lambda: None)
    monkeypatch.setattr(gpu_speeds, "compare", lambda names, n: type("Race", (), {"measurements": [made]}))
    monkeypatch.setattr(gpu_speeds, "recordings", list)
    speeds = gpu_speeds.gpu_speeds("cuda_naive", n=64)
    assert speeds.measurements == (made,)
    assert repr(speeds).splitlines()[-1].split() == ["cuda_naive", "1.00", "here"]
