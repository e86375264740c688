"""The two ceilings of a processor, measured: arithmetic and memory.

Both are the best of several runs: a ceiling is what the machine can do when nothing disturbs it, so the
fastest run is nearest to the truth. (A kernel's own time is a median: what the reader gets, not what is
possible.)
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic

from mlteach.measure import probe

RUNS = 15  # of which the best counts
BURST = 0.01  # seconds that one run takes, so long that starting the threads does not show
L3_TIMES = 4  # a triad over this many times the last cache leaves next to nothing in it
LEAST_TRIAD, MOST_TRIAD = 64 << 20, 384 << 20  # bytes of the three arrays, even where L3 is unknown or huge

# A multiply-add takes about four cycles and up to four units start one each cycle, so 16 must be under way.
# One more register holds the factor; with 16 registers that leaves room for 12 chains.
CHAINS_OF_16_REGISTERS, CHAINS_OF_32_REGISTERS = 12, 24

INDEX = ir.IntType(32)


def _shape() -> tuple[int, int]:
    """Bits of a vector, and how many chains of additions the register file holds."""
    bits, name = probe.simd() or (128, "SSE2")
    return bits, CHAINS_OF_32_REGISTERS if name in ("AVX-512", "NEON") else CHAINS_OF_16_REGISTERS


@intrinsic
def _multiply_add(typingctx, steps, factor):
    """Run `steps` rounds of independent vector multiply-adds, and add up one lane so that none is dropped."""
    signature = factor(steps, factor)

    def generate(context, builder, signature, args):
        bits, chains = _shape()
        number = context.get_value_type(factor)
        vector = ir.VectorType(number, bits // factor.bitwidth)
        name = f"llvm.fmuladd.v{vector.count}f{factor.bitwidth}"
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        zero = ir.Constant(INDEX, 0)
        nothing = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(nothing, args[1], zero)
        spread = builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(INDEX, vector.count), None))

        before = builder.block
        loop, after = (builder.append_basic_block(name) for name in ("multiply_add", "done"))
        builder.branch(loop)
        builder.position_at_end(loop)
        count = builder.phi(args[0].type)
        count.add_incoming(ir.Constant(args[0].type, 0), before)
        sums = [builder.phi(vector) for _ in range(chains)]
        grown = [builder.call(fma, [chain, spread, spread]) for chain in sums]
        for i, chain in enumerate(sums):  # each starts elsewhere, or the compiler would keep only one
            chain.add_incoming(ir.Constant(vector, [ir.Constant(number, i / chains)] * vector.count), before)
            chain.add_incoming(grown[i], loop)
        following = builder.add(count, ir.Constant(args[0].type, 1))
        count.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, args[0]), loop, after)
        builder.position_at_end(after)
        total = grown[0]
        for chain in grown[1:]:
            total = builder.fadd(total, chain)
        return builder.extract_element(total, zero)

    return signature, generate


@njit(nogil=True)
def _burst(steps, factor):
    return _multiply_add(steps, factor)


@njit(nogil=True)
def _triad(a, b, c, factor):
    for i in range(a.size):
        a[i] = b[i] + factor * c[i]


def peak(dtype: str, threads: int) -> float:
    """Measure how many GFLOP/s the multiply-add units give when nothing else limits them.

    Vectors of the widest kind that the processor has, as many independent chains as its registers hold, and
    no memory access. Where there is no fused multiply-add, a multiplication and an addition take its place.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    threads : int
        How many cores work at once.
    """
    factor = np.dtype(dtype).type(0.5)  # sums stay between 0.5 and 1: no overflow, nothing tiny
    bits, chains = _shape()
    flops = 2 * chains * bits // (8 * factor.itemsize)
    steps = 1000
    _burst(steps, factor)
    while (seconds := _best([partial(_burst, steps, factor)], runs=1)) < BURST / 10:
        steps *= 4
    steps = int(steps * BURST / seconds)
    return flops * steps * threads / _best([partial(_burst, steps, factor)] * threads) / 1e9


def bandwidth(threads: int) -> float:
    """Measure the memory bandwidth in GB/s with ``a = b + 2 * c`` on arrays that no cache holds.

    Each element counts as three times eight bytes, as the STREAM benchmark counts; what the processor reads
    of ``a`` before it writes it is not counted.

    Parameters
    ----------
    threads : int
        How many cores work at once, each on its own part.
    """
    last_cache = probe.caches()["L3"] or 0
    size = min(max(L3_TIMES * last_cache, LEAST_TRIAD), MOST_TRIAD) // (3 * 8)
    a, b, c = (np.full(size, value) for value in (0.0, 1.0, 2.0))
    _triad(a[:1], b[:1], c[:1], 2.0)
    parts = [slice(size * i // threads, size * (i + 1) // threads) for i in range(threads)]
    works = [partial(_triad, a[part], b[part], c[part], 2.0) for part in parts]
    return 3 * 8 * size / _best(works) / 1e9


def _best(works: list, runs: int = RUNS) -> float:
    """The shortest time in which all works, started together in a thread each, were done."""
    gate = threading.Barrier(len(works))

    def timed(work):
        gate.wait()
        begin = time.perf_counter()
        work()
        return begin, time.perf_counter()

    seconds = []
    with ThreadPoolExecutor(len(works)) as pool:
        for _ in range(runs):
            begins, ends = zip(*pool.map(timed, works), strict=True)
            seconds.append(max(ends) - min(begins))
    return min(seconds)
