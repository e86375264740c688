"""CUDA kernels, right in any style, and wrong in each way that a checker must notice."""

import functools
import itertools

import numpy as np
import pytest
from numba import cuda, float32

from mlteach.gpu.kernels import CUDA
from mlteach.gpu.variants import with_constants
from mlteach.teach import check
from mlteach.teach.check import Report
from tests.teach.test_check import HOSTILE, NOT_CALLABLE, assert_presentable, nothing_else_changes, raising

TILE = 4
WARP_BLOCK = (32, 2)  # rows of a warp, as in blocks of 32 x 32, with a sixteenth of their threads
CHECKERS = {
    "cuda_matmul": functools.partial(check.cuda_matmul, block=(4, 2)),
    "tiled_product": functools.partial(check.tiled_product, tile=TILE),
    "vector_add": check.vector_add,
    "transpose": check.transpose,
}
HOST_A, HOST_B = np.ones((2, 70), np.float32), np.ones((70, 70), np.float32)


# Products


def right(a, b, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        acc = float32(0)
        for p in range(a.shape[1]):
            acc += a[i, p] * b[p, j]
        out[i, j] = acc


jitted = cuda.jit(right)


def summing_in_memory(a, b, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = 0
        for p in range(a.shape[1]):
            out[i, j] += a[i, p] * b[p, j]


def striding(a, b, out):
    x, y = cuda.grid(2)
    across, down = cuda.gridsize(2)
    for i in range(y, out.shape[0], down):
        for j in range(x, out.shape[1], across):
            acc = float32(0)
            for p in range(a.shape[1]):
                acc += a[i, p] * b[p, j]
            out[i, j] = acc


def swapped(a, b, out):
    i, j = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        acc = float32(0)
        for p in range(a.shape[1]):
            acc += a[i, p] * b[p, j]
        out[i, j] = acc


def one_thread(a, b, out):
    if cuda.grid(2) == (0, 0):
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[i, j] = 0
                for p in range(a.shape[1]):
                    out[i, j] += a[i, p] * b[p, j]


def unguarded(a, b, out):
    j, i = cuda.grid(2)
    acc = float32(0)
    for p in range(a.shape[1]):
        acc += a[i, p] * b[p, j]
    out[i, j] = acc


def guarded_by_columns(a, b, out):
    j, i = cuda.grid(2)
    if j < out.shape[1]:
        acc = float32(0)
        for p in range(a.shape[1]):
            acc += a[i, p] * b[p, j]
        out[i, j] = acc


def square_only(a, b, out):
    j, i = cuda.grid(2)
    n = out.shape[0]
    if i < n and j < n:
        acc = float32(0)
        for p in range(n):
            acc += a[i, p] * b[p, j]
        out[i, j] = acc


def host_arrays(a, b, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        acc = float32(0)
        for p in range(a.shape[1]):
            acc += HOST_A[i % 2, p] * HOST_B[p, j]
        out[i, j] = acc


def host_size(a, b, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        acc = float32(0)
        for p in range(HOST_A.shape[1]):
            acc += a[i, p] * b[p, j]
        out[i, j] = acc


def writes_nothing(a, b, out):
    j, i = cuda.grid(2)
    acc = float32(0)
    if i < out.shape[0] and j < out.shape[1]:
        for p in range(a.shape[1]):
            acc += a[i, p] * b[p, j]


def forgets_the_last_column(a, b, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < max(1, out.shape[1] - 1):
        right(a, b, out)


def adds_to_what_was_there(a, b, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        for p in range(a.shape[1]):
            out[i, j] += a[i, p] * b[p, j]


def nothing_without_k(a, b, out):
    if a.shape[1] > 0:
        right(a, b, out)


def changes_a(a, b, out):
    right(a, b, out)
    if cuda.grid(2) == (0, 0) and a.size:
        a[0, 0] = 0


def shared_cell(a, b, out):
    if a.shape[1]:
        out[0, 0] = cuda.threadIdx.x


def endless(a, b, out):
    p = 0
    while p < a.shape[1] + 1:
        p += 0


def exits(a, b, out):
    raise SystemExit(3)


def fails(a, b, out):
    j, i = cuda.grid(2)
    out[i, j] = 1 // (i - i)


def asks_for_more(a, b, out):
    cuda.cooperative_groups()


def returns(a, b, out):
    return a.shape[0]


def two_arguments(a, b):
    pass


@pytest.mark.parametrize(
    ("kernel", "block"),
    [
        *itertools.product([right, striding], [WARP_BLOCK, (16, 8), (8, 8, 1), 64]),
        (jitted, (32, 16)),
    ],
)
def test_right_products_pass(kernel, block):
    report = check.cuda_matmul(kernel, block)
    assert report.passed, report
    assert report.lines[0].startswith("passed: 35 products on the simulator, sizes 0 to ")


@pytest.mark.parametrize(
    "name",
    [
        "cuda_coalesced",
        pytest.param("cuda_shared", marks=pytest.mark.slow),
        pytest.param("cuda_registers_1d", marks=pytest.mark.slow),
        pytest.param("cuda_registers_2d", marks=pytest.mark.slow),
    ],
)
def test_the_rungs_pass(name):
    report = check.cuda_matmul(CUDA[name].function, CUDA[name].block, CUDA[name].grid)
    assert report.passed, report


@pytest.mark.parametrize("grid", [(1, 1), 3])
def test_one_grid_serves_all_shapes_where_the_kernel_strides(grid):
    assert check.cuda_matmul(striding, (8, 8), grid).passed
    assert not check.cuda_matmul(right, (8, 8), grid).passed


WRONG = [
    (swapped, "(32, 32) @ (32, 32): the numbers are right, but take 33 sectors for a warp and step"),
    (CUDA["cuda_naive"].function, "take 33 sectors for a warp and step, expected at most 5"),
    (summing_in_memory, "take 9 sectors for a warp and step, expected at most 5"),
    (one_thread, "sectors for a warp and step, expected at most 5"),
    (unguarded, "out of bounds: b[0, 1] is outside b, which has shape (1, 1)"),
    (guarded_by_columns, "out of bounds: a[1, 0] is outside a, which has shape (1, 1)"),
    (square_only, "(2, 3) @ (3, 0): line "),
    (host_arrays, "(1, 1) @ (1, 1): expected -"),
    (host_size, "(1, 1) @ (1, 1): line "),
    (writes_nothing, "(1, 1) @ (1, 1): expected a number in out[0, 0], came the nan that was there before"),
    (
        forgets_the_last_column,
        "(2, 0) @ (0, 3): expected a number in out[0, 2], came the nan that was there before",
    ),
    (adds_to_what_was_there, "(2, 0) @ (0, 3): expected a number in out[0, 0], came the nan"),
    (nothing_without_k, "in out[0, 0], came the nan that was there before (6 of 6 cells)"),
    (changes_a, "expected a as it was, but the call changed it"),
    (shared_cell, "race: thread (0, 0, 0) of block (0, 0, 0) writes out[0, 0]"),
    (endless, "endless loop: this loop does not end"),
    (exits, "(1, 1) @ (1, 1): raised SystemExit: 3"),
    (fails, "raised ZeroDivisionError: "),
    (asks_for_more, "the simulator does not know cuda.cooperative_groups"),
    (returns, "the kernel returns a value: write it to an array instead"),
    (two_arguments, "raised TypeError: two_arguments takes (a, b), but 3 arguments were given"),
]


@pytest.mark.parametrize(("kernel", "line"), WRONG)
def test_wrong_products_do_not(kernel, line):
    report = check.cuda_matmul(kernel, WARP_BLOCK)
    assert not report.passed
    assert line in "\n".join(report.lines)
    assert_presentable(report)


# Tiles


def tiled(tiles=None, step=TILE, first=True, second=True, leave=False, guard=True, size=TILE):
    """Make a tiled product with something left out."""

    def product(a, b, out):
        sa = cuda.shared.array((TILE, TILE), float32)
        sb = cuda.shared.array((TILE, TILE), float32)
        j, i = cuda.grid(2)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        m, n, k = out.shape[0], out.shape[1], a.shape[1]
        if leave and not (i < m and j < n):
            return
        acc = float32(0)
        for t in range(
            cuda.gridDim.x if tiles == "grid" else k // step if tiles == "down" else -(-k // step)
        ):
            p0 = t * step
            if guard:
                sa[ty, tx] = a[i, p0 + tx] if i < m and p0 + tx < k else float32(0)
                sb[ty, tx] = b[p0 + ty, j] if p0 + ty < k and j < n else float32(0)
            else:
                sa[ty, tx] = a[i, p0 + tx]
                sb[ty, tx] = b[p0 + ty, j]
            if first:
                cuda.syncthreads()
            for p in range(size):
                acc += sa[ty, p] * sb[p, tx]
            if second:
                cuda.syncthreads()
        if i < m and j < n:
            out[i, j] = acc

    return product


def twice_loaded(a, b, out):
    tiled_right(a, b, out)
    cuda.syncthreads()
    tiled_right(a, b, out)


tiled_right = tiled()
small_rung = cuda.jit(with_constants(CUDA["cuda_shared"].function.py_func, TILE=TILE))  # 14 checks it whole
TILES = [
    (tiled(first=False), "race: "),
    (tiled(second=False), "race: "),
    (tiled(first=False, second=False), "race: "),
    (tiled(leave=True), "divergent barrier: "),
    (tiled(guard=False), "out of bounds: "),
    (tiled(tiles="grid"), "(3, 11) @ (11, 2): expected "),
    (tiled(tiles="down"), "(1, 1) @ (1, 1): expected "),
    (tiled(size=TILE - 1), "expected "),
    (tiled(step=TILE - 1), "expected "),
]


@pytest.mark.parametrize("kernel", [tiled_right, small_rung])
@pytest.mark.parametrize("name", ["cuda_matmul", "tiled_product"])
def test_a_right_tiled_product_passes(name, kernel):
    report = (
        check.tiled_product(kernel, TILE)
        if name == "tiled_product"
        else check.cuda_matmul(kernel, (TILE, TILE))
    )
    assert report.passed, report


@pytest.mark.parametrize(("kernel", "line"), TILES)
def test_wrong_tiles_do_not(kernel, line):
    tiles = check.tiled_product(kernel, TILE), check.cuda_matmul(kernel, (TILE, TILE))
    for report in tiles:
        assert not report.passed
        assert_presentable(report)
    assert line in "\n".join(tiles[0].lines)


def test_loads_from_global_memory_are_counted():
    assert check.tiled_product(twice_loaded, TILE).lines[1] == (
        "(1, 1) @ (1, 1): the numbers are right, but take 4 loads from global memory, expected at most 2"
    )
    untiled = check.tiled_product(right, TILE)
    assert "(2, 3) @ (3, 4): the numbers are right, but take 48 loads" in untiled.lines[1]


# Vectors


def add(x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] + y[i]


def add_striding(x, y, out):
    for i in range(cuda.grid(1), out.shape[0], cuda.gridsize(1)):
        out[i] = x[i] + y[i]


def add_reversed(x, y, out):
    i = out.size - 1 - cuda.grid(1)
    if i >= 0:
        out[i] = x[i] + y[i]


def add_unguarded(x, y, out):
    i = cuda.grid(1)
    out[i] = x[i] + y[i]


def add_guarded_too_late(x, y, out):
    i = cuda.grid(1)
    if i <= out.size:
        out[i] = x[i] + y[i]


def add_in_first_block(x, y, out):
    i = cuda.threadIdx.x
    if i < out.size and cuda.blockIdx.x == 0:
        out[i] = x[i] + y[i]


def add_in_every_block(x, y, out):
    for i in range(cuda.threadIdx.x, out.size, cuda.blockDim.x):
        out[i] = x[i] + y[i]


def add_alone(x, y, out):
    if cuda.grid(1) == 0:
        for i in range(out.size):
            out[i] = x[i] + y[i]


def add_x_twice(x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = x[i] + x[i]


def add_from_the_end(x, y, out):
    i = cuda.grid(1) - out.size
    if i < 0:
        out[i] = x[i] + y[i]


@pytest.mark.parametrize("kernel", [add, add_striding])
def test_right_sums_pass(kernel):
    assert repr(check.vector_add(kernel)) == "passed: 20 sums on the simulator, sizes 0 to 257"


@pytest.mark.parametrize(
    ("kernel", "line"),
    [
        (add_unguarded, "out of bounds: x[0] is outside x, which has length 0 "),
        (add_guarded_too_late, "out of bounds: x[0] is outside x"),
        (add_in_first_block, "n = 33: expected a number in out[32], came the nan"),
        (add_in_every_block, "race: "),
        (add_reversed, "n = 33: the numbers are right, but take "),
        (add_alone, "n = 2: the numbers are right, but take 4 sectors of x and y, expected at most 2"),
        (add_x_twice, "n = 1: expected "),
        (add_from_the_end, "Numba counts a negative index from the end"),
        (lambda x, y, out: np.add(x, y, out), "not passed"),
    ],
)
def test_wrong_sums_do_not(kernel, line):
    report = check.vector_add(kernel)
    assert not report.passed
    assert line in "\n".join(report.lines)


# Turns


def turn(a, out):
    j, i = cuda.grid(2)
    if i < a.shape[0] and j < a.shape[1]:
        out[j, i] = a[i, j]


def turn_writing_along_rows(a, out):
    i, j = cuda.grid(2)
    if i < a.shape[0] and j < a.shape[1]:
        out[j, i] = a[i, j]


def turn_through_a_tile(a, out):
    tile = cuda.shared.array((16, 17), float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    x, y = cuda.blockIdx.x * 16, cuda.blockIdx.y * 16
    if y + ty < a.shape[0] and x + tx < a.shape[1]:
        tile[ty, tx] = a[y + ty, x + tx]
    cuda.syncthreads()
    if x + ty < out.shape[0] and y + tx < out.shape[1]:
        out[x + ty, y + tx] = tile[tx, ty]


def turn_squares(a, out):
    i, j = cuda.grid(2)
    if i < a.shape[0] and j < a.shape[0]:
        out[j, i] = a[i, j]


def turn_unguarded(a, out):
    i, j = cuda.grid(2)
    out[j, i] = a[i, j]


def copy(a, out):
    i, j = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = a[i % max(a.shape[0], 1), j % max(a.shape[1], 1)]


def turn_alone(a, out):
    if cuda.grid(2) == (0, 0):
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                out[j, i] = a[i, j]


def turn_rows(a, out):
    i = cuda.grid(1)
    if cuda.grid(2) == (i, 0) and i < a.shape[0]:
        for j in range(a.shape[1]):
            out[j, i] = a[i, j]


@pytest.mark.parametrize("kernel", [turn, turn_writing_along_rows, turn_through_a_tile, turn_rows])
def test_right_turns_pass(kernel):
    assert repr(check.transpose(kernel)) == "passed: 26 matrices turned on the simulator"


@pytest.mark.parametrize(
    ("kernel", "line"),
    [
        (turn_squares, "a (3, 0): line "),
        (turn_unguarded, "out of bounds: a[1, 0] is outside a"),
        (copy, "a (2, 3): expected "),
        (
            turn_alone,
            "a (32, 32): the numbers are right, but take 64 sectors for 32 elements, expected at most 36",
        ),
    ],
)
def test_wrong_turns_do_not(kernel, line):
    report = check.transpose(kernel)
    assert not report.passed
    assert line in "\n".join(report.lines)


# What holds for all of them


@pytest.mark.parametrize("name", CHECKERS)
@pytest.mark.parametrize("deed", HOSTILE)
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_nothing_makes_a_checker_raise(name, deed):
    with nothing_else_changes():
        report = CHECKERS[name](HOSTILE[deed])
    assert_presentable(report)
    assert not report.passed


@pytest.mark.parametrize("name", CHECKERS)
def test_stubs_are_not_solved_yet(name):
    def stub(*args):
        raise NotImplementedError

    @cuda.jit
    def only_its_place(*args):
        place = cuda.grid(2)  # noqa: F841

    for unsolved in (None, ..., lambda *args: None, stub, only_its_place):
        assert CHECKERS[name](unsolved) == Report(False, ("not solved yet",))


@pytest.mark.parametrize("name", CHECKERS)
def test_an_interrupt_ends_the_check(name):
    with nothing_else_changes():
        assert repr(CHECKERS[name](raising(KeyboardInterrupt()))) == "interrupted"


@pytest.mark.parametrize("name", CHECKERS)
@pytest.mark.parametrize("thing", NOT_CALLABLE)
def test_what_is_no_function_is_said(name, thing):
    assert CHECKERS[name](NOT_CALLABLE[thing]).lines[1].startswith("expected a function, came a")


@pytest.mark.parametrize("name", CHECKERS)
def test_where_python_raised_is_said_without_addresses(name):
    lines = CHECKERS[name](raising(ValueError(f"at {object()!r}"))).lines
    assert lines[1].endswith(" raised ValueError: at <object object at 0x...>")
    assert ": line " in lines[1]


def test_reports_are_the_same_every_time():
    kernel = tiled(second=False)
    assert check.tiled_product(kernel, TILE) == check.tiled_product(kernel, TILE)


def test_a_block_that_cannot_be_is_said():
    assert "the block has 2048 in x" in check.cuda_matmul(right, (2048, 1)).lines[1]
