"""Tiles: what bounds them, and vector code that is run, timed and read."""

import itertools

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


@pytest.fixture
def paced(monkeypatch):
    """Let a step of any code take so many nanoseconds, run after run; gives the arguments of the runs."""

    def pretend(*pace):
        paces, now, seen = itertools.cycle(pace), [0.0], []

        def loop(zero, arguments, times):
            seen.append(arguments)
            now[0] += next(paces) * arguments[0] * times * 1e-9

        monkeypatch.setattr(tiles, "_looped", lambda code: loop)
        monkeypatch.setattr(tiles.time, "perf_counter", lambda: now[0])
        return seen

    return pretend


@pytest.mark.parametrize("pace", [[1], [5, 1, 3]])
def test_speed_is_operations_over_the_time_of_the_best_run(paced, pace):
    paced(*pace)
    assert tiles.speed(None, 100, numbers(1, "float32"), flops=48) == pytest.approx(48)


def test_speed_puts_arrays_where_vectors_are_aligned(paced):
    seen = paced(1)
    tiles.speed(None, 3, *(numbers(1, "float64")[i:] for i in range(3)), flops=1)
    assert seen
    assert all(address % 4096 == 0 for _, *addresses in seen for address in addresses)


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
