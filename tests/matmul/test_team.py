"""Numba's threads in processes that fork, that call from many threads, that are interrupted."""

import os
import subprocess
import sys

import numba
import pytest

from mlteach.matmul import team

START = """
import os, sys, threading
import numpy as np
from mlteach.matmul import matmul, team
a = np.random.default_rng(0).normal(size=(140, 130)).astype("float32")
expected = a @ a.T

def right(kernel, threads=2):
    return np.allclose(matmul(a, a.T, kernel=kernel, threads=threads), expected, rtol=1e-3, atol=1e-3)
"""
FORK = """
assert all(map(right, {kernels}))
child = os.fork()
if child == 0:
    os._exit(0 if all(map(right, {kernels})) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert all(map(right, {kernels}))
"""
TOGETHER = """
from mlteach.matmul import simd
simd.ALONE = 0
results = []
def work():
    results.append(all(right(kernel) for _ in range(10) for kernel in {kernels}))
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert results == [True] * 4, results
"""


def run(code, **environment):
    code = START + code.format(kernels=["jit_prange", "simd"])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def layers():
    found = ["workqueue"]
    try:
        import numba.np.ufunc.omppool  # noqa: F401
    except ImportError:
        return found
    return [*found, "omp"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("layer", layers())
def test_after_a_fork(layer):
    run(FORK, NUMBA_THREADING_LAYER=layer)


@pytest.mark.parametrize("layer", layers())
def test_from_several_threads_at_once(layer):
    run(TOGETHER, NUMBA_THREADING_LAYER=layer)


def test_an_interrupt_gives_the_team_back():
    def interrupted():
        raise KeyboardInterrupt

    before = numba.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        team.together(interrupted, 1)
    assert numba.get_num_threads() == before
    assert not team._turn.locked()


def test_no_more_threads_than_numba_has():
    seen = []
    team.together(lambda: seen.append(numba.get_num_threads()), 1000)
    assert seen == [numba.config.NUMBA_NUM_THREADS]
