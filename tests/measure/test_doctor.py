import errno
import json
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest

from mlteach import mnist
from mlteach.measure import doctor, doctor_machine, doctor_setup, finding, journal, probe, weakness
from mlteach.measure.doctor import EXAMINATIONS, Finding, examine
from mlteach.measure.machine import Blas

SYSTEMS = ("linux", "darwin", "win32")


@pytest.fixture(autouse=True)
def calm(monkeypatch):
    """Nothing weakens a library unless a test says so."""
    for found in weakness.weaknesses():
        monkeypatch.delenv(found.variable)
    monkeypatch.delenv("NUMBA_THREADING_LAYER", raising=False)


def only(examination) -> Finding:
    """The one finding of an examination; a problem has a cure, in one sentence each."""
    (found,) = examination()
    assert found.status in ("ok", "warn", "fail")
    assert found.message.endswith(".")
    assert bool(found.cure) == (found.status != "ok")
    if found.cure:
        assert found.cure.endswith(".")
    return found


def test_everything_is_looked_at_and_told_as_json():
    findings = examine()
    assert {one.topic for one in findings} == set(EXAMINATIONS)
    assert json.loads(json.dumps([vars(one) for one in findings]))
    assert all(one.cure for one in findings if one.status != "ok")


def test_an_examination_that_fails_becomes_a_finding(monkeypatch):
    def broken():
        raise ZeroDivisionError("odd machine")

    monkeypatch.setitem(EXAMINATIONS, "Cores", broken)
    monkeypatch.setattr(doctor, "EXAMINATIONS", {"Cores": broken})
    (found,) = examine()
    assert found == Finding(
        "Cores",
        "warn",
        "Unknown: looking at it failed (ZeroDivisionError: odd machine).",
        "Nothing to do unless a lesson fails.",
    )


def test_python_of_32_bits_fails(monkeypatch):
    monkeypatch.setattr(doctor_setup.sys, "maxsize", 2**31 - 1)
    found = only(doctor_setup.python)
    assert (found.status, found.cure) == ("fail", "Install a 64-bit Python.")


def test_a_python_from_the_future_is_told(monkeypatch):
    monkeypatch.setattr(doctor_setup.sys, "version_info", (3, 99, 0))
    found = only(doctor_setup.python)
    assert found.status == "warn"
    assert "use Python 3.14" in found.cure


def test_a_translated_python_is_told(monkeypatch):
    monkeypatch.setattr(doctor_setup.sys, "platform", "darwin")
    monkeypatch.setattr(doctor_setup, "output_of", lambda command: "1")
    assert "runs translated" in only(doctor_setup.python).message
    monkeypatch.setattr(doctor_setup, "output_of", lambda command: None)
    assert only(doctor_setup.python).status == "ok"


def installed(monkeypatch, **versions):
    """Pretend that packages have other versions; None is not installed at all."""
    real = doctor_setup.version
    monkeypatch.setattr(doctor_setup, "version", lambda name: versions.get(name, real(name)))


def test_missing_and_mismatched_packages_are_told(monkeypatch):
    installed(monkeypatch, numpy="1.26.4", numba=None)
    numba, numpy = sorted(doctor_setup.packages(), key=lambda one: one.message)
    assert numba.status == numpy.status == "fail"
    assert numba.message == "numba is missing."
    assert numpy.message == "numpy is 1.26.4, mlteach needs <3,>=2."
    assert numpy.cure == 'Run `pip install "numpy<3,>=2"`.'


def test_packages_that_fit_are_told(monkeypatch):
    installed(monkeypatch, numpy="2.9.0rc1")  # a release candidate fits its range
    assert only(doctor_setup.packages).message.startswith("numpy 2.9.0rc1, numba ")


def test_an_mlteach_that_is_not_installed_is_told(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(doctor_setup.metadata, "requires", missing)
    assert "run.py lab" in only(doctor_setup.packages).cure
    assert list(doctor_setup.jupyter()) == []


def test_a_missing_lab_is_told_with_its_cure(monkeypatch):
    installed(monkeypatch, jupyterlab=None, ipywidgets="7.0", numpy="1.26.4")
    widgets, lab = sorted(doctor_setup.jupyter(), key=lambda one: one.message)
    assert lab.status == widgets.status == "warn"
    assert lab.message == "jupyterlab is missing."
    assert widgets.message == "ipywidgets is 7.0, mlteach needs <9,>=8.1."
    assert lab.cure == widgets.cure == 'Run `pip install "mlteach[lab]"`.'
    assert only(doctor_setup.packages).message.startswith("numpy ")  # each problem is told once


@pytest.mark.parametrize(
    ("usable", "there", "shared", "status", "message"),
    [
        (1, 1, False, "warn", "One core of 1"),
        (1, 8, None, "warn", "One core of 8"),
        (2, 2, False, "ok", "2 cores, each a core of its own."),
        (2, 8, True, "ok", "2 of the machine's 8 cores, some are two threads of one core"),
        (2, 2, None, "ok", "2 cores, whether some share a physical core is unknown."),
    ],
)
def test_cores(monkeypatch, usable, there, shared, status, message):
    monkeypatch.setattr(doctor_machine, "usable_cores", lambda: usable)
    monkeypatch.setattr(doctor_machine.os, "cpu_count", lambda: there)
    monkeypatch.setattr(probe, "shared_cores", lambda: shared)
    found = only(doctor_machine.cores)
    assert found.status == status
    assert found.message.startswith(message)


def test_caches(monkeypatch):
    monkeypatch.setattr(probe, "caches", lambda: {"L1d": 49152, "L2": 2 << 20, "L3": None})
    assert only(doctor_machine.caches).message == "L1d 48 KiB, L2 2 MiB."
    monkeypatch.setattr(probe, "caches", lambda: dict.fromkeys(("L1d", "L2", "L3")))
    assert "unknown" in only(doctor_machine.caches).message


def test_vectors(monkeypatch):
    for width, status, message in (
        ((512, "AVX-512"), "ok", "AVX-512: 16 float32 numbers"),
        ((128, "NEON"), "ok", "NEON: 4 "),
        ((128, "SSE2"), "warn", "SSE2: 4 "),
        (None, "ok", "The width of the vectors is unknown"),
    ):
        monkeypatch.setattr(probe, "simd", lambda width=width: width)
        found = only(doctor_machine.simd)
        assert found.status == status
        assert found.message.startswith(message)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_variable_that_weakens_blas_is_told_with_its_cure(monkeypatch, system):
    monkeypatch.setattr(finding.sys, "platform", system)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setattr(doctor_machine.machine, "blas", lambda: Blas("openblas", "0.3", "Haswell", 2, True))
    monkeypatch.setattr(probe, "simd", lambda: (512, "AVX-512"))
    found = only(doctor_machine.blas)  # its Haswell kernels have a reason, and that is told
    assert found.status == "warn"
    assert found.message.startswith("OPENBLAS_CORETYPE=Haswell makes OpenBLAS run")
    assert "OPENBLAS_CORETYPE" in found.cure
    assert ("unset" in found.cure) == (system != "win32")


def test_every_variable_that_weakens_blas_is_told(monkeypatch):
    monkeypatch.setattr(weakness, "usable_cores", lambda: 4)
    monkeypatch.setenv("OPENBLAS_L2_SIZE", "512")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    size, threads = doctor_machine.blas()
    assert "OPENBLAS_L2_SIZE=512" in size.message
    assert "OMP_NUM_THREADS=1 leaves BLAS fewer threads than the 4 cores" in threads.message


def test_an_old_blas_is_told(monkeypatch):
    library = Blas("openblas", "0.3.1", "Haswell", 2, True, ("...",))
    monkeypatch.setattr(doctor_machine.machine, "blas", lambda: library)
    monkeypatch.setattr(probe, "simd", lambda: (512, "AVX-512"))
    found = only(doctor_machine.blas)
    assert found.message == "OpenBLAS runs its Haswell kernels on a processor with AVX-512."
    assert found.cure == "Run `pip install --upgrade numpy`."


def test_a_blas_in_order_and_one_unknown(monkeypatch):
    for library, message in (
        (Blas("openblas", "0.3.31", "SkylakeX", 2), "openblas 0.3.31, SkylakeX kernels, 2 threads."),
        (Blas("accelerate"), "accelerate."),
        (None, "The library behind NumPy is unknown."),
    ):
        monkeypatch.setattr(doctor_machine.machine, "blas", lambda library=library: library)
        assert only(doctor_machine.blas).message == message


def child_says(monkeypatch, stdout="", stderr="", code=0):
    answer = SimpleNamespace(stdout=stdout, stderr=stderr, returncode=code)
    monkeypatch.setattr(doctor_machine.subprocess, "run", lambda *args, **kwargs: answer)


def test_good_threads_are_told(monkeypatch):
    child_says(monkeypatch, "tbb\n")
    assert only(doctor_machine.numba).message == "Threads come from tbb."


@pytest.mark.parametrize(
    ("system", "cure"), list(zip(SYSTEMS, ("libgomp1", "brew install", "pip install tbb"), strict=True))
)
def test_slow_threads_are_told_with_the_cure_for_the_system(monkeypatch, system, cure):
    child_says(monkeypatch, "workqueue\n")
    monkeypatch.setattr(finding.sys, "platform", system)
    found = only(doctor_machine.numba)
    assert found.status == "warn"
    assert found.message.startswith("Threads come from workqueue")
    assert cure in found.cure


def test_a_numba_that_does_not_work_is_told(monkeypatch):
    trace = "Traceback ...\nImportError: no llvmlite\nHINT:\n\nsomething else\n"
    child_says(monkeypatch, stderr=trace, code=1)
    found = only(doctor_machine.numba)
    assert found.status == "fail"
    assert found.message == "Numba does not work: ImportError: no llvmlite."
    assert "--force-reinstall numba" in found.cure
    monkeypatch.setenv("NUMBA_THREADING_LAYER", "tbb")
    assert "NUMBA_THREADING_LAYER" in only(doctor_machine.numba).cure
    child_says(monkeypatch, code=-11)
    assert "it ended with code -11" in only(doctor_machine.numba).message


def test_what_weakens_numba_is_told(monkeypatch):
    child_says(monkeypatch, "omp\n")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    weak, fine = doctor_machine.numba()
    assert weak.status == "warn"
    assert "NUMBA_DISABLE_JIT=1 makes Numba run plain Python" in weak.message
    assert fine.status == "ok"


@pytest.mark.parametrize(
    ("system", "cure"), list(zip(SYSTEMS, ("build-essential", "xcode-select", "Build Tools"), strict=True))
)
def test_a_missing_compiler_is_told_with_the_cure_for_the_system(monkeypatch, system, cure):
    monkeypatch.setattr(finding.sys, "platform", system)
    monkeypatch.setattr(doctor_machine, "output_of", lambda command: None)
    monkeypatch.setattr(doctor_machine.shutil, "which", lambda name: None)
    found = only(doctor_machine.compiler)
    assert found.status == "warn"
    assert cure in found.cure


def test_the_compiler_that_is_chosen_comes_first(monkeypatch):
    monkeypatch.setattr(finding.sys, "platform", "linux")
    says = {"mycc": "mycc 1.0\nCopyright", "cc": "cc 2.0"}
    monkeypatch.setattr(doctor_machine, "output_of", lambda command: says.get(command[0]))
    monkeypatch.setenv("CC", "mycc -O2")
    assert only(doctor_machine.compiler).message == "mycc 1.0."
    monkeypatch.setenv("CC", "elsewhere")
    assert only(doctor_machine.compiler).message == "cc 2.0."


def test_visual_studio_is_found(monkeypatch):
    monkeypatch.setattr(finding.sys, "platform", "win32")
    monkeypatch.setattr(doctor_machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(
        doctor_machine, "output_of", lambda command: "C:\\VS" if "vswhere" in command[0] else None
    )
    assert only(doctor_machine.compiler).message == "C:\\VS."


@pytest.fixture
def gpu(monkeypatch):
    """A machine with a GPU, whose parts a test takes away."""
    parts = SimpleNamespace(
        cards="NVIDIA H100, 580.1\nNVIDIA H100, 580.1",
        driver=True,
        lacks=None,
        packages={"numba-cuda": "0.30"},
    )
    monkeypatch.setattr(doctor_machine, "output_of", lambda command: parts.cards)
    monkeypatch.setattr(doctor_machine, "_driver", lambda: parts.driver)
    monkeypatch.setattr(doctor_machine, "why_not", lambda: parts.lacks)
    monkeypatch.setattr(doctor_machine.machine, "version", lambda name: parts.packages.get(name))
    monkeypatch.setattr(doctor_machine.shutil, "which", lambda name: "/usr/bin/" + name)
    return parts


def test_a_whole_gpu_is_told(gpu):
    found = only(doctor_machine.gpu)
    assert found.status == "ok"
    assert found.message == ("NVIDIA H100, driver 580.1; NVIDIA H100, driver 580.1, numba-cuda 0.30.")


def test_no_gpu_is_no_problem(gpu, monkeypatch):
    gpu.cards, gpu.driver = None, False
    monkeypatch.setattr(doctor_machine.shutil, "which", lambda name: None)
    found = only(doctor_machine.gpu)
    assert found.status == "ok"
    assert found.message == "No NVIDIA GPU: notebooks 13 to 16 use the simulator."


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ({"cards": None}, "does not answer"),
        ({"cards": "No devices were found"}, "does not answer"),
        ({"driver": False}, "cannot load the driver's library"),
        (
            {"lacks": 'the package numba-cuda is not installed: run `pip install "mlteach[gpu-cu13]"`'},
            "driver 580.1, but the package numba-cuda is not installed.",
        ),
    ],
)
def test_half_a_gpu_is_told(gpu, missing, message):
    vars(gpu).update(missing)
    found = only(doctor_machine.gpu)
    assert found.status == "warn"
    assert message in found.message
    assert found.cure[0].isupper()
    assert found.cure.endswith(".")


def test_a_journal_in_order(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTEACH_HOME", str(tmp_path / "not" / "yet"))
    assert only(doctor_setup.journal).status == "ok"
    assert list(tmp_path.iterdir()) == []  # looking leaves no trace


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_journal_that_cannot_be_written_is_told(tmp_path, monkeypatch, system):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MLTEACH_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(finding.sys, "platform", system)
    found = only(doctor_setup.journal)
    assert found.status == "warn"
    assert "cannot be written" in found.message
    assert "MLTEACH_HOME" in found.cure
    assert ("setx" in found.cure) == (system == "win32")


def test_a_journal_damaged_or_of_later_make_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTEACH_HOME", str(tmp_path))
    (tmp_path / journal.FILE).write_text("{")
    assert "is damaged" in only(doctor_setup.journal).message
    (tmp_path / journal.FILE).write_text('{"format": 99}')
    assert "a later mlteach" in only(doctor_setup.journal).message


def test_numba_needs_one_place_for_its_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert only(doctor_setup.numba_cache).message == f"Compiled kernels are kept in {tmp_path}."
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    assert only(doctor_setup.numba_cache).status == "ok"  # beside the kernels, or in the user's folder
    monkeypatch.setattr(doctor_setup, "_cannot_write", lambda folder: "Permission denied")
    found = only(doctor_setup.numba_cache)
    assert found.status == "fail"
    assert "NUMBA_CACHE_DIR" in found.cure


def test_a_folder_that_refuses_a_file_cannot_be_written(tmp_path, monkeypatch):
    def full(dir):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(doctor_setup.tempfile, "TemporaryFile", full)
    assert doctor_setup._cannot_write(tmp_path) == "No space left on device"


def test_digits_that_are_not_whole_are_told(monkeypatch):
    def broken(split):
        raise mnist.IdxError(f"{split}-images: the checksum is wrong")

    assert only(doctor_setup.digits).message == "All 70 000 are there, and their checksums are right."
    monkeypatch.setattr(mnist, "load", broken)
    found = only(doctor_setup.digits)
    assert found.status == "fail"
    assert found.message == "train-images: the checksum is wrong."


@pytest.mark.parametrize(("free", "status"), [(5 << 30, "ok"), (500 << 20, "warn"), (1 << 20, "fail")])
def test_disk_space(monkeypatch, free, status):
    monkeypatch.setattr(doctor_setup.shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))
    assert only(doctor_setup.disk).status == status


def test_a_program_that_is_missing_fails_or_hangs_says_nothing():
    python = sys.executable
    assert finding.output_of([python, "-c", "print(' yes ')"]) == "yes"
    assert finding.output_of([python, "-c", "raise SystemExit(1)"]) is None
    assert finding.output_of([python + "-missing"]) is None
    assert finding.output_of([python, "-c", "import time; time.sleep(60)"], timeout=0.1) is None


def test_looking_at_numba_launches_no_threads_here():
    code = (
        "from mlteach.measure import doctor_machine; list(doctor_machine.numba())\n"
        "import sys; print('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
