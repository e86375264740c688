"""The roofline: the traffic that it assumes is counted tile by tile, and its limits meet at the ridge."""

import itertools
import re

import numpy as np
import pytest

from mlteach.measure import Measurement, simulate
from mlteach.measure.machine import Ceiling, describe
from mlteach.measure.roofline import Roof, intensity, point, roof, traffic

MACHINE = describe()
MEASURED = MACHINE.from_dict(
    {
        **MACHINE.as_dict(),
        "peak": {"float32": {"one": 200, "all": 390}, "float64": {"one": 100, "all": 200}},
        "bandwidth": {"one": 40, "all": 50},
    }
)


def walked(m, n, k, tm, tn, tk):
    """The numbers that move, found by doing what the model says."""
    numbers, seen = 0, set()
    for i, j, p in itertools.product(range(0, m, tm), range(0, n, tn), range(0, k, tk)):
        rows, columns, depth = min(tm, m - i), min(tn, n - j), min(tk, k - p)
        numbers += rows * depth + depth * columns + rows * columns * (1 + ((i, j) in seen))
        seen.add((i, j))
    return numbers


@pytest.mark.parametrize(
    ("size", "tile"),
    [
        ((1, 1, 1), (1, 1, 1)),
        ((7, 5, 9), (3, 2, 4)),
        ((12, 8, 6), (4, 8, 3)),
        ((5, 6, 7), (64, 64, 64)),
        ((100, 10, 33), (1, 10, 33)),
        ((64, 65, 63), (16, 16, 16)),
    ],
)
def test_traffic_is_what_the_steps_move(size, tile):
    numbers = walked(*size, *tile)
    assert traffic(*size, tile=tile) == 4 * numbers
    assert traffic(*size, dtype="float64", tile=tile) == 8 * numbers


def test_without_a_tile_every_number_moves_once():
    assert traffic(60, 10, 785) == 4 * (60 * 785 + 785 * 10 + 60 * 10)
    assert traffic(60, 10, 785) == traffic(60, 10, 785, tile=(60, 10, 785)) == traffic(60, 10, 785, tile=785)


def test_a_small_cache_misses_as_often_as_the_traffic_says():
    """In a cache that holds the three tiles of a step and little more, lines move as the model says.

    It may find one tile of the step before, which the model leaves out, and no two tiles share a line.
    """
    sizes, tile = (64, 64, 64), 16
    lines = simulate("ijk", *sizes, tile=tile, levels=[(4096, 64, 64)]).levels[0].misses
    read = traffic(*sizes, tile=tile) // 64 - 3 * 64 * 64 * 4 // 64  # without what is only written
    assert 0.7 * read <= lines <= read


def test_a_larger_tile_has_a_higher_intensity():
    found = [intensity(512, 512, 512, tile=side) for side in (1, 8, 64, 512)]
    assert found == sorted(found)
    assert found[-1] == intensity(512, 512, 512) == 2 * 512 / 3 / 4


def test_the_limits_meet_at_the_ridge():
    one = Roof("one", peak=200.0, bandwidth=40.0)
    assert one.ridge == 5
    np.testing.assert_array_equal(one.attainable([0.1, 1, 5, 50]), [4, 40, 200, 200])
    assert [one.limit(x) for x in (4.99, 5, 50)] == ["memory", "arithmetic", "arithmetic"]
    assert isinstance(one.attainable(1.0), float)


def test_a_sentence_says_which_limit_holds_and_how_near_it_is():
    one = Roof("one", peak=200.0, bandwidth=40.0)
    assert one.sentence(2.5) == "At 2.5 operations per byte memory is the limit: at most 100 of 200 GFLOP/s."
    assert one.sentence(50, 20).endswith(
        "arithmetic is the limit: at most 200 GFLOP/s. Measured: 20, 10 % of it."
    )
    assert one.sentence(2.5, 20).endswith("at most 100 of 200 GFLOP/s. Measured: 20, 20 % of it.")


@pytest.mark.parametrize(
    ("dtype", "threads", "name", "peak", "bandwidth"),
    [
        ("float32", 1, "1 core, float32", 200, 40),
        ("float64", 2, "2 cores, float64", 200, 50),
        ("float32", 16, "16 cores, float32", 390, 50),
    ],
)
def test_a_roof_is_that_of_the_machine_and_never_above_all_its_cores(dtype, threads, name, peak, bandwidth):
    assert MEASURED.bandwidth == Ceiling(40, 50)
    assert roof(dtype, threads, MEASURED) == Roof(name, peak, bandwidth)


def test_the_products_of_an_iteration_share_the_intensity_of_the_first():
    thin = Measurement("simd", "product", (60000, 785, 10), "float64", 1, 0.01)
    whole = Measurement("simd", "iteration", (60000, 785, 10), "float64", 1, 0.03)
    assert point(thin).intensity == point(whole).intensity == intensity(60000, 10, 785, dtype="float64")
    assert point(thin).gflops == pytest.approx(94.2)
    assert point(thin).name == point(thin).rung == "simd"
    assert point(thin, name="thin").name == "thin"
    tall = intensity(60000, 10, 785, dtype="float64", tile=(64, 10, 32))
    assert point(thin, tile=(64, 10, 32)).intensity == tall != point(thin).intensity


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: traffic(0, 4, 4), "m must be at least 1, not 0"),
        (lambda: traffic(4, 4, 4, tile=0), "a side of the tile must be at least 1, not 0"),
        (lambda: traffic(4, 4, 4, tile=(2, 2)), "tile must be one number, (tm, tn, tk) or None, not (2, 2)"),
        (lambda: traffic(4, 4, 2.5), "k must be a whole number, not 2.5"),
        (lambda: traffic(4, 4, 4, dtype="int8"), "dtype must be float32 or float64, not 'int8'"),
        (lambda: Roof("x", 0, 1), "the peak of 'x' must be a number above 0, not 0"),
        (lambda: Roof("x", 1, float("nan")), "the bandwidth of 'x' must be a number above 0, not nan"),
        (lambda: roof("float32", 0, MEASURED), "threads must be at least 1, not 0"),
        (lambda: roof("float16", 1, MEASURED), "dtype must be float32 or float64, not 'float16'"),
        (lambda: roof("float32", 1, MACHINE), "the limits of this machine are unknown"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(wrong, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        wrong()
