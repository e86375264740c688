"""Waiting for other threads ends where one thread alone would have been faster, and begins again."""

import numpy as np
import pytest

from mlteach.matmul import matmul, patience, simd, team
from mlteach.matmul.patience import LONGEST, SHORTEST, Patience


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still until it is moved."""
    time = [100.0]
    monkeypatch.setattr(patience, "clock", lambda: time[0])
    return time


def test_the_first_calls_and_steady_ones_are_waited_for(now):
    one = Patience()
    for seconds in (5.0, 1.0, 1.1, 3.9):  # two threads: less than half as fast as one alone is 4 times slower
        one.note("f4", 1000, 2, seconds)
        assert not one.over()


def test_a_call_slower_than_half_of_one_thread_ends_it_for_a_while(now):
    one = Patience()
    one.note("f4", 1000, 2, 1.0)
    one.note("f4", 1000, 2, 4.1)
    assert one.over()
    now[0] += SHORTEST
    assert not one.over()


def test_the_pause_grows_to_its_longest_and_starts_anew_when_all_is_well(now):
    one = Patience()
    one.note("f4", 1000, 2, 1.0)
    pauses = []
    for _ in range(8):
        one.note("f4", 1000, 2, 9.0)
        pauses.append(one.until - now[0])
    assert pauses[:3] == pytest.approx([SHORTEST, 2 * SHORTEST, 4 * SHORTEST])
    assert pauses[-1] == pytest.approx(LONGEST)
    one.note("f4", 1000, 2, 1.0)
    one.note("f4", 1000, 2, 9.0)
    assert one.until - now[0] == pytest.approx(SHORTEST)


def test_kinds_of_work_are_not_compared(now):
    one = Patience()
    one.note("f4", 1000, 2, 1.0)
    one.note("f8", 1000, 2, 9.0)
    assert not one.over()


def test_more_threads_are_given_more_time(now):
    one = Patience()
    one.note("f4", 1000, 16, 1.0)
    one.note("f4", 1000, 16, 30.0)
    assert not one.over()
    one.note("f4", 1000, 16, 33.0)
    assert one.over()


def test_simd_works_alone_while_the_others_are_late(monkeypatch):
    calls = []
    together = team.together
    monkeypatch.setattr(team, "together", lambda *args: (calls.append(1), together(*args)))
    monkeypatch.setattr(simd, "_patience", Patience())
    a = np.random.default_rng(0).normal(size=(300, 300))
    wanted = matmul(a, a, kernel="simd", threads=2)
    assert len(calls) == 1
    simd._patience.until = patience.clock() + 1000
    assert (matmul(a, a, kernel="simd", threads=2) == wanted).all()
    assert len(calls) == 1
