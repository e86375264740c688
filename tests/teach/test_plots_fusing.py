"""The figures of notebook 11 draw what they are given."""

import pytest

from mlteach.teach import plots


@pytest.fixture
def ax():
    return plots.figure()[1]


def words(ax):
    return [text.get_text().strip() for text in ax.texts]


def test_a_waterfall_has_a_bar_for_each_step_and_what_it_saved(ax):
    drawn = plots.waterfall(ax, {"three products": 0.12, "two products": 0.08, "slower": 0.1})
    assert drawn is ax
    widths = [round(bar.get_width()) for bar in ax.patches]
    assert widths == [120, 80, 40, 100]
    assert words(ax) == ["120 ms", "80 ms, 1.50 x", "100 ms, 1.20 x"]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "three products",
        "two products",
        "slower",
    ]


def test_a_step_that_saves_nothing_looks_different(ax):
    plots.waterfall(ax, {"a": 0.1, "b": 0.2})
    first, second = (bar.get_facecolor() for bar in ax.patches)
    assert first != second


def test_a_waterfall_of_nothing_says_so(ax):
    with pytest.raises(ValueError, match="at least one step"):
        plots.waterfall(ax, {})


def test_the_best_block_size_is_marked(ax):
    plots.block_sizes(ax, {1: 4e-5, 64: 1e-6, 4096: 2e-6})
    (best,) = ax.findobj(lambda artist: artist.get_gid() == "best")
    assert best.get_xdata()[0] == 64
    assert words(ax) == ["40 µs", "1 µs", "2 µs"]
