"""Every rung against NumPy in float64, and what `matmul` promises around them."""

import re
import threading
from itertools import product as pairs

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlteach.matmul import KERNELS, Kernel, cores, matmul, usable_cores

CPU = [name for name in KERNELS if not name.startswith("cu")]
SHAPES = [
    (1, 1, 1),
    (1, 7, 1),
    (2, 3, 5),
    (17, 1, 9),
    (5, 33, 4),
    (31, 30, 29),
    (64, 64, 64),
    (40, 3, 2),
    (3, 200, 10),
]
DTYPES = ["float32", "float64"]


def operands(shape, dtype, seed=0):
    m, k, n = shape
    rng = np.random.default_rng([seed, m, k, n])
    return rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)


def assert_product(out, a, b):
    """As near to the exact product as rounding k times allows."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    scale = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    bound = 2 * (a.shape[1] + 1) * np.finfo(out.dtype).eps * scale
    assert out.shape == exact.shape
    assert (np.abs(out - exact) <= bound).all(), (
        f"largest error {np.abs(out - exact).max()} in {a.shape} @ {b.shape}"
    )


STRIDES = {
    "C": lambda x: np.ascontiguousarray(x),
    "Fortran": lambda x: np.asfortranarray(x),
    "reversed": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "every second": lambda x: np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3],
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
    "byte-swapped": lambda x: x.astype(x.dtype.newbyteorder()),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CPU)
def test_shapes(name, dtype):
    for shape in SHAPES:
        a, b = operands(shape, dtype)
        out = matmul(a, b, kernel=name)
        assert out.dtype == dtype
        assert_product(out, a, b)


@pytest.mark.parametrize(("left", "right"), list(pairs(STRIDES, STRIDES)))
def test_any_strides(left, right):
    for name in CPU:
        a, b = operands((9, 7, 5), "float64")
        assert_product(matmul(STRIDES[left](a), STRIDES[right](b), kernel=name), a, b)


@pytest.mark.parametrize("name", CPU)
def test_broadcast_operands(name):
    a = np.broadcast_to(np.arange(6.0), (4, 6))
    b = np.broadcast_to(np.arange(6.0)[:, None], (6, 3))
    assert_product(matmul(a, b, kernel=name), a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CPU)
@pytest.mark.parametrize("layout", ["C", "Fortran", "every second", "reversed"])
def test_out_is_overwritten_and_nothing_else(name, layout, dtype):
    a, b = operands((6, 4, 5), dtype)
    before = a.copy(), b.copy()
    frame = np.full((14, 17), np.nan, dtype)
    out = {
        "C": frame[1:7, 2:7],
        "Fortran": frame.T[1:7, 2:7],
        "every second": frame[1:13:2, 2:17:3],
        "reversed": frame[6:0:-1, 6:1:-1],
    }[layout]
    assert matmul(a, b, kernel=name, out=out) is out
    assert_product(out, a, b)
    assert np.isnan(frame).sum() == frame.size - out.size, "the kernel wrote beside out"
    assert all(np.array_equal(x, y) for x, y in zip(before, (a, b), strict=True)), (
        "the kernel changed its input"
    )


@pytest.mark.parametrize("name", CPU)
@pytest.mark.parametrize("shape", [(0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0), (0, 0, 5), (1, 0, 1)])
def test_empty(name, shape):
    m, k, n = shape
    out = np.full((m, n), np.nan)
    assert matmul(np.ones((m, k)), np.ones((k, n)), kernel=name, out=out) is out
    assert np.array_equal(out, np.zeros((m, n)))


@pytest.mark.parametrize("name", CPU)
def test_nan_and_infinity_spread_as_in_numpy(name):
    a, b = operands((5, 6, 4), "float64")
    a[1, 2], a[3, 0], b[4, 1], b[0, 0] = np.nan, np.inf, -np.inf, 0.0
    with np.errstate(invalid="ignore"):
        expected, got = a @ b, matmul(a, b, kernel=name)
    assert np.array_equal(np.isnan(got), np.isnan(expected))
    assert np.array_equal(np.isposinf(got), np.isposinf(expected))


@pytest.mark.parametrize("name", CPU)
def test_a_sum_beyond_float32_is_infinite(name):
    huge = np.full((1, 2), 3e38, np.float32)
    with np.errstate(over="ignore"):
        assert np.isposinf(matmul(huge, huge.T, kernel=name)).all()


@pytest.mark.parametrize("name", [name for name in CPU if KERNELS[name].parallel])
@pytest.mark.parametrize("threads", [None, 1, 2, 1000])
def test_any_number_of_threads(name, threads):
    a, b = operands((13, 8, 11), "float64")
    assert_product(matmul(a, b, kernel=name, threads=threads), a, b)


@pytest.mark.parametrize("name", CPU)
def test_called_from_several_threads_at_once(name):
    cases = [operands((12 + i, 20, 15), "float64", seed=i) for i in range(6)]
    results = [None] * len(cases)

    def work(i):
        for threads in (1, 2, None):
            results[i] = matmul(*cases[i], kernel=name, threads=threads)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(cases))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for result, (a, b) in zip(results, cases, strict=True):
        assert_product(result, a, b)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(*[st.integers(0, 40)] * 3), st.sampled_from(CPU), st.sampled_from(DTYPES), st.integers(0, 2**31)
)
def test_any_shape(shape, name, dtype, seed):
    a, b = operands(shape, dtype, seed)
    assert_product(matmul(a, b, kernel=name), a, b)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("int8", "int8", "float32"),
        ("int64", "int8", "float64"),
        ("bool", "float16", "float32"),
        ("float32", "float64", "float64"),
        ("uint8", "float32", "float32"),
    ],
)
def test_computing_dtype(left, right, expected):
    a, b = np.ones((2, 3), left), np.ones((3, 2), right)
    out = matmul(a, b, kernel="loops")
    assert out.dtype == expected
    assert (out == 3).all()


@pytest.mark.parametrize("dtype", ["complex128", "<U1", "object", "longdouble", "datetime64[s]", "i4,i4"])
def test_other_dtypes_are_a_type_error(dtype):
    bad = np.zeros((2, 2), dtype)
    if bad.dtype in (np.float32, np.float64):
        pytest.skip("the longest float of this system is float64")
    for pair in ((bad, np.ones((2, 2))), (np.ones((2, 2)), bad), (bad, bad)):
        with pytest.raises(TypeError, match=f"{re.escape(str(bad.dtype))}.*float32 or float64"):
            matmul(*pair)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.ones((2, 3)), np.ones((4, 2))),
        (np.ones(3), np.ones((3, 2))),
        (np.ones((2, 3)), np.ones((1, 3, 2))),
    ],
)
def test_shapes_that_do_not_fit_are_named(a, b):
    with pytest.raises(ValueError, match="do not multiply") as error:
        matmul(a, b)
    assert str(a.shape) in str(error.value)
    assert str(b.shape) in str(error.value)


A, B = np.ones((3, 4)), np.ones((4, 3))
READ_ONLY = np.frombuffer(bytes(72)).reshape(3, 3)


@pytest.mark.parametrize("out", [np.ones((3, 4)), np.ones((3, 3), "float32"), READ_ONLY, A[:, :3], B[:3]])
def test_out_that_cannot_take_the_product(out):
    kept = out.copy()
    with pytest.raises(ValueError, match=r"out .*\(3, "):
        matmul(A, B, out=out)
    assert np.array_equal(out, kept)


def test_out_between_the_elements_of_an_input_is_fine():
    frame = np.ones((3, 8))
    assert (matmul(frame[:, ::2], B, out=frame[:, 1:7:2]) == 4).all()


def test_out_must_be_an_array():
    with pytest.raises(TypeError, match="NumPy array, not list"):
        matmul(A, B, out=[[0.0] * 3] * 3)


@pytest.mark.parametrize(
    ("threads", "error"), [(0, ValueError), (-2, ValueError), (1.5, TypeError), ("2", TypeError)]
)
def test_bad_threads(threads, error):
    with pytest.raises(error, match=f"threads must be .*{threads}"):
        matmul(A, B, threads=threads)


def test_unknown_kernel_names_the_nearest():
    with pytest.raises(ValueError, match=r"'blass' is not a rung .* did you mean 'blas'"):
        matmul(A, B, kernel="blass")


def test_a_kernel_of_your_own():
    seen = []

    def run(a, b, out, threads):
        seen.append(threads)
        out[...] = a @ b

    own = Kernel("own", "mine", "none", "cpu", (np.dtype("float64"),), True, run, run)
    assert (matmul(A, B, kernel=own, threads=1) == 4).all()
    assert seen == [1]
    with pytest.raises(TypeError, match="'own' computes in float64, not in float32"):
        matmul(A.astype("f4"), B.astype("f4"), kernel=own)


def test_usable_cores(monkeypatch):
    assert 1 <= usable_cores() <= (cores.os.cpu_count() or 1)
    monkeypatch.setattr(cores, "_container_cores", lambda: 1)
    assert usable_cores() == 1


def test_a_container_limits_the_cores(monkeypatch, tmp_path):
    for text, expected in (("max 100000", float("inf")), ("150000 100000", 2), ("nonsense", float("inf"))):
        monkeypatch.setattr(cores.Path, "read_text", lambda self, text=text: text)
        cores._container_cores.cache_clear()
        assert cores._container_cores() == expected
    cores._container_cores.cache_clear()
