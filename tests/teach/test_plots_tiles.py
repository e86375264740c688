import pytest

from mlteach.teach import plots

SHARES = {
    (rows, vectors): rows * vectors / 24
    for rows in (1, 4, 12, 16)
    for vectors in (1, 2)
    if rows < 16 or vectors < 2
}


@pytest.fixture
def ax():
    return plots.figure()[1]


def marked(ax, gid):
    return [patch for patch in ax.patches if patch.get_gid() == gid]


def test_tile_plane_marks_what_spills_and_what_waits(ax):
    assert plots.tile_plane(ax, SHARES, registers=27, sums=8) is ax
    assert len(marked(ax, "spills")) == 1  # 16 x 2, which was not measured
    assert len(marked(ax, "waits")) == 3  # 1 x 1, 1 x 2 and 4 x 1
    assert len(marked(ax, "tile 16 x 2")) == 1
    shown = [text.get_text() for text in ax.texts]
    assert shown[:7] == ["4", "8", "17", "33", "50", "100", "67"]


def test_tile_plane_is_darker_where_it_is_faster(ax):
    plots.tile_plane(ax, SHARES, registers=32, sums=8)
    slow, fast = (sum(marked(ax, f"tile {tile}")[0].get_facecolor()[:3]) for tile in ("1 x 1", "12 x 2"))
    assert fast < slow


@pytest.mark.parametrize(
    ("processor", "best"),
    [
        ((4, 2, 2, 32), "5 x 5 can keep 100% of the units busy"),
        ((4, 2, 2, 16), "4 x 3 can keep 100% of the units busy"),
        ((8, 4, 1, 64), "9 x 6 can keep 90% of the units busy"),
        ((8, 4, 1, 8), "6 x 1 can keep 19% of the units busy"),
    ],
)
def test_tile_model_names_the_best_tile_that_fits_with_the_fewest_loads(ax, processor, best):
    assert plots.tile_model(ax, *processor) is ax
    assert repr(ax.figure) == f"Figure: {processor[-1]} registers: {best}."
    shown = [text for text in ax.texts if text.get_text().isdigit()]
    registers = [r * v + v + 1 for r in range(1, 17) for v in range(1, 7)]
    assert len(shown) == sum(needed <= processor[-1] for needed in registers)


def test_chain_speeds_ends_the_climb_at_the_best_and_marks_the_registers(ax):
    speeds = {1: 25.0, 2: 50.0, 8: 190.0, 16: 200.0, 48: 90.0}
    assert plots.chain_speeds(ax, speeds, registers=32) is ax
    lines = {line.get_gid(): line for line in ax.lines}
    assert list(lines["speeds"].get_xdata()) == [1, 2, 8, 16, 48]
    assert (lines["in step"].get_xdata()[-1], lines["in step"].get_ydata()[-1]) == pytest.approx((8, 200))
    assert lines["registers"].get_xdata()[0] == 32
