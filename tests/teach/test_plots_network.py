"""Figures of notebook 12."""

import numpy as np
import pytest

from mlteach.measure.contents import Guess
from mlteach.teach import plots


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_the_confusion_matrix_counts_rows_of_truth_and_columns_of_answers():
    _, ax = plots.figure()
    assert plots.confusion_matrix(ax, [0, 0, 0, 1, 2, 2], [0, 0, 2, 1, 0, 0]) is ax
    cells = {text.get_position(): text.get_text() for text in ax.texts}
    assert cells == {(0.5, 0.5): "2", (2.5, 0.5): "1", (1.5, 1.5): "1", (0.5, 2.5): "2"}
    assert ax.get_title(loc="left") == "50.00 % right; 2 was taken for 0, 2 times"
    assert ax.yaxis_inverted()


def test_a_reader_without_mistakes_has_none_named():
    _, ax = plots.figure()
    assert plots.confusion_matrix(ax, [0, 1], [0, 1]).get_title(loc="left") == "100.00 % right"


@pytest.mark.parametrize(("labels", "predicted"), [([], []), ([1, 2], [1]), ([[1]], [[1]])])
def test_the_confusion_matrix_needs_pairs(labels, predicted):
    with pytest.raises(ValueError, match="give one for each"):
        plots.confusion_matrix(plots.figure()[1], labels, predicted)


def test_hidden_units_are_pictures_the_strongest_first():
    weights = np.zeros((9, 4))
    weights[2, 1], weights[4, 3], weights[0, 0] = 5, -3, 1
    _, ax = plots.figure()
    assert plots.hidden_units(ax, weights, count=3, columns=2) is ax
    assert [image.get_gid() for image in ax.images] == ["unit 1", "unit 3", "unit 0"]
    first, second, _ = (np.asarray(image.get_array()) for image in ax.images)
    red, blue = first[0, 2], second[1, 1]
    assert red[0] > red[2]
    assert blue[0] < blue[2]
    assert ax.get_title(loc="left") == "What 3 of 4 hidden units look for"


def test_hidden_units_need_a_square():
    with pytest.raises(ValueError, match="a row for each pixel of a square"):
        plots.hidden_units(plots.figure()[1], np.zeros((8, 4)))


def test_mistakes_are_drawn_against_seconds_and_named_by_what_is_right():
    _, ax = plots.figure()
    plots.mistakes_by_seconds(ax, {"talk": ([1, 10], [0.1, 0.72]), "network": ([0.5, 5], [0.9, 1.0])})
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert np.allclose(lines["talk"], [90, 28])
    assert np.allclose(lines["network"], [10, 0.01])  # no mistake at all still has a place
    assert {"talk: 72.0 % right", "network: 100.0 % right"} <= set(words(ax))


def test_guesses_are_multiples_of_the_truth():
    guessed = {
        "a": Guess("a", 10, "s", 5),
        "b": Guess("b", 1, "x", 100),
        "open": Guess("open", 3, "s"),
        "nothing": Guess("nothing", 3, "s", 0),
    }
    _, ax = plots.figure()
    plots.guesses(ax, guessed)
    dots = {line.get_gid(): line.get_xdata()[0] for line in ax.lines if line.get_gid()}
    assert dots == {"a": 2, "b": 0.01}
    assert ax.get_title(loc="left") == "1 of 2 guesses within a factor of 2"
    assert words(ax) == ["a: guessed 10, measured 5 s", "b: guessed 1, measured 100 x"]


def test_no_guess_is_said_in_words():
    _, ax = plots.figure()
    assert "No guess to show" in plots.guesses(ax, {}).get_title(loc="left")


def test_both_passes_name_their_products():
    _, ax = plots.figure()
    assert plots.passes(ax) is ax
    assert {"@ w1 + b1", "@ w2 + b2", "@ w2.T\n0 where hidden is 0", "slope of w1\nx.T @ error"} <= set(
        words(ax)
    )
    forward = [patch for patch in ax.patches if patch.get_gid() in ("x", "hidden", "p")]
    back = [patch for patch in ax.patches if patch.get_gid() == "error"]
    assert (len(forward), len(back)) == (3, 2)
    assert max(p.get_xy()[:, 1].max() for p in forward) < min(p.get_xy()[:, 1].min() for p in back)
