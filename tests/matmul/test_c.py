"""Compiling the C rung: once, by any number of processes, and what is said where it cannot be."""

import subprocess
import sys

import platformdirs
import pytest

from mlteach.matmul import c_build, native

DECLARATIONS = "int answer(void);"
SOURCE = "int answer(void) { return 42; }"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *args, **kwargs: str(tmp_path))
    return tmp_path / "c"


@pytest.fixture(scope="module", autouse=True)
def compiler():
    try:
        native._ikj()
    except RuntimeError as error:
        pytest.skip(str(error))


def test_compiled_once(cache, monkeypatch):
    assert c_build.build("once", DECLARATIONS, SOURCE).lib.answer() == 42
    (made,) = cache.iterdir()
    before = made.stat()
    monkeypatch.setattr(c_build, "_compile", None)
    assert c_build.build("once", DECLARATIONS, SOURCE).lib.answer() == 42
    assert made.stat() == before
    assert list(cache.iterdir()) == [made]


def test_another_source_is_another_module(cache):
    assert c_build.build("once", DECLARATIONS, SOURCE).lib.answer() == 42
    assert c_build.build("once", DECLARATIONS, SOURCE.replace("42", "43")).lib.answer() == 43


def test_two_processes_at_once(cache):
    code = f"""
import platformdirs
platformdirs.user_cache_dir = lambda *args, **kwargs: {str(cache.parent)!r}
from mlteach.matmul import c_build
assert c_build.build("twice", {DECLARATIONS!r}, {SOURCE!r}).lib.answer() == 42
"""
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(list(cache.iterdir())) == 1


def test_no_compiler_is_said_in_a_sentence(cache, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match=r"kernel 'c' needs a C compiler and .*: install "):
        c_build.build("never", DECLARATIONS, SOURCE)
    assert list(cache.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_in_a_sentence(cache):
    cache.write_text("a file in the way")
    with pytest.raises(
        RuntimeError, match=r"keeps what it compiles in .*c, which cannot be written \(.+\): make"
    ):
        c_build.build("never", DECLARATIONS, SOURCE)
