"""The GPU kernels as rungs of the ladder, and the library that they are measured against."""

from __future__ import annotations

import numpy as np

from mlteach.gpu.device import prepare_cupy, prepare_launch, run_by
from mlteach.gpu.kernels import CUDA
from mlteach.gpu.launch import Launch
from mlteach.matmul import Kernel, rung


def cublas(a, b, out):
    """Call NVIDIA's own library, through CuPy.

    Idea: cuBLAS holds hundreds of kernels, written for each GPU by hand, and picks one by the shape.
    Changed from `blas`: the machine; the arrays lie on the GPU.
    Limit: the FMA units. Float32 stays float32: the tensor cores' shorter TF32 is left off.
    """
    import cupy

    cupy.matmul(a, b, out=out)


def _kernel(launch: Launch) -> Kernel:
    prepare = prepare_launch(launch)
    rounded = None if launch.dtype == "float32" else np.dtype(launch.dtype)
    return rung(
        launch.function,
        run=run_by(prepare),
        device="gpu",
        dtypes=(np.dtype("float32"),),
        prepare=prepare,
        rounds_to=rounded,
    )


_cublas = prepare_cupy(cublas)

RUNGS = {
    **{name: _kernel(launch) for name, launch in CUDA.items()},
    "cublas": rung(cublas, run=run_by(_cublas), device="gpu", prepare=_cublas),
}
