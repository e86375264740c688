"""The simd rung at every edge of its tiles and blocks, and what it does to the process around it."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit, types

from mlteach import matmul as ladder
from mlteach.matmul import cached, matmul, nest, simd
from mlteach.matmul.micro import MR, NV, PACKED_MR, PACKED_NV, UNROLL, micro
from mlteach.matmul.vector_ir import PROCESSOR

from .test_contract import DTYPES, assert_product, operands

IN_PLACE = {"IN_PLACE_N": 10**9}
PACKED = {"IN_PLACE_N": 0, "IN_PLACE_A": 0}
TINY_STRIP = 2 * PACKED_MR + 1
TINY_BLOCKS = {
    "KC": 8 * 11,
    "DEEP_KC": 8 * 11,
    "NC": 70,
    "PACKED_NC": 70,
    "STRIP": TINY_STRIP,
    "PACKED_MC": 50,
}


@pytest.fixture
def settings_of_simd(monkeypatch):
    def change(**values):
        for name, value in values.items():
            monkeypatch.setattr(simd, name, value)

    return change


def around(*sizes):
    return sorted({size + d for size in sizes for d in (-1, 0, 1) if size + d > 0})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", [IN_PLACE, PACKED], ids=["in place", "packed"])
def test_every_remainder_of_the_tile(way, dtype, settings_of_simd):
    settings_of_simd(**way)
    lanes = PROCESSOR.width // np.dtype(dtype).itemsize
    columns = range(1, (NV if way is IN_PLACE else PACKED_NV) * lanes + 2)
    for m in range(1, 2 * max(MR, PACKED_MR) + 2):
        a, b = operands((m, UNROLL + m % UNROLL, columns[-1]), dtype)
        for n in (1, lanes, lanes + 1, columns[m % len(columns)], columns[-1]):
            assert_product(matmul(a, b[:, :n], kernel="simd"), a, b[:, :n])
    for n in columns:
        a, b = operands((MR + 1, UNROLL, n), dtype)
        assert_product(matmul(a, b, kernel="simd"), a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", [IN_PLACE, PACKED], ids=["in place", "packed"])
def test_around_every_block(way, dtype, settings_of_simd):
    settings_of_simd(**way, **TINY_BLOCKS)
    kc = TINY_BLOCKS["KC"] // np.dtype(dtype).itemsize
    for k in (*range(1, 2 * UNROLL + 2), *around(kc, 2 * kc)):
        a, b = operands((MR + 3, k, 37), dtype)
        assert_product(matmul(a, b, kernel="simd"), a, b)
    for m in around(TINY_STRIP, 3 * MR):
        for n in around(TINY_BLOCKS["NC"], 2 * TINY_BLOCKS["NC"]):
            a, b = operands((m, kc + 1, n), dtype)
            assert_product(matmul(a, b, kernel="simd"), a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_default_blocks(dtype):
    for shape in [(130, 1030, 100), (290, 1030, 300), (130, 20, 2070)]:
        a, b = operands(shape, dtype)
        assert_product(matmul(a, b, kernel="simd"), a, b)
        assert_product(matmul(b.T, a.T, kernel="simd"), b.T, a.T)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("way", [IN_PLACE, PACKED], ids=["in place", "packed"])
def test_nothing_strange_leaks_over_an_edge(way, dtype, settings_of_simd):
    """Infinity times the zeros that fill a panel is NaN: it must stay outside the result."""
    settings_of_simd(**way, **TINY_BLOCKS)
    for shape in [(1, 5, 1), (MR + 1, 3, 5), (2 * MR - 1, 13, 35)]:
        a, b = operands(shape, dtype)
        a[-1, -1], b[0, -1] = np.inf, -np.inf
        with np.errstate(invalid="ignore"):
            expected = a @ b
        frame = np.full((shape[0] + 2, shape[2] + 2), 7, dtype)
        got = matmul(a, b, kernel="simd", out=frame[1:-1, 1:-1])
        assert np.array_equal(np.isnan(got), np.isnan(expected))
        assert np.array_equal(np.isinf(got), np.isinf(expected))
        assert (frame[[0, -1]] == 7).all()
        assert (frame[:, [0, -1]] == 7).all()


def test_what_out_held_is_not_read(settings_of_simd):
    settings_of_simd(**TINY_BLOCKS)
    for way in (IN_PLACE, PACKED):
        settings_of_simd(**way)
        a, b = operands((15, 40, 40), "float32")
        out = np.full((15, 40), np.nan, "float32")
        assert_product(matmul(a, b, kernel="simd", out=out), a, b)


def strided(array, row_step, column_step, fortran, before):
    """The array as a view with these steps into a larger one that is filled with NaN."""
    m, n = array.shape
    shape = (m * abs(row_step) + before, n * abs(column_step) + before)
    frame = np.full(shape, np.nan, array.dtype, order="F" if fortran else "C")
    view = frame[before:, before:][:: abs(row_step), :: abs(column_step)][:m, :n]
    view = view[:: np.sign(row_step), :: np.sign(column_step)]
    view[...] = array
    return view, frame


steps = st.tuples(*[st.sampled_from([1, 1, 1, -1, 2, -3])] * 2, st.booleans(), st.integers(0, 2))


@given(
    st.tuples(*[st.integers(1, 60)] * 3),
    st.tuples(steps, steps, steps),
    st.sampled_from(DTYPES),
    st.sampled_from([IN_PLACE, PACKED]),
    st.tuples(st.integers(1, 20), st.integers(1, 90), st.integers(1, 30)),
    st.sampled_from([1, 2]),
)
def test_any_strides_blocks_and_threads(shape, layouts, dtype, way, blocks, threads):
    a, b = operands(shape, dtype)
    (view_a, _), (view_b, _) = strided(a, *layouts[0]), strided(b, *layouts[1])
    out, frame = strided(np.zeros((shape[0], shape[2]), dtype), *layouts[2])
    kc, nc, strip = blocks
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (
            way
            | {"KC": 8 * kc, "NC": nc, "PACKED_NC": nc, "STRIP": strip, "PACKED_MC": 2 * strip, "ALONE": 0}
        ).items():
            patch.setattr(simd, name, value)
        matmul(view_a, view_b, kernel="simd", out=out, threads=threads)
    assert_product(out.copy(), a, b)
    out[...] = np.nan
    assert np.isnan(frame).all(), "the kernel wrote beside out"


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("in_place", [True, False])
def test_tickets_are_whole_tiles_and_enough_for_every_thread(size, in_place):
    height, vectors = (MR, NV) if in_place else (PACKED_MR, PACKED_NV)
    width = vectors * PROCESSOR.width // size
    for m, n in [(128, 128), (784, 128), (1024, 1024), (2048, 2048), (60000, 10)]:
        for tickets in (1, 16):
            rows, _, columns, strip, span = simd._lengths(m, 784, n, size, in_place, tickets)
            assert strip % height == span % width == columns % span == 0
            assert in_place or rows % strip == 0
            assert tickets == 1 or -(-min(m, rows) // strip) * -(-min(n, columns) // span) >= 4


def test_it_is_what_no_kernel_means():
    assert ladder._kernel(None).name == "simd"


def test_without_numba_blas_takes_its_place():
    code = """
import sys
sys.modules["numba"] = None
import numpy as np
from mlteach import matmul as ladder
assert ladder._kernel(None).name == "blas"
assert (ladder.matmul(np.ones((2, 3)), np.ones((3, 2))) == 3).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_parts_are_nearly_equal():
    for total in (1, 5, 12, 13, 100):
        for most in (1, 7, 24, 200):
            length = simd._even(total, most, 12)
            assert length % 12 == 0
            assert length < most + 12
            assert -(-total // length) <= -(-total // most)


@pytest.mark.parametrize("order", ["C", "F"])
def test_many_threads_on_few_rows(order, settings_of_simd):
    settings_of_simd(ALONE=0)
    for m in (3, 40):
        a, b = operands((m, 9, 5), "float64")
        out = np.empty((m, 5))
        simd.simd(np.asarray(a, order=order), b, out, 16)
        assert_product(out, a, b)


def test_threads_that_share_nothing(settings_of_simd):
    settings_of_simd(ALONE=0, KC=8 * 11, STRIP=2 * PACKED_MR)
    for m in (1, PACKED_MR + 1, 5 * PACKED_MR - 1):
        a, b = operands((m, 30, 40), "float32")
        assert_product(matmul(np.asfortranarray(a), b, kernel="simd", threads=2), a, b)


def test_an_interrupt_leaves_the_workspace_and_the_rung_usable(monkeypatch):
    a, b = operands((20, 20, 20), "float32")
    spare = len(simd._spare)

    def interrupted(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(nest, "product", lambda dtype, parallel: interrupted)
        with pytest.raises(KeyboardInterrupt):
            matmul(a, b, kernel="simd", threads=1)
    assert len(simd._spare) == max(1, spare)
    assert_product(matmul(a, b, kernel="simd"), a, b)


@pytest.mark.skipif(PROCESSOR.width < 32, reason="reads x86 instructions")
@pytest.mark.parametrize("zero", [types.float32, types.float64])
@pytest.mark.parametrize("shape", [(MR, NV, False), (PACKED_MR, PACKED_NV, True)])
def test_sums_stay_in_registers(zero, shape):
    tile = micro(*shape)

    @njit
    def call(zero, k, a, a_row, b, out, out_row, m, n, add, ahead):
        tile(zero, (k, a, a_row, b, out, out_row, m, n, add, ahead))

    call.compile((zero, *[types.int64] * 10))
    (code,) = call.inspect_asm().values()
    register = "zmm" if PROCESSOR.width == 64 else "ymm"
    assert len(re.findall(rf"vfmadd\w+\s.*%{register}", code)) >= UNROLL * shape[0] * shape[1]
    assert not re.findall(rf"%{register}\d+, -?\d*\(%rsp\)", code), "a sum went to memory and back"


ARM = """
import platform
platform.machine = lambda: "arm64"
"""

CODE_FOR_ARM = """
import re
import llvmlite.binding as llvm
from numba import njit, types
from mlteach.matmul.micro import MR, NV, PACKED_MR, PACKED_NV, UNROLL, micro
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple("arm64-apple-darwin").create_target_machine(cpu="apple-m1", opt=3)
for rows, vectors, packed in ((MR, NV, False), (8, NV, False), (PACKED_MR, PACKED_NV, True)):
    tile = micro(rows, vectors, packed)
    for zero in (types.float32, types.float64):
        @njit
        def call(zero, k, a, a_row, b, out, out_row, m, n, add, ahead):
            tile(zero, (k, a, a_row, b, out, out_row, m, n, add, ahead))
        call.compile((zero, *[types.int64] * 10))
        (code,) = call.inspect_llvm().values()
        code = re.sub('target .*|"[a-z-]+"="[^"]*"', "", code)  # what is said of this processor
        code = machine.emit_assembly(llvm.parse_assembly('target triple = "arm64-apple-darwin"' + code))
        loops = re.findall(r"^(L\\w+):(.*?)\\1$", code, re.DOTALL | re.MULTILINE)  # from a label back to it
        loops = [body for _, body in loops if body.count("fmla") >= UNROLL * rows * vectors]
        assert loops, f"{rows} x {vectors}: no loop with all the sums"
        assert not any("[sp" in x for x in loops), f"{rows} x {vectors}: a number went to memory and back"
"""


def test_sums_stay_in_registers_on_arm():
    """Cross-compiled, as nothing here runs on one: see the loop, not the speed."""
    chosen = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    subprocess.run([sys.executable, "-c", ARM + CODE_FOR_ARM], check=True, env=os.environ | chosen)


RUN = """
import sys
import numpy as np
from mlteach.matmul import matmul, nest
from mlteach.matmul.vector_ir import PROCESSOR
for dtype in ("float32", "float64"):
    for m, k, n in [(1, 1, 1), (13, 7, 33), (30, 50, 70), (5, 1100, 3), (300, 300, 300)]:
        rng = np.random.default_rng(0)
        a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
        for x in (a, np.asfortranarray(a)):
            for y in (b, np.asfortranarray(b)):
                for threads in (1, 2):
                    product = matmul(x, y, kernel="simd", threads=threads)
                    assert np.allclose(product, a @ b, rtol=1e-3, atol=1e-3)
"""


def test_a_second_process_compiles_nothing():
    subprocess.run([sys.executable, "-c", RUN], check=True)
    again = (
        RUN
        + """
for dtype in ("float32", "float64"):
    for parallel in (False, True):
        stats = nest.product(np.dtype(dtype), parallel).stats
        assert (sum(stats.cache_hits.values()), sum(stats.cache_misses.values())) == (1, 0), stats
assert "scipy.linalg" not in sys.modules, "loading made ready to compile"
"""
    )
    subprocess.run([sys.executable, "-c", again], check=True)


def test_without_compiling_blas_takes_its_place():
    code = """
import numpy as np
from mlteach.matmul import matmul
assert (matmul(np.ones((2, 3)), np.ones((3, 2))) == 3).all()
try:
    matmul(np.ones((2, 3)), np.ones((3, 2)), kernel="simd")
except ImportError as problem:
    assert "unset NUMBA_DISABLE_JIT" in str(problem)
else:
    raise AssertionError("simd ran without being compiled")
"""
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"NUMBA_DISABLE_JIT": "1"})


def test_where_nothing_can_be_kept_it_still_compiles(monkeypatch):
    def nowhere(*args):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(cached, "_QuickCache", nowhere)
    function = cached.compiled(lambda x: x + 1, types.int64(types.int64))
    assert function(1) == 2


@pytest.mark.slow
@pytest.mark.skipif(PROCESSOR.width < 32, reason="stands in for older x86 processors")
@pytest.mark.parametrize(
    ("cpu", "features", "width"), [("haswell", "+avx,+avx2,+fma", 32), ("x86-64", "+sse2", 16)]
)
def test_older_processors(cpu, features, width):
    chosen = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features}
    check = RUN + f"assert PROCESSOR.width == {width}"
    subprocess.run([sys.executable, "-c", check], check=True, env=os.environ | chosen)


@pytest.mark.slow
@pytest.mark.skipif(PROCESSOR.width < 32, reason="stands in for an Arm processor")
def test_the_tiles_for_arm():
    chosen = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"}
    check = ARM + RUN + "assert (PROCESSOR.width, PROCESSOR.registers) == (16, 32)"
    subprocess.run([sys.executable, "-c", check], check=True, env=os.environ | chosen)
