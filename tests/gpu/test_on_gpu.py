"""The GPU ladder on a GPU. Skipped, with what is missing, where there is none."""

import numpy as np
import pytest

from mlteach import gpu, mnist
from mlteach.gpu.fused import TalkStep
from mlteach.matmul import KERNELS, matmul
from mlteach.measure.bench import time_product

SHAPES = [(1, 1, 1), (17, 5, 33), (1, 300, 70), (129, 9, 131), (257, 255, 258), (60, 785, 10)]
ACCURACIES = [0.098717, 0.395033, 0.471133]  # of the talk's first three iterations

pytestmark = pytest.mark.skipif(
    gpu.simulated() or not gpu.available(), reason=gpu.why_not() or "Numba's simulator is no GPU"
)


def require(name):
    """Skip where this rung needs more than there is."""
    capability, package = (
        ((8, 0) if "tensor" in name else (0, 0)),
        "cupy" if name == "cublas" else "numba-cuda",
    )
    if problem := gpu.why_not(capability, package):
        pytest.skip(problem)


@pytest.fixture(params=[name for name, kernel in KERNELS.items() if kernel.device == "gpu"])
def rung(request):
    require(request.param)
    return KERNELS[request.param]


def test_products_are_right(rung):
    rng = np.random.default_rng(7)
    for m, k, n in SHAPES:
        a, b = rng.standard_normal((m, k), "f4"), rng.standard_normal((n, k), "f4").T
        exact, scale = a.astype("f8") @ b, np.abs(a).astype("f8") @ np.abs(b)
        rounded = np.finfo(rung.rounds_to).eps if rung.rounds_to else 0
        bound = (2 * (k + 1) * np.finfo("f4").eps + 2 * rounded) * scale
        assert (np.abs(matmul(a, b, kernel=rung) - exact) <= bound).all(), (m, k, n)


def test_a_rung_is_timed_by_events(rung):
    measured = time_product(rung, n=512, rounds=2, budget=0.5)
    assert 0 < measured.seconds < measured.first_seconds
    assert measured.transfer_seconds > 0


def test_the_talks_iteration():
    train = mnist.load("train")
    step = TalkStep(train.images, train.labels)
    accuracies, theta = step.train(np.zeros((785, 10)), len(ACCURACIES))
    np.testing.assert_allclose(accuracies, ACCURACIES, atol=1e-4)
    assert theta.shape == (785, 10)
    again, same = step.train(np.zeros((785, 10)), len(ACCURACIES))
    assert np.array_equal(again, accuracies)
    assert np.array_equal(same, theta)  # nothing depends on which block ends first
