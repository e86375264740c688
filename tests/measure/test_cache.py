import itertools
import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlteach.measure import _cache_slices, simulate, walk
from mlteach.measure._cache_slices import boxes

ORDERS = ["".join(order) for order in itertools.permutations("ijk")]
SMALL = (1024, 2, 64)
PAGE = 4096


def lru(accesses, levels):
    """Count the misses of (address, array) pairs by level and array, the slow and plain way."""
    caches = [[[] for _ in range(size // (ways * line))] for size, ways, line in levels]
    misses = [dict.fromkeys(("a", "b", "out"), 0) for _ in levels]
    for address, array in accesses:
        for sets, (_, ways, line), counts in zip(caches, levels, misses, strict=True):
            lines = sets[address // line % len(sets)]
            hit = address // line in lines
            if hit:
                lines.remove(address // line)
            lines.append(address // line)
            if hit:
                break
            del lines[:-ways]
            counts[array] += 1
    return misses


def accesses(order, m, n, k, itemsize, tile=None):
    """Every access of the nest, its tiles written out, sharing nothing with the simulator."""
    b = -(-m * k * itemsize // PAGE) * PAGE
    out = b + -(-k * n * itemsize // PAGE) * PAGE
    size = dict(zip("ijk", (m, n, k), strict=True))
    side = dict(zip("ijk", tile or (max(m, 1), max(n, 1), max(k, 1)), strict=True))
    for corner in itertools.product(*(range(0, size[x], side[x]) for x in order)):
        pieces = [range(at, min(at + side[x], size[x])) for at, x in zip(corner, order, strict=True)]
        for step in itertools.product(*pieces):
            at = dict(zip(order, step, strict=True))
            yield (at["i"] * k + at["k"]) * itemsize, "a"
            yield b + (at["k"] * n + at["j"]) * itemsize, "b"
            yield out + (at["i"] * n + at["j"]) * itemsize, "out"
            yield out + (at["i"] * n + at["j"]) * itemsize, "out"


@st.composite
def caches(draw):
    """One to three levels, lines never shorter further out; the sets need not be a power of two."""
    levels, line = [], 8
    for _ in range(draw(st.integers(1, 3))):
        line *= 2 ** draw(st.integers(0, 2))
        ways = draw(st.integers(1, 5))
        levels.append((draw(st.integers(1, 6)) * ways * line, ways, line))
    return levels


@given(addresses=st.lists(st.integers(0, 2000), max_size=300), levels=caches())
@settings(max_examples=150, deadline=None)
def test_any_addresses_miss_as_in_a_plain_lru(addresses, levels):
    report = walk(addresses, levels)
    expected = [counts["a"] for counts in lru([(address, "a") for address in addresses], levels)]
    assert [level.misses for level in report.levels] == expected
    assert [level.accesses for level in report.levels] == [len(addresses), *expected[:-1]]
    assert [level.by_array for level in report.levels] == [{"addresses": misses} for misses in expected]


@given(
    order=st.sampled_from(ORDERS),
    size=st.tuples(*[st.integers(0, 9)] * 3),
    tile=st.none() | st.tuples(*[st.integers(1, 10)] * 3),
    dtype=st.sampled_from(["float32", "float64"]),
    levels=caches(),
)
@settings(max_examples=150, deadline=None)
def test_any_nest_misses_as_in_a_plain_lru(order, size, tile, dtype, levels):
    report = simulate(order, *size, dtype=dtype, levels=levels, tile=tile)
    expected = lru(accesses(order, *size, np.dtype(dtype).itemsize, tile), levels)
    assert [level.by_array for level in report.levels] == expected
    assert report.levels[0].accesses == 4 * math.prod(size)
    for level in report.levels:
        assert level.misses == sum(level.by_array.values())
    for near, far in itertools.pairwise(report.levels):
        assert far.accesses == near.misses


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_product_that_fits_misses_each_line_once(order, dtype):
    level = simulate(order, 20, 24, 28, dtype=dtype, levels=[(65536, 16, 64)]).levels[0]
    itemsize = np.dtype(dtype).itemsize
    assert level.by_array == {
        "a": -(-20 * 28 * itemsize // 64),
        "b": -(-28 * 24 * itemsize // 64),
        "out": -(-20 * 24 * itemsize // 64),
    }


def test_a_stream_misses_once_a_line():
    stream = np.arange(0, 4 * 10_000, 4)
    assert walk(stream, [SMALL]).levels[0].misses == 625
    assert walk([stream, stream], [SMALL]).levels[0].misses == 2 * 625, "too long to be there the second time"


def test_a_column_at_a_power_of_two_lies_in_few_sets():
    """128 lines fit in 32 KiB four times over, but a stride of 4096 bytes puts them all in one set of 8."""
    for row, again in ((1000, 0), (1024, 128)):
        column = 4 * row * np.arange(128)
        assert walk([column, column]).levels[0].misses == 128 + again


def test_two_lines_of_a_direct_mapped_cache_drive_each_other_out():
    turns = [0, 1024] * 50
    assert walk(turns, [(1024, 1, 64)]).levels[0].misses == 100
    assert walk(turns, [(1024, 2, 64)]).levels[0].misses == 2


def test_the_line_used_longest_ago_is_the_one_that_goes():
    one_set = [(128, 2, 64)]
    assert walk([0, 64, 0, 128, 0], one_set).levels[0].misses == 3, "0 was used after 64, so 64 goes"
    assert walk([0, 64, 0, 128, 64], one_set).levels[0].misses == 4


def test_the_second_level_keeps_what_the_first_cannot():
    column = 4 * 1024 * np.arange(64)
    near, far = walk([column] * 3, [SMALL, (1 << 20, 16, 64)]).levels
    assert (near.accesses, near.misses) == (192, 192)
    assert (far.accesses, far.misses) == (192, 64), "4 of the lines to a set of 16"


def test_a_bigger_last_level_never_misses_more():
    """LRU holds a subset in fewer ways: with the same sets, more ways keep all that fewer ways keep."""
    counts = [
        simulate("jki", 40, 40, 40, levels=[SMALL, (64 * 8 * ways, ways, 64)]).levels[1].misses
        for ways in (1, 2, 4, 8, 16, 32)
    ]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


@pytest.mark.parametrize("order", ORDERS)
def test_a_tile_as_large_as_the_product_changes_nothing(order):
    whole = simulate(order, 30, 31, 32, levels=[SMALL])
    assert simulate(order, 30, 31, 32, levels=[SMALL], tile=32) == whole
    assert simulate(order, 30, 31, 32, levels=[SMALL], tile=(10**9, 31, 33)) == whole
    assert simulate(order, 30, 31, 32, levels=[SMALL], tile=8) != whole


def test_a_tile_that_fits_saves_misses():
    plain, tiled = (simulate("ikj", 300, 300, 300, tile=tile).levels[0] for tile in (None, 32))
    assert tiled.accesses == plain.accesses == 4 * 300**3
    assert tiled.misses < plain.misses / 4


def test_k_may_be_written_p():
    assert simulate("pij", 5, 6, 7, levels=[SMALL]) == simulate("kij", 5, 6, 7, levels=[SMALL])


@pytest.mark.parametrize("size", [(0, 3, 3), (3, 0, 3), (3, 3, 0), (10**9, 0, 5)])
def test_an_empty_product_accesses_nothing(size):
    level = simulate("ijk", *size).levels[0]
    assert (level.accesses, level.misses, level.by_array) == (0, 0, {"a": 0, "b": 0, "out": 0})


def test_a_report_reads_well_and_cannot_change():
    report = simulate("ijk", 64, 64, 64, levels=[SMALL, (32768, 8, 64)])
    first, second = str(report).splitlines()
    assert first.startswith("1 KiB, 2 ways, lines of 64 B: 1 048 576 accesses, ")
    assert second.startswith("32 KiB, 8 ways, lines of 64 B: ")
    assert report.levels[1].sets == 64
    with pytest.raises(AttributeError):
        report.levels[0].misses = 0


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"order": "ijj"}, ValueError, "order must name the loops i, j and k once each"),
        ({"order": "ijkp"}, ValueError, "not 'ijkp'"),
        ({"order": None}, ValueError, "not None"),
        ({"m": -1}, ValueError, "m must be at least 0, not -1"),
        (
            {"m": 2**62},
            ValueError,
            "m = 4611686018427387904, n = 4 and k = 4 is beyond the 9.22e.18 bytes",
        ),
        ({"k": 10**400}, ValueError, r"n = 4 and k = 1\.00e\+400 is beyond .*: choose smaller sizes"),
        ({"m": 0, "n": 10**5000}, ValueError, r"m = 0, n = 1\.00e\+5000 and"),
        ({"m": 0, "n": 2**62, "k": 0}, ValueError, "m = 0, n = 4611686018427387904 and k = 0"),
        ({"m": 2**22, "n": 2**22, "k": 2**22}, ValueError, "bytes or accesses that can be counted"),
        ({"n": 2.5}, TypeError, "n must be a whole number, not 2.5"),
        ({"dtype": "int32"}, TypeError, "dtype must be float32 or float64, not 'int32'"),
        ({"dtype": "number"}, TypeError, "not 'number'"),
        ({"levels": (32768, 8, 64)}, ValueError, r"levels must be a list such as \[\(32768, 8, 64\)\]"),
        ({"levels": []}, ValueError, "levels must be a list"),
        ({"levels": [(32768, 8)]}, ValueError, "a level must be .bytes, ways, bytes of a line., not"),
        ({"levels": [(32768.0, 8, 64)]}, TypeError, "the bytes of a level must be a whole number"),
        ({"levels": [(32768, 0, 64)]}, ValueError, "the ways of a level must be at least 1, not 0"),
        ({"levels": [(32768, 8, 48)]}, ValueError, "a line of 48 bytes .* power of two from 8 up"),
        ({"levels": [(32768, 8, 4)]}, ValueError, "a line of 4 bytes"),
        ({"levels": [(32768, 7, 64)]}, ValueError, "must be a multiple of 448"),
        ({"levels": [(512, 1, 64), (512, 1, 32)]}, ValueError, "32 bytes cannot fill one of 64"),
        ({"levels": [(1 << 80, 1, 64)]}, ValueError, "a level of 1208925819614629174706176 bytes cannot be"),
        ({"tile": 0}, ValueError, "a side of the tile must be at least 1, not 0"),
        ({"tile": (8, 8)}, ValueError, r"tile must be one number, \(tm, tn, tk\) or None"),
    ],
)
def test_what_cannot_be_simulated(changed, error, message):
    arguments = {"order": "ijk", "m": 4, "n": 4, "k": 4} | changed
    with pytest.raises(error, match=message):
        simulate(**arguments)


@pytest.mark.parametrize(
    ("addresses", "error", "message"),
    [
        ([1.5], TypeError, "addresses must be whole numbers"),
        ([[1], [1, 2]], TypeError, "addresses must be whole numbers"),
        ([8, -8], ValueError, "address 1 does not"),
        (np.array([2**63], np.uint64), ValueError, "address 0 does not"),
    ],
)
def test_what_cannot_be_walked(addresses, error, message):
    with pytest.raises(error, match=message):
        walk(addresses)


@given(
    sizes=st.tuples(*[st.integers(0, 7)] * 3),
    tiles=st.tuples(*[st.integers(1, 8)] * 3),
    most=st.integers(1, 400),
)
@settings(max_examples=300, deadline=None)
def test_slices_are_small_and_keep_the_order(sizes, tiles, most):
    def steps(first, last):
        for corner in itertools.product(*map(range, first, last, tiles)):
            ends = [min(at + tile, stop) for at, tile, stop in zip(corner, tiles, last, strict=True)]
            yield from itertools.product(*map(range, corner, ends))

    cut = [list(steps(*box)) for box in boxes(sizes, tiles, most)]
    assert list(itertools.chain(*cut)) == list(steps((0, 0, 0), sizes))
    assert all(0 < len(piece) <= most for piece in cut)


def test_slices_change_no_count(monkeypatch):
    column = 4 * 1024 * np.arange(128)
    whole = simulate("jki", 30, 31, 32, tile=7), walk([column, column])
    monkeypatch.setattr(_cache_slices, "WORK", 32 * 100)
    assert (simulate("jki", 30, 31, 32, tile=7), walk([column, column])) == whole


INTERRUPTED = """
import _thread, threading
import numpy as np
from mlteach.measure import simulate, walk

simulate("ijk", 1, 1, 1), walk([0])
for endless in (
    lambda: simulate("ijk", 1, 10**6, 10**6),
    lambda: simulate("kij", 1, 10**12, 1),
    lambda: simulate("ijk", 10**6, 10**6, 1, tile=8),
    lambda: walk(64 * np.arange(10**6), levels=[(1 << 26, 1 << 20, 64)]),
):
    threading.Timer(0.1, _thread.interrupt_main).start()
    try:
        endless()
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_an_interrupt_ends_what_would_take_hours():
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == 4 * ["interrupted"], done.stderr


def test_naming_the_simulator_imports_no_numba():
    code = "import sys; from mlteach.measure import simulate, walk; print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


NEST = """
enum { N = 60, PAGES = (N * N * sizeof(float) + 4095) / 4096, NEXT = PAGES * 4096 / sizeof(float) };
static volatile float memory[3 * NEXT] __attribute__((aligned(4096)));

__attribute__((noinline)) void nest(volatile float *a, volatile float *b, volatile float *out) {
    for (long j = 0; j < N; j++)
        for (long p = 0; p < N; p++)
            for (long i = 0; i < N; i++)
                out[i * N + j] += a[i * N + p] * b[p * N + j];
}

int main(void) { nest(memory, memory + NEXT, memory + 2 * NEXT); return 0; }
"""


@pytest.fixture
def cachegrind(tmp_path):
    """Run a C program under cachegrind; gives a function's own counts by event."""
    compiler = next(filter(shutil.which, ("cc", "gcc", "clang")), None)
    if compiler is None or shutil.which("valgrind") is None:
        pytest.skip("needs valgrind and a C compiler, to compare with cachegrind")

    def counts(source, function, level):
        program, report = tmp_path / "nest", tmp_path / "report"
        (tmp_path / "nest.c").write_text(source)
        subprocess.run([compiler, "-O1", "-o", program, tmp_path / "nest.c"], check=True)
        cache = ["--cache-sim=yes", "--D1=" + ",".join(map(str, level))]
        tool = ["valgrind", "--tool=cachegrind", *cache, f"--cachegrind-out-file={report}"]
        subprocess.run([*tool, program], check=True, capture_output=True)
        return own_counts(report.read_text(), function)

    return counts


def own_counts(report, function):
    """Add up the lines below each "fn=function" of a cachegrind report."""
    events, inside, total = [], False, {}
    for line in report.splitlines():
        if line.startswith("events:"):
            events = line.split()[1:]
            total = dict.fromkeys(events, 0)
        elif line.startswith("fn="):
            inside = line == f"fn={function}"
        elif inside and line[:1].isdigit():
            for event, count in zip(events, line.split()[1:], strict=True):
                total[event] += int(count)
    return total


def test_cachegrind_counts_the_same(cachegrind):
    level = (8192, 8, 64)
    seen = cachegrind(NEST, "nest", level)
    ours = simulate("jki", 60, 60, 60, levels=[level]).levels[0]
    assert seen["Dr"] + seen["Dw"] == pytest.approx(ours.accesses, rel=0.01)
    assert seen["D1mr"] + seen["D1mw"] == pytest.approx(ours.misses, rel=0.01)
