"""Whether there is a GPU, and why not: every answer names what is missing and its cure."""

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mlteach import gpu
from mlteach.errors import GpuUnavailable
from mlteach.gpu import device, driver
from mlteach.matmul import KERNELS, matmul
from tests.gpu.simt_device import SimtDevice

H100 = driver.Driver((13, 0), (driver.Gpu("NVIDIA H100", (9, 0)),))
T4 = driver.Driver((12, 4), (driver.Gpu("Tesla T4", (7, 5)),))
V100 = driver.Driver((13, 0), (driver.Gpu("Tesla V100", (7, 0)),))
GPU_RUNGS = [name for name, kernel in KERNELS.items() if kernel.device == "gpu"]


@pytest.fixture(autouse=True)
def forget():
    """Answers are kept for the life of a process."""
    gpu.why_not.cache_clear()
    yield
    gpu.why_not.cache_clear()


@pytest.fixture
def machine(monkeypatch):
    """A machine with this driver and these packages."""

    def make(found, **versions):
        def find():
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(gpu, "find", find)
        names = {name.replace("_", "-"): version for name, version in versions.items()}
        monkeypatch.setattr(gpu, "_version", names.get)
        monkeypatch.delenv("NUMBA_ENABLE_CUDASIM", raising=False)

    return make


@pytest.mark.parametrize(("found", "extra"), [(H100, "gpu-cu13"), (T4, "gpu-cu12"), (V100, "gpu-cu12")])
def test_the_extra_that_fits_a_driver(found, extra):
    assert gpu.extra(found) == extra


def test_no_driver(machine):
    machine(driver.NoDriver("there is no NVIDIA driver here: install it"))
    assert not gpu.available()
    assert gpu.why_not() == (
        "there is no NVIDIA driver here: install it, otherwise take a CPU rung such as simd, "
        "or run the kernel with mlteach.gpu.simt"
    )


def test_a_gpu_that_is_too_old(machine):
    machine(T4, numba_cuda="0.30.4")
    assert gpu.why_not((8, 0)).startswith(
        "this kernel needs compute capability 8.0 and Tesla T4 has 7.5: take"
    )


def test_a_rung_asks_for_the_gpu_that_it_needs(machine):
    machine(T4, numba_cuda="0.30.4")
    one = np.ones((2, 2), "f4")
    with pytest.raises(GpuUnavailable, match=r"needs compute capability 8\.0 and Tesla T4 has 7\.5"):
        matmul(one, one, kernel="cuda_tensor_core")


@pytest.mark.parametrize(
    ("found", "versions", "words"),
    [
        (H100, {}, 'numba-cuda is not installed: run `pip install "mlteach[gpu-cu13]"`'),
        (T4, {}, 'numba-cuda is not installed: run `pip install "mlteach[gpu-cu12]"`'),
        (
            T4,
            {"numba_cuda": "0.30.4", "cuda_toolkit": "13.0.2"},
            "the CUDA toolkit is 13.0.2 and the driver serves CUDA 12.4 at most: run `pip install",
        ),
    ],
)
def test_a_package_that_is_missing_or_does_not_fit(machine, found, versions, words):
    machine(found, **versions)
    assert words in gpu.why_not()


def test_packages_that_do_not_fit_each_other(machine, monkeypatch):
    machine(H100, numba_cuda="0.30.4", cuda_toolkit="13.0.2", numpy="2.5.0")
    from numba import cuda

    def compile_ptx(*_, **__):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'.\nMore")

    monkeypatch.setattr(cuda, "compile_ptx", compile_ptx)
    assert gpu.why_not() == (
        "numba-cuda 0.30.4, CUDA toolkit 13.0.2 and NumPy 2.5.0 do not compile together "
        "(module 'numpy' has no attribute 'row_stack'): run `pip install \"mlteach[gpu-cu13]\"`"
    )


def test_no_cupy(machine, monkeypatch):
    machine(H100, numba_cuda="0.30.4")
    monkeypatch.setitem(sys.modules, "cupy", None)
    assert gpu.why_not(package="cupy").startswith("the package cupy ")


class Library:
    """A driver's library that answers as told."""

    def __init__(self, code=0, count=1):
        self.code, self.count = code, count

    def cuInit(self, flags):
        return self.code

    def cuDeviceGetCount(self, pointer):
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = self.count
        return 0

    def cuDriverGetVersion(self, pointer):
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = 12040
        return 0

    def cuDeviceGetName(self, buffer, size, number):
        buffer.value = f"GPU {number}".encode()

    def cuDeviceGetAttribute(self, pointer, attribute, number):
        ctypes.cast(pointer, ctypes.POINTER(ctypes.c_int))[0] = {75: 8, 76: 6}[attribute]


def test_a_driver_is_asked(monkeypatch):
    monkeypatch.setattr(driver, "load", lambda: Library(count=2))
    cards = (driver.Gpu("GPU 0", (8, 6)), driver.Gpu("GPU 1", (8, 6)))
    assert driver.find() == driver.Driver((12, 4), cards)


@pytest.mark.parametrize(
    ("library", "words"),
    [
        (None, "no NVIDIA driver here"),
        (Library(code=100), "finds no GPU"),
        (Library(count=0), "finds no GPU"),
        (Library(code=803), r"does not start \(error 803\)"),
    ],
)
def test_a_driver_without_a_gpu(monkeypatch, library, words):
    monkeypatch.setattr(driver, "load", lambda: library)
    with pytest.raises(driver.NoDriver, match=words):
        driver.find()


@pytest.mark.parametrize("name", GPU_RUNGS)
def test_every_rung_says_what_it_lacks(machine, name):
    machine(driver.NoDriver("there is no NVIDIA driver here: install it"))
    one = np.ones((2, 2), "f4")
    with pytest.raises(GpuUnavailable, match="no NVIDIA driver here: install it, otherwise take a CPU rung"):
        matmul(one, one, kernel=name)


@pytest.fixture
def simulated_gpu(monkeypatch):
    """A GPU whose kernels run under `simt`."""
    made = []
    monkeypatch.setattr(device, "require", lambda *needs, **more: None)
    monkeypatch.setattr(device, "NumbaDevice", lambda: made.append(SimtDevice()) or made[-1])
    return made


@pytest.mark.parametrize("name", [name for name in GPU_RUNGS if name != "cublas"])
def test_matmul_takes_any_strides(simulated_gpu, name):
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((9, 7), "f4").T, rng.standard_normal((18, 10), "f4")[::-2, ::2]
    frame = np.full((9, 8), np.nan, "f4")
    out = frame[1:8, 6:1:-1]
    assert matmul(a, b, kernel=name, out=out) is out
    tolerance = 1e-2 if name == "cuda_tensor_core" else 1e-5
    np.testing.assert_allclose(out, a.astype("f8") @ b, atol=tolerance)
    assert np.isnan(frame).sum() == frame.size - out.size
    assert simulated_gpu[0].traces[0].problems == []


@pytest.mark.parametrize("name", ["cuda_naive", "cuda_coalesced"])
def test_the_grid_covers_what_is_wider_than_tall(simulated_gpu, name):
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((16, 3), "f4"), rng.standard_normal((3, 40), "f4")
    np.testing.assert_allclose(matmul(a, b, kernel=name), a.astype("f8") @ b, atol=1e-5)


def test_a_product_is_timed_as_one_of_several(simulated_gpu):
    product = KERNELS["cuda_naive"].prepare(np.ones((2, 3), "f4"), np.ones((3, 2), "f4"))
    assert product.seconds(4) == 1  # the clock of this GPU counts launches
    assert len(simulated_gpu[0].traces) == 4


@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4)])
def test_an_empty_product_needs_no_gpu(shape):
    m, k, n = shape
    out = matmul(np.ones((m, k), "f4"), np.ones((k, n), "f4"), kernel="cuda_naive")
    assert np.array_equal(out, np.zeros((m, n)))


def test_float64_is_refused():
    with pytest.raises(TypeError, match="'cuda_naive' computes in float32, not in float64"):
        matmul(np.ones((2, 2)), np.ones((2, 2)), kernel="cuda_naive")


@pytest.mark.parametrize("value", [65505.0, -7e4, np.inf])
def test_tensor_core_refuses_what_fp16_cannot_hold(simulated_gpu, value):
    a, b = np.ones((2, 3), "f4"), np.ones((3, 2), "f4")
    b[1, 1] = value
    with pytest.raises(ValueError, match=r"b holds .* float16 ends at 65504: scale it down"):
        matmul(a, b, kernel="cuda_tensor_core")


def test_tensor_core_takes_the_largest_fp16(simulated_gpu):
    a, b = np.full((1, 1), 65504, "f4"), np.ones((1, 1), "f4")
    assert matmul(a, b, kernel="cuda_tensor_core") == 65504


class CudaAPIError(Exception):
    """As the driver's own, by the name of its module."""

    __module__ = "numba.cuda.cudadrv.driver"


@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        (CudaAPIError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"), MemoryError, "no room"),
        (
            CudaAPIError("[700] unknown\nmore"),
            GpuUnavailable,
            r"CudaAPIError: \[700\] unknown\): run `mlteach",
        ),
        (KeyError("ours"), KeyError, "ours"),
    ],
)
def test_what_cuda_raises_is_said_in_a_sentence(simulated_gpu, monkeypatch, problem, kind, words):
    def fail(*_, **__):
        raise problem

    monkeypatch.setattr(SimtDevice, "configure", fail)
    with pytest.raises(kind, match=words):
        matmul(np.ones((2, 2), "f4"), np.ones((2, 2), "f4"), kernel="cuda_naive")


def test_cublas_through_cupy(monkeypatch):
    """CuPy's part is played by NumPy."""
    cupy = SimpleNamespace(asarray=np.array, empty=np.empty, asnumpy=np.array, matmul=np.matmul)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(device, "require", lambda *needs, **more: None)
    for dtype in ("f4", "f8"):
        a, b = np.arange(6, dtype=dtype).reshape(2, 3), np.arange(12, dtype=dtype).reshape(3, 4)
        out = matmul(a, b, kernel="cublas")
        assert out.dtype == dtype
        assert np.array_equal(out, a @ b)


SIMULATOR = """
import numpy as np
from mlteach import gpu
from mlteach.matmul import matmul
a = np.arange(6, dtype="f4").reshape(2, 3)
print(gpu.available(), gpu.available((8, 0)), np.array_equal(matmul(a, a.T, kernel="cuda_naive"), a @ a.T))
"""


def test_numbas_simulator_stands_in_for_a_gpu():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SIMULATOR],
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True False True\n", done.stderr
