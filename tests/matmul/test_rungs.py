"""What single rungs promise beyond the common contract, and the ladder as a whole."""

import re
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from mlteach.matmul import KERNELS, loops, matmul, native, rung, threads
from mlteach.teach.source import changed_lines, marked_lines

ORDER = """
    loops threads_cell threads_row numpy_rows jit jit_ikj jit_threads jit_prange tiled packed simd c blas
    cuda_naive cuda_coalesced cuda_shared cuda_registers_1d cuda_registers_2d cuda_vector cuda_double_buffer
    cuda_tensor_core cublas
""".split()  # noqa: SIM905


def test_ladder_order_and_fields():
    assert list(KERNELS) == ORDER
    for name, kernel in KERNELS.items():
        assert kernel.name == name
        assert kernel.idea.endswith(".")
        assert kernel.limit in {
            "the interpreter",
            "the add chain",
            "the cache",
            "bandwidth",
            "the FMA units",
            "the launch",
            "latency",
        }
        assert kernel.device in {"python", "cpu", "gpu"}
        assert kernel.function.__name__ == name


def test_ladder_is_read_only():
    with pytest.raises(TypeError):
        KERNELS["loops"] = None
    with pytest.raises(KeyError):
        KERNELS["none"]
    with pytest.raises(AttributeError):
        KERNELS["loops"].name = "other"


def test_listing_the_ladder_imports_no_rung():
    code = """
import sys, mlteach.matmul
print(len(mlteach.KERNELS), [name for name in ("mlteach.matmul.jit", "numba") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"{len(ORDER)} []\n", done.stderr


def test_a_cpu_rung_imports_nothing_of_cuda():
    code = """
import sys, numpy as np, mlteach.matmul
mlteach.matmul.matmul(np.ones((2, 2)), np.ones((2, 2)), kernel="blas")
sys.exit("numba.cuda" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_labels_over_several_lines_are_joined():
    def made_up(a, b, out):
        """Do it.

        Idea: one thing
        after another.
        Changed from `loops`: all.
        Limit: the cache. And more.
        """

    kernel = rung(made_up)
    assert kernel.idea == "one thing after another."
    assert kernel.limit == "the cache"


def test_lists_are_made_band_by_band(monkeypatch):
    monkeypatch.setattr(loops, "BAND", 40)
    sizes = []

    def kernel(a, b, out, threads):
        sizes.append((len(a), len(b), len(b[0])))
        loops.loops(a, b, out)

    rng = np.random.default_rng(1)
    a, b, out = rng.normal(size=(11, 10)), rng.normal(size=(10, 9)), np.empty((11, 9))
    loops.on_lists(kernel)(a, b, out, 2)
    assert np.allclose(out, a @ b)
    assert {s[:2] for s in sizes} == {(4, 10), (3, 10)}
    assert max(s[1] * s[2] for s in sizes) <= 40


def test_at_most_so_many_tasks_wait(monkeypatch):
    monkeypatch.setattr(threads, "PENDING", 7)
    taken, done = [], []

    def arguments():
        for i in range(50):
            taken.append(i)
            assert len(taken) - len(done) <= 7
            yield (i,)

    threads.each(done.append, arguments(), 3)
    assert sorted(done) == list(range(50))


@pytest.mark.parametrize(
    ("doc", "label"), [(None, "Idea"), ("Limit: patience.", "Idea"), ("Do.\n\nIdea: none.", "Limit")]
)
def test_a_rung_says_its_idea_and_its_limit(doc, label):
    def made_up(a, b, out):
        pass

    made_up.__doc__ = doc
    with pytest.raises(ValueError, match=f"made_up is no rung yet: .* a line that begins '{label}: '"):
        rung(made_up)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_a_task_comes_out(error):
    def task(i):
        if i == 3:
            raise error("here")

    with pytest.raises(error, match="here"):
        threads.each(task, zip(range(10)), 2)


def test_blas_threads_are_put_back():
    def blas_threads():
        return [lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"]

    before = blas_threads()
    matmul(np.ones((8, 8)), np.ones((8, 8)), kernel="blas", threads=1)
    assert blas_threads() == before
    with native._threads(1), native._threads(2):
        pass
    assert blas_threads() == before


def test_python_rungs_give_equal_bits():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(6, 40)), rng.normal(size=(40, 5))
    first = matmul(a, b, kernel="loops")
    for name in ("threads_cell", "threads_row", "jit"):
        assert np.array_equal(matmul(a, b, kernel=name), first)


@pytest.mark.parametrize("name", KERNELS)
def test_marks_stand_on_the_lines_that_changed(name):
    function = KERNELS[name].function
    before = re.search(r"Changed from `(\w+)`", function.__doc__)
    if before and marked_lines(function):
        assert marked_lines(function) == changed_lines(function, KERNELS[before[1]].function)
    else:
        new = {"loops", "jit", "simd", "c", "blas", "cuda_naive", "cuda_tensor_core", "cublas"}
        assert name in new, "a rung says what changed, or is new from top to bottom"
