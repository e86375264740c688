"""Integers of a simulated kernel beside those of Numba: widths, signs, and where they wrap."""

import math

import numba
import numpy as np
import pytest
from numba import cuda

from mlteach.gpu import simt
from mlteach.gpu.simt.integers import Unsigned

DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8"]


class Intrinsic:
    """An object that takes attributes, as Numba's intrinsics are."""


keep, kept = Intrinsic(), []


@simt.stand_in(keep)
def _(gpu, values):
    kept[:] = values


def with_both(a, b, n):
    return (
        a + b, a - b, a * b, a // b, a % b, a & b, a | b, a ^ b, a / b, a ** (b >> 56),
        (a - b) >> 40, (a - b) // b, (a - b) % b, (a - b) / 2, abs(a - b), (a - b) & n, (a - b) ^ b,
        int(a) - int(b), np.int64(a) - np.int64(b), (a - b) if a > b else (b - a),
    )  # fmt: skip


def choices(a, b, n):
    return (
        a < b, a - b < 0, a - b == -2, a - 300 < b, a <= b, a != b, b >= n, b > 1.5,
        min(a, b), max(a, b), min(a, 255) - b, max(b - a, 0), min(a - b, 5), max(a, 0.1),
    )  # fmt: skip


def with_numbers(a, b, n):
    return (
        a - 5, 5 - a, n - a, a * 3, a // -2, a % -7, -100 // a, -100 % a, a + n * 4611686018427387904,
        a * 6364136223846793005, a + 18446744073709551615, a << 3, a >> 1, 1 << (a & 31), n << (a & 63),
        a + (a > b), a | -n, a**2, 2 ** (a & 31),
    )  # fmt: skip


def alone(a, b, n):
    return -a, ~a, +a, abs(a), round(b >> 40), bool(a), float(a), math.sqrt(a), not a


def with_float64(a, b, n):
    return a * 0.1, 0.1 - a, a / 2.0, a**0.5, 0.5 ** (a & 31)


def of_numpy(a, b, n):
    return (
        np.float32(a) * np.float32(3), 3 - np.uint64(5), np.uint8(3) - np.uint8(5), np.int8(3) - np.uint8(5),
        np.uint32(a) - np.uint16(5), n * n * n - a,
    )  # fmt: skip


def with_float32(a, b, n):
    x = np.float32(0.1)
    return a * x, x * a, a - x, x - a, a / x, x / a, a < x, x >= a


def simulated(function, x, y):
    device = cuda.jit(device=True)(function)

    def kernel(x, y, n):
        keep(device(x[0], y[0], n))

    simt.run(kernel, 1, 1, np.array([x]), np.array([y]), 7)
    return list(kept)


def name(value):
    """The type of a simulated number, as Numba writes it."""
    if isinstance(value, (bool, np.bool)):
        return "bool"
    if isinstance(value, (float, np.floating)):
        return np.result_type(value).name
    return f"uint{value.bits}" if isinstance(value, Unsigned) else "int64"


def agree(function, dtype):
    info, compiled = np.iinfo(dtype), numba.njit(function)
    for pair in [(3, 5), (200 & info.max, 7), (9, info.max), (info.max, 4), (info.min // 2 + 9, 100)]:
        x, y = np.array(pair, dtype)
        found, expected = simulated(function, x, y), compiled(x, y, 7)
        types = [str(t) for t in compiled.nopython_signatures[0].return_type]
        wide = [
            "int64" if t.startswith("int") else t for t in types
        ]  # a signed integer has all 64 bits at once
        assert [name(v) for v in found] == wide
        np.testing.assert_array_equal([float(v) for v in found], [float(v) for v in expected], f"{x} {y}")
        whole = [(int(f), int(e)) for f, e, t in zip(found, expected, types, strict=True) if "int" in t]
        assert [f for f, _ in whole] == [e for _, e in whole]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [with_both, choices, with_numbers, alone, with_float64, of_numpy])
def test_operations_are_numbas(function, dtype):
    agree(function, dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i4", "i8"])
def test_beside_a_float32_too(dtype):
    agree(with_float32, dtype)


def test_but_a_short_signed_one_makes_it_a_float64():
    three, five = np.array([3, 5], "i2")
    assert {name(v) for v in simulated(with_float32, three, five)} == {"float64", "bool"}
    compiled = numba.njit(with_float32)
    compiled(three, five, 7)
    assert {str(t) for t in compiled.nopython_signatures[0].return_type} == {"float32", "bool"}


# -- what does not come from memory


@cuda.jit
def xorshift(n, out):
    s = cuda.grid(1) + 1
    for i in range(out.shape[1]):
        s ^= s << 13
        s ^= s >> 7
        s ^= s << 17
        out[cuda.grid(1), i] = s + (1 << 70) * n


@numba.njit
def xorshift_of(seed, out):
    s = seed + 1
    for i in range(out.size):
        s ^= s << 13
        s ^= s >> 7
        s ^= s << 17
        out[i] = s


def test_random_numbers_seeded_with_a_place_are_numbas():
    out, expected = np.zeros((4, 50), "i8"), np.zeros((4, 50), "i8")
    simt.run(xorshift, 2, 2, 1, out)
    for place in range(4):
        xorshift_of(place, expected[place])
    np.testing.assert_array_equal(out, expected)


PRIME = 1099511628211


@cuda.jit
def hashes(a, b, out):
    i = cuda.grid(1)
    out[0] = a * b * b * b + a >> 8
    out[1] = (i + 1) * PRIME * PRIME * PRIME >> 8
    out[2] = ((i + 3) * 1103515245 + 12345) * 1103515245 * 1103515245 >> 8
    out[3] = a << 60 >> 8
    out[4] = i + 7 << 62 >> 8
    out[5] = 1 << 64


@pytest.mark.parametrize("kind", [int, np.int64, np.int32])
def test_arguments_and_large_literals_wrap(kind):
    a, b = kind(12345), kind(2**31 - 1)
    out = np.zeros(6, "i8")
    assert simt.run(hashes, 1, 1, a, b, out).problems == []
    whole = [
        12345 * (2**31 - 1) ** 3 + 12345, PRIME**3, (3 * 1103515245 + 12345) * 1103515245**2,
        12345 << 60, 7 << 62, 0,
    ]  # fmt: skip
    np.testing.assert_array_equal(out, [((v + 2**63) % 2**64 - 2**63) >> 8 for v in whole])


def test_only_small_literals_and_places_do_not_wrap():
    def kernel():
        i = cuda.grid(1) + 3
        keep((i * 1000 * 1000 * 1000 * 1000 * 1000 * 1000 * 1000, i**60))

    simt.run(kernel, 1, 1)
    assert kept == [3 * 1000**7, 3**60]


def seen(*arguments):
    def kernel(arguments):
        keep(arguments)

    simt.run(kernel, 1, 1, arguments)
    return [(name(v), int(v)) for v in kept]


def test_what_arguments_are():
    found = seen(5, 2**63, True, np.uint8(7), np.int16(-7), np.uint64(2**64 - 1))
    types = ["int64", "uint64", "bool", "uint8", "int64", "uint64"]
    assert found == list(zip(types, [5, 2**63, 1, 7, -7, 2**64 - 1], strict=True))
    assert [numba.typeof(v).name for v in (5, 2**63, True, np.uint8(7))] == types[:4]


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1])
def test_an_argument_of_more_than_64_bits(value):
    with pytest.raises(ValueError, match=f"the number {value} has more than 64 bits"):
        seen(value)


# -- where integers go


@cuda.jit
def places(order, n, x, out):
    tile = cuda.shared.array(4, numba.uint16)
    own = cuda.local.array((2, 2), numba.uint8)
    t = cuda.threadIdx.x
    tile[order[t]] = x[n - t] - 300
    own[0, order[0]] = x[order[t]] + 250
    cuda.syncthreads()
    for i in range(order[3]):
        out[order[t], order[i]] = tile[order[t]] + own[0, order[0]] * order[1]


def test_unsigned_indices_and_stores_are_cut():
    order, x = np.array([1, 0, 2, 3], "u1"), np.arange(10, 14, dtype="u4")
    out = np.zeros((4, 4), "i8")
    assert simt.run(places, 1, 4, order, 3, x, out).problems == []
    for t, place in enumerate(order):
        expected = (int(x[3 - t]) - 300) % 2**16 + (int(x[place]) + 250) % 256 * int(order[1])
        assert set(out[place, order[:3]]) == {expected}


@cuda.jit
def small_local(x, out):
    own = cuda.local.array(1, numba.int8)
    own[0] = 0
    own[0] = x[0]
    out[0] = own[0]


def test_a_local_array_of_bytes_wraps_each_time():
    out = np.zeros(1, "i8")
    simt.run(small_local, 1, 1, np.array([300]), out)
    assert out[0] == 44


@cuda.jit
def comparisons(x, n, out):
    i = cuda.grid(1)
    out[0] = (x[i] > 1) + (i < n)
    out[1] = (x[i] > n) - (x[i] < n)


def test_comparisons_are_counted():
    out = np.zeros(2)
    simt.run(comparisons, 1, 1, np.array([2], "i4"), 5, out)
    np.testing.assert_array_equal(out, [2, -1])


@cuda.jit
def two_types(x, y, out):
    most = 0
    if x[0] > most:
        most = x[0]
    out[0] = most - x[1]
    first, second = y[0] > 1, y[1] > 1
    out[1] = first + second


def test_but_variables_have_the_types_of_their_values():
    x, out, numbas = np.array([3, 5], "u1"), np.zeros(2), np.zeros(2)
    simt.run(two_types, 1, 1, x, x.astype("i4"), out)
    numba.njit(two_types.py_func)(x, x.astype("i4"), numbas)
    assert (list(out), list(numbas)) == ([2.0**64, 1], [-2, 2])


def first_block(out):
    raise RuntimeError("begun")


def test_a_large_grid_begins_at_once():
    with pytest.raises(simt.KernelError, match=r"begun.*block \(0, 0, 0\)"):
        simt.run(first_block, (2**31 - 1, 65535, 65535), 1, np.zeros(1))


@cuda.jit
def block_numbers(out):
    b, g = cuda.blockIdx, cuda.gridDim
    out[(b.z * g.y + b.y) * g.x + b.x] = b.x + 10 * b.y + 100 * b.z


def test_every_block_of_a_grid_runs():
    out = np.zeros(24, "i8")
    simt.run(block_numbers, (2, 3, 4), 1, out)
    assert out.tolist() == [x + 10 * y + 100 * z for z in range(4) for y in range(3) for x in range(2)]
