"""The tensor cores of a GPU: intrinsics that a whole warp calls together, each lane holding a share.

Stand-ins let `mlteach.gpu.simt` run them; Numba's own simulator knows nothing like them.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba.core import types

from mlteach.gpu.intrinsics import SHARED, WORD, address_of, emit_ptx, indices, intrinsic, number_of
from mlteach.gpu.simt.gpu import FULL
from mlteach.gpu.simt.rebind import stand_in

FOUR_WORDS = ir.LiteralStructType([WORD] * 4)
FOUR_FLOATS = ir.LiteralStructType([ir.FloatType()] * 4)


def _tuple(context, builder, signature, struct):
    parts = [builder.extract_value(struct, n) for n in range(4)]
    return context.make_tuple(builder, signature.return_type, parts)


def _load(array, i, j, transposed: str):
    signature = types.UniTuple(types.uint32, 4)(array, i, j)

    def emit(context, builder, signature, arguments):
        index = indices(context, builder, signature, arguments, 1)
        address = address_of(context, builder, signature.args[0], arguments[0], index)
        number = number_of(builder, address, SHARED)
        text = f"ldmatrix.sync.aligned.m8n8.x4{transposed}.shared.b16 {{$0, $1, $2, $3}}, [$4];"
        words = emit_ptx(builder, FOUR_WORDS, text, "=r,=r,=r,=r,r,~{memory}", [number])
        return _tuple(context, builder, signature, words)

    return signature, emit


@intrinsic
def load_matrices(typing, array, i, j):
    """Load four 8 x 8 matrices of fp16 from shared memory, spread over a warp.

    Lane 8 q + r names `array[i, j : j + 8]`, row r of matrix q. Lane 4 r + c gets, as word q, the elements
    2 c and 2 c + 1 of row r of matrix q.
    """
    return _load(array, i, j, "")


@intrinsic
def load_transposed(typing, array, i, j):
    """Load four matrices as `load_matrices` does, each transposed on the way."""
    return _load(array, i, j, ".trans")


@intrinsic
def multiply_add(typing, a0, a1, a2, a3, b0, b1, c0, c1, c2, c3):
    """Return `a @ b + c`, spread over a warp: a is 16 x 16 and b 16 x 8 in fp16, the rest float32.

    With g, q = lane // 4, lane % 4: a0 is row g of a, columns 2 q and 2 q + 1; a1 is row g + 8; a2 and a3 are
    eight columns on. b0 is column g of b, rows 2 q and 2 q + 1; b1 is eight rows on. c0 and c1 are row g of
    c, columns 2 q and 2 q + 1; c2 and c3 are row g + 8. The result lies as c does.
    """
    signature = types.UniTuple(types.float32, 4)(*[types.uint32] * 6, *[types.float32] * 4)

    def emit(context, builder, signature, arguments):
        text = (
            "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
            "{$0, $1, $2, $3}, {$4, $5, $6, $7}, {$8, $9}, {$10, $11, $12, $13};"
        )
        registers = "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f"
        tile = emit_ptx(builder, FOUR_FLOATS, text, registers, arguments)
        return _tuple(context, builder, signature, tile)

    return signature, emit


def _together(gpu, name: str, share, work) -> tuple:
    """Let the first lane that goes on do the work of its warp, and every lane take its part.

    Lanes that never come are a divergent barrier, which `exchange` reports; their share is that of the first.
    """
    warp = gpu.exchange(share, FULL, name)
    if "parts" not in warp:
        warp["parts"] = work([warp.get(lane, share) for lane in range(gpu.warpsize)])
    return warp["parts"][gpu.laneid]


def _spread(rows, transposed: bool) -> list:
    """Spread the rows that the lanes loaded, as four words for each lane."""
    matrices = np.array(rows, np.float16).reshape(4, 8, 8)
    if transposed:
        matrices = matrices.swapaxes(1, 2)
    words = np.ascontiguousarray(matrices).view(np.uint32)
    return list(map(tuple, words.reshape(4, -1).T.tolist()))


@stand_in(load_matrices)
def _(gpu, array, i, j):
    row = gpu.load(array, (i, j), 8)
    return _together(gpu, "load_matrices", row, lambda rows: _spread(rows, False))


@stand_in(load_transposed)
def _(gpu, array, i, j):
    row = gpu.load(array, (i, j), 8)
    return _together(gpu, "load_transposed", row, lambda rows: _spread(rows, True))


def _tile(shares) -> list:
    """Gather what the lanes hold, multiply, and spread the tile; axes are g, q, then those of a word."""
    words = np.array([share[:6] for share in shares], np.uint32).view(np.float16).astype(np.float64)
    a = words[:, :8].reshape(8, 4, 2, 2, 2).transpose(3, 0, 2, 1, 4).reshape(16, 16)
    b = words[:, 8:].reshape(8, 4, 2, 2).transpose(2, 1, 3, 0).reshape(16, 8)
    c = np.array([share[6:] for share in shares], np.float64)
    product = (a @ b).reshape(2, 8, 4, 2).transpose(1, 2, 0, 3).reshape(32, 4)
    return list(map(tuple, (product + c).astype(np.float32)))


@stand_in(multiply_add)
def _(gpu, *share):
    return _together(gpu, "multiply_add", share, _tile)
