import pytest

from mlteach.teach.plots import chain_and_lanes, chain_cycles, figure
from mlteach.teach.plots.pipeline import addition_starts


@pytest.mark.parametrize(
    ("latency", "accumulators", "lanes", "starts"),
    [
        (4, 1, 1, [0, 4, 8, 12]),
        (4, 2, 1, [0, 1, 4, 5]),
        (4, 4, 1, [0, 1, 2, 3]),
        (2, 3, 1, [0, 1, 2, 3]),
        (2, 4, 1, [0, 1, 2, 3]),
        (1, 1, 1, [0, 1, 2, 3]),
        (3, 1, 2, [0, 3]),
        (3, 1, 3, [0, 3]),
        (3, 8, 8, [0]),
    ],
)
def test_an_addition_waits_for_its_sum_and_for_its_turn(latency, accumulators, lanes, starts):
    assert addition_starts(latency, accumulators, lanes, numbers=4).tolist() == starts
    assert chain_cycles(latency, accumulators, lanes, numbers=4) == starts[-1] + latency


@pytest.mark.parametrize("wrong", [(0, 1, 1), (4, 0, 1), (4, 1, 0)])
def test_nothing_is_below_one(wrong):
    with pytest.raises(ValueError, match="are 1 or more, not"):
        addition_starts(*wrong)


@pytest.mark.parametrize(("latency", "accumulators", "lanes"), [(4, 1, 1), (1, 8, 8), (6, 3, 4), (6, 8, 1)])
def test_every_number_has_its_box(latency, accumulators, lanes):
    _, ax = figure()
    assert chain_and_lanes(ax, latency, accumulators, lanes) is ax
    boxes = {box.get_gid(): box for box in ax.patches}
    assert sorted(boxes) == sorted(f"number {number}" for number in range(16))
    starts = addition_starts(latency, accumulators, lanes)
    for number in range(16):
        box = boxes[f"number {number}"]
        assert (box.get_x(), box.get_width()) == (starts[number // lanes], latency)
        assert round(box.get_y() + box.get_height() / 2) == number // lanes % accumulators
    assert f"in {chain_cycles(latency, accumulators, lanes)} cycles" in ax.get_title(loc="left")
