"""The GPU ladder under the simulator: right on awkward shapes, no problems, counts as derived by hand."""

import os
import subprocess
import sys

import numpy as np
import pytest

from mlteach.gpu import simt
from mlteach.gpu.kernels import CUDA

SHAPES = [(1, 1, 1), (3, 0, 2), (17, 5, 33), (1, 40, 70), (66, 9, 1), (31, 17, 47), (2, 41, 3)]
TWO_LARGE = [(130, 3, 2), (5, 3, 131)]  # for blocks of 128 x 128: two, below or beside each other
PADDED = [(3, 41, 2), (130, 7, 1), (5, 9, 131)]  # for kernels of whole tiles: several steps, several blocks
CASES = [
    (name, *shape)
    for name, launch in CUDA.items()
    for shape in (SHAPES if launch.multiples == (1, 1, 1) else PADDED)
] + [("cuda_registers_2d", *shape) for shape in TWO_LARGE]


def simulate(name, m, k, n):
    rng = np.random.default_rng(m * 10007 + k * 101 + n)
    a, b = rng.standard_normal((m, k), "f4"), rng.standard_normal((k, n), "f4")
    launch = CUDA[name]
    a, b = launch.operands(a, b)
    out = np.full((a.shape[0], b.shape[1]), np.nan, "f4")
    trace = simt.run(
        launch.function, launch.grid(m, n), launch.block, a, b, out, shared_bytes=launch.shared_bytes
    )
    return trace, out, a.astype("f8") @ b.astype("f8")


@pytest.mark.parametrize(("name", "m", "k", "n"), CASES)
def test_products(name, m, k, n):
    trace, out, expected = simulate(name, m, k, n)
    assert trace.problems == []
    np.testing.assert_allclose(out, expected, atol=1e-6 * (k + 1), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "size", "counts"),
    [
        # a warp is 16 rows x 2 columns: 16 sectors of a and 1 of b a step
        ("cuda_naive", (32, 32, 32), (32 * 32 * 17, 512, 0)),
        # a warp is 2 rows x 16 columns: 2 sectors of each a step
        ("cuda_coalesced", (32, 32, 32), (32 * 32 * 4, 32 * 4, 0)),
        # 4 sectors for each of two tiles, twice; rows and broadcasts in shared memory
        ("cuda_shared", (32, 32, 32), (32 * 2 * 8, 32 * 4, 0)),
        # 16 warps load 4 + 4 sectors a tile and store 8 rows of 4 sectors
        ("cuda_registers_1d", (64, 8, 64), (16 * 8, 16 * 8 * 4, 0)),
        # 8 warps: 8 loads of 4 sectors; a sector for each lane's store; 1 + 3 extra passes, 8 x 8 times
        ("cuda_registers_2d", (128, 8, 128), (8 * 32, 8 * 64 * 32, 8 * 8 * 8 * 4)),
        # the same tiles and stores of two rows of 64 bytes by each warp: 16 sectors, 16 times; no bank twice
        ("cuda_vector", (128, 8, 128), (8 * 32, 8 * 16 * 16, 0)),
        ("cuda_double_buffer", (128, 8, 128), (8 * 32, 8 * 16 * 16, 0)),
        # 8 warps copy 4 x 16 sectors, rows of 64 bytes that meet banks twice; 32 tiles of 16 sectors
        ("cuda_tensor_core", (128, 32, 128), (8 * 4 * 16, 8 * 32 * 16, 8 * 2 * 4)),
    ],
)
def test_counts_are_those_derived_by_hand(name, size, counts):
    trace, *_ = simulate(name, *size)
    assert (trace.load_sectors, trace.store_sectors, trace.shared_conflicts) == counts


SECOND_OPINION = """
import warnings; warnings.simplefilter("ignore")
import numpy as np
from mlteach.gpu.kernels import CUDA
from mlteach.errors import GpuUnavailable
from mlteach.matmul import matmul
for name in CUDA:
    m, k, n = (9, 5, 21) if "2d" not in name else (9, 9, 11)
    a, b = np.random.default_rng(0).standard_normal((m, k), "f4"), np.ones((k, n), "f4")
    try:
        np.testing.assert_allclose(matmul(a, b, kernel=name), a.astype("f8") @ b, atol=1e-5)
        print(name)
    except GpuUnavailable as problem:
        print("without", name, "as", problem)
"""


@pytest.mark.slow
def test_numbas_own_simulator_agrees():
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SECOND_OPINION], env=environment, capture_output=True, text=True, check=False
    )
    *right, last = done.stdout.splitlines()
    assert right == [name for name in CUDA if name != "cuda_tensor_core"], done.stderr
    assert last.startswith("without cuda_tensor_core as Numba's simulator knows neither tensor cores")
