"""Counting the misses of a column that is walked down twice."""

from collections import Counter, OrderedDict

import pytest

from mlteach.measure import simulate, walk
from mlteach.teach import check
from mlteach.teach.check import caches


def parts(cache):
    size, ways, line = cache
    return size // (ways * line), ways, line


def counted(n, stride, cache):
    sets, ways, line = parts(cache)
    lines = {i * stride // line for i in range(n)}
    in_set = Counter(number % sets for number in lines)
    return len(lines) + sum(count for count in in_set.values() if count > ways)


def simulated(n, stride, cache):
    sets, ways, line = parts(cache)
    held, misses = [OrderedDict() for _ in range(sets)], 0
    for address in 2 * [i * stride for i in range(n)]:
        number = address // line
        lines = held[number % sets]
        misses += number not in lines
        lines[number] = None
        lines.move_to_end(number)
        if len(lines) > ways:
            lines.popitem(last=False)
    return misses


@pytest.mark.parametrize("right", [counted, simulated])
def test_a_right_count_passes(right):
    report = check.misses(right)
    assert report.passed, report
    assert report.lines == ("passed: 28 double walks down a column, 20 of them in random caches",)


@pytest.mark.parametrize("nothing", [None, ..., lambda n, stride, cache: None, lambda n, stride, cache: ...])
def test_a_stub_is_not_solved_yet(nothing):
    assert check.misses(nothing) == check.report.UNSOLVED


def every_access(n, stride, cache):
    return 2 * n


def first_walk_only(n, stride, cache):
    return len({i * stride // cache[2] for i in range(n)})


def without_sets(n, stride, cache):
    """Count as if a line could lie anywhere."""
    size, _, line = cache
    lines = len({i * stride // line for i in range(n)})
    return lines if lines * line <= size else 2 * lines


def all_or_nothing(n, stride, cache):
    """Count as if all sets overflow where one does."""
    sets, ways, line = parts(cache)
    lines = {i * stride // line for i in range(n)}
    fullest = max(Counter(number % sets for number in lines).values(), default=0)
    return len(lines) * (2 if fullest > ways else 1)


def overflow_only(n, stride, cache):
    """Count as if a set that overflows kept what fits."""
    sets, ways, line = parts(cache)
    lines = {i * stride // line for i in range(n)}
    in_set = Counter(number % sets for number in lines)
    return len(lines) + sum(max(0, count - ways) for count in in_set.values())


def a_line_each(n, stride, cache):
    """Count as if no two numbers shared a line."""
    sets, ways, line = parts(cache)
    in_set = Counter(i * stride // line % sets for i in range(n))
    return n + sum(count for count in in_set.values() if count > ways)


def not_yet_full(n, stride, cache):
    """Count as if a set that is just full overflows."""
    sets, ways, line = parts(cache)
    lines = {i * stride // line for i in range(n)}
    in_set = Counter(number % sets for number in lines)
    return len(lines) + sum(count for count in in_set.values() if count >= ways)


def set_of_the_address(n, stride, cache):
    """Take the set from the address and not from the line."""
    sets, ways, line = parts(cache)
    lines = {i * stride // line for i in range(n)}
    in_set = Counter(number * line % sets for number in lines)
    return len(lines) + sum(count for count in in_set.values() if count > ways)


@pytest.mark.parametrize(
    "wrong",
    [
        every_access,
        first_walk_only,
        without_sets,
        all_or_nothing,
        overflow_only,
        a_line_each,
        not_yet_full,
        set_of_the_address,
        lambda n, stride, cache: float(counted(n, stride, cache)),
        lambda n, stride, cache: counted(n, stride, cache) + (n > 100),
    ],
)
def test_a_wrong_count_is_told(wrong):
    report = check.misses(wrong)
    assert report.lines[0] == "not passed"
    assert "expected" in report.lines[1]


def test_a_number_that_equals_everything_is_no_answer():
    class Equal(int):
        __eq__ = __ne__ = lambda self, other: False
        __hash__ = int.__hash__

    assert not check.misses(lambda *_: Equal(-1))


def test_the_smallest_case_comes_first():
    assert check.misses(every_access).lines[1] == (
        "n = 1, stride = 4, cache = (64, 1, 64): expected 1 misses, came 2"
    )


@pytest.mark.parametrize(
    "borrowed",
    [
        lambda n, stride, cache: walk(2 * [i * stride for i in range(n)], [cache]).levels[0].misses,
        lambda n, stride, cache: simulate("ijk", 1, 1, n, levels=[cache]).levels[0].misses,
    ],
)
def test_the_simulator_is_no_answer_and_works_again_afterwards(borrowed):
    assert "the simulator is closed during the check" in check.misses(borrowed).lines[1]
    assert borrowed(4, 64, (128, 2, 16)) > 0


def test_both_kinds_of_walk_are_tried():
    again = [
        walk(2 * [i * stride for i in range(n)], [cache]).levels[0].misses
        - walk([i * stride for i in range(n)], [cache]).levels[0].misses
        for n, stride, cache in caches._random_walks()
    ]
    assert len(again) == 20
    assert 4 <= sum(count > 0 for count in again) <= 16
