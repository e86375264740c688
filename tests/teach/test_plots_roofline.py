"""The roofline figure: every roof, every point, and words that can be read."""

import itertools

import numpy as np
import pytest
from matplotlib.text import Text

from mlteach.measure.roofline import Point, Roof
from mlteach.teach import plots

ONE, TWO = Roof("1 core, float32", 236, 40), Roof("2 cores, float32", 440, 60)
FP32, FP16 = Roof("fp32", 67_000, 3350), Roof("tensor cores, fp16", 990_000, 3350)
CROWD = [Point(name, 341, 200 + i, name) for i, name in enumerate(list(plots.COLOURS)[:10])]


@pytest.fixture
def ax():
    return plots.figure()[1]


def marked(ax, gid):
    return ax.findobj(lambda artist: artist.get_gid() == gid)


@pytest.mark.parametrize(
    ("roofs", "points"),
    [
        (ONE, []),
        ([ONE, TWO], [Point("simd", 341, 225, "simd"), Point("thin", 2.5, 30), Point("loops", 341, 0.06)]),
        ([ONE], CROWD),
        ([FP32, FP16], [Point("cuda_naive", 341, 900, "cuda_naive"), Point("cublas", 682, 600_000)]),
        ([FP32] * 5, [Point("slow", 0.01, 1e-6)]),
    ],
)
def test_the_words_are_whole_and_apart(ax, roofs, points):
    assert plots.roofline(ax, roofs, points) is ax
    ax.figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text).padded(-1) for text in ax.texts]  # without its leader
    assert all(ax.figure.bbox.x0 <= box.x0 and box.x1 <= ax.figure.bbox.x1 for box in boxes)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_a_roof_rises_to_its_ridge_and_stays(ax):
    (line,) = marked(plots.roofline(ax, ONE), "roof")
    across, speeds = line.get_data()
    assert across[1] == ONE.ridge
    np.testing.assert_allclose(speeds, np.minimum(236, 40 * across))
    assert ax.get_title("left") == "Below 5.9 operations per byte, memory is the limit"


def test_a_point_stands_where_it_was_measured_in_the_colour_of_its_rung(ax):
    plots.roofline(ax, [ONE, TWO], [Point("a", 341, 225, "simd"), Point("b", 2.5, 30)])
    found = {point.get_xydata()[0].tolist()[0]: point for point in marked(ax, "point")}
    assert sorted(found) == [2.5, 341]
    assert found[341].get_ydata()[0] == 225
    assert found[341].get_color() == plots.COLOURS["simd"] != found[2.5].get_color()


def test_nothing_to_draw_is_refused(ax):
    with pytest.raises(ValueError, match="no roof"):
        plots.roofline(ax, [])
