"""What `numba.cuda` has no word for: accesses of 128 bits, and copies that go on by themselves.

Each is an intrinsic, which writes its LLVM or PTX itself, and has a stand-in for `mlteach.gpu.simt`. Under
Numba's own simulator the 128-bit accesses are four plain ones, and there are no copies. The element that an
access begins with lies on a multiple of 16 bytes.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import cgutils, types

from mlteach.gpu import simulated
from mlteach.gpu.simt.rebind import stand_in

WORD, LONG, NOTHING = ir.IntType(32), ir.IntType(64), ir.VoidType()
GLOBAL, SHARED = 1, 3  # LLVM's numbers for the memories of a GPU
FOUR = ir.VectorType(ir.FloatType(), 4)
COPIED = 8  # fp16 numbers in the 16 bytes of an asynchronous copy

if simulated():

    def intrinsic(function):
        """Leave a function that Numba's simulator calls only to fail."""
        return function
else:
    try:
        from numba.cuda.extending import intrinsic  # of the package numba-cuda
    except ImportError:
        from numba.core.extending import intrinsic


def address_of(context, builder, array_type, array, index):
    """Emit the address of an element; no index is negative."""
    view = context.make_array(array_type)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, array_type, view, index, wraparound=False)


def indices(context, builder, signature, arguments, first):
    """Emit two indices as addresses are counted."""
    pair = zip(arguments[first : first + 2], signature.args[first : first + 2], strict=True)
    return [context.cast(builder, value, kind, types.intp) for value, kind in pair]


def number_of(builder, pointer, memory):
    """Emit an address as PTX takes it: 32 bits in shared memory, 64 in global memory."""
    there = builder.addrspacecast(pointer, ir.PointerType(pointer.type.pointee, memory))
    return builder.ptrtoint(there, WORD if memory == SHARED else LONG)


def emit_ptx(builder, result, text, constraints, values):
    """Emit one PTX instruction."""
    function = ir.FunctionType(result, [value.type for value in values])
    return builder.call(ir.InlineAsm(function, text, constraints, side_effect=True), values)


# -- 128-bit accesses
@intrinsic
def load4(typing, array, i, j):
    """Load `array[i, j : j + 4]`, four float32, with one instruction."""
    signature = types.UniTuple(types.float32, 4)(array, i, j)

    def emit(context, builder, signature, arguments):
        index = indices(context, builder, signature, arguments, 1)
        address = address_of(context, builder, signature.args[0], arguments[0], index)
        four = builder.load(builder.bitcast(address, ir.PointerType(FOUR)), align=16)
        parts = [builder.extract_element(four, WORD(n)) for n in range(4)]
        return context.make_tuple(builder, signature.return_type, parts)

    return signature, emit


@intrinsic
def store4(typing, array, i, j, v0, v1, v2, v3):
    """Store four float32 to `array[i, j : j + 4]` with one instruction."""
    signature = types.void(array, i, j, *[types.float32] * 4)

    def emit(context, builder, signature, arguments):
        index = indices(context, builder, signature, arguments, 1)
        address = address_of(context, builder, signature.args[0], arguments[0], index)
        four = ir.Constant(FOUR, ir.Undefined)
        for n, value in enumerate(arguments[3:]):
            four = builder.insert_element(four, value, WORD(n))
        builder.store(four, builder.bitcast(address, ir.PointerType(FOUR)), align=16)
        return context.get_dummy_value()

    return signature, emit


if simulated():

    def load4(array, i, j):
        """Load four neighbours one by one, under Numba's simulator."""
        return array[i, j], array[i, j + 1], array[i, j + 2], array[i, j + 3]

    def store4(array, i, j, v0, v1, v2, v3):
        """Store four neighbours one by one, under Numba's simulator."""
        array[i, j], array[i, j + 1], array[i, j + 2], array[i, j + 3] = v0, v1, v2, v3


@stand_in(load4)
def _(gpu, array, i, j):
    return gpu.load(array, (i, j), 4)


@stand_in(store4)
def _(gpu, array, i, j, *values):
    gpu.store(array, (i, j), values)


# -- asynchronous copies
@intrinsic
def copy16(typing, target, i, j, source, p, q):
    """Begin to copy eight fp16 from `source[p, q]` in global to `target[i, j]` in shared memory."""
    signature = types.void(target, i, j, source, p, q)

    def emit(context, builder, signature, arguments):
        addresses = []
        for first, memory in ((0, SHARED), (3, GLOBAL)):
            index = indices(context, builder, signature, arguments, first + 1)
            address = address_of(context, builder, signature.args[first], arguments[first], index)
            addresses.append(number_of(builder, address, memory))
        emit_ptx(builder, NOTHING, "cp.async.cg.shared.global [$0], [$1], 16;", "r,l,~{memory}", addresses)
        return context.get_dummy_value()

    return signature, emit


@intrinsic
def wait_copies(typing):
    """Wait until this thread's copies have arrived. Others see them after a barrier."""

    def emit(context, builder, signature, arguments):
        emit_ptx(builder, NOTHING, "cp.async.wait_all;", "~{memory}", [])
        return context.get_dummy_value()

    return types.void(), emit


@stand_in(copy16)
def _(gpu, target, i, j, source, p, q):
    values = gpu.load(source, (p, q), COPIED)
    gpu.state.setdefault("copies", []).append(gpu.store_later(target, (i, j), values))


@stand_in(wait_copies)
def _(gpu):
    for arrive in gpu.state.pop("copies", []):
        arrive()
