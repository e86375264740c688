"""What holds for every checker, whatever a learner does."""

import contextlib
import decimal
import html.parser
import os
import random
import subprocess
import sys
import types
import warnings

import numpy as np
import pytest

from mlteach import Matrix, minus, mnist
from mlteach.learn import linear, logistic
from mlteach.teach import check
from mlteach.teach.check import Case, Report, Wrong, as_array, checker, close_to, examine
from mlteach.teach.check.wording import both, describe, kind, plain

CHECKERS = {
    name: getattr(check, name)
    for name in (
        *("bands", "filter_rows", "gradient", "matmul", "nearest_mean", "pij"),
        *("row_times_matrix", "shared_rows", "softmax", "softmax_step", "write_idx"),
    )
}


# Functions that do something else than answer


def raising(error):
    def fn(*args):
        raise error

    return fn


def returning(make):
    return lambda *args: make()


def doing(act, answer=0):
    """A function that does something to the process and then answers nonsense."""

    def fn(*args):
        act()
        return answer

    return fn


def for_ever_deeper(*args):
    return for_ever_deeper(*args)


def warn_as_error():
    warnings.simplefilter("error")
    warnings.warn("now an error", stacklevel=1)


def divide_as_error():
    np.seterr(all="raise")
    return np.float64(1) / 0


def lower_the_limit():
    for limit in range(1, sys.getrecursionlimit()):
        with contextlib.suppress(RecursionError):
            sys.setrecursionlimit(limit)
            return


def wrong_signature():
    return 1


def keyword_only(*, a, b):
    return a @ b


class CannotBeShown(Exception):
    def __str__(self):
        raise SystemExit("no")


class Nameless(type):
    @property
    def __name__(cls):
        raise ValueError("no name")


class NamelessError(Exception, metaclass=Nameless):
    pass


class Bites:
    """Nothing that Python asks of it comes out well."""

    def __getattribute__(self, name):
        raise RuntimeError(f"no {name}")

    def __bite(self, *args, **kwargs):
        raise RuntimeError("bitten")

    __repr__ = __str__ = __eq__ = __ne__ = __bool__ = __len__ = __iter__ = __getitem__ = __float__ = (
        __index__
    ) = __bite
    __array__ = __array_ufunc__ = __array_function__ = __hash__ = __contains__ = __sub__ = __rsub__ = (
        __lt__
    ) = __bite


class Exits:
    def __array__(self, *args, **kwargs):
        raise SystemExit(3)


class Pretends:
    """Claims to be an array."""

    __class__ = np.ndarray
    dtype = property(lambda self: 1 / 0)
    shape = property(lambda self: 1 / 0)


class LyingList(list):
    def __len__(self):
        raise OverflowError("no length")

    def __iter__(self):
        raise OverflowError("no items")


class Broken(np.ndarray):
    dtype = property(lambda self: 1 / 0)
    shape = property(lambda self: 1 / 0)

    def __array_finalize__(self, source):
        raise ZeroDivisionError("unfinished")

    def __array_ufunc__(self, *args, **kwargs):
        raise ZeroDivisionError("no ufunc")

    __array_function__ = __array_ufunc__


class Masquerade(np.ndarray):
    """An array whose every operation claims success."""

    def __array_ufunc__(self, *args, **kwargs):
        return np.True_

    def __eq__(self, other):
        return True

    __hash__ = None


class BadFloat(float):
    def __float__(self):
        raise ArithmeticError("no number")

    __abs__ = __sub__ = __le__ = __eq__ = __format__ = __float__
    __hash__ = float.__hash__


def looped_list():
    endless = []
    endless.append(endless)
    return endless


async def coroutine(*args):
    return 1


def generator(*args):
    yield 1


HOSTILE = {
    "exception": raising(Exception("plain")),
    "empty exception": raising(ValueError()),
    "exit": raising(SystemExit(0)),
    "generator exit": raising(GeneratorExit()),
    "stop iteration": raising(StopIteration(1)),
    "out of memory": raising(MemoryError()),
    "exception group": raising(BaseExceptionGroup("two", [SystemExit(), ValueError()])),
    "unshowable exception": raising(CannotBeShown()),
    "nameless exception": raising(NamelessError()),
    "odd message": raising(ValueError("line one\nline two\x1b[31m \ud800 <b>&" + "x" * 10**6)),
    "our own exception": raising(Wrong("made up")),
    "no recursion left": for_ever_deeper,
    "warning as error": doing(warn_as_error),
    "floating-point error": doing(divide_as_error),
    "low recursion limit": doing(lower_the_limit),
    "no arguments": wrong_signature,
    "keywords only": keyword_only,
    "a class": Bites,
    "coroutine": coroutine,
    "generator": generator,
    "bites": returning(Bites),
    "exits when read": returning(Exits),
    "pretends": returning(Pretends),
    "lying list": returning(lambda: LyingList([[1.0]])),
    "list of biters": returning(lambda: [Bites(), Bites()]),
    "looped list": returning(looped_list),
    "broken subclass": returning(lambda: np.ndarray.__new__(Broken, (2, 2))),
    "masquerade": returning(lambda: np.zeros((0, 0)).view(Masquerade)),
    "bad floats": returning(lambda: [BadFloat(1.0)]),
    "bad float": returning(lambda: BadFloat(1.0)),
    "objects": returning(lambda: np.array([Bites(), None], dtype=object)),
    "records": returning(lambda: np.zeros(2, dtype=[("x", "f8"), ("y", "i4")])),
    "masked": returning(lambda: np.ma.masked_all((2, 2))),
    "complex": returning(lambda: np.zeros((0, 0), complex)),
    "dates": returning(lambda: np.zeros((0, 0), "M8[s]")),
    "terabytes": returning(lambda: np.broadcast_to(0.0, (10**7, 10**7))),
    "long range": returning(lambda: range(10**15)),
    "list of ranges": returning(lambda: [range(10**15)]),
    "huge integer": returning(lambda: [[10**400]]),
    "text": returning(lambda: "answer"),
    "bytes": returning(lambda: b"answer"),
    "decimal": returning(lambda: [[decimal.Decimal("NaN")]]),
    "dict": returning(dict),
    "a module": returning(lambda: types),
    "a type": returning(lambda: np.float64),
    "not implemented": returning(lambda: NotImplemented),
    "closes the output": doing(lambda: (sys.stdout.close(), sys.stderr.close())),
    "drops the output": doing(lambda: setattr(sys, "stdout", None)),
    "breaks the output": doing(lambda: setattr(sys, "stdout", Bites())),
    "other folder": doing(lambda: os.chdir(os.path.dirname(os.getcwd()))),
    "error settings": doing(lambda: np.seterr(all="raise")),
    "print options": doing(lambda: np.set_printoptions(precision=1, threshold=2)),
    "random state": doing(lambda: (np.random.seed(1), random.seed(1))),  # noqa: NPY002
    "warning filters": doing(lambda: warnings.simplefilter("error")),
    "tracing": doing(lambda: sys.settrace(lambda *args: 1 / 0)),
}
NOT_CALLABLE = {
    "number": 1,
    "text": "a @ b",
    "list": [],
    "array": np.eye(2),
    "biter": Bites(),
    "pretender": Pretends(),
}


def process_state():
    return {
        "error settings": np.geterr(),
        "print options": np.get_printoptions(),
        "folder": os.getcwd(),
        "filters": list(warnings.filters),
        "random": random.getstate(),
        "numpy random": str(np.random.get_state()),  # noqa: NPY002
        "recursion": sys.getrecursionlimit(),
        "output": (sys.stdout, sys.stderr),
        "decimal": str(decimal.getcontext()),
    }


@contextlib.contextmanager
def nothing_else_changes():
    before, trace = process_state(), sys.gettrace()
    yield
    sys.settrace(trace)
    assert process_state() == before
    assert not sys.stdout.closed
    assert not sys.stderr.closed


def assert_presentable(report):
    assert type(report) is Report
    assert type(report.lines) is tuple
    for line in report.lines:
        assert type(line) is str
        assert line.isascii()
        assert line.isprintable()
        assert len(line) < 300
        assert "0x" not in line.replace("0x...", "")
    assert repr(report).splitlines()[0] == report.lines[0]
    assert report._repr_html_()


@pytest.mark.parametrize("name", CHECKERS)
@pytest.mark.parametrize("deed", HOSTILE)
@pytest.mark.filterwarnings("ignore:coroutine:RuntimeWarning")
def test_nothing_makes_a_checker_raise(name, deed):
    with nothing_else_changes():
        report = CHECKERS[name](HOSTILE[deed])
    assert_presentable(report)
    assert not report.passed
    assert not report


@pytest.mark.parametrize("name", CHECKERS)
def test_stubs_are_not_solved_yet(name):
    def stub(*args):
        raise NotImplementedError

    for unsolved in (None, ..., lambda *args: None, lambda *args: ..., stub):
        report = CHECKERS[name](unsolved)
        assert report == Report(False, ("not solved yet",))
        assert repr(report) == "not solved yet"


@pytest.mark.parametrize("name", CHECKERS)
def test_an_interrupt_ends_the_check(name):
    calls = []

    def interrupted(*args):
        calls.append(args)
        raise KeyboardInterrupt

    with nothing_else_changes():
        assert CHECKERS[name](interrupted) == Report(False, ("interrupted",))
    assert len(calls) == 1


def test_what_happens_while_the_answer_is_read_is_a_line():
    assert check.matmul(HOSTILE["exits when read"]).lines == (
        "not passed",
        "(0, 0) @ (0, 0): reading the answer raised SystemExit: 3",
    )
    masquerade = check.matmul(lambda a, b: np.zeros((len(a), b.shape[1])).view(Masquerade))
    assert masquerade.lines[1].startswith("(1, 1) @ (1, 1): expected -0.266181 at [0, 0], came 0")


def test_an_interrupt_while_the_answer_is_read_ends_the_check():
    class Interrupts:
        def __array__(self, *args, **kwargs):
            raise KeyboardInterrupt

    assert repr(check.matmul(lambda a, b: Interrupts())) == "interrupted"


@pytest.mark.parametrize("name", CHECKERS)
@pytest.mark.parametrize("thing", NOT_CALLABLE)
def test_what_is_no_function_is_said(name, thing):
    report = CHECKERS[name](NOT_CALLABLE[thing])
    assert_presentable(report)
    assert report.lines[0] == "not passed"
    assert report.lines[1].startswith("expected a function, came a")


@pytest.mark.parametrize("name", CHECKERS)
def test_reports_are_the_same_every_time(name):
    def guess(*args):
        return np.random.random((3, 2)) + random.random()  # noqa: NPY002

    np.random.seed(5)  # noqa: NPY002
    first = CHECKERS[name](guess)
    np.random.seed(6)  # noqa: NPY002
    assert CHECKERS[name](guess) == first


@pytest.mark.parametrize("name", CHECKERS)
def test_addresses_are_not_shown(name):
    lines = CHECKERS[name](raising(ValueError(f"at {object()!r}"))).lines
    assert lines[1].endswith("raised ValueError: at <object object at 0x...>")


def test_a_deleted_folder_is_no_obstacle(tmp_path):
    script = """
import os, sys
from mlteach.teach import check
os.chdir(sys.argv[1])
os.rmdir(sys.argv[1])
print(check.matmul(lambda a, b: a @ b))
"""
    if os.name == "nt":
        pytest.skip("Windows keeps a folder in which a process works")
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "gone")], capture_output=True, text=True, check=False
    )
    assert done.stdout == "passed: 80 products, sizes 0 to 257\n", done.stderr


def test_the_learners_output_still_appears(capsys):
    def chatty(m, workers):
        print("called with", m)
        return []

    check.bands(chatty)
    assert capsys.readouterr().out.startswith("called with 0\n")


def test_importing_it_is_light():
    heavy = "{'numba', 'matplotlib', 'IPython'}"
    script = f"import mlteach.teach.check, sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# The parts


def test_a_new_checker_takes_a_generator_and_a_function():
    @checker
    def doubled(fn):
        return examine(fn, (Case(f"x = {x}", {"x": x}, close_to(2 * x)) for x in range(5)), "numbers")

    assert doubled(lambda x: x + x).lines == ("passed: 5 numbers",)
    assert doubled(lambda x: x * x).lines == (
        "not passed",
        "x = 1: expected 2, came 1",
        "x = 3: expected 6, came 9",
        "x = 4: expected 8, came 16",
    )
    assert doubled(lambda x: [x]).lines[1] == "x = 0: expected a number, came a list"
    assert doubled(lambda x: 2 * x if x < 3 else None).lines[1:] == (
        "x = 3: expected a number, came None",
        "x = 4: expected a number, came None",
    )


def test_at_most_three_failures_are_shown_and_nothing_is_tried_after_them():
    calls = []

    @checker
    def zeros(fn):
        return examine(fn, (Case(f"{x}", {"x": x}, close_to(0)) for x in range(100)), "numbers")

    assert len(zeros(lambda x: calls.append(x) or 1.0).lines) == 4
    assert calls == [0, 1, 2]


def test_a_checker_that_is_broken_says_so():
    @checker
    def broken(fn):
        return examine(fn, (Case("x", {}, close_to(1 // 0)) for _ in range(1)), "numbers")

    assert broken(lambda: 1).lines == (
        "not passed",
        "the check could not go on: ZeroDivisionError: integer division or modulo by zero",
    )


def test_arrays_of_one_call_are_gone_before_the_next():
    import weakref

    alive = []

    def watch(a, b):
        assert not any(reference() is not None for reference in alive)
        alive.extend((weakref.ref(a), weakref.ref(b)))
        return a @ b

    report = check.matmul(watch)
    assert "(5, 6) @ (6, 7) in the same two arrays, filled anew: raised AssertionError" in report.lines[1]


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        (np.ones((2, 3)), (2, 3)),
        ([[1, 1, 1], [1.0, np.float64(1), np.int8(1)]], (2, 3)),
        ((np.ones(3), [1, 1, 1]), (2, 3)),
        ([], (0, 3)),
        ([[], []], (2, 0)),
        (np.ones((2, 3), np.uint8), (2, 3)),
        (np.float64(1), ()),
        (True + 0, ()),
        ([np.array(1.0)], (1,)),
        (np.ma.ones((2, 3)), (2, 3)),
    ],
)
def test_as_array_takes_what_reads_as_numbers(answer, shape):
    array = as_array(answer, shape)
    assert (type(array), array.dtype, array.shape) == (np.ndarray, np.float64, shape)
    assert array.flags.writeable
    assert np.all(array == 1)


@pytest.mark.parametrize(
    ("answer", "shape", "line"),
    [
        (np.ones((3, 2)), (2, 3), "expected an array of shape (2, 3), came an array of shape (3, 2)"),
        ([[1, 2], [3]], (2, 2), "expected an array of shape (2,), came a list of length 1"),
        ([1, 2, 3], (2,), "expected an array of shape (2,), came a list of length 3"),
        ([[1], 2], (2, 1), "expected an array of shape (1,), came a number"),
        (["1"], (1,), "expected a number, came a str"),
        ({1: 2}, (1,), "expected an array of shape (1,), came a dict"),
        (np.ones(2, np.float32), (2,), "expected float64, came float32, which has too few digits"),
        ([np.float16(1)], (1,), "expected float64, came float16, which has too few digits"),
        (np.ones(2, bool), (2,), "expected numbers of type float64, came bool"),
        (10**400, (), "expected numbers of type float64, came object"),
        (1j, (), "expected a number, came a complex"),
        (
            np.ma.masked_greater(np.ones(2), 0),
            (2,),
            "expected a number in every cell, came an array with masked cells",
        ),
    ],
)
def test_as_array_says_what_is_wrong(answer, shape, line):
    with pytest.raises(Wrong) as wrong:
        as_array(answer, shape)
    assert str(wrong.value) == line


def test_close_to_says_where_and_how_many():
    judge = close_to([[1, 2], [3, 4]], 0.1)
    judge([[1.05, 2], [3, 3.95]])
    with pytest.raises(Wrong, match=r"^expected 2 at \[0, 1\], came 2\.5 \(2 of 4 numbers differ\)$"):
        judge([[1, 2.5], [3, float("nan")]])
    with pytest.raises(Wrong, match=r"^expected 1 at \[0\], came inf$"):
        close_to([1])([float("inf")])


def test_wording():
    assert both(0.1, 0.2) == ("0.1", "0.2")
    assert both(1 / 3, 1 / 3 + 1e-9) == ("0.333333333", "0.333333334")
    assert both(1.0, float("nan")) == ("1", "nan")
    assert plain("a\tb\n c\x07") == "a b c?"
    assert len(plain("x" * 10**6)) == 160
    assert (kind(None), kind(1), kind([]), kind(Bites())) == ("None", "an int", "a list", "a Bites")
    assert describe(KeyError("x")) == "KeyError: 'x'"
    assert describe(CannotBeShown()) == "an exception that cannot be shown"


def test_reports_show_their_verdict_in_words_and_symbols_as_well_as_colour():
    passed, failed = (
        Report(True, ("passed: 3 numbers",)),
        Report(False, ("not passed", "x < 1: expected <b>")),
    )
    unsolved = Report(False, ("not solved yet",))
    assert (bool(passed), bool(failed)) == (True, False)
    assert repr(failed) == "not passed\n  x < 1: expected <b>"
    assert ["✓ passed" in passed._repr_html_(), "✗ not passed" in failed._repr_html_()] == [True, True]
    assert "○ not solved yet" in unsolved._repr_html_()
    assert "x &lt; 1: expected &lt;b&gt;" in failed._repr_html_()
    assert "color:" not in passed._repr_html_().replace("border", "")
    parser = html.parser.HTMLParser()
    parser.feed(failed._repr_html_())
    with pytest.raises(AttributeError):
        passed.passed = False


@pytest.mark.parametrize(
    ("checker", "borrowed"),
    [
        (check.write_idx, mnist.write_idx),
        (check.filter_rows, lambda matrix, keep: matrix.filter_rows(keep)),
        (check.filter_rows, Matrix.filter_rows),
        (check.gradient, linear.gradient),
        (
            check.gradient,
            lambda X, theta, y: minus(theta, linear.fit(X, y, rate=1, iterations=1, theta=theta)),
        ),
        (check.softmax_step, lambda X, Y, theta, rate: logistic.step(X, Y, theta, rate=rate, loss="softmax")),
    ],
)
def test_the_packages_own_answers_are_closed(checker, borrowed):
    line = checker(borrowed).lines[1]
    assert line.endswith(
        "RuntimeError: mlteach's own answer is closed during the check: write yours without it"
    )


def test_what_was_closed_is_open_again_after_an_interrupt(tmp_path):
    def interrupted(path, array):
        raise KeyboardInterrupt

    assert repr(check.write_idx(interrupted)) == "interrupted"
    mnist.write_idx(tmp_path / "two.idx", np.zeros(2, np.uint8))
    assert mnist.read_idx(tmp_path / "two.idx").tolist() == [0, 0]
