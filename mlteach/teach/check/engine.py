"""The one loop behind every checker: call the learner's function, look at what it did, say it in a line."""

import contextvars
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlteach.teach.check.answers import Hopeless, Wrong
from mlteach.teach.check.closing import closed
from mlteach.teach.check.isolate import isolated
from mlteach.teach.check.report import INTERRUPTED, UNSOLVED, Report, not_passed
from mlteach.teach.check.wording import describe, kind

MOST_FAILURES = 3  # after that many a learner has enough to think about


def is_blank(answer: object) -> bool:
    """Whether an answer is what an unsolved stub returns."""
    return answer is None or answer is ...


@dataclass(frozen=True)
class Case:
    """One call of a learner's function.

    Parameters
    ----------
    label : str
        What is tried; cases of one label differ in their numbers only.
    arguments : dict
        The arguments by name, in the order of the call. Arrays and matrices must come back unchanged.
    judge : callable
        ``judge(answer)`` raises `Wrong` where the answer is not right. It is asked again after the next call,
        so it must neither change the answer nor hold the arguments.
    blank : callable
        ``blank(answer)`` says whether the function did nothing at all.
    """

    label: str
    arguments: dict[str, Any]
    judge: Callable[[Any], None]
    blank: Callable[[Any], bool] = is_blank


def checker(check: Callable[..., Report]) -> Callable[..., Report]:
    """Make a function that checks a learner's function into one that always returns a `Report`."""

    @functools.wraps(check)
    def guarded(*args, **kwargs):
        try:
            with isolated():
                return check(*args, **kwargs)
        except KeyboardInterrupt:
            return INTERRUPTED
        except BaseException as error:
            return not_passed(f"the check could not go on: {describe(error)}")

    return guarded


def examine(fn: Callable, cases: Iterable[Case], tried: str, without: Sequence[Callable] = ()) -> Report:
    """Try a function on cases, the smallest first, until a few of them fail.

    Parameters
    ----------
    fn : callable
        The learner's function; None and Ellipsis are not solved yet.
    cases : iterable of Case
        Made one by one, so that the arrays of one call are gone before the next call.
    tried : str
        What the cases are, for the line of a report that passes: ``"products, sizes 0 to 257"``.
    without : sequence of function
        The package's own answers to the exercise, which are `closed` during each call.
    """
    if is_blank(fn):
        return UNSOLVED
    if not callable(fn):
        return not_passed(f"expected a function, came {kind(fn)}")
    failures: dict[str, str] = {}
    right: set[str] = set()
    earlier, touched, count = None, False, 0
    for case in cases:
        count += 1
        try:
            with closed(without):
                answer = _call(fn, case)
            touched = touched or not case.blank(answer)
            _judge(case.judge, answer)
            if earlier and _changed(*earlier):
                raise Wrong("this call changed the answer of the call before: return a new one each time")
            earlier = case.judge, answer
            right.add(case.label)
        except Wrong as wrong:
            hint = " (the first call of this kind was right)" if case.label in right else ""
            failures.setdefault(case.label, f"{case.label}: {wrong}{hint}")
            earlier, hopeless = None, isinstance(wrong, Hopeless)
            touched = touched or hopeless
            if hopeless or (touched and len(failures) >= MOST_FAILURES):
                break
    if not touched:
        return UNSOLVED
    if failures:
        return not_passed(*list(failures.values())[:MOST_FAILURES])
    return Report(True, (f"passed: {count} {tried}",))


def _call(fn: Callable, case: Case) -> Any:
    before = {name: _state(value) for name, value in case.arguments.items()}
    try:
        answer = contextvars.copy_context().run(fn, *case.arguments.values())
    except KeyboardInterrupt:
        raise
    except NotImplementedError:
        return None
    except BaseException as error:
        raise Hopeless(f"raised {describe(error)}") from None
    for name, value in case.arguments.items():
        if _state(value) != before[name]:
            raise Hopeless(f"expected {name} as it was, but the call changed it")
    return answer


def _state(value: object) -> tuple | None:
    """All that there is to an array or a matrix, bit for bit; None for other arguments."""
    if not hasattr(type(value), "__array__"):
        return None
    array = np.asarray(value)
    return array.shape, array.strides, array.dtype.str, array.flags.writeable, array.tobytes()


def _judge(judge: Callable[[Any], None], answer: object) -> None:
    try:
        with np.errstate(all="ignore"):
            judge(answer)
    except (Wrong, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise Hopeless(f"reading the answer raised {describe(error)}") from None


def _changed(judge: Callable[[Any], None], answer: object) -> bool:
    try:
        _judge(judge, answer)
    except Wrong:
        return True
    return False
