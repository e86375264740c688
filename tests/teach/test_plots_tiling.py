"""Speed against size with the caches behind it, and the misses of a tile."""

import itertools

import pytest
from matplotlib.colors import same_color

from mlteach.measure import Measurement, simulate
from mlteach.teach import plots

SIZES = (256, 512, 1024, 2048, 4096)
LEVEL = [(8192, 8, 64)]


def band(kernel, n, gflops, dtype="float32"):
    return Measurement(kernel, "product", (128, n, n), dtype, 1, 2 * 128 * n * n / gflops / 1e9)


LINES = [band("jit_ikj", n, 30 - 5 * i) for i, n in enumerate(SIZES)]
LINES += [band("tiled", n, 26.0) for n in SIZES] + [band("my own", 256, 3.0)]


@pytest.fixture
def ax():
    return plots.figure()[1]


def marked(ax, gid):
    return ax.findobj(lambda artist: artist.get_gid() == gid)


def misses(tile=None, n=40):
    return simulate("ikj", n, n, n, tile=tile, levels=LEVEL).levels[0]


def check_words(ax):
    """Every word is on the page, and none covers another."""
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent().padded(-1) for text in [*ax.texts, ax._left_title, ax.xaxis.label]]
    assert all(ax.figure.bbox.x0 <= box.x0 and box.x1 <= ax.figure.bbox.x1 for box in boxes)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


@pytest.mark.parametrize(
    ("caches", "shaded"),
    [
        ({"L2": 1 << 20, "L3": 16 << 20}, ["L2", "L3", "no cache"]),
        ({"L2": 2 << 20, "L3": 260 << 20}, ["L2", "L3"]),
        ({"L2": 4 << 20, "L3": None}, ["L2", "no cache"]),
        ({"L2": 1 << 10, "L3": 1 << 12}, ["no cache"]),
        ({"L1d": 49152, "L2": None, "L3": None}, []),
    ],
)
def test_the_shades_say_where_b_fits(ax, caches, shaded):
    assert plots.speed_by_size(ax, LINES, caches) is ax
    levels = ("L2", "L3", "no cache")
    assert [level for level in levels if marked(ax, f"b fits {level}")] == shaded
    check_words(ax)


def test_a_shade_ends_where_b_has_the_bytes_of_the_cache(ax):
    plots.speed_by_size(ax, [band("tiled", n, 9, "float64") for n in SIZES], {"L2": 1 << 20, "L3": 8 << 20})
    (shade,) = marked(ax, "b fits L3")
    assert shade.get_x() == pytest.approx((2**20 / 8) ** 0.5)
    assert shade.get_x() + shade.get_width() == pytest.approx(1024)


def test_a_line_shows_what_was_measured_in_the_colour_of_its_rung(ax):
    plots.speed_by_size(ax, reversed(LINES), {})
    lines = {line.get_label(): line for line in ax.lines}
    sizes, speeds = lines["jit_ikj"].get_data()
    assert tuple(sizes) == SIZES
    assert speeds == pytest.approx([30, 25, 20, 15, 10])
    assert same_color(lines["tiled"].get_color(), plots.COLOURS["tiled"])


def test_nothing_to_draw_is_refused(ax):
    with pytest.raises(ValueError, match="no measurement"):
        plots.speed_by_size(ax, [], {})


@pytest.mark.parametrize("tile", [(40, 16, 16), (1, 1, 1), (40, 40, 40), (1, 40, 40), (40, 8, 40)])
def test_the_misses_of_a_tile_stand_beside_those_without(ax, tile):
    whole, tiled = misses(), misses(tile)
    assert plots.tile_misses(ax, tiled, whole, tile) is ax
    for name, count in tiled.by_array.items():
        assert marked(ax, f"{name} tiled")[0].get_width() == count
        assert marked(ax, f"{name} whole")[0].get_width() == whole.by_array[name]
    check_words(ax)


def test_the_title_says_whether_a_tile_helps(ax):
    def title(n, tile):
        return plots.tile_misses(ax, misses(tile, n), misses(n=n), tile).get_title("left")

    assert title(80, (40, 16, 16)) == "Tiles of 40 x 16 x 16: 3 200 misses, 10 times fewer"
    assert title(80, (40, 48, 80)) == "Tiles of 40 x 48 x 80: 33 200 misses, 1.01 times more"
    assert title(40, (1, 1, 1)) == "Tiles of 1 x 1 x 1: 545 misses, as many as without"
