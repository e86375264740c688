"""What the simulator finds: each kind of mistake, on honest kernels less a line and on tricky ones."""

import inspect

import numpy as np
import pytest
from numba import cuda, float32, int32

from mlteach.gpu import simt

N = 64


def line_of(kernel, text):
    """The number of the line of a kernel that contains a text."""
    lines, first = inspect.getsourcelines(getattr(kernel, "py_func", kernel))
    return next(first + n for n, line in enumerate(lines) if text in line)


def kinds(trace):
    return [p.kind for p in trace.problems]


def without(kernel, *removed):
    """The same kernel with the lines that contain these texts left out (its source is then unknown)."""
    source = inspect.getsource(getattr(kernel, "py_func", kernel))
    lines = [x for x in source.splitlines() if not x.startswith("@") and not any(r in x for r in removed)]
    assert len(lines) < len(source.splitlines())
    names = dict(getattr(kernel, "py_func", kernel).__globals__)
    exec("\n".join(lines), names)
    return names[kernel.__name__]


# -- honest kernels


@cuda.jit
def reduction(x, out):
    tile = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    tile[t] = x[i] if i < x.size else 0.0
    cuda.syncthreads()  # filled
    step = N // 2
    while step > 0:
        if t < step:
            tile[t] += tile[t + step]
        cuda.syncthreads()  # halved
        step //= 2
    if t == 0:
        out[cuda.blockIdx.x] = tile[0]


@cuda.jit
def transpose(a, out):
    tile = cuda.shared.array((16, 17), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    x, y = cuda.blockIdx.x * 16, cuda.blockIdx.y * 16
    if y + ty < a.shape[0] and x + tx < a.shape[1]:
        tile[ty, tx] = a[y + ty, x + tx]
    cuda.syncthreads()
    if x + ty < out.shape[0] and y + tx < out.shape[1]:
        out[x + ty, y + tx] = tile[tx, ty]


@cuda.jit
def product(a, b, out):
    sa = cuda.shared.array((8, 8), float32)
    sb = cuda.shared.array((8, 8), float32)
    j, i = cuda.grid(2)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    acc = float32(0)
    for p in range(0, a.shape[1], 8):
        sa[ty, tx] = a[i, p + tx] if i < a.shape[0] and p + tx < a.shape[1] else 0
        sb[ty, tx] = b[p + ty, j] if p + ty < b.shape[0] and j < b.shape[1] else 0
        cuda.syncthreads()  # loaded
        for q in range(8):
            acc += sa[ty, q] * sb[q, tx]
        cuda.syncthreads()  # used
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = acc


@cuda.jit
def histogram(values, out):
    bins = cuda.shared.array(8, int32)
    t = cuda.threadIdx.x
    if t < 8:
        bins[t] = 0
    cuda.syncthreads()  # zeroed
    i = cuda.grid(1)
    while i < values.size:
        cuda.atomic.add(bins, values[i], 1)
        i += cuda.gridsize(1)
    cuda.syncthreads()  # counted
    if t < 8:
        cuda.atomic.add(out, t, bins[t])


@cuda.jit
def warp_sum(x, out):
    value = x[cuda.grid(1)]
    step = 16
    while step > 0:
        value += cuda.shfl_down_sync(0xFFFFFFFF, value, step)
        step //= 2
    if cuda.laneid == 0:
        cuda.atomic.add(out, 0, value)


@cuda.jit
def warp_synchronous(x, out):
    tile = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    tile[t] = x[t]
    cuda.syncwarp()  # filled
    step = 16
    while step > 0:
        if t < step:
            tile[t] += tile[t + step]
        cuda.syncwarp()  # halved
        step //= 2
    if t == 0:
        out[0] = tile[0]


@cuda.jit
def double_buffer(x, out):
    tile = cuda.shared.array((2, 32), float32)
    t = cuda.threadIdx.x
    acc = float32(0)
    tile[0, t] = x[0, t]
    cuda.syncthreads()  # first
    for s in range(x.shape[0]):
        if s + 1 < x.shape[0]:
            tile[(s + 1) % 2, t] = x[s + 1, t]
        acc += tile[s % 2, 31 - t]
        cuda.syncthreads()  # staged
    out[t] = acc


def launch_reduction(kernel=reduction):
    x, out = np.arange(150, dtype="f4"), np.zeros(3, "f4")
    return simt.run(kernel, 3, N, x, out), out, [x[:64].sum(), x[64:128].sum(), x[128:].sum()]


def launch_transpose(kernel=transpose):
    a = np.arange(20 * 35, dtype="f4").reshape(20, 35)
    out = np.zeros((35, 20), "f4")
    return simt.run(kernel, (3, 2), (16, 16), a, out), out, a.T


def launch_product(kernel=product):
    a, b = (
        np.arange(13 * 19, dtype="f4").reshape(13, 19) % 7,
        np.arange(19 * 10, dtype="f4").reshape(19, 10) % 5,
    )
    out = np.zeros((13, 10), "f4")
    return simt.run(kernel, (2, 2), (8, 8), a, b, out), out, a @ b


def launch_histogram(kernel=histogram):
    values, out = np.arange(200) * 7 % 8, np.zeros(8, "i4")
    return simt.run(kernel, 2, 32, values, out), out, np.bincount(values, minlength=8)


def launch_warp_sum(kernel=warp_sum):
    x, out = np.arange(64, dtype="f4"), np.zeros(1, "f4")
    return simt.run(kernel, 1, 64, x, out), out, [x.sum()]


def launch_warp_synchronous(kernel=warp_synchronous):
    x, out = np.arange(32, dtype="f4"), np.zeros(1, "f4")
    return simt.run(kernel, 1, 32, x, out), out, [x.sum()]


def launch_double_buffer(kernel=double_buffer):
    x, out = np.arange(160, dtype="f4").reshape(5, 32), np.zeros(32, "f4")
    return simt.run(kernel, 1, 32, x, out), out, x.sum(axis=0)[::-1]


LAUNCHES = [
    launch_reduction, launch_transpose, launch_product, launch_histogram, launch_warp_sum,
    launch_warp_synchronous, launch_double_buffer,
]  # fmt: skip


@pytest.mark.parametrize("launch", LAUNCHES)
def test_correct_kernels_have_no_problems(launch):
    trace, out, expected = launch()
    assert trace.problems == []
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("launch", "kernel", "removed"),
    [
        (launch_reduction, reduction, "filled"),
        (launch_reduction, reduction, "halved"),
        (launch_transpose, transpose, "syncthreads"),
        (launch_product, product, "loaded"),
        (launch_product, product, "used"),
        (launch_histogram, histogram, "zeroed"),
        (launch_histogram, histogram, "counted"),
        (launch_warp_synchronous, warp_synchronous, "filled"),
        (launch_warp_synchronous, warp_synchronous, "halved"),
        (launch_double_buffer, double_buffer, "first"),
        (launch_double_buffer, double_buffer, "staged"),
    ],
)
def test_a_removed_barrier_is_a_race_and_nothing_else(launch, kernel, removed):
    assert set(kinds(launch(without(kernel, removed))[0])) == {"race"}


# -- races


@cuda.jit
def neighbour(out):
    tile = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    tile[t] = t
    out[t] = tile[(t + 1) % N]


@cuda.jit
def hidden_by_order(out):
    tile = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    tile[t] = t
    out[t] = tile[max(t - 1, 0)]  # threads run in order here, so this always reads what was written


@cuda.jit
def same_value(out):
    out[0] = 1


@cuda.jit
def lost_updates(values, out):
    out[values[cuda.grid(1)]] += 1


@cuda.jit
def read_then_overwritten(x, out):
    t = cuda.threadIdx.x
    out[t] = x[(t + 1) % N]
    x[t] = 0


@cuda.jit
def blocks_read_and_write(x):
    if cuda.threadIdx.x == 0:
        if cuda.blockIdx.x == 0:
            x[0] = 1
        else:
            x[cuda.blockIdx.x] = x[0]


@cuda.jit
def atomic_beside_plain(out):
    if cuda.threadIdx.x == 40:
        out[0] = 5
    else:
        cuda.atomic.add(out, 0, 1)


def test_races_name_both_places():
    trace = simt.run(neighbour, 1, N, np.zeros(N, "f4"))
    (problem,) = trace.problems
    store, load = line_of(neighbour, "tile[t] = t"), line_of(neighbour, "out[t] = tile")
    assert (problem.kind, problem.line, problem.block) == ("race", store, (0, 0, 0))
    assert problem.thread in [(t, 0, 0) for t in range(N)]
    assert f"line {load}" in problem.message
    assert "tile[" in problem.message
    assert "63 more elements" in problem.message


@pytest.mark.parametrize(
    ("kernel", "arguments"),
    [
        (hidden_by_order, (np.zeros(N, "f4"),)),
        (same_value, (np.zeros(1, "f4"),)),
        (lost_updates, (np.zeros(N, "i8"), np.zeros(1, "i4"))),
        (read_then_overwritten, (np.ones(N, "f4"), np.zeros(N, "f4"))),
        (atomic_beside_plain, (np.zeros(1, "i4"),)),
    ],
)
def test_races_inside_a_block(kernel, arguments):
    assert kinds(simt.run(kernel, 1, N, *arguments)) == ["race"]


@pytest.mark.parametrize("kernel", [same_value, blocks_read_and_write])
def test_races_between_blocks(kernel):
    trace = simt.run(kernel, 3, 1, np.zeros(8, "f4"))
    assert kinds(trace) == ["race"]
    assert "nothing orders two blocks" in trace.problems[0].message


@cuda.jit
def shift(src, dst):
    i = cuda.grid(1)
    if i < dst.size:
        dst[i] = src[i] + 1


def test_races_through_two_views_of_one_array():
    memory = np.zeros(N + 1, "f4")
    assert simt.run(shift, 1, N, memory[:-1], memory[:-1]).problems == []  # each thread its own element
    assert kinds(simt.run(shift, 1, N, memory[:-1], memory[1:])) == ["race"]
    assert kinds(simt.run(shift, N, 1, memory[:-1], memory[1:])) == ["race"]
    assert simt.run(shift, 1, N // 2, memory[::2], memory[1::2]).problems == []  # interleaved, never equal


@cuda.jit
def through_rows(tile_out):
    tile = cuda.shared.array((2, 32), float32)
    row, turned = tile[1], tile.T
    t = cuda.threadIdx.x
    row[t] = t
    tile_out[t] = turned[31 - t, 1]


def test_races_through_views_made_in_the_kernel():
    assert kinds(simt.run(through_rows, 1, 32, np.zeros(32, "f4"))) == ["race"]


@cuda.jit
def compare_and_swap_maximum(x, out):
    i = cuda.grid(1)
    held = out[0]
    while held < x[i]:
        seen = cuda.atomic.cas(out, 0, held, x[i])
        held = x[i] if seen == held else seen


@cuda.jit
def total_read_too_early(x, out, seen):
    i = cuda.grid(1)
    cuda.atomic.add(out, 0, x[i])
    seen[i] = out[0]


def test_a_plain_look_before_an_atomic_is_no_race_but_one_after_is():
    x, out = np.arange(N) * 37 % 101, np.zeros(1, "i8")
    assert simt.run(compare_and_swap_maximum, 2, N // 2, x, out).problems == []
    assert out[0] == x.max()
    assert set(kinds(simt.run(total_read_too_early, 2, N // 2, x, out, np.zeros(N)))) == {"race"}


@cuda.jit
def half_warps(out, mask):
    tile = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    tile[t] = t
    if t < 16:
        cuda.syncwarp(mask)
        out[t] = tile[t ^ 1]  # written by a lane that has met this one
    else:
        out[t] = tile[t]


@cuda.jit
def across_half_warps(out):
    tile = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    tile[t] = t
    if t < 16:
        cuda.syncwarp(0xFFFF)
    else:
        cuda.syncwarp(0xFFFF0000)
    out[t] = tile[t ^ 16]  # both have synchronised, but not with one another


def test_syncwarp_orders_the_lanes_that_it_names():
    out = np.zeros(32, "f4")
    assert simt.run(half_warps, 1, 32, out, 0xFFFF).problems == []
    np.testing.assert_array_equal(out, [*(t ^ 1 for t in range(16)), *range(16, 32)])
    assert kinds(simt.run(across_half_warps, 1, 32, out)) == ["race"]


@cuda.jit
def warps_are_not_ordered(out):
    tile = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    tile[t] = t
    cuda.syncwarp()
    out[t] = tile[t ^ 32]


def test_syncwarp_does_not_order_two_warps():
    assert kinds(simt.run(warps_are_not_ordered, 1, N, np.zeros(N, "f4"))) == ["race"]


# -- barriers


@cuda.jit
def early_return(out):
    t = cuda.grid(1)
    if t >= out.size:
        return
    out[t] = 1
    cuda.syncthreads()


@cuda.jit
def only_some(out):
    if cuda.threadIdx.x < 32:
        cuda.syncthreads()
    out[cuda.threadIdx.x] = 1


@cuda.jit
def two_sites(out):
    if cuda.threadIdx.x % 2:
        cuda.syncthreads()
    else:
        cuda.syncthreads()


@cuda.jit
def divergent_loop(out):
    for _ in range(1 + cuda.threadIdx.x % 3):
        cuda.syncthreads()


@cuda.jit
def in_another_iteration(out):
    for r in range(2):
        if cuda.threadIdx.x % 2 == r:  # everyone comes once, at the same place
            cuda.syncthreads()


@cuda.jit
def lanes_missing(out):
    if cuda.threadIdx.x < 16:
        cuda.syncwarp()
    cuda.syncthreads()


@pytest.mark.parametrize(
    "kernel", [early_return, only_some, two_sites, divergent_loop, in_another_iteration, lanes_missing]
)
def test_divergent_barriers(kernel):
    trace = simt.run(kernel, 1, N, np.zeros(40, "f4") if kernel is early_return else np.zeros(N, "f4"))
    assert set(kinds(trace)) == {"divergent barrier"}
    lines, first = inspect.getsourcelines(kernel.py_func)
    assert "sync" in lines[trace.problems[0].line - first]


@cuda.jit
def uniform_barriers(out):
    for r in range(3):
        if r % 2 == 0:
            cuda.syncthreads()
        for _ in range(cuda.threadIdx.x % 4):
            out[cuda.threadIdx.x] += 1
        while cuda.syncthreads_or(r < 0):
            pass


def test_uniform_barriers_are_fine():
    trace = simt.run(uniform_barriers, 2, 32, np.zeros(32, "f4"))
    assert set(kinds(trace)) == {"race"}  # two blocks share out, and that is all
    assert simt.run(uniform_barriers, 1, 32, np.zeros(32, "f4")).problems == []
    assert trace.barriers == 2 * (2 + 3)


# -- indices and first reads


@cuda.jit
def index(x, out, i):
    out[0] = x[i]


@cuda.jit
def store_at(x, i):
    x[i] = 7


@cuda.jit
def index2(x, out, i, j):
    out[0] = x[i, j]


def test_index_past_the_end_reads_zero_and_writes_nothing():
    x, out = np.full(5, 3.0, "f4"), np.ones(1, "f4")
    trace = simt.run(index, 1, 1, x, out, 5)
    assert (kinds(trace), out[0], trace.global_loads) == (["out of bounds"], 0, 0)
    assert (trace.problems[0].line, trace.problems[0].thread) == (line_of(index, "out[0]"), (0, 0, 0))
    assert "x[5]" in trace.problems[0].message
    assert kinds(simt.run(store_at, 1, 1, x, 5)) == ["out of bounds"]
    np.testing.assert_array_equal(x, 3)


def test_a_negative_index_is_reported_and_wraps():
    x, out = np.arange(5, dtype="f4"), np.ones(1, "f4")
    assert (kinds(simt.run(index, 1, 1, x, out, -1)), out[0]) == (["out of bounds"], 4)
    assert (kinds(simt.run(index, 1, 1, x, out, -6)), out[0]) == (["out of bounds"], 0)
    assert kinds(simt.run(store_at, 1, 1, x, -2)) == ["out of bounds"]
    np.testing.assert_array_equal(x, [0, 1, 2, 7, 4])


@pytest.mark.parametrize(("i", "j", "value"), [(0, 3, 0), (2, 0, 0), (-1, 1, 4), (1, -3, 3), (0, -4, 0)])
def test_each_dimension_is_checked(i, j, value):
    out = np.ones(1)
    assert kinds(simt.run(index2, 1, 1, np.arange(6.0).reshape(2, 3), out, i, j)) == ["out of bounds"]
    assert out[0] == value


TABLE = np.arange(4.0)


@cuda.jit
def other_spaces(out, i):
    tile = cuda.shared.array((2, 4), float32)
    mine = cuda.local.array(4, float32)
    fixed = cuda.const.array_like(TABLE)
    for j in range(4):
        tile[0, j] = j
        mine[j] = j
    out[0] = tile[0, i]
    out[1] = mine[i]
    out[2] = fixed[i]
    mine[i] = 1


def test_shared_local_and_constant_arrays_are_checked():
    trace = simt.run(other_spaces, 1, 1, np.zeros(3), 4)
    assert kinds(trace) == ["out of bounds"] * 4
    assert [p.message.split("[")[0] for p in trace.problems] == ["tile", "mine", "TABLE", "mine"]
    assert simt.run(other_spaces, 1, 1, np.zeros(3), 3).problems == []


@cuda.jit
def read_before_write(out, shared):
    tile = cuda.shared.array((4, 4), float32)
    mine = cuda.local.array((2, 2), float32)
    t = cuda.threadIdx.x
    if shared:
        tile[t, 1] += 1
    else:
        mine[1, 0] += 1
    cuda.syncthreads()
    out[t] = tile[t, 1] if shared else mine[1, 0]


@pytest.mark.parametrize(("shared", "element"), [(True, "tile[0, 1]"), (False, "mine[1, 0]")])
def test_read_before_write(shared, element):
    trace = simt.run(read_before_write, 1, 4, np.zeros(4), shared)
    assert kinds(trace) == ["uninitialised read"]
    assert element in trace.problems[0].message
    assert trace.problems[0].line == line_of(
        read_before_write, element.split("[")[0] + "[t, 1] +=" if shared else "mine[1, 0] +="
    )


@cuda.jit
def left_by_the_block_before(out):
    tile = cuda.shared.array(1, float32)
    if cuda.blockIdx.x == 0:
        tile[0] = 5
    out[cuda.blockIdx.x] = tile[0]


def test_shared_memory_does_not_survive_its_block():
    out = np.ones(2, "f4")
    trace = simt.run(left_by_the_block_before, 2, 1, out)
    assert (kinds(trace), trace.problems[0].block) == (["uninitialised read"], (1, 0, 0))


# -- endless loops


@cuda.jit
def spin(out):
    while True:
        pass


@cuda.jit
def step_zero(out):
    i = 0
    while i < 10:
        out[0] = i


@cuda.jit
def one_thread_spins(out):
    t = cuda.threadIdx.x
    while t == 5:
        t = 5
    cuda.syncthreads()


@cuda.jit
def barriers_for_ever(out):
    for _ in range(3):
        while True:
            cuda.syncthreads()


@cuda.jit
def nested(out):
    for _ in range(2):
        p = 0
        while p < 5:
            for q in range(3):
                p += q - 1


@cuda.jit
def stubborn(out):
    while True:
        try:
            while True:  # inner
                out[0] = 1
        except Exception:
            pass


@cuda.jit
def never_released(lock, out):
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    cuda.syncthreads()


@cuda.jit(device=True)
def search(x):
    while x != 1:
        x = x
    return x


@cuda.jit
def in_a_device_function(out):
    out[0] = search(2)


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (spin, "while True"),
        (step_zero, "while i"),
        (one_thread_spins, "while t"),
        (barriers_for_ever, "while True"),
        (nested, "while p"),
        (stubborn, "inner"),
    ],
)
def test_endless_loops(kernel, text):
    trace = simt.run(kernel, 2, 64, np.zeros(1, "f4"))
    endless = [p for p in trace.problems if p.kind == "endless loop"]
    assert [p.line for p in endless] == [line_of(kernel, text)]


def test_endless_loops_elsewhere():
    assert kinds(simt.run(never_released, 1, 2, np.zeros(1, "i4"), np.zeros(1))) == ["endless loop"]
    trace = simt.run(in_a_device_function, 1, 1, np.zeros(1))
    assert [(p.kind, p.line) for p in trace.problems] == [("endless loop", line_of(search, "while x"))]
    names = {}
    exec("def spin(out):\n    while True:\n        pass\n", names)
    assert kinds(simt.run(names["spin"], 1, 8, np.zeros(1))) == ["endless loop"]


@cuda.jit
def lock_in_turn(lock, out):
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    cuda.atomic.add(out, 0, 1)
    cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def wait_for_a_later_thread(flag, out):
    t = cuda.threadIdx.x
    if t == 0:
        while cuda.atomic.add(flag, 0, 0) == 0:
            pass
        out[0] = 3
    if t == 63:
        cuda.atomic.exch(flag, 0, 1)


@cuda.jit
def long_but_finite(out):
    n = 0
    for i in range(200_000):
        n += i & 1
    out[0] = n


def test_long_waits_are_not_endless():
    out = np.zeros(1, "i8")
    assert simt.run(lock_in_turn, 1, 64, np.zeros(1, "i4"), out).problems == []
    assert out[0] == 64
    assert simt.run(wait_for_a_later_thread, 1, 64, np.zeros(1, "i4"), out).problems == []
    assert simt.run(long_but_finite, 1, 1, out).problems == []
    assert out[0] == 100_000


# -- always the same


@cuda.jit
def many_mistakes(x, out):
    tile = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    tile[t] = x[t + 1]
    out[0] += tile[(t + 3) % N]
    if t % 3:
        cuda.syncthreads()
    mine = cuda.local.array(2, float32)
    out[t] = mine[1] + x[-1]


def test_equal_text_in_five_runs():
    texts = {str(simt.run(many_mistakes, 2, N, np.ones(N, "f4"), np.zeros(N, "f4"))) for _ in range(5)}
    assert len(texts) == 1
    found = set(kinds(simt.run(many_mistakes, 2, N, np.ones(N, "f4"), np.zeros(N, "f4"))))
    assert found == {"race", "divergent barrier", "out of bounds", "uninitialised read"}
