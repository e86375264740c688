import numpy as np
import pytest
from matplotlib.colors import to_rgba

from mlteach.measure import walk
from mlteach.teach.plots import by_size, cache_step, column_walk, figure
from mlteach.teach.plots.cache_lines import LINE, ROWS, SETS, TINTS, WAYS
from mlteach.teach.plots.style import ORANGE


@pytest.mark.parametrize("columns", range(1, 25))
def test_the_cache_by_hand_is_the_simulated_one(columns):
    accesses = column_walk(columns)
    column = 4 * columns * np.arange(ROWS)
    simulated = walk([column, column], [(4 * SETS * WAYS * LINE, WAYS, 4 * LINE)])
    assert len(accesses) == 2 * ROWS
    assert sum(not access.hit for access in accesses) == simulated.levels[0].misses
    for access in accesses:
        assert access.contents[access.place][0] == access.line == access.number // LINE
        assert max(map(len, access.contents)) <= WAYS


def test_there_is_a_column_to_walk_down():
    with pytest.raises(ValueError, match="1 column or more, not 0"):
        column_walk(0)


@pytest.mark.parametrize(("columns", "step"), [(1, 0), (16, 8), (20, 15), (9, 99), (10, -1)])
def test_a_step_shows_the_number_its_line_and_the_count(columns, step):
    _, ax = figure()
    assert cache_step(ax, columns, step) is ax
    accesses = column_walk(columns)
    place = min(max(step, 0), 15)
    now = accesses[place]
    title = ax.get_title(loc="left")
    assert title.startswith(f"Step {place + 1} of 16: number {now.number}, line {now.line}, set {now.place}")
    assert title.endswith("a hit" if now.hit else "a miss")
    misses = sum(not access.hit for access in accesses[: place + 1])
    words = [text.get_text() for text in ax.texts]
    assert f"misses so far: {misses}" in words
    assert f"{now.line * LINE}–{now.line * LINE + LINE - 1}" in words
    boxes = {box.get_gid(): box for box in ax.patches if str(box.get_gid()).startswith("number")}
    assert len(boxes) == ROWS * columns
    orange = [name for name, box in boxes.items() if box.get_facecolor() == to_rgba(ORANGE)]
    assert orange == [f"number {now.number}"]


def test_each_line_has_the_tint_of_its_set():
    _, ax = figure()
    cache_step(ax, 10, 0)
    boxes = {box.get_gid(): box.get_facecolor() for box in ax.patches}
    assert boxes["number 4"] == boxes["number 7"] == boxes["number 20"] == to_rgba(TINTS[1])
    assert boxes["number 8"] == to_rgba(TINTS[2])


def test_by_size_sorts_the_sizes_and_marks_the_powers_of_two():
    _, ax = figure()
    series = {"L1": ([300, 100, 1024], [3, 1, 7]), "L2": ([100, 200], [0.5, 0.25])}
    assert by_size(ax, series, title="Misses", y="misses per step") is ax
    lines = {line.get_label(): line for line in ax.lines}
    assert lines["L1"].get_xydata().tolist() == [[100, 1], [300, 3], [1024, 7]]
    assert lines["L2"].get_xydata().tolist() == [[100, 0.5], [200, 0.25]]
    assert {line.get_gid() for line in ax.lines} >= {"n = 128", "n = 256", "n = 512", "n = 1024"}
    assert {"L1", "L2"} <= {text.get_text() for text in ax.texts}
    assert ax.get_title(loc="left") == "Misses"
