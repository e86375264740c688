"""Tiles: what bounds them, and vector code that is run, timed and read."""

import numpy as np
import pytest

from mlteach.matmul.vector_ir import POINTER, PROCESSOR, at, emitted, repeat
from mlteach.measure import tiles


@emitted
def doubled(builder, lanes, arguments, count):
    """Add each of some vectors to itself, again and again."""
    steps, numbers = arguments
    places = [at(builder, builder.inttoptr(numbers, POINTER), i * lanes.width) for i in range(count)]
    start = [lanes.load(builder, place) for place in places]
    sums = repeat(builder, steps, start, lambda sums: [builder.fadd(total, total) for total in sums])
    for place, total in zip(places, sums, strict=True):
        lanes.store(builder, total, place)


def numbers(vectors, dtype):
    return np.arange(vectors * PROCESSOR.width // np.dtype(dtype).itemsize, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_run_writes_what_the_code_writes(dtype):
    array = numbers(3, dtype)
    tiles.run(doubled(3), 5, array)
    assert (array == 32 * numbers(3, dtype)).all()


def test_speed_leaves_the_arrays_alone():
    array = numbers(2, "float32")
    assert 0 < tiles.speed(doubled(2), 10, array, flops=1) < np.inf
    assert (array == numbers(2, "float32")).all()


def test_assembly_is_that_of_the_dtype():
    code = doubled(1)
    for dtype in ("float32", "float64"):
        assert f"doubled_1_{dtype}" in tiles.assembly(code, 1, dtype)


@pytest.mark.parametrize(("rows", "vectors", "needed"), [(12, 2, 27), (8, 3, 28), (1, 1, 3), (6, 4, 29)])
def test_a_tile_fits_its_sums_a_row_of_b_and_a_number_of_a(rows, vectors, needed):
    assert tiles.fits(rows, vectors, needed)
    assert not tiles.fits(rows, vectors, needed - 1)


@pytest.mark.parametrize(
    ("tile", "processor", "share"),
    [
        ((2, 1), (4, 2, 2), 0.25),  # waits for its sums
        ((12, 1), (4, 2, 2), 12 / 13),  # waits for its loads
        ((12, 2), (4, 2, 2), 1),
        ((12, 2), (4, 2, 1), 24 / 28),
        ((1, 1), (1, 1, 2), 1),
    ],
)
def test_the_share_is_what_the_slowest_of_three_leaves(tile, processor, share):
    assert tiles.share(*tile, *processor) == pytest.approx(share)
