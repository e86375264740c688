"""What more cores buy: the ceilings are where they should be, and the words can be read."""

import itertools

import numpy as np
import pytest

from mlteach.teach import plots

TWO = {"jit_prange": {1: 1.0, 2: 1.92}, "sum": {1: 1.0, 2: 1.3}}
SIXTEEN = {
    "jit_prange": {1: 1.0, 2: 1.9, 4: 3.6, 8: 6.8, 16: 11.0},
    "sum": {1: 1.0, 2: 1.7, 4: 2.4, 8: 2.5, 16: 2.4},
}
ONE = {"jit_prange": {1: 1.0}, "sum": {1: 1.0}}


@pytest.fixture
def ax():
    return plots.figure()[1]


def marked(ax, gid):
    return ax.findobj(lambda artist: artist.get_gid() == gid)


@pytest.mark.parametrize(
    "measured", [ONE, TWO, SIXTEEN, {"slower": {1: 1.0, 2: 0.4}}, {"wonder": {1: 1, 2: 3.5}}]
)
@pytest.mark.parametrize("ceilings", [{}, {"serial": 0.03, "bandwidth": 1.9}, {"serial": 0, "bandwidth": 40}])
def test_the_words_are_whole_and_apart(ax, measured, ceilings):
    assert plots.core_ceilings(ax, measured, **ceilings) is ax
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent().padded(-1) for text in [*ax.texts, ax._left_title, ax.xaxis.label]]
    assert all(ax.figure.bbox.x0 <= box.x0 and box.x1 <= ax.figure.bbox.x1 for box in boxes)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)


def test_the_ceilings_are_where_they_should_be(ax):
    plots.core_ceilings(ax, SIXTEEN, serial=0.1, bandwidth=2.5)
    (law,), (memory,) = marked(ax, "law"), marked(ax, "bandwidth")
    assert law.get_data()[1][-1] == pytest.approx(1 / (0.1 + 0.9 / 16))
    assert memory.get_data()[1].max() == 2.5
    assert np.all(memory.get_data()[1] <= memory.get_data()[0])


def test_what_was_measured_is_drawn_as_it_was(ax):
    plots.core_ceilings(ax, TWO)
    points = {line.get_label(): line.get_data() for line in ax.lines}
    np.testing.assert_array_equal(points["sum"], [[1, 2], [1, 1.3]])
    assert ax.get_title("left") == "2 cores: at best 1.92 times as fast as one"


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0 % serial"), (0.034, "3.4 % serial"), (1, "100 % serial")]
)
def test_a_share_is_a_number_that_people_write(ax, share, words):
    plots.core_ceilings(ax, TWO, serial=share)
    assert words in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize(("share", "cores"), [(0, 2), (0.1, 2), (0.37, 8), (1, 16)])
def test_the_serial_share_explains_the_gain(share, cores):
    assert plots.serial_share(float(plots.speed_up(share, cores)), cores) == pytest.approx(share)


def test_a_share_lies_between_nothing_and_everything():
    assert plots.serial_share(2.2, 2) == 0
    assert plots.serial_share(0.5, 2) == 1


def test_what_cannot_be_is_refused(ax):
    with pytest.raises(ValueError, match=r"cores 2 or more, not 1\.0 and 1"):
        plots.serial_share(1.0, 1)
    with pytest.raises(ValueError, match="at least one number of cores"):
        plots.core_ceilings(ax, {})
