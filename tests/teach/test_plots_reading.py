import itertools

import numpy as np
import pytest

from mlteach.teach.plots import figure, reading

PICTURE = np.tril(np.full((28, 28), 255, np.uint8))


@pytest.mark.parametrize("shares", [np.eye(10)[3], np.full(10, 0.1), np.zeros(10), [0.25, 0.75], [1]])
def test_reading_writes_each_class_and_its_share_whole_and_apart(shares):
    _, ax = figure(size=(7.2, 3.8))
    assert reading(ax, PICTURE, shares, title="A triangle") is ax
    words = [text.get_text() for text in ax.texts]
    assert words[::2] == [str(label) for label in range(len(shares))]
    assert words[1::2] == [f"{100 * share:.0f} %" for share in shares]
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert all(ax.figure.bbox.padded(1).containsx(box.x1) for box in boxes)
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_reading_draws_bars_as_long_as_their_shares_and_only_the_first_largest_stands_out():
    _, ax = figure()
    reading(ax, PICTURE, [0.2, 0.4, 0.4])
    widths = np.array([bar.get_width() for bar in ax.patches])
    np.testing.assert_allclose(widths / widths.sum(), [0.2, 0.4, 0.4])
    first, second, third = (bar.get_facecolor() for bar in ax.patches)
    assert second != first == third
    assert [text.get_weight() for text in ax.texts[::2]] == ["normal", "bold", "normal"]


def test_reading_shows_the_picture_as_ink_on_paper_and_frames_it():
    _, ax = figure()
    reading(ax, PICTURE // 2, np.zeros(10))
    assert (ax.images[0].get_array() == PICTURE // 2).all()
    assert ax.images[0].get_clim() == (0, 255)


@pytest.mark.parametrize(("picture", "shares"), [(PICTURE[:27], [1]), (PICTURE, []), (PICTURE, [[1]])])
def test_reading_refuses_other_shapes(picture, shares):
    with pytest.raises(ValueError, match=r"give \(28, 28\) and \(classes,\)"):
        reading(figure()[1], picture, shares)
