"""128-bit accesses, asynchronous copies and tensor cores under the simulator; kernels with a line removed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numba import cuda, float32
from numba.core.types import float16

from mlteach.gpu import simt, tensor_core, vector
from mlteach.gpu.intrinsics import copy16, load4, store4, wait_copies
from mlteach.gpu.kernels import CUDA
from mlteach.gpu.warp_matrices import load_matrices, load_transposed, multiply_add

RNG = np.random.default_rng(5)


def kinds(trace):
    return sorted({problem.kind for problem in trace.problems})


@cuda.jit
def move(a, out, shift):
    i = cuda.threadIdx.x
    v = load4(a, i, shift)
    store4(out, i, shift, v[3], v[2], v[1], v[0])


def test_four_neighbours_are_one_access():
    a, out = RNG.standard_normal((32, 8), "f4"), np.zeros((32, 8), "f4")
    trace = simt.run(move, 1, 32, a, out, 4)
    assert (trace.global_loads, trace.load_sectors, trace.store_sectors) == (32, 32, 32)
    assert np.array_equal(out[:, 4:], a[:, 7:3:-1])
    assert not out[:, :4].any()


def test_four_neighbours_begin_at_a_multiple_of_16_bytes():
    a, out = np.zeros((32, 8), "f4"), np.zeros((32, 8), "f4")
    with pytest.raises(simt.KernelError, match="aligned"):
        simt.run(move, 1, 32, a, out, 2)
    assert kinds(simt.run(move, 1, 32, a, out, 8)) == ["out of bounds"]


@cuda.jit
def staged(a, out, order):
    """Copy a row for each thread, and read that of the thread opposite; `order` says what comes when."""
    tile = cuda.shared.array((32, 8), float16)
    t = cuda.threadIdx.x
    copy16(tile, t, 0, a, t, 0)
    if order == 0 or order == 3:
        wait_copies()
    cuda.syncthreads()
    if order == 2:
        wait_copies()
    out[t] = float32(tile[31 - t, 0])
    if order == 3:
        copy16(tile, t, 0, a, t, 0)
        wait_copies()


@pytest.mark.parametrize(
    ("order", "problems"),
    [
        (0, []),
        (1, ["uninitialised read"]),  # never waits: the numbers need not have arrived
        (2, ["race"]),  # waits after the barrier: only its own numbers have arrived
        (3, ["race"]),  # copies again while others still read
    ],
)
def test_a_copy_is_there_after_waiting_and_a_barrier(order, problems):
    a, out = RNG.standard_normal((32, 8)).astype("f2"), np.zeros(32, "f4")
    trace = simt.run(staged, 1, 32, a, out, order)
    assert kinds(trace) == problems
    if not problems:
        assert np.array_equal(out, a[::-1, 0].astype("f4"))
        assert (trace.global_loads, trace.shared_stores) == (32, 32)


@cuda.jit
def in_flight(a, out):
    tile = cuda.shared.array((32, 8), float16)
    t = cuda.threadIdx.x
    for j in range(8):
        tile[t, j] = 0
    cuda.syncthreads()
    copy16(tile, t, 0, a, t, 0)
    out[t] = float32(tile[31 - t, 0])
    cuda.syncthreads()
    wait_copies()


def test_a_copy_races_from_its_beginning():
    trace = simt.run(in_flight, 1, 32, RNG.standard_normal((32, 8)).astype("f2"), np.zeros(32, "f4"))
    assert kinds(trace) == ["race"]


@cuda.jit
def one_tile(a, b, out):
    """A warp multiplies 16 x 16 by 16 x 16: two tiles side by side."""
    sa = cuda.shared.array((16, 24), float16)
    sb = cuda.shared.array((16, 24), float16)
    lane = cuda.threadIdx.x
    row, column = lane % 16, lane // 16 * 8
    copy16(sa, row, column, a, row, column)
    copy16(sb, row, column, b, row, column)
    wait_copies()
    cuda.syncthreads()
    x = load_matrices(sa, row, column)
    y = load_transposed(sb, row, column)
    zero = float32(0)
    d = multiply_add(x[0], x[1], x[2], x[3], y[0], y[1], zero, zero, zero, zero)
    e = multiply_add(x[0], x[1], x[2], x[3], y[2], y[3], d[0], zero, zero, zero)
    i, j = lane // 4, lane % 4 * 2
    out[i, j], out[i, j + 1], out[i + 8, j], out[i + 8, j + 1] = d[0], d[1], d[2], d[3]
    out[i, j + 8], out[i, j + 9], out[i + 8, j + 8], out[i + 8, j + 9] = e[0] - d[0], e[1], e[2], e[3]


def test_tensor_cores_multiply():
    a, b = (RNG.standard_normal((16, 16)).astype("f2") for _ in range(2))
    out = np.zeros((16, 16), "f4")
    trace = simt.run(one_tile, 1, 32, a, b, out)
    assert (trace.problems, trace.shared_conflicts) == ([], 0)
    np.testing.assert_allclose(out, a.astype("f8") @ b.astype("f8"), atol=1e-5)


@cuda.jit
def half_a_warp(out):
    zero = float32(0)
    if cuda.threadIdx.x < 16:
        out[cuda.threadIdx.x] = multiply_add(0, 0, 0, 0, 0, 0, zero, zero, zero, zero)[0]
    else:
        cuda.syncthreads()


def test_tensor_cores_want_the_whole_warp():
    assert kinds(simt.run(half_a_warp, 1, 32, np.zeros(16, "f4"))) == ["divergent barrier"]


def without(module, name, line, nth, folder):
    """Return a kernel of a module, imported from a copy in which a line of it is missing."""
    path = Path(module.__file__)
    before, kernel = path.read_text(encoding="utf-8").split(f"def {name}(")
    parts = kernel.split(line)
    kernel = line.join(parts[: nth + 1]) + "pass" + line.join(parts[nth + 1 :])
    copy = folder / f"broken_{path.name}"
    copy.write_text(f"{before}def {name}({kernel}", encoding="utf-8")
    spec = importlib.util.spec_from_file_location(copy.stem, copy)
    broken = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(broken)
    return getattr(broken, name)


@pytest.mark.parametrize(
    ("module", "name", "line", "nth", "problem"),
    [
        (vector, "cuda_vector", "cuda.syncthreads()", 0, "race"),  # before a tile is read
        (vector, "cuda_vector", "cuda.syncthreads()", 1, "race"),  # before it is overwritten
        (vector, "cuda_double_buffer", "cuda.syncthreads()", 0, "race"),
        (vector, "cuda_double_buffer", "cuda.syncthreads()", 1, "race"),
        (tensor_core, "cuda_tensor_core", "cuda.syncthreads()", 0, "race"),
        (tensor_core, "cuda_tensor_core", "wait_copies()", 0, "uninitialised read"),
    ],
)
def test_a_missing_line_is_found(module, name, line, nth, problem, tmp_path):
    launch = CUDA[name]
    a, b = launch.operands(RNG.standard_normal((3, 40), "f4"), RNG.standard_normal((40, 2), "f4"))
    kernel = without(module, name, line, nth, tmp_path)
    trace = simt.run(kernel, 1, launch.block, a, b, np.zeros((a.shape[0], b.shape[1]), "f4"))
    assert problem in kinds(trace)
