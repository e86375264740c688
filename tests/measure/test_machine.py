import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mlteach.matmul import usable_cores
from mlteach.measure import ceilings, machine, probe, weakness
from mlteach.measure.machine import Blas, Ceiling, Machine, describe
from mlteach.measure.units import bytes_text, count_text, listing, number_text, seconds_text
from mlteach.measure.weakness import old_kernels, weaknesses


def test_the_description_survives_json():
    bare = describe()
    measured = Machine.from_dict(
        {
            **bare.as_dict(),
            "peak": {"float32": {"one": 200.0, "all": 390.0}, "float64": {"one": 100.0, "all": 195.0}},
            "bandwidth": {"one": 12.0, "all": 20.0},
        }
    )
    for one in (bare, measured):
        assert Machine.from_dict(json.loads(json.dumps(one.as_dict()))) == one
    assert measured.peak["float32"] == Ceiling(200.0, 390.0)
    assert bare.peak is None


def test_what_is_described_here():
    here = describe()
    assert here.cores == usable_cores()
    assert here.python == ".".join(map(str, sys.version_info[:3]))
    assert here.packages["numpy"] == __import__("numpy").__version__
    assert here.blas.threads is None or here.blas.threads >= 1
    assert str(here).startswith(here.name)


def test_describing_imports_no_numba():
    code = "import sys; from mlteach.measure import describe; describe(); print('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


PROBES = ("_linux_processor", "_linux_caches", "_mac_caches", "_sysctl", "_cpu_list", "host_features")


def test_a_machine_that_tells_nothing_is_described_all_the_same(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("nothing works here")

    for name in PROBES:
        monkeypatch.setattr(probe, name, probe.or_unknown(broken) if "caches" in name else broken)
    monkeypatch.setattr(probe.sys, "platform", "linux")
    for name in ("processor", "system"):
        monkeypatch.setattr(probe.platform, name, broken)
    monkeypatch.setattr("threadpoolctl.threadpool_info", broken)
    monkeypatch.setattr(ceilings, "peak", broken)
    machine._ceilings.cache_clear()
    try:
        odd = describe(measure=True)
    finally:
        machine._ceilings.cache_clear()
    assert odd.name is odd.shared_cores is odd.simd is odd.blas is odd.peak is odd.bandwidth is None
    assert odd.caches == {"L1d": None, "L2": None, "L3": None}
    assert odd.system == os.name
    assert str(odd).startswith("unknown processor, ")
    assert json.dumps(odd.as_dict())


def test_a_processor_is_read_from_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(probe.sys, "platform", "linux")
    monkeypatch.setattr(probe, "CPU_INFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A Fine Processor @ 3 GHz\n")
    assert probe.processor_name() == "A Fine Processor @ 3 GHz"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nBogoMIPS : 48\n\nModel : A Board\n")
    assert probe.processor_name() == "A Board"
    (tmp_path / "cpuinfo").unlink()
    monkeypatch.setattr(probe.platform, "processor", lambda: "")
    monkeypatch.setattr(probe.platform, "machine", lambda: "riscv64")
    assert probe.processor_name() == "riscv64"


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="reads the affinity")
def test_shared_cores_are_read_from_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(probe.sys, "platform", "linux")
    monkeypatch.setattr(probe, "CPU_FOLDER", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2})
    for core, siblings in ((0, "0,4"), (2, "2,6")):
        (tmp_path / f"cpu{core}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{core}" / "topology" / "thread_siblings_list").write_text(siblings + "\n")
    assert probe.shared_cores() is False
    (tmp_path / "cpu0" / "topology" / "thread_siblings_list").write_text("0-2,4\n")
    assert probe.shared_cores() is True
    (tmp_path / "cpu0" / "topology" / "thread_siblings_list").unlink()
    assert probe.shared_cores() is None


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="reads the affinity")
def test_caches_are_read_from_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(probe.sys, "platform", "linux")
    monkeypatch.setattr(probe, "CPU_FOLDER", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    rows = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2048K")]
    for index, row in enumerate(rows):
        folder = tmp_path / "cpu3" / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        for name, value in zip(("level", "type", "size"), row, strict=True):
            (folder / name).write_text(value + "\n")
    assert probe.caches() == {"L1d": 49152, "L2": 2097152, "L3": None}


def test_busy_cores_are_counted_on_linux(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "CPU_TIMES", tmp_path / "stat")
    monkeypatch.setattr(probe.os, "cpu_count", lambda: 4)

    def later(
        _,
    ):  # 100 ticks later; 30 of them idle, 20 waiting for the disk, 50 at work, 7 of those for guests
        (tmp_path / "stat").write_text("cpu  120 10 15 1030 120 2 3 0 7 0\ncpu0 ...\n")

    (tmp_path / "stat").write_text("cpu  100 0 0 1000 100 0 0 0 0 0\ncpu0 ...\n")
    monkeypatch.setattr(probe.time, "sleep", later)
    assert probe.busy_cores(0.05) == pytest.approx(4 * 50 / 100)
    (tmp_path / "stat").unlink()
    assert probe.busy_cores(0.05) is None


def test_a_mac_is_asked_for_its_fast_cores(monkeypatch):
    says = {
        "machdep.cpu.brand_string": "Apple M4",
        "hw.logicalcpu": "8",
        "hw.physicalcpu": "8",
        "hw.perflevel0.l1dcachesize": "131072",
        "hw.l1dcachesize": "65536",
        "hw.l2cachesize": "4194304",
    }

    def run(command, **_):
        if command[-1] not in says:
            raise subprocess.CalledProcessError(1, command)
        return SimpleNamespace(stdout=says[command[-1]] + "\n")

    monkeypatch.setattr(probe.sys, "platform", "darwin")
    monkeypatch.setattr(probe.subprocess, "run", run)
    assert probe.processor_name() == "Apple M4"
    assert probe.shared_cores() is False
    assert probe.caches() == {"L1d": 131072, "L2": 4194304, "L3": None}
    says["hw.logicalcpu"] = "16"
    assert probe.shared_cores() is True


@pytest.mark.parametrize(
    ("features", "architecture", "expected"),
    [
        ({"avx512f": True, "avx2": True, "sse2": True}, "x86_64", (512, "AVX-512")),
        ({"avx512f": False, "avx2": True, "sse2": True}, "x86_64", (256, "AVX2")),
        ({"sse2": True}, "x86_64", (128, "SSE2")),
        ({"neon": True}, "aarch64", (128, "NEON")),
        ({}, "arm64", (128, "NEON")),
        ({}, "riscv64", None),
    ],
)
def test_the_width_of_vectors(monkeypatch, features, architecture, expected):
    monkeypatch.setattr(probe, "host_features", lambda: features)
    monkeypatch.setattr(probe.platform, "machine", lambda: architecture)
    assert probe.simd() == expected


@pytest.mark.parametrize(
    ("variable", "value", "library"),
    [
        ("OPENBLAS_CORETYPE", "Haswell", "BLAS"),
        ("OPENBLAS_L2_SIZE", "512", "BLAS"),
        ("MKL_DEBUG_CPU_TYPE", "5", "BLAS"),
        ("MKL_ENABLE_INSTRUCTIONS", "AVX2", "BLAS"),
        ("NUMBA_CPU_NAME", "generic", "Numba"),
        ("NUMBA_DISABLE_JIT", "1", "Numba"),
        ("NUMBA_OPT", "0", "Numba"),
    ],
)
def test_a_variable_that_weakens_is_found(variable, value, library):
    (found,) = weaknesses({variable: value})
    assert found.library == library
    assert found.message.startswith(f"{variable}={value} ")
    assert found.kernels


@pytest.mark.parametrize(
    "environ",
    [{}, {"OPENBLAS_CORETYPE": ""}, {"NUMBA_DISABLE_JIT": "0"}, {"NUMBA_OPT": "3"}, {"OMP_NUM_THREADS": "x"}],
)
def test_what_does_not_weaken_is_not_found(environ):
    assert weaknesses(environ) == []


def test_too_few_threads_are_found(monkeypatch):
    monkeypatch.setattr(weakness, "usable_cores", lambda: 4)
    (found,) = weaknesses({"OPENBLAS_NUM_THREADS": "3"})
    assert found.message == "OPENBLAS_NUM_THREADS=3 leaves BLAS fewer threads than the 4 cores here"
    assert not found.kernels
    assert weaknesses({"OMP_NUM_THREADS": "2,1"})
    assert not weaknesses({"NUMBA_NUM_THREADS": "4"})
    assert not weaknesses({"NUMBA_NUM_THREADS": "0"})


@pytest.mark.parametrize(
    ("library", "architecture", "width", "weak"),
    [
        ("openblas", "Haswell", (512, "AVX-512"), True),
        ("openblas", "Zen", (512, "AVX-512"), True),
        ("openblas", "SkylakeX", (512, "AVX-512"), False),
        ("openblas", "Haswell", (256, "AVX2"), False),
        ("openblas", "Sandybridge", (256, "AVX2"), True),
        ("openblas", "Sandybridge", (256, "AVX"), False),
        ("openblas", "Nehalem", (128, "SSE2"), False),
        ("openblas", "neoversen1", (128, "NEON"), False),
        ("openblas", None, (256, "AVX2"), False),
        ("mkl", "Haswell", (512, "AVX-512"), False),
        ("openblas", "Haswell", None, False),
    ],
)
def test_kernels_for_an_older_processor_are_found(monkeypatch, library, architecture, width, weak):
    monkeypatch.setattr(probe, "simd", lambda: width)
    assert bool(old_kernels(library, architecture)) is weak


def pool(**changes):
    return {
        "user_api": "blas",
        "internal_api": "openblas",
        "filepath": "numpy.libs/x",
        "num_threads": 2,
        **changes,
    }


def test_the_blas_of_numpy_is_described_not_another(monkeypatch):
    pools = [
        pool(filepath="scipy.libs/x", version="1"),
        pool(version="2", architecture="SkylakeX"),
        {"user_api": "openmp", "internal_api": "openmp"},
    ]
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: pools)
    monkeypatch.setattr(machine, "weaknesses", list)
    assert machine.blas() == Blas("openblas", "2", "SkylakeX", 2)


def test_a_weakened_blas_is_described_as_one(monkeypatch):
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [pool(architecture="Haswell")])
    monkeypatch.setattr(probe, "simd", lambda: (512, "AVX-512"))
    monkeypatch.setattr(machine, "weaknesses", list)
    found = machine.blas()
    assert found.weakened
    assert found.reasons == ("OpenBLAS runs its Haswell kernels on a processor with AVX-512",)
    monkeypatch.setattr(machine, "weaknesses", lambda: weaknesses({"OPENBLAS_CORETYPE": "Haswell"}))
    assert machine.blas().reasons == (
        "OPENBLAS_CORETYPE=Haswell makes OpenBLAS run the kernels of another processor",
    )


def test_a_blas_that_threadpoolctl_does_not_know(monkeypatch):
    monkeypatch.setattr("threadpoolctl.threadpool_info", list)
    built = {"Build Dependencies": {"blas": {"name": "accelerate", "version": "unknown"}}}
    monkeypatch.setattr("numpy.show_config", lambda mode: built)
    assert machine.blas().name == "accelerate"


def test_a_ceiling_grows_with_threads_up_to_all_cores():
    ceiling = Ceiling(one=100.0, all=180.0)
    assert [ceiling.at(threads) for threads in (1, 2, 8)] == [100.0, 180.0, 180.0]


def test_ceilings_are_measured_once(monkeypatch):
    calls = []

    def peak(dtype, threads):
        calls.append((dtype, threads))
        return 100.0 if threads == 1 else 90.0  # on a busy machine all cores can look slower than one

    monkeypatch.setattr(ceilings, "peak", peak)
    monkeypatch.setattr(ceilings, "bandwidth", lambda threads: 10.0 * threads)
    monkeypatch.setattr(machine, "usable_cores", lambda: 3)
    machine._ceilings.cache_clear()
    try:
        first, second = describe(measure=True), describe(measure=True)
    finally:
        machine._ceilings.cache_clear()
    assert calls == [("float32", 1), ("float32", 3), ("float64", 1), ("float64", 3)]
    assert first.peak == second.peak == {"float32": Ceiling(100.0, 100.0), "float64": Ceiling(100.0, 100.0)}
    assert first.bandwidth == Ceiling(10.0, 30.0)


def test_the_best_of_several_runs_counts(monkeypatch):
    ticks = iter([0.0, 5.0, 10.0, 12.0, 20.0, 24.0])
    monkeypatch.setattr(ceilings.time, "perf_counter", lambda: next(ticks))
    assert ceilings._best([lambda: None], runs=3) == 2.0


def test_works_that_run_together_last_until_the_last_is_done(monkeypatch):
    here = threading.local()
    monkeypatch.setattr(ceilings.time, "perf_counter", lambda: getattr(here, "now", 0.0))
    gate = threading.Barrier(2, timeout=20)

    def until(end):
        gate.wait()  # a thread each, so that each clock starts at 0
        here.now = end

    assert (
        ceilings._best(
            [
                lambda: until(1.0),
                lambda: until(5.0),
            ],
            runs=1,
        )
        == 5.0
    )


def test_works_start_together():
    gate = threading.Barrier(3, timeout=20)  # none passes unless all three run at once
    assert ceilings._best([gate.wait] * 3, runs=2) >= 0


def test_the_peak_counts_every_multiply_add(monkeypatch):
    done = []
    monkeypatch.setattr(probe, "simd", lambda: (256, "AVX2"))
    monkeypatch.setattr(ceilings, "_burst", lambda steps, factor: done.append((steps, factor.dtype.name)))
    monkeypatch.setattr(ceilings, "_best", lambda works, runs=1: [work() for work in works] and 0.01)
    gflops = ceilings.peak("float64", threads=2)
    steps = done[-1][0]
    assert done[-2:] == [(steps, "float64")] * 2
    assert gflops == pytest.approx(2 * steps * 12 * (256 // 64) * 2 / 0.01 / 1e9)


def test_the_burst_runs_vectors_of_the_width_and_their_sum_is_right():
    bits, chains = ceilings._shape()
    for dtype in (ceilings.np.float32, ceilings.np.float64):
        # Each chain starts at i / chains and goes x -> x / 2 + 1 / 2, n times.
        expected = sum(1 - (1 - i / chains) / 2**5 for i in range(chains))
        assert ceilings._burst(5, dtype(0.5)) == pytest.approx(expected, rel=1e-6)
    machine_code = "\n".join(ceilings._burst.inspect_llvm().values())
    assert f"<{bits // 32} x float>" in machine_code
    assert f"<{bits // 64} x double>" in machine_code


@pytest.mark.parametrize(
    ("last_cache", "expected"), [(None, 64 << 20), (32 << 20, 128 << 20), (1 << 30, 384 << 20)]
)
def test_a_triad_is_larger_than_the_last_cache(monkeypatch, last_cache, expected):
    sizes = []
    monkeypatch.setattr(probe, "caches", lambda: {"L3": last_cache})
    monkeypatch.setattr(ceilings.np, "full", lambda size, value: Sized(size))
    monkeypatch.setattr(ceilings, "_triad", lambda a, b, c, factor: sizes.append(a))
    monkeypatch.setattr(ceilings, "_best", lambda works: [work() for work in works] and 1.0)
    size = expected // 24
    assert ceilings.bandwidth(threads=3) == pytest.approx(24 * size / 1e9)
    assert sizes[0] == 1  # compiled before it is timed
    assert sum(sizes[1:]) == size
    assert max(sizes[1:]) - min(sizes[1:]) <= 1


class Sized:
    """Stands for an array; a slice of it is its own length."""

    def __init__(self, size):
        self.size = size

    def __getitem__(self, part):
        return len(range(*part.indices(self.size)))


def test_the_triad_computes():
    a, b, c = (ceilings.np.full(9, value) for value in (0.0, 1.0, 2.0))
    ceilings._triad(a, b, c, 2.0)
    assert (a == 5).all()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3e-9, "3 ns"),
        (1.234e-6, "1.23 µs"),
        (0.00099951, "1 ms"),
        (0.0471, "47.1 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (47.04, "47 s"),
        (119, "119 s"),
        (120, "2.0 min"),
        (7200, "120.0 min"),
        (72_000, "1 200.0 min"),
    ],
)
def test_times_in_words(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0105, "0.011"),
        (0.064, "0.064"),
        (1.04, "1.04"),
        (1.999, "2.00"),
        (3.94, "3.9"),
        (9.97, "10"),
        (61.7, "62"),
        (99.7, "100"),
        (3263.4, "3 260"),
        (1234567, "1 230 000"),
        (-12.4, "-12"),
    ],
)
def test_numbers_in_words(value, text):
    assert number_text(value) == text


def test_sizes_counts_and_lists_in_words():
    assert [count_text(count) for count in (0, 999, 1000, 60_000, np.int64(-1_413_000_000))] == [
        "0",
        "999",
        "1 000",
        "60 000",
        "-1 413 000 000",
    ]
    assert [bytes_text(size) for size in (12, 49152, 272629760, 3 << 30)] == [
        "12 B",
        "48 KiB",
        "260 MiB",
        "3 GiB",
    ]
    assert [listing(list(words)) for words in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


def test_importing_mlteach_measure_imports_nothing_heavy():
    code = "import sys; import mlteach.measure; print({'numpy', 'numba', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_measure_imports_nothing_of_what_lies_above():
    folder = Path(machine.__file__).parent
    for path in folder.glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "mlteach.teach" not in text
        assert "mlteach.cli" not in text
