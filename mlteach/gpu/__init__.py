"""The GPU ladder: kernels in `numba.cuda`, and `simt`, which runs the same kernels without a GPU."""
