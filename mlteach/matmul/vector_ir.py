"""Vector instructions from Python: LLVM code, written with a builder, for the processor at hand.

Numba turns a loop into vectors where it can prove that it may. A micro-kernel leaves nothing to prove: it
says which vectors there are, keeps its sums in registers and names every load. What is here puts such code
into a function that Numba compiles. Addresses are integers, and strides are in bytes.
"""

import functools
import platform
from collections.abc import Callable
from dataclasses import dataclass

from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic

if config.DISABLE_JIT:
    raise ImportError(
        "vector instructions cannot run as plain Python: unset NUMBA_DISABLE_JIT, or choose another kernel"
    )

BYTE, FLAG, LANE, INDEX = ir.IntType(8), ir.IntType(1), ir.IntType(32), ir.IntType(64)
POINTER = ir.PointerType()


@dataclass(frozen=True)
class Processor:
    """What the micro-kernels must know.

    Attributes
    ----------
    width : int
        The bytes in a vector register.
    registers : int
        How many such registers there are.
    byte_dots : bool
        Whether an instruction multiplies 64 unsigned bytes by 64 signed ones, and adds up four products each.
    """

    width: int
    registers: int
    byte_dots: bool = False


def processor() -> Processor:
    """Describe the processor that Numba compiles for, as LLVM knows it."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()
    features = features.split(",")
    if "+avx512f" in features:
        return Processor(width=64, registers=32, byte_dots="+avx512vnni" in features)
    if "+avx" in features:
        return Processor(width=32, registers=16)
    return Processor(width=16, registers=32 if platform.machine().lower() in ("arm64", "aarch64") else 16)


PROCESSOR = processor()


def index(value: int) -> ir.Constant:
    """A 64-bit constant, for counts and offsets."""
    return ir.Constant(INDEX, value)


def pointers(builder, addresses) -> list:
    """Pointers from addresses, the integers that a kernel gets."""
    return [builder.inttoptr(address, POINTER) for address in addresses]


def at(builder, pointer, offset):
    """The pointer moved on by so many bytes."""
    return builder.gep(pointer, [index(offset) if isinstance(offset, int) else offset], source_etype=BYTE)


def spread(builder, scalar, count: int):
    """A vector with the scalar in each of its lanes."""
    nothing = ir.Constant(ir.VectorType(scalar.type, count), ir.Undefined)
    first = builder.insert_element(nothing, scalar, ir.Constant(LANE, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(LANE, count), None))


class Lanes:
    """The operations on the processor's vectors of one element type.

    Attributes
    ----------
    size, count, width : int
        Bytes of an element, elements of a vector, bytes of a vector.
    """

    def __init__(self, module, number):
        self.module, self.number = module, number
        self.size = 4 if number == ir.FloatType() else 8
        self.width = PROCESSOR.width
        self.count = self.width // self.size
        self.vector = ir.VectorType(number, self.count)
        self.mask = ir.VectorType(FLAG, self.count)
        self.zero = ir.Constant(self.vector, None)
        self.suffix = f"v{self.count}f{8 * self.size}"

    def call(self, builder, name, result, arguments):
        """Call one of LLVM's own functions, many of which are an instruction."""
        kind = ir.FunctionType(result, [x.type for x in arguments])
        function = self.module.globals.get(name) or ir.Function(self.module, kind, name)
        return builder.call(function, arguments)

    def multiply_add(self, builder, x, y, total):
        """Multiply and add, x * y + total: one instruction where the processor has it, otherwise two."""
        return self.call(builder, f"llvm.fmuladd.{self.suffix}", self.vector, [x, y, total])

    def masks(self, builder, columns, vectors: int):
        """For each of some vectors side by side: which lanes lie before column `columns`."""
        bound = spread(builder, builder.trunc(columns, LANE), self.count)
        lanes = [range(v * self.count, (v + 1) * self.count) for v in range(vectors)]
        return [builder.icmp_signed("<", ir.Constant(bound.type, list(js)), bound) for js in lanes]

    def load(self, builder, pointer, mask=None):
        """A vector from memory. Lanes outside the mask are zero, and their memory is not touched."""
        if mask is None:
            return builder.load(pointer, typ=self.vector, align=self.size)
        arguments = [pointer, ir.Constant(LANE, self.size), mask, self.zero]
        return self.call(builder, f"llvm.masked.load.{self.suffix}.p0", self.vector, arguments)

    def broadcast(self, builder, pointer):
        """A number from memory, in every lane."""
        return spread(builder, builder.load(pointer, typ=self.number, align=self.size), self.count)

    def store(self, builder, vector, pointer, mask=None):
        """A vector to memory. Lanes outside the mask keep their memory."""
        if mask is None:
            builder.store(vector, pointer, align=self.size)
        else:
            arguments = [vector, pointer, ir.Constant(LANE, self.size), mask]
            self.call(builder, f"llvm.masked.store.{self.suffix}.p0", ir.VoidType(), arguments)

    def prefetch(self, builder, pointer, level: int):
        """Ask for a line of memory to come to the cache of this level (1 or 2)."""
        how = [ir.Constant(LANE, value) for value in (0, 4 - level, 1)]
        self.call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, *how])


def repeat(builder, times, start: list, step: Callable) -> list:
    """Write a loop: `step` gets the values that are carried round, and returns them for the next time.

    Parameters
    ----------
    times : 64-bit value
        How often; not at all where it is 0.
    start : list of values
        What is carried into the first step.
    step : callable
        Writes one step, ``step(values) -> values``.

    Returns
    -------
    list of values
        What is carried out of the last step.
    """
    before = builder.block
    body, after = builder.append_basic_block("step"), builder.append_basic_block("after")
    builder.cbranch(builder.icmp_signed(">", times, index(0)), body, after)
    builder.position_at_end(body)
    carried = [builder.phi(value.type) for value in (times, *start)]
    grown = step(carried[1:])
    left = builder.sub(carried[0], index(1))  # counted before the step, LLVM reorders the loads, and spills
    grown = [left, *grown]
    last = builder.block
    builder.cbranch(builder.icmp_signed(">", left, index(0)), body, after)
    for phi, first, following in zip(carried, (times, *start), grown, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(following, last)
    builder.position_at_end(after)
    results = [builder.phi(value.type) for value in start]
    for result, first, following in zip(results, start, grown[1:], strict=True):
        result.add_incoming(first, before)
        result.add_incoming(following, last)
    return results


@intrinsic
def fetch(typingctx, address):
    """Read an integer in memory that other threads change, and see all that they wrote before it."""

    def generate(context, builder, signature, args):
        return builder.load_atomic(builder.inttoptr(args[0], POINTER), "acquire", 8, typ=INDEX)

    return types.int64(types.int64), generate


@intrinsic
def fetch_add(typingctx, address, amount):
    """Add to an integer in memory, so that no other thread comes between, and return what it was."""

    def generate(context, builder, signature, args):
        return builder.atomic_rmw("add", builder.inttoptr(args[0], POINTER), args[1], "acq_rel")

    return types.int64(types.int64, types.int64), generate


def emitted(write: Callable) -> Callable:
    """Turn a function that writes code into a maker of functions that compiled Python can call.

    ``write(builder, lanes, arguments, *shape)`` writes a body. Then ``write(*shape)`` makes the function
    with that body, which compiled code calls as ``f(zero, arguments)``: `zero` is a number of the element
    type, and the arguments are a tuple of integers.
    """

    @functools.wraps(write)
    def make(*shape):
        label = "_".join(map(str, (write.__module__, write.__name__, *shape)))

        @intrinsic
        def call(typingctx, zero, arguments):
            signature = types.void(zero, types.UniTuple(types.int64, len(arguments)))

            def generate(context, builder, signature, args):
                numbers = cgutils.unpack_tuple(builder, args[1])
                name = f"{label}_{zero}"
                function = builder.module.globals.get(name)
                if function is None:
                    kind = ir.FunctionType(ir.VoidType(), [INDEX] * len(numbers))
                    function = ir.Function(builder.module, kind, name)
                    function.linkage = "internal"
                    function.attributes.add("noinline")
                    function.attributes.add("nounwind")
                    body = ir.IRBuilder(function.append_basic_block())
                    write(body, Lanes(builder.module, context.get_value_type(zero)), function.args, *shape)
                    body.ret_void()
                builder.call(function, numbers)
                return context.get_dummy_value()

            return signature, generate

        return call

    return make
