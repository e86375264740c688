"""What a kernel may say, what its numbers are, and how mistakes of a launch are told."""

import math

import numba
import numpy as np
import pytest
from numba import cuda, float32, int32, uint32
from numba.cuda import grid, syncthreads, threadIdx
from numba.types import float16

from mlteach.gpu import simt

FULL = 0xFFFFFFFF


def run(kernel, *arguments, grid=1, block=32, **options):
    """Run a kernel that must have no problems and return its last argument."""
    trace = simt.run(kernel, grid, block, *arguments, **options)
    assert trace.problems == []
    return arguments[-1]


# -- source


def test_a_kernel_whose_file_is_not_python_runs(tmp_path):
    """As an example in a page of text, whose lines Python 3.13 cannot even cut into words."""
    page = tmp_path / "page.md"
    page.write_text("It's a page\n" * 5, encoding="utf-8")
    names = {"cuda": cuda}
    exec(compile("def k(out):\n    for i in range(3):\n        out[i] = i\n", str(page), "exec"), names)
    assert list(run(names["k"], np.zeros(3), block=1)) == [0, 1, 2]


# -- memory


@cuda.jit
def dynamic(x, out):
    floats = cuda.shared.array(0, float32)
    words = cuda.shared.array(0, uint32)
    back = cuda.shared.array(shape=0, dtype=float32)[32:]
    t = cuda.threadIdx.x
    floats[t] = x[t]
    back[t] = 2 * x[t]
    cuda.syncthreads()
    out[t] = words[t] + floats[63 - t]


def test_dynamic_shared_memory_is_one_memory():
    x = np.arange(32, dtype="f4")
    out = run(dynamic, x, np.zeros(32), shared_bytes=256)
    np.testing.assert_array_equal(out, x.view("u4") + 2 * x[::-1].astype("f8"))
    assert simt.run(dynamic, 1, 32, x, out, shared_bytes=128).problems[0].kind == "out of bounds"


@cuda.jit
def two_on_a_line(out):
    a, b = cuda.shared.array(32, float32), cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    a[t], b[t] = t, 10
    cuda.syncthreads()
    out[t] = a[31 - t] + b[t]


def test_two_shared_arrays_of_one_line_are_two():
    np.testing.assert_array_equal(run(two_on_a_line, np.zeros(32)), np.arange(31, -1, -1) + 10)


@cuda.jit
def stages(out):
    tile = cuda.shared.array((2, 4, 8), np.int32)
    t = cuda.threadIdx.x
    tile[t // 16, t % 4, t % 16 // 4] = t
    row = tile[t // 16, t % 4]
    out[t] = row[t % 16 // 4]


def test_three_dimensions_and_rows():
    np.testing.assert_array_equal(run(stages, np.zeros(32)), np.arange(32))


# -- numbers


@cuda.jit
def store(x, out):
    out[cuda.threadIdx.x] = x[cuda.threadIdx.x]


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_integers_wrap_when_stored(dtype):
    x = np.array([0, 1, -1, 127, 128, 255, 256, 2**31, -(2**31), 2**40 + 3, 2**63 - 1, -(2**63)])
    np.testing.assert_array_equal(run(store, x, np.zeros(12, dtype), block=12), x.astype(dtype))


def test_floats_are_cut_when_stored_as_integers():
    out = run(store, np.array([2.9, -2.9, 0.5]), np.zeros(3, "i4"), block=3)
    np.testing.assert_array_equal(out, [2, -2, 0])


@cuda.jit
def arithmetic(f, i, out):
    out[0] = f[0] * i[0]
    out[1] = f[0] * 0.1
    out[2] = i[1] * 3
    out[3] = i[0] / 2
    out[4] = int32(f[1])
    out[5] = uint32(-1)
    out[6] = f[2] / f[3]


def test_types_follow_numba():
    f, i = np.array([1, 2.7, 1, 0], "f4"), np.array([2**24 + 1, 2**31 - 1], "i4")
    out = run(arithmetic, f, i, np.zeros(7), block=1)
    # float32 * int32 and float32 * literal are float64, int32 widens to 64 bits, x / 0 is infinite
    expected = [2**24 + 1, np.float64(0.1), 3 * (2**31 - 1), (2**24 + 1) / 2, 2, 2**32 - 1, np.inf]
    np.testing.assert_array_equal(out, expected)


@cuda.jit
def random_numbers(seed, out):
    state = seed[0]
    for i in range(out.size):
        state = state * 6364136223846793005 + 1442695040888963407
        out[i] = state


def test_64_bit_integers_wrap():
    state, expected = 1, []
    for _ in range(5):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        expected.append(state)
    out = run(random_numbers, np.ones(1, "i8"), np.zeros(5, "u8"), block=1)
    np.testing.assert_array_equal(out, np.array(expected, "u8"))


@cuda.jit
def functions(x, out):
    t = cuda.threadIdx.x
    out[t, 0] = math.exp(-x[t])
    out[t, 1] = math.sqrt(x[t])
    out[t, 2] = math.log(x[t])
    out[t, 3] = np.float32(math.pi) * float32(0.5)
    out[t, 4] = abs(min(x[t], -x[t]))


def test_functions_keep_float32_and_do_not_raise():
    x = np.array([0, 2, -1000, np.inf], "f4")
    out = run(functions, x, np.zeros((4, 5), "f4"), block=4)
    with np.errstate(all="ignore"):
        expected = [np.exp(-x), np.sqrt(x), np.log(x), np.full(4, np.float32(np.pi) / 2), np.abs(x)]
    np.testing.assert_array_equal(out.T, np.array(expected, "f4"))


@cuda.jit
def halves(x, out):
    t = cuda.threadIdx.x
    out[t] = x[t] * x[t] + float16(1)
    if t == 1:
        out[t] = cuda.fp16.hfma(x[t], x[t], x[t])


def test_float16():
    x = np.array([1.001, 300], "f2")
    out = run(halves, x, np.zeros(2, "f2"), block=2)
    np.testing.assert_array_equal(out, [x[0] * x[0] + np.float16(1), np.inf])


@cuda.jit
def fused(a, b, c, out):
    out[0] = cuda.fma(a[0], b[0], c[0])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_fma_rounds_once(dtype):
    one = np.ones(1, dtype)
    tiny = np.array([np.finfo(dtype).eps], dtype)
    out = run(fused, one + tiny, one - tiny, -one, np.zeros(1, dtype), block=1)
    assert out[0] == -(tiny[0] ** 2)


# -- warps


@cuda.jit
def exchanges(out):
    t = cuda.threadIdx.x
    out[t, 0] = cuda.shfl_sync(FULL, t * 10, 3)
    out[t, 1] = cuda.shfl_up_sync(FULL, t, 2)
    out[t, 2] = cuda.shfl_down_sync(FULL, t, 2)
    out[t, 3] = cuda.shfl_xor_sync(FULL, t, 1)
    out[t, 4] = cuda.ballot_sync(FULL, t % 2)
    out[t, 5] = cuda.any_sync(FULL, t == 40) + 2 * cuda.all_sync(FULL, t >= 32)
    out[t, 6] = cuda.match_any_sync(FULL, t % 4)
    out[t, 7] = cuda.popc(cuda.lanemask_lt()) + cuda.warpsize


def test_warp_exchanges():
    out = run(exchanges, np.zeros((64, 8), "i8"), block=64)
    t = np.arange(64)
    lane = t % 32
    first = t - lane
    expected = [
        10 * (first + 3),
        np.where(lane < 2, t, t - 2),
        np.where(lane > 29, t, t + 2),
        t ^ 1,
        np.full(64, 0xAAAAAAAA),
        np.where(t < 32, 0, 3),
        [sum(1 << i for i in range(k % 4, 32, 4)) for k in t],
        lane + 32,
    ]
    np.testing.assert_array_equal(out.T, expected)


@cuda.jit
def some_lanes(out):
    t = cuda.threadIdx.x
    if t < 8:
        out[t] = cuda.shfl_down_sync(0xFF, t, 4)
    else:
        out[t] = cuda.ballot_sync(0xFFFFFF00, t > 29)


def test_a_mask_names_who_takes_part():
    out = run(some_lanes, np.zeros(32, "i8"))
    np.testing.assert_array_equal(out, [4, 5, 6, 7, 4, 5, 6, 7] + [0xC0000000] * 24)


@cuda.jit
def counts(x, out):
    t = cuda.threadIdx.x
    n = cuda.syncthreads_count(x[t] > 0)
    every, some = cuda.syncthreads_and(x[t] > 0), cuda.syncthreads_or(x[t] > 0)
    out[t] = n + 1000 * every + 2000 * some


def test_barriers_that_count():
    out = run(counts, np.arange(64) % 3, np.zeros(64), block=64)
    np.testing.assert_array_equal(out, 42 + 2000)


@cuda.jit
def atomics(out, old):
    t = cuda.grid(1)
    old[t] = cuda.atomic.add(out, 0, 2)
    cuda.atomic.sub(out, 1, t)
    cuda.atomic.min(out, 2, -t)
    cuda.atomic.max(out, 3, t)
    cuda.atomic.inc(out, 4, 4)
    cuda.atomic.dec(out, 5, 4)
    cuda.atomic.and_(out, 6, ~(1 << t))
    cuda.atomic.or_(out, 7, 1 << t)
    cuda.atomic.xor(out, 8, 3)
    cuda.atomic.exch(out, 9, t)
    cuda.atomic.cas(out, 10, 5, 9)


def test_atomics():
    out = np.array([0, 0, 0, 0, 0, 0, 255, 0, 1, -1, 5])
    old = run(atomics, out, np.zeros(8), grid=2, block=4)
    np.testing.assert_array_equal(out, [16, -28, -7, 7, 3, 2, 0, 255, 1, 7, 9])
    np.testing.assert_array_equal(old, np.arange(0, 16, 2))


@cuda.jit
def small_atomics(out):
    cuda.atomic.add(out, (0, 1), 100)


def test_atomics_wrap_and_take_several_indices():
    out = run(small_atomics, np.zeros((1, 2), "i1"), block=3)
    np.testing.assert_array_equal(out, [[0, 44]])


# -- functions and names


@numba.njit
def twice(x):
    return 2 * x


@cuda.jit(device=True)
def store_sum(tile, t, limit):
    total = 0
    for i in range(limit):
        total += tile[i]
    cuda.syncthreads()
    tile[t] = twice(total)
    return total


@cuda.jit(device=True)
def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


@cuda.jit
def with_functions(out):
    tile = cuda.shared.array(8, int32)
    t = cuda.threadIdx.x
    tile[t] = t
    cuda.syncthreads()
    out[t] = store_sum(tile, t, 8) + 1000 * factorial(t)
    cuda.syncthreads()
    out[t] += tile[t]


def test_device_functions():
    out = run(with_functions, np.zeros(8, "i8"), block=8)
    np.testing.assert_array_equal(out, [28 + 1000 * math.factorial(t) + 56 for t in range(8)])


@cuda.jit
def imported_names(out):
    i = grid(1)
    syncthreads()
    out[i] = threadIdx.x + numba.float32(0.5) + np.int32(1.7)


def test_names_imported_from_numba_cuda():
    out = run(imported_names, np.zeros(8, "f4"), grid=2, block=4)
    np.testing.assert_array_equal(out, [1.5, 2.5, 3.5, 4.5] * 2)


def make(width, table):
    def kernel(out):
        tile = cuda.shared.array(width, float32)
        t = cuda.threadIdx.x
        tile[t] = table[t]
        out[t] = tile[t]

    return kernel


def test_closures():
    np.testing.assert_array_equal(run(make(4, np.arange(4) * 3), np.zeros(4), block=4), [0, 3, 6, 9])
    np.testing.assert_array_equal(run(cuda.jit(make(2, np.ones(2))), np.zeros(2), block=2), [1, 1])


def test_kernels_without_source():
    names = {"cuda": cuda}
    loop = "for j in range(3):\n        cuda.syncthreads()\n        out[i] = j"
    exec(f"def k(out):\n    i = cuda.grid(1)\n    {loop}", names)
    np.testing.assert_array_equal(run(names["k"], np.zeros(8), block=8), 2)
    trace = simt.run(names["k"], 1, 8, np.zeros(7))
    assert [(p.kind, p.line) for p in trace.problems] == [("out of bounds", 5)]


class Intrinsic:
    """An object that takes attributes, as Numba's intrinsics are."""


matrix_sum, slow_copy, wait_copies = Intrinsic(), Intrinsic(), Intrinsic()


@simt.stand_in(matrix_sum)
def _(gpu, value):
    return sum(gpu.exchange(value).values())


@simt.stand_in(slow_copy)
def _(gpu, target, i, source, j):
    gpu.state.setdefault("pending", []).append((target, i, gpu.load(source, j)))


@simt.stand_in(wait_copies)
def _(gpu):
    for target, i, values in gpu.state.pop("pending", []):
        gpu.store(target, i, values)


@cuda.jit(device=True)
def fetch(tile, x, t):
    slow_copy(tile, t, x, t)


def asynchronous(x, out, patient):
    tile = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    fetch(tile, x, t)
    if patient:
        wait_copies()
    cuda.syncthreads()
    out[t] = matrix_sum(tile[31 - t])


def test_stand_ins_of_intrinsics():
    x = np.arange(32, dtype="f4")
    out = np.zeros(32)
    trace = simt.run(asynchronous, 1, 32, x, out, True)
    assert (trace.problems, trace.global_loads, trace.shared_stores) == ([], 32, 32)
    np.testing.assert_array_equal(out, x.sum())
    trace = simt.run(asynchronous, 1, 32, x, np.zeros(32), False)
    assert {p.kind for p in trace.problems} == {"uninitialised read"}


# -- mistakes of a launch


def nothing(out):
    pass


@pytest.mark.parametrize(
    ("grid", "block", "message"),
    [
        (1, 1025, "1025 in x"),
        (1, (32, 33), "1056 threads"),
        (1, (1, 1, 65), "65 in z"),
        ((1, 65536), 1, "65536 in y"),
        (0, 1, "0 in x"),
        (1, (4, -1), "-1 in y"),
    ],
)
def test_impossible_launches(grid, block, message):
    with pytest.raises(ValueError, match=message):
        simt.run(nothing, grid, block, np.zeros(1))


@pytest.mark.parametrize("grid", [1.5, "2", (1, 1, 1, 1), (), None, True])
def test_grids_that_are_none(grid):
    with pytest.raises(TypeError, match="the grid is"):
        simt.run(nothing, grid, 1, np.zeros(1))


@pytest.mark.parametrize("argument", [[1.0], "text", None, np.array(["a"]), np.zeros(1, object)])
def test_wrong_arguments(argument):
    with pytest.raises(TypeError, match="argument out"):
        simt.run(nothing, 1, 1, argument)


def test_wrong_number_of_arguments_and_no_kernel():
    with pytest.raises(TypeError, match=r"nothing takes \(out\), but 2"):
        simt.run(nothing, 1, 1, np.zeros(1), 2)
    with pytest.raises(TypeError, match="the kernel is a int"):
        simt.run(3, 1, 1)
    with pytest.raises(ValueError, match="shared_bytes is -4"):
        simt.run(nothing, 1, 1, np.zeros(1), shared_bytes=-4)


def misspelt(out):
    out[0] = valeu  # noqa: F821


def adds_text(out):
    out[0] = "a" + 1


def too_much_shared(out):
    tile = cuda.shared.array((128, 128), float32)
    tile[0, 0] = 1


def unknown_function(out):
    cuda.teleport(out)


def returns(out):
    return 1


def defines(out):
    out[0] = (lambda x: x)(1)


def whole_array(out):
    out[:] = 1


def float_index(out):
    out[0.5] = 1


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (misspelt, "NameError: name 'valeu' is not defined"),
        (adds_text, "TypeError"),
        (too_much_shared, "65536 bytes of shared memory"),
        (unknown_function, "cuda.teleport"),
        (returns, "returns a value"),
        (defines, "<lambda> inside"),
        (whole_array, "one element at a time"),
        (float_index, "0.5"),
    ],
)
def test_kernels_that_cannot_run(kernel, message):
    with pytest.raises(simt.KernelError, match=message) as raised:
        simt.run(kernel, 2, 2, np.zeros(4))
    assert "\n" not in str(raised.value)


def test_an_error_names_line_thread_and_block():
    with pytest.raises(simt.KernelError) as raised:
        simt.run(misspelt, 2, 2, np.zeros(4))
    line = misspelt.__code__.co_firstlineno + 1
    assert str(raised.value).startswith(f"line {line}: NameError")
    assert "thread (0, 0, 0) of block (0, 0, 0)" in str(raised.value)


def test_read_only_arrays_are_not_written():
    x = np.zeros(4)
    x.flags.writeable = False
    with pytest.raises(simt.KernelError, match="read-only"):
        simt.run(store, 1, 4, np.ones(4), x)


def test_empty_arrays():
    trace = simt.run(store, 1, 1, np.ones(1), np.zeros(0))
    assert [p.kind for p in trace.problems] == ["out of bounds"]
    trace = simt.run(store, 1, 1, np.ones((0, 3)), np.zeros(1))
    assert trace.problems[0].message.startswith("x[0] is outside x")
