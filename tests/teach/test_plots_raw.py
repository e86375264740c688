import numpy as np
import pytest

from mlteach.teach.plots.digits import pixel_histogram
from mlteach.teach.plots.raw import byte_strip, pixel_values
from mlteach.teach.plots.style import FAINT, figure

HEADER = bytes([0, 0, 8, 1, 0, 0, 1, 44])
PARTS = [("zeros", 2), ("type", 1), ("sizes", 1), ("size 1", 4)]


def words(ax):
    return [word.get_text() for word in ax.texts]


def test_pixel_values_writes_each_number_in_its_pixel():
    _, ax = figure()
    assert pixel_values(ax, [[0, 7, 200], [255, 0, 9]]) is ax
    assert {word.get_position(): word.get_text() for word in ax.texts} == {
        (0, 0): "0", (1, 0): "7", (2, 0): "200", (0, 1): "255", (1, 1): "0", (2, 1): "9",
    }  # fmt: skip


def test_pixel_values_can_be_read_on_every_grey():
    _, ax = figure()
    pixel_values(ax, np.array([[0, 1, 255]], np.uint8))
    zero, light, dark = (word.get_color() for word in ax.texts)
    assert zero == FAINT
    assert light != dark


def test_byte_strip_shows_every_byte_and_its_part():
    _, ax = figure()
    assert byte_strip(ax, HEADER, PARTS) is ax
    shown = words(ax)
    assert [word for word in shown if len(word) == 2] == ["00", "00", "08", "01", "00", "00", "01", "2c"]
    assert [word for word in shown if len(word) == 1] == list("01234567")
    assert [word for word in shown if word in dict(PARTS)] == ["zeros", "type", "sizes", "size 1"]


@pytest.mark.parametrize("data", [HEADER[:-1], HEADER + b"x"])
def test_byte_strip_wants_every_byte_named(data):
    _, ax = figure()
    with pytest.raises(ValueError, match=f"the parts take 8 bytes, but there are {len(data)}"):
        byte_strip(ax, data, PARTS)


def test_pixel_histogram_counts_every_one_of_many_pixels():
    _, ax = figure()
    pixel_histogram(ax, np.repeat(np.array([0, 255], np.uint8), [3 * 2**20, 2**20]))
    assert [bar.get_height() for bar in ax.patches] == [75, *[0] * 14, 25]
