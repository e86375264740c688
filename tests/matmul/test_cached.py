"""What is kept on disk comes back to whom it belongs."""

import numba
import numpy as np
import pytest
from numba import njit, types
from numba.core.caching import IndexDataCacheFile

from mlteach.matmul.cached import compiled, keep_apart

SIGNATURE = types.int64(types.int64)


def adding(number):
    def add(x):
        return x + number

    return compiled(add, SIGNATURE)


def total(x):
    return x[0] + x[1]


def total_of_ones(dtype):
    """What a new process answers that compiles the function when it is first called."""
    dispatcher = njit(cache=True)(total)
    keep_apart(dispatcher)
    return float(dispatcher(np.ones(2, dtype)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_what_was_compiled_once_is_loaded(folder):
    first, again = adding(1), adding(1)
    assert (first(5), again(5)) == (6, 6)
    assert [sum(one.stats.cache_hits.values()) for one in (first, again)] == [0, 1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda: adding(1)(5), lambda: adding(2)(5)),
        (lambda: total_of_ones("int64"), lambda: total_of_ones("float64")),
    ],
    ids=["compiled", "keep_apart"],
)
def test_two_processes_that_compile_at_once_each_keep_their_own(folder, monkeypatch, first, second):
    """The second looks at the index before the first has written it, and writes its code afterwards."""
    save_index, save_data = IndexDataCacheFile._save_index, IndexDataCacheFile._save_data
    late, answers = [], []

    def second_comes_in_between(self, overloads):
        monkeypatch.setattr(IndexDataCacheFile, "_save_index", save_index)
        monkeypatch.setattr(IndexDataCacheFile, "_save_data", lambda *arguments: late.append(arguments))
        answers.append(second())
        monkeypatch.setattr(IndexDataCacheFile, "_save_data", save_data)
        save_index(self, overloads)

    monkeypatch.setattr(IndexDataCacheFile, "_save_index", second_comes_in_between)
    answers.append(first())
    for arguments in late:
        save_data(*arguments)
    assert len(late) == 1
    assert [second(), first()] == answers


def test_what_is_not_kept_needs_no_name():
    keep_apart(njit(total), total)
