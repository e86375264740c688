"""Timing on a GPU, with a GPU that only fake kernels keep busy and whose clock is its own."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from mlteach import cli
from mlteach.errors import GpuUnavailable
from mlteach.gpu import device, driver
from mlteach.gpu.device import Product
from mlteach.matmul import KERNELS, Kernel
from mlteach.measure import bench, climb, machine, probe, records
from mlteach.measure import trial as trial_module
from mlteach.measure.bench import compare, time_iteration, time_product
from mlteach.measure.weakness import weaknesses
from tests.gpu.simt_device import SimtDevice


class FakeDevice:
    """A GPU with a clock of its own; copies cost a second of the other one."""

    def __init__(self):
        self.busy = self.host = 0.0

    def upload(self, array):
        self.host += 1
        return array.copy()

    def empty(self, shape, dtype):
        return np.empty(shape, dtype)

    def download(self, array):
        self.host += 1
        return array

    def stamp(self):
        return self.busy

    def seconds(self, begin, end):
        return end - begin


@pytest.fixture(autouse=True)
def calm(monkeypatch):
    for weakness in weaknesses():
        monkeypatch.delenv(weakness.variable)
    monkeypatch.setattr(probe, "busy_cores", lambda seconds: 0.0)


@pytest.fixture
def gpu(monkeypatch):
    made = FakeDevice()
    monkeypatch.setattr(trial_module, "clock", lambda: made.host)
    return made


def fake(name, gpu, cost=0.01, product=np.matmul, **more):
    """A GPU rung whose products cost so many seconds of the GPU."""

    def start(a, b, out):
        out[...] = product(a, b)
        gpu.busy += cost

    def prepare(a, b):
        return Product(gpu, start, np.ascontiguousarray(a), np.ascontiguousarray(b), np.float32)

    single = (np.dtype("float32"),)
    return Kernel(name, "", "", "gpu", single, False, start, start, prepare=prepare, **more)


def test_a_product_is_timed_by_the_clock_of_the_gpu(gpu):
    measured = time_product(fake("quick", gpu, 2e-4), (20, 30, 40))
    assert measured.seconds == pytest.approx(2e-4)
    assert not measured.scaled
    assert (measured.first_seconds, measured.transfer_seconds) == (3, 3)  # two matrices there, one back


def test_an_iteration_is_three_products(gpu):
    measured = time_iteration(fake("quick", gpu, 0.1), images=50, dtype="float32")
    assert measured.seconds == pytest.approx(0.3)
    assert measured.transfer_seconds == 9
    assert measured.shape == (50, 785, 10)


def test_gpu_rungs_race(gpu):
    race = compare([fake("slow", gpu, 0.4), fake("quick", gpu, 0.1)], n=8)
    assert race.ratio("slow", "quick") == pytest.approx(4)
    assert [one.transfer_seconds for one in race.measurements] == [3, 3]


def test_a_wrong_product_is_not_timed(gpu):
    with pytest.raises(ValueError, match="'off' is wrong, so there is nothing to time"):
        time_product(fake("off", gpu, product=lambda a, b: 1.001 * (a @ b)), n=8)


def halves(a, b):
    return a.astype("f2").astype("f4") @ b.astype("f2").astype("f4")


def test_factors_may_be_rounded_where_the_rung_says_so(gpu):
    honest = fake("honest", gpu, product=halves, rounds_to=np.dtype("float16"))
    assert time_product(honest, n=8).seconds > 0
    with pytest.raises(ValueError, match="'silent' is wrong"):
        time_product(fake("silent", gpu, product=halves), n=8)
    worse = fake("worse", gpu, product=lambda a, b: 1.002 * halves(a, b), rounds_to=np.dtype("float16"))
    with pytest.raises(ValueError, match="'worse' is wrong"):
        time_product(worse, n=8)


def test_only_the_tensor_core_rung_rounds():
    rounding = {name: kernel.rounds_to for name, kernel in KERNELS.items() if kernel.rounds_to}
    assert rounding == {"cuda_tensor_core": np.float16}


def test_numbas_simulator_is_not_timed(gpu, monkeypatch):
    monkeypatch.setenv("NUMBA_ENABLE_CUDASIM", "1")
    with pytest.raises(GpuUnavailable, match="keeps no time"):
        time_product(fake("quick", gpu), n=8)


def test_what_is_paid_once_is_recorded(gpu):
    measured = time_product(fake("quick", gpu), n=8)
    record = json.loads(json.dumps(measured.as_dict()))
    assert record["first_seconds"] == record["transfer_seconds"] == 3
    assert records.Measurement.from_dict(record) == measured
    plain = records.Measurement("jit", "product", (8, 8, 8), "float32", 1, 0.5)
    assert not {"first_seconds", "transfer_seconds"} & set(plain.as_dict())
    assert records.Measurement.from_dict(plain.as_dict()) == plain


def test_a_rung_without_float64_iterates_in_float32(monkeypatch):
    kernels = {"short": SimpleNamespace(dtypes=(np.dtype("f4"),))}
    kernels["both"] = SimpleNamespace(dtypes=(np.dtype("f4"), np.dtype("f8")))
    monkeypatch.setattr(climb, "KERNELS", kernels)
    asked = []
    monkeypatch.setattr(
        climb, "ladder", lambda names, shape, dtype, *rest, **more: asked.append((names, dtype))
    )
    list(climb.climb(["short", "both"], [], iteration=True))
    assert asked == [(["both"], "float64"), (["short"], "float32")]


def test_the_table_of_a_gpu_compares_with_cublas(gpu):
    measured = [
        time_product(fake(name, gpu, cost), n=8) for name, cost in (("cuda_naive", 0.4), ("cublas", 0.1))
    ]
    here = machine.describe()
    lines = str(climb.ladder_table(measured, here)).splitlines()
    assert lines[0].split("  ")[0] == "rung"
    assert "% of cuBLAS  there and back  first call" in lines[0]
    assert lines[1].split()[-5:] == ["25", "3", "s", "3", "s"]
    assert lines[-1].startswith("The time is the GPU's own")


def test_the_gpu_is_part_of_the_machine(monkeypatch):
    monkeypatch.setattr(driver, "find", lambda: driver.Driver((13, 0), (driver.Gpu("NVIDIA H100", (9, 0)),)))
    here = machine.describe()
    assert here.gpu == "NVIDIA H100 (compute capability 9.0, driver for CUDA 13.0)"
    assert here.gpu in str(here)
    assert machine.Machine.from_dict(here.as_dict()) == here


def test_the_ladder_of_a_gpu_from_the_command_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("mlteach.gpu.why_not", lambda *needs, **more: None)
    monkeypatch.setattr(device, "NumbaDevice", SimtDevice)
    monkeypatch.setattr(bench, "timed_machine", lambda measure: machine.describe())
    figures = tmp_path / "gpu.json"
    arguments = ["ladder", "--kernels", "cuda_naive,cuda_tensor_core", "--shape", "3x4x5", "--json", figures]
    monkeypatch.setattr(sys, "argv", ["mlteach", *map(str, arguments)])
    assert cli._run() == 0
    record = json.loads(figures.read_text())
    assert [one["kernel"] for one in record["measurements"]] == ["cuda_naive", "cuda_tensor_core"]
    assert all(one["seconds"] == 1 for one in record["measurements"])  # a launch by that clock
    assert all(one["first_seconds"] > 0 and one["transfer_seconds"] > 0 for one in record["measurements"])
    assert "cuda_tensor_core" in capsys.readouterr().out
