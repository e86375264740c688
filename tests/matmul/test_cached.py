"""What is kept on disk comes back to whom it belongs."""

import numba
import pytest
from numba import types
from numba.core.caching import IndexDataCacheFile

from mlteach.matmul.cached import compiled

SIGNATURE = types.int64(types.int64)


def adding(number):
    def add(x):
        return x + number

    return compiled(add, SIGNATURE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_what_was_compiled_once_is_loaded(folder):
    first, again = adding(1), adding(1)
    assert (first(5), again(5)) == (6, 6)
    assert [sum(one.stats.cache_hits.values()) for one in (first, again)] == [0, 1]


def test_two_processes_that_compile_at_once_each_keep_their_own(folder, monkeypatch):
    """The second looks at the index before the first has written it, and writes its code afterwards."""
    save_index, save_data = IndexDataCacheFile._save_index, IndexDataCacheFile._save_data
    late = []

    def second_comes_in_between(self, overloads):
        monkeypatch.setattr(IndexDataCacheFile, "_save_index", save_index)
        monkeypatch.setattr(IndexDataCacheFile, "_save_data", lambda *arguments: late.append(arguments))
        adding(2)
        monkeypatch.setattr(IndexDataCacheFile, "_save_data", save_data)
        save_index(self, overloads)

    monkeypatch.setattr(IndexDataCacheFile, "_save_index", second_comes_in_between)
    assert adding(1)(5) == 6
    for arguments in late:
        save_data(*arguments)
    assert len(late) == 1
    assert (adding(1)(5), adding(2)(5)) == (6, 7)
