"""The kernels that show what goes wrong are slow, not wrong."""

import numpy as np
import pytest

from mlteach.gpu import simt
from mlteach.gpu.variants import VARIANTS


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_computes_the_product(name):
    launch = VARIANTS[name]
    a, b = np.random.default_rng(16).normal(size=(2, 21, 21)).astype(np.float32)[:, :, :5]
    out = np.full((21, 21), np.nan, np.float32)
    trace = simt.run(launch.function, launch.grid(21, 21), launch.block, a, np.ascontiguousarray(b.T), out)
    assert not trace.problems
    np.testing.assert_allclose(out, a @ b.T, atol=1e-5)
