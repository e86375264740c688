"""The picture of a warp's fragments says what the intrinsics do."""

import numpy as np
import pytest

from mlteach.gpu.warp_matrices import _spread, _tile
from mlteach.teach import plots
from mlteach.teach.plots.fragments import held


def test_lanes_hold_each_element_once_and_as_the_intrinsics_take_them():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-9, 9, (16, 16)), rng.integers(-9, 9, (16, 8))
    shares = []
    for lane in range(32):
        of = held(lane)
        words = np.array([*(a[at] for at in of["a"]), *(b[at] for at in of["b"])], np.float16).view(np.uint32)
        shares.append((*words.tolist(), 0, 0, 0, 0))
    out = np.full((16, 8), np.nan)
    for lane, sums in enumerate(_tile(shares)):
        for at, value in zip(held(lane)["out"], sums, strict=True):
            out[at] = value
    assert np.array_equal(out, a @ b)


def test_fragments_agree_with_what_is_loaded_from_shared_memory():
    a = np.arange(256).reshape(16, 16)
    rows = [a[lane % 16, lane // 16 * 8 :][:8] for lane in range(32)]
    for lane, words in enumerate(_spread(rows, False)):
        assert np.array(words, np.uint32).view(np.float16).tolist() == [a[at] for at in held(lane)["a"]]


@pytest.mark.parametrize("lane", [0, 5, 31])
def test_the_picture_marks_the_elements_of_a_lane(lane):
    ax = plots.figure()[1]
    assert plots.fragments(ax, lane) is ax
    drawn = [patch.get_gid() for patch in ax.patches]
    assert len(drawn) == 16 * 16 + 2 * 16 * 8
    assert drawn.count(f"lane {lane}") == 8 + 4 + 4
    colours = {p.get_facecolor() for p in ax.patches if p.get_gid() == f"lane {lane}"}
    assert len(colours) == 1
    assert colours.isdisjoint(p.get_facecolor() for p in ax.patches if p.get_gid() != f"lane {lane}")


def test_the_text_names_rows_and_columns():
    assert plots.fragments_text(5) == (
        "Lane 5 holds of a rows 1 and 9 in columns 2, 3, 10 and 11; "
        "of b rows 2, 3, 10 and 11 in column 1; of out rows 1 and 9 in columns 2 and 3."
    )
