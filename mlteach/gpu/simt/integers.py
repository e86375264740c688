"""Numba's integers: 64 bits that wrap, unsigned where all operands are.

Signed integers are NumPy's int64. NumPy's uint64 becomes a float beside an int64, and refuses negative
literals: `Unsigned` does what Numba does.
"""

from __future__ import annotations

import operator

import numpy as np

BITS = 64
MASK, HALF = (1 << BITS) - 1, 1 << BITS - 1
INEXACT = (float, complex, np.inexact)
WHOLE = (int, np.integer, np.bool)
LARGE = 1 << 16  # literals from here on are int64: they belong to random numbers and hashes, not to indices


def signed(value) -> int:
    """Return a whole number as int64 holds it: cut to 64 bits, the highest of them the sign."""
    return (int(value) + HALF & MASK) - HALF


def _float_beside(a: Unsigned, b):
    """Return an unsigned integer as the float that it becomes beside another one."""
    return np.float32(a) if a.bits == 8 and isinstance(b, (np.float32, np.float16)) else np.float64(a)


def _arithmetic(on_ints, on_floats):
    """Return the methods for `a ? b` and `b ? a`, from functions of two int and of two floats."""

    def forward(a, b):
        if isinstance(b, Unsigned):
            return Unsigned(on_ints(int(a), int(b)) & MASK)
        if isinstance(b, WHOLE):
            return np.int64(signed(on_ints(signed(a), signed(b))))
        return on_floats(_float_beside(a, b), b) if isinstance(b, INEXACT) else NotImplemented

    def backward(a, b):
        if isinstance(b, WHOLE):
            return np.int64(signed(on_ints(signed(b), signed(a))))
        return on_floats(b, _float_beside(a, b)) if isinstance(b, INEXACT) else NotImplemented

    return forward, backward


def _shift(on_ints):
    """Return the methods of a shift: what is shifted decides the sign."""

    def forward(a, b):
        return Unsigned(on_ints(int(a), int(b)) & MASK) if isinstance(b, WHOLE) else NotImplemented

    def backward(a, b):
        return np.int64(signed(on_ints(signed(b), int(a)))) if isinstance(b, WHOLE) else NotImplemented

    return forward, backward


def _comparison(on_ints, on_floats):
    """Return the method of a comparison: exact between unsigned integers, in float64 with all others."""

    def compare(a, b):
        if isinstance(b, Unsigned):
            return on_ints(a, b)
        if isinstance(b, WHOLE):
            return on_floats(float(a), float(b))
        return bool(on_floats(np.float64(a), b)) if isinstance(b, INEXACT) else NotImplemented

    return compare


def _power(a: int, b: int) -> int:
    if b < 0:
        raise ValueError(f"{a} ** {b}: a whole number to a negative power, make one of them a float")
    return pow(a, b, 1 << BITS)


class Unsigned(int):
    """An unsigned integer of 64 bits, as Numba computes with it.

    An operation with an unsigned integer gives one of 64 bits that wraps, with a signed one an int64 that
    wraps, with a float a float64. A shift keeps the sign of what is shifted; what leaves the 64 bits is lost,
    and a division by 0, which a GPU leaves open, gives 0.
    """

    __slots__ = ()
    __array_priority__ = 1  # NumPy's numbers leave an operation with one of these to it
    bits = BITS  # of what was loaded; negation and inversion stay within: -x of the uint8 3 is 253

    __add__, __radd__ = _arithmetic(operator.add, operator.add)
    __sub__, __rsub__ = _arithmetic(operator.sub, operator.sub)
    __mul__, __rmul__ = _arithmetic(operator.mul, operator.mul)
    __floordiv__, __rfloordiv__ = _arithmetic(lambda a, b: a // b if b else 0, operator.floordiv)
    __mod__, __rmod__ = _arithmetic(lambda a, b: a % b if b else 0, operator.mod)
    __pow__, __rpow__ = _arithmetic(_power, operator.pow)
    __and__, __rand__ = _arithmetic(operator.and_, operator.and_)
    __or__, __ror__ = _arithmetic(operator.or_, operator.or_)
    __xor__, __rxor__ = _arithmetic(operator.xor, operator.xor)
    __lshift__, __rlshift__ = _shift(lambda a, b: a << b if 0 <= b < BITS else 0)
    __rshift__, __rrshift__ = _shift(lambda a, b: a >> (b if 0 <= b < BITS else BITS))
    __lt__, __le__ = _comparison(int.__lt__, operator.lt), _comparison(int.__le__, operator.le)
    __gt__, __ge__ = _comparison(int.__gt__, operator.gt), _comparison(int.__ge__, operator.ge)
    __eq__, __ne__ = _comparison(int.__eq__, operator.eq), _comparison(int.__ne__, operator.ne)
    __hash__ = int.__hash__

    def __truediv__(self, other):
        if isinstance(other, WHOLE):
            return np.float64(self) / np.float64(other)
        return _float_beside(self, other) / other if isinstance(other, INEXACT) else NotImplemented

    def __rtruediv__(self, other):
        if isinstance(other, WHOLE):
            return np.float64(other) / np.float64(self)
        return other / _float_beside(self, other) if isinstance(other, INEXACT) else NotImplemented

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    def __neg__(self):
        return Unsigned(-int(self) & (1 << self.bits) - 1)

    def __invert__(self):
        return Unsigned(~int(self) & (1 << self.bits) - 1)

    def __pos__(self):
        return Unsigned(self)

    def __abs__(self):
        return self

    def __round__(self, digits=None):
        return np.int64(signed(self))


class Unsigned32(Unsigned):
    """The same, from four bytes."""

    __slots__ = ()
    bits = 32


class Unsigned16(Unsigned):
    """The same, from two bytes."""

    __slots__ = ()
    bits = 16


class Unsigned8(Unsigned):
    """The same, from one byte; beside a float32 it becomes a float32."""

    __slots__ = ()
    bits = 8


UNSIGNED = {kind.bits: kind for kind in (Unsigned8, Unsigned16, Unsigned32, Unsigned)}


def integer_type(dtype: np.dtype) -> type:
    """Return the type in which a kernel computes with integers of a dtype."""
    return np.int64 if dtype.kind == "i" else UNSIGNED[8 * dtype.itemsize]


def number(value):
    """Return what a kernel computes with for a number from outside. Anything else stays what it is.

    Raises
    ------
    ValueError
        When a Python integer fits neither int64 nor uint64.
    """
    if isinstance(value, np.integer):
        return integer_type(value.dtype)(value)
    if isinstance(value, float):
        return np.float64(value)  # so that float32 * number is float64, as in Numba
    if type(value) is int:
        if not -HALF <= value <= MASK:
            raise ValueError(f"the number {value} has more than {BITS} bits: give -2**63 to 2**64 - 1")
        return np.int64(value) if value < HALF else Unsigned(value)
    return value


def constant(value):
    """Return what a kernel computes with for a literal or a global name.

    A small Python integer stays one: as an index it is several times as fast as an int64.
    """
    return value if type(value) is int and -LARGE < value < LARGE else number(value)


def _whole(value=0):
    """`int` in a kernel: cuts floats; a number that is unsigned stays so."""
    if isinstance(value, Unsigned):
        return value
    try:
        return np.int64(signed(value))
    except (ValueError, OverflowError):  # not a number, or infinite: C leaves the result open
        return np.int64(0)


def _chosen(choose):
    """Return `min` or `max` as a kernel has it: an integer gets the type that fits all values."""

    def call(*values):
        best = choose(*values)
        unsigned = [v.bits for v in values if isinstance(v, Unsigned)]
        floats = [v.itemsize for v in values if isinstance(v, np.inexact)]
        if floats and isinstance(best, (Unsigned, np.int64)):
            short = getattr(best, "bits", BITS) <= 16 and max(floats) <= 4
            return np.float32(best) if short else np.float64(best)
        if floats or len(unsigned) in (0, len(values)):
            return best
        return np.float64(best) if max(unsigned) == BITS else np.int64(best)

    return call


BUILTINS = {"int": _whole, "float": np.float64, "min": _chosen(min), "max": _chosen(max)}
