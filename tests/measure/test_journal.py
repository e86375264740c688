import errno
import json
import os
import subprocess
import sys
import threading
import time
import warnings

import pytest

from mlteach.measure import journal as journal_module
from mlteach.measure import recordings as recordings_module
from mlteach.measure import turns
from mlteach.measure.journal import Guess, Journal, JournalWarning
from mlteach.measure.lock import locked
from mlteach.measure.recordings import recorded, recordings
from mlteach.measure.records import Measurement, document


def measurement(kernel="jit", seconds=0.5, n=300, **changes):
    return Measurement(kernel, "product", (n, n, n), "float32", 1, seconds, **changes)


@pytest.fixture(autouse=True)
def described(monkeypatch):
    """Every journal starts with nothing in memory, and describing the machine costs nothing."""
    journal_module._memory.cache_clear()
    machine = turns.describe()
    monkeypatch.setattr(turns, "timed_machine", lambda: machine)


@pytest.fixture
def journal(tmp_path):
    return Journal(tmp_path)


def test_what_is_recorded_is_there_for_the_next_one_who_looks(journal, tmp_path):
    first, second = measurement("jit"), measurement("loops", 40.0, scaled=True)
    journal.record(first)
    journal.record(second)
    assert Journal(tmp_path).measurements() == [first, second]
    assert Journal(tmp_path / "journal.json").path == journal.path == tmp_path / "journal.json"


def test_the_file_is_the_common_document(journal):
    journal.record(measurement())
    held = json.loads(journal.path.read_text())
    assert held["format"] == 1
    assert held["machine"] == json.loads(json.dumps(turns.describe().as_dict()))
    assert held["date"] == time.strftime("%Y-%m-%d")
    assert held["measurements"] == [measurement().as_dict()]


def test_the_newest_of_one_kind_counts(journal):
    journal.record(measurement(seconds=0.5))
    journal.record(measurement("loops"))
    journal.record(measurement(seconds=0.7))
    journal.record(measurement(n=400))
    assert journal.measurements() == [measurement("loops"), measurement(seconds=0.7), measurement(n=400)]


def test_looking_leaves_no_trace(tmp_path):
    looked = Journal(tmp_path / "home")
    assert looked.measurements() == []
    assert looked.guesses() == {}
    assert not looked.path.parent.exists()


def test_the_home_is_named_by_a_variable_or_by_the_platform(tmp_path, monkeypatch):
    monkeypatch.setenv("MLTEACH_HOME", str(tmp_path))
    assert Journal().path == tmp_path / "journal.json"
    monkeypatch.delenv("MLTEACH_HOME")
    assert Journal().path.name == "journal.json"
    assert "mlteach" in str(Journal().path)


def test_guesses_and_truths(journal):
    journal.guess("How long?", 12, "s")
    journal.guess("How many?", 3, "x")
    assert journal.guesses() == {
        "How long?": Guess("How long?", 12, "s"),
        "How many?": Guess("How many?", 3, "x"),
    }
    journal.reveal("How long?", 47)
    assert journal.guesses()["How long?"] == Guess("How long?", 12, "s", 47)
    journal.guess("How long?", 13, "s")
    assert journal.guesses()["How long?"] == Guess("How long?", 13, "s", 47)
    journal.reveal("never asked", 1)
    assert list(journal.guesses()) == ["How long?", "How many?"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_only_finite_numbers_are_kept(journal, number):
    with pytest.raises(ValueError, match="a guess must be a finite number"):
        journal.guess("How long?", number, "s")
    with pytest.raises(ValueError, match="a truth must be a finite number"):
        journal.reveal("How long?", number)
    assert not journal.path.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b"{}", b'{"format": "1"}', b'{"format": 0}', b"[" * 100_000],
)
def test_a_damaged_file_is_moved_aside(journal, content):
    journal.path.write_bytes(content)
    with pytest.warns(JournalWarning, match=r"journal.json was damaged: it is now journal.corrupt-1.json"):
        assert journal.measurements() == []
    assert journal.path.with_name("journal.corrupt-1.json").read_bytes() == content
    journal.record(measurement())
    assert journal.measurements() == [measurement()]
    journal.path.write_bytes(content)
    with pytest.warns(JournalWarning, match="it is now journal.corrupt-2.json"):
        journal.record(measurement())
    assert journal.path.with_name("journal.corrupt-2.json").read_bytes() == content
    assert journal.measurements() == [measurement()]


@pytest.mark.parametrize(
    "bad",
    [
        None,
        7,
        {},
        {"kernel": "jit"},
        {**measurement().as_dict(), "seconds": -1},
        {"question": 1, "value": "x"},
    ],
)
def test_one_damaged_record_costs_only_itself(journal, bad):
    held = document([measurement()], {})
    held["measurements"].insert(0, bad)
    held["guesses"] = [{"question": "q", "value": 1, "unit": "s"}, bad]
    journal.path.write_text(json.dumps(held))
    with pytest.warns(JournalWarning, match="what could be read is kept"):
        assert journal.measurements() == [measurement()]
    assert journal.path.with_name("journal.corrupt-1.json").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Journal(journal.path).guesses() == {"q": Guess("q", 1, "s")}


def test_a_damaged_list_costs_only_itself(journal):
    journal.path.write_text(
        json.dumps({**document([measurement()], {}), "guesses": 5, "machine": 3, "date": []})
    )
    with pytest.warns(JournalWarning):
        assert journal.measurements() == [measurement()]


def test_a_later_format_is_left_alone(journal):
    journal.path.write_text('{"format": 2, "treasure": true}')
    with pytest.warns(JournalWarning, match="written by a later mlteach and is left alone: update mlteach"):
        journal.record(measurement())
    assert journal.measurements() == [measurement()]
    assert journal.path.read_text() == '{"format": 2, "treasure": true}'
    assert sorted(path.name for path in journal.path.parent.iterdir()) == ["journal.json", "journal.lock"]


def test_without_a_writable_folder_the_session_goes_on(tmp_path):
    (tmp_path / "file").write_text("in the way")
    first = Journal(tmp_path / "file" / "home")
    with pytest.warns(JournalWarning, match=r"cannot be written .*: set MLTEACH_HOME"):
        first.record(measurement())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning is enough
        first.guess("How long?", 12, "s")
    second = Journal(tmp_path / "file" / "home")
    assert second.measurements() == [measurement()]
    second.reveal("How long?", 47)
    assert first.guesses() == {"How long?": Guess("How long?", 12, "s", 47)}
    assert (tmp_path / "file").read_text() == "in the way"


def test_what_could_not_be_written_is_written_later(tmp_path):
    (tmp_path / "home").write_text("in the way")
    journal = Journal(tmp_path / "home")
    with pytest.warns(JournalWarning):
        journal.record(measurement("jit"))
    (tmp_path / "home").unlink()
    journal.record(measurement("loops"))
    journal_module._memory.cache_clear()
    assert Journal(tmp_path / "home").measurements() == [measurement("jit"), measurement("loops")]


def test_a_folder_that_can_only_be_read_is_read(journal, monkeypatch):
    journal.record(measurement())

    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(journal_module, "locked", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # reading is no reason to warn
        assert journal.measurements() == [measurement()]
    with pytest.warns(JournalWarning, match="Permission denied"):
        journal.record(measurement("loops"))
    assert journal.measurements() == [measurement(), measurement("loops")]


def test_a_full_disk_leaves_the_old_file(journal, monkeypatch):
    journal.record(measurement())
    before = journal.path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.warns(JournalWarning, match="No space left on device"):
            journal.record(measurement("loops"))
    assert journal.path.read_bytes() == before
    assert sorted(path.name for path in journal.path.parent.iterdir()) == ["journal.json", "journal.lock"]
    assert journal.measurements() == [measurement(), measurement("loops")]


WRITER = """
import sys
from mlteach.measure import turns
from mlteach.measure.journal import Journal
from mlteach.measure.records import Measurement
machine = turns.describe()
turns.timed_machine = lambda: machine
print("ready", flush=True)
sys.stdin.readline()
for n in range(1, 51):
    Journal(sys.argv[1]).record(Measurement(sys.argv[2], "product", (n, n, n), "float32", 1, 1.0))
    Journal(sys.argv[1]).guess(f"{sys.argv[2]} {n}", n, "s")
"""


def test_two_processes_lose_nothing(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("jit", "loops")
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    kept = Journal(tmp_path)
    assert {(one.kernel, one.shape[0]) for one in kept.measurements()} == {
        (name, n) for name in ("jit", "loops") for n in range(1, 51)
    }
    assert len(kept.guesses()) == 100


def test_two_threads_lose_nothing(journal):
    def write(kernel):
        for n in range(1, 21):
            journal.record(measurement(kernel, n=n))

    threads = [threading.Thread(target=write, args=(name,)) for name in ("jit", "loops")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Journal(journal.path).measurements()) == 40


def test_a_lock_left_by_a_crash_is_free(journal):
    lock = journal.path.with_name("journal.lock")
    holder = (
        "import os, sys; from pathlib import Path; from mlteach.measure.lock import locked\n"
        "with locked(Path(sys.argv[1])): os._exit(1)"
    )
    assert subprocess.run([sys.executable, "-c", holder, str(lock)]).returncode == 1
    assert lock.exists()
    os.utime(lock, (0, 0))
    journal.record(measurement())
    assert json.loads(journal.path.read_text())["measurements"] == [measurement().as_dict()]


def test_a_lock_that_is_held_too_long_is_given_up(journal, monkeypatch):
    lock = journal.path.with_name("journal.lock")
    monkeypatch.setattr(journal_module, "locked", lambda path: locked(path, timeout=0.02))
    with (
        locked(lock),
        pytest.warns(JournalWarning, match=r"another program has held journal.lock for 0.02 seconds"),
    ):
        journal.record(measurement())
    assert journal.measurements() == [measurement()]
    assert journal.path.exists()


def test_what_was_recorded_elsewhere(tmp_path, monkeypatch):
    def save(name, date, machine, *measurements):
        held = document(measurements, {"name": machine}, date)
        (tmp_path / name).write_text(json.dumps(held))

    save("a.json", "2026-01-01", "old", measurement("jit", 1.0), measurement("loops", 9.0))
    save("b.json", "2026-02-01", "new", measurement("jit", 2.0))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "later.json").write_text('{"format": 2}')
    (tmp_path / "notes.txt").write_text("not a ladder")
    monkeypatch.setattr(recordings_module, "folder", lambda name: {"results": tmp_path}[name])
    assert [(one.machine["name"], one.date) for one in recordings()] == [
        ("new", "2026-02-01"),
        ("old", "2026-01-01"),
    ]
    assert recorded() == [measurement("jit", 2.0), measurement("loops", 9.0)]


def test_without_recorded_ladders_there_are_none(monkeypatch):
    def missing(name):
        raise FileNotFoundError(name)

    monkeypatch.setattr(recordings_module, "folder", missing)
    assert recorded() == []
