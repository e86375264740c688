"""A GPU for tests: memory is NumPy's, launches run under `simt`, and the clock counts launches."""

import numpy as np

from mlteach.gpu import simt


class SimtDevice:
    """What `mlteach.gpu.device.NumbaDevice` does, without a GPU. Traces of launches are kept."""

    def __init__(self):
        self.traces = []

    def upload(self, array):
        assert array.flags.c_contiguous
        return array.copy()

    def empty(self, shape, dtype):
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else -1, dtype)

    def configure(self, function, grid, block, shared_bytes=0):
        def start(*arguments):
            self.traces.append(simt.run(function, grid, block, *arguments, shared_bytes=shared_bytes))

        return start

    def download(self, array):
        return array.copy()

    def stamp(self):
        return len(self.traces)

    def seconds(self, begin, end):
        return float(end - begin)
