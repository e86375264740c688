import pytest

from mlteach.teach.plots.scores import weighted_sum
from mlteach.teach.plots.style import CARD, INK, figure

X = [[1, 0, 0.5], [0, 1, 0]]
THETA = [[3, -1], [0.25, 2], [-4, 0]]


def drawn(ax, name):
    return [patch for patch in ax.patches if str(patch.get_gid()).startswith(f"{name}[")]


def framed(ax, name):
    """The size and the place of the frame around the chosen cells, in cells from the matrix's corner."""
    frame = next(patch for patch in ax.patches if patch.get_gid() == f"{name} frame")
    left, top = drawn(ax, name)[0].get_xy()
    return frame.get_x() - left, frame.get_y() - top, frame.get_width(), frame.get_height()


def test_weighted_sum_frames_a_row_a_column_and_their_score():
    _, ax = figure()
    assert weighted_sum(ax, X, THETA, 1, 0, names=("left", "right")) is ax
    assert ax.get_title(loc="left") == 'Picture 1, question "left": a score of 0.25'
    assert (len(drawn(ax, "X")), len(drawn(ax, "theta")), len(drawn(ax, "X @ theta"))) == (6, 6, 4)
    assert framed(ax, "X") == (0, 1, 3, 1)
    assert framed(ax, "theta") == (0, 0, 1, 3)
    assert framed(ax, "X @ theta") == (0, 1, 1, 1)


def test_weighted_sum_writes_every_score_and_the_sum():
    _, ax = figure()
    weighted_sum(ax, X, THETA, 0, 1)
    words = [word.get_text() for word in ax.texts]
    assert words.count("−1") == 2  # a weight, and the score
    lines = [" ".join(line.split()) for line in words[-1].splitlines()]
    assert lines[:3] + lines[4:] == ["1 × −1 = −1", "0 × 2 = 0", "0.5 × 0 = 0", "score −1"]


def test_weighted_sum_can_be_read_on_every_grey():
    _, ax = figure()
    weighted_sum(ax, X, THETA)
    colours = {word.get_text(): word.get_color() for word in ax.texts[1:7]}
    assert colours == {"1": CARD, "0": INK, "0.5": INK}


@pytest.mark.parametrize("place", [(2, 0), (0, 2), (-1, 0)])
def test_weighted_sum_refuses_a_place_that_is_not_there(place):
    with pytest.raises(ValueError, match=r"no score .* among 2 x 2"):
        weighted_sum(figure()[1], X, THETA, *place)


def test_weighted_sum_refuses_matrices_that_do_not_multiply():
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 3\).*a row per pixel"):
        weighted_sum(figure()[1], X, X)
