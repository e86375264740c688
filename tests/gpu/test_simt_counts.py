"""What the simulator counts: sectors, bank conflicts, accesses and barriers, each derivable by hand."""

import numpy as np
import pytest
from numba import cuda, float32, float64, uint8

from mlteach.gpu import simt


@cuda.jit
def copy(src, dst, step, shift):
    i = cuda.grid(1)
    if i < dst.size:
        dst[i] = src[i * step + shift]


@pytest.mark.parametrize(
    ("step", "shift", "sectors"), [(1, 0, 4), (1, 1, 5), (1, 8, 4), (2, 0, 8), (8, 0, 32)]
)
def test_sectors_of_a_warp(step, shift, sectors):
    src, dst = np.arange(600, dtype="f4"), np.zeros(64, "f4")
    trace = simt.run(copy, 2, 32, src, dst, step, shift)
    assert (trace.load_sectors, trace.store_sectors) == (2 * sectors, 8)
    assert (trace.global_loads, trace.global_stores) == (64, 64)
    assert trace.problems == []
    np.testing.assert_array_equal(dst, src[np.arange(64) * step + shift])


@pytest.mark.parametrize(("dtype", "sectors"), [("u1", 1), ("f2", 2), ("f4", 4), ("f8", 8), ("c16", 16)])
def test_sectors_by_width(dtype, sectors):
    trace = simt.run(copy, 1, 32, np.ones(32, dtype), np.zeros(32, dtype), 1, 0)
    assert trace.load_sectors == trace.store_sectors == sectors


def test_each_argument_is_an_allocation_of_its_own():
    memory = np.zeros(80, "f4")
    shifted = memory[1:65]  # its first element is not 32-byte aligned, but the copy on the GPU would be
    assert simt.run(copy, 1, 32, shifted, np.zeros(32, "f4"), 1, 0).load_sectors == 4


def test_sectors_of_strided_and_reversed_arrays():
    wide = np.arange(128, dtype="f4")
    dst = np.zeros(32, "f4")
    assert simt.run(copy, 1, 32, wide[::2][:32], dst, 1, 0).load_sectors == 8
    np.testing.assert_array_equal(dst, wide[:64:2])
    assert simt.run(copy, 1, 32, wide[::-1], dst, 1, 0).load_sectors == 4
    np.testing.assert_array_equal(dst, wide[:-33:-1])


@cuda.jit
def columns(a, out):
    i, j = cuda.grid(2)
    if i < a.shape[0] and j < a.shape[1]:
        out[i, j] = a[i, j]


def test_swapped_indices_cost_sectors():
    a = np.ones((32, 32), "f4")
    trace = simt.run(columns, 1, (32, 32), a, np.zeros_like(a))
    assert trace.load_sectors == trace.store_sectors == 32 * 32
    trace = simt.run(columns, 1, (32, 32), np.asfortranarray(a), np.zeros_like(a))
    assert (trace.load_sectors, trace.store_sectors) == (32 * 4, 32 * 32)


@cuda.jit
def turns(out):
    t = cuda.threadIdx.x
    for r in range(2):
        if t % 2 == r:
            out[t] = r
        cuda.syncthreads()


def test_a_barrier_parts_warp_accesses():
    assert simt.run(turns, 1, 32, np.zeros(32, "f4")).store_sectors == 8


@cuda.jit
def while_condition(a, out):
    i = cuda.threadIdx.x
    p = i // 16
    while a[p * 32 + i] > 0:
        p += 1
    out[i] = p


def test_a_condition_is_one_place_though_compiled_twice():
    a = np.ones(128, "f4")
    a[64:] = 0
    # lanes 0-15 read rows 0, 1, 2 and lanes 16-31 rows 1, 2: the n-th reads go together
    trace = simt.run(while_condition, 1, 32, a, np.zeros(32, "f4"))
    assert trace.global_loads == 16 * 3 + 16 * 2
    assert trace.load_sectors == 4 + 4 + 2


@cuda.jit
def three_dimensions(out):
    x, y, z = cuda.grid(3)
    nx, ny, nz = cuda.gridsize(3)
    out[z, y, x] = cuda.laneid + 100 * (x + nx * (y + ny * z)) + 0 * nz


def test_three_dimensions_and_lanes():
    out = np.zeros((4, 4, 8), "i8")
    trace = simt.run(three_dimensions, (2, 2, 2), (4, 2, 2), out)
    z, y, x = np.indices(out.shape)
    lane = x % 4 + 4 * (y % 2) + 8 * (z % 2)
    np.testing.assert_array_equal(out, lane + 100 * np.arange(out.size).reshape(out.shape))
    assert trace.store_sectors == 8 * 4  # four rows of four 8-byte elements for each block
    assert trace.problems == []


@cuda.jit
def tile_column(out, pad):
    narrow = cuda.shared.array((32, 32), float32)
    padded = cuda.shared.array((32, 33), float32)
    t = cuda.threadIdx.x
    if pad:
        padded[t, 0] = t
        out[t] = padded[t, 0]
    else:
        narrow[t, 0] = t
        out[t] = narrow[t, 0]


def test_conflicts_of_a_column():
    out = np.zeros(32, "f4")
    assert simt.run(tile_column, 1, 32, out, False).shared_conflicts == 31 + 31
    assert simt.run(tile_column, 1, 32, out, True).shared_conflicts == 0


@cuda.jit
def shared_reads(out, stride):
    tile = cuda.shared.array(1024, float32)
    t = cuda.threadIdx.x
    for i in range(t, 1024, 32):
        tile[i] = i
    cuda.syncthreads()
    out[t] = tile[t * stride]


@pytest.mark.parametrize(("stride", "conflicts"), [(0, 0), (1, 0), (2, 1), (3, 0), (8, 7), (16, 15), (31, 0)])
def test_conflicts_by_stride(stride, conflicts):
    trace = simt.run(shared_reads, 1, 32, np.zeros(32, "f4"), stride)
    assert trace.shared_conflicts == conflicts
    assert (trace.shared_loads, trace.shared_stores, trace.barriers) == (32, 1024, 1)


@cuda.jit
def wide_elements(out, stride):
    tile = cuda.shared.array(1024, float64)
    t = cuda.threadIdx.x
    tile[t * stride] = t
    out[t] = tile[t * stride]


@pytest.mark.parametrize(("stride", "conflicts"), [(1, 0), (2, 2), (16, 30), (17, 0)])
def test_eight_bytes_go_by_half_warps(stride, conflicts):
    assert simt.run(wide_elements, 1, 32, np.zeros(32), stride).shared_conflicts == 2 * conflicts


@cuda.jit
def narrow_elements(out):
    tile = cuda.shared.array(128, uint8)
    t = cuda.threadIdx.x
    tile[t] = t
    out[t] = tile[t]


def test_bytes_of_one_word_do_not_conflict():
    assert simt.run(narrow_elements, 1, 32, np.zeros(32, "u1")).shared_conflicts == 0


class Intrinsic:
    """An object that takes attributes, as Numba's intrinsics are."""


load4, store4 = Intrinsic(), Intrinsic()


@simt.stand_in(load4)
def _(gpu, array, i):
    return gpu.load(array, i, 4)


@simt.stand_in(store4)
def _(gpu, array, i, values):
    gpu.store(array, i, values)


def through_shared(src, dst, tilt):
    tile = cuda.shared.array(256, float32)
    t = cuda.threadIdx.x
    store4(tile, t * 4, load4(src, t * 4))
    cuda.syncthreads()
    store4(dst, t * 4, load4(tile, (t * 4 + tilt * (t // 8) * 4) % 128))


def test_sixteen_bytes_are_one_access():
    src, dst = np.arange(128, dtype="f4"), np.zeros(128, "f4")
    trace = simt.run(through_shared, 1, 32, src, dst, 0)
    np.testing.assert_array_equal(dst, src)
    assert (trace.global_loads, trace.global_stores, trace.shared_loads) == (32, 32, 32)
    assert (trace.load_sectors, trace.store_sectors, trace.shared_conflicts) == (16, 16, 0)


def copy4(src, dst, shift):
    i = cuda.threadIdx.x * 4 + shift
    store4(dst, i, load4(src, i))


def test_sixteen_bytes_must_be_aligned_and_inside():
    src = np.arange(128, dtype="f4")
    with pytest.raises(simt.KernelError, match="aligned"):
        simt.run(copy4, 1, 8, src, np.zeros_like(src), 1)
    trace = simt.run(copy4, 1, 32, src, np.zeros_like(src), 4)
    assert {p.kind for p in trace.problems} == {"out of bounds"}


@cuda.jit
def atomics_only(out):
    cuda.atomic.add(out, cuda.threadIdx.x % 2, 1)


def test_an_atomic_is_neither_load_nor_store():
    trace = simt.run(atomics_only, 3, 64, np.zeros(2, "i4"))
    assert (trace.atomics, trace.global_loads, trace.global_stores, trace.load_sectors) == (192, 0, 0, 0)


def test_text_of_a_trace():
    text = str(simt.run(copy, 1, 32, np.ones(32, "f4"), np.ones(32, "f4"), 1, 0))
    assert "32 loads in 4 sectors" in text
    assert "no problems" in text
