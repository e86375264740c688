"""The reader's own ladder and guesses.

The journal is one small file, `journal.json`, in the folder that `MLTEACH_HOME` names or in the platform's
place for data of programs. It is written when something is recorded, never as a side effect of looking at it.

What can go wrong with a file costs no lesson: whatever cannot be written stays in memory, is written with the
next record if that can be, and a warning says so in one sentence. A record lost is a measurement to repeat; a
notebook that stops is worse.
"""

import contextlib
import datetime
import functools
import math
import os
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlteach.measure.contents import Contents, Guess, Newer
from mlteach.measure.lock import locked
from mlteach.measure.recordings import Recording, recorded, recordings
from mlteach.measure.records import Measurement

__all__ = ["Guess", "Journal", "JournalWarning", "Recording", "recorded", "recordings"]

FILE, LOCK = "journal.json", "journal.lock"


class JournalWarning(UserWarning):
    """The journal goes on in memory, or with less than it held."""


@dataclass
class _Memory:
    """What this process knows of a journal and its file does not, shared by all who open the same file."""

    pending: list[Callable[[Contents], None]] = field(default_factory=list)
    warned: set[str] = field(default_factory=set)
    mutex: threading.RLock = field(default_factory=threading.RLock)


_memory = functools.cache(lambda path: _Memory())


class Journal:
    """The reader's measurements and guesses, kept from one notebook to the next.

    Of measurements with the same kernel, workload, shape, dtype and threads the newest counts: it is what the
    reader just saw.

    Parameters
    ----------
    path : str or os.PathLike, optional
        The file, where it ends in ``.json``, or its folder. Left out: the folder in ``MLTEACH_HOME``, or the
        platform's folder for the user's data.

    Warns
    -----
    JournalWarning
        Where the file is damaged: it is moved aside to ``journal.corrupt-N.json``, and what can be read is
        kept. Where it was written by a later mlteach it is left alone, and where it cannot be written the
        journal goes on in memory.
    """

    def __init__(self, path: str | os.PathLike | None = None):
        place = Path(path) if path is not None else _home()
        self.path = (place if place.suffix == ".json" else place / FILE).absolute()
        self._memory = _memory(self.path)

    def record(self, measurement: Measurement) -> None:
        """Keep a measurement, in place of an earlier one of the same kind."""
        from mlteach.measure.turns import timed_machine

        machine, today = timed_machine().as_dict(), datetime.date.today().isoformat()

        def change(contents: Contents) -> None:
            contents.keep(measurement)
            contents.machine, contents.date = machine, today

        self._change(change)

    def measurements(self) -> list[Measurement]:
        """All measurements, the newest last."""
        return list(self._contents().measurements.values())

    def guess(self, question: str, value: float, unit: str) -> None:
        """Keep the reader's guess, in place of an earlier one to the same question.

        Raises
        ------
        ValueError
            Where the value is not a finite number.
        """
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"a guess must be a finite number, not {value!r}")

        def change(contents: Contents) -> None:
            earlier = contents.guesses.get(question)
            contents.guess(Guess(question, number, unit, earlier.truth if earlier else None))

        self._change(change)

    def reveal(self, question: str, truth: float) -> None:
        """Keep the truth beside the guess; where there was no guess, nothing is kept.

        Raises
        ------
        ValueError
            Where the truth is not a finite number.
        """
        number = float(truth)
        if not math.isfinite(number):
            raise ValueError(f"a truth must be a finite number, not {truth!r}")

        def change(contents: Contents) -> None:
            if question in contents.guesses:
                contents.guess(replace(contents.guesses[question], truth=number))

        self._change(change)

    def guesses(self) -> dict[str, Guess]:
        """All guesses by their question, in the order in which they were first made."""
        return dict(self._contents().guesses)

    def _change(self, change: Callable[[Contents], None]) -> None:
        with self._memory.mutex:
            self._memory.pending.append(change)
            self._contents()

    def _contents(self) -> Contents:
        """Read the file, add what it does not hold yet, and write it back if there was something to add."""
        pending = self._memory.pending
        with self._memory.mutex:
            try:
                if pending:
                    self.path.parent.mkdir(parents=True, exist_ok=True)
                elif not self.path.exists():
                    return Contents()
                with locked(self.path.with_name(LOCK)):
                    return self._exchange()
            except Newer:
                self._warn(f"{self.path} was written by a later mlteach and is left alone: update mlteach")
                contents = Contents()
            except OSError as problem:
                if pending:
                    reason = problem.strerror or problem
                    self._warn(
                        f"{self.path} cannot be written ({reason}): set MLTEACH_HOME to a folder of yours"
                    )
                contents = self._glance()
            for change in pending:
                change(contents)
            return contents

    def _exchange(self) -> Contents:
        """Bring file and memory together, with the lock held."""
        contents = Contents.read(self.path)
        if contents.damaged:
            aside = _set_aside(self.path)
            self._warn(f"{self.path} was damaged: it is now {aside.name}, and what could be read is kept")
        for change in self._memory.pending:
            change(contents)
        if self._memory.pending or (contents.damaged and (contents.measurements or contents.guesses)):
            contents.write(self.path)
        self._memory.pending.clear()
        return contents

    def _glance(self) -> Contents:
        """What can be read of the file without touching it."""
        with contextlib.suppress(OSError, Newer):
            return Contents.read(self.path)
        return Contents()

    def _warn(self, sentence: str) -> None:
        """Warn once: a notebook that records ten times needs no ten warnings."""
        if sentence not in self._memory.warned:
            self._memory.warned.add(sentence)
            warnings.warn(f"{sentence}.", JournalWarning, stacklevel=4)


def _home() -> Path:
    if home := os.environ.get("MLTEACH_HOME"):
        return Path(home)
    import platformdirs

    return platformdirs.user_data_path("mlteach", appauthor=False)


def _set_aside(path: Path) -> Path:
    """Rename a damaged file to the first free name beside it."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.corrupt-{number}.json")).exists():
        number += 1
    return path.replace(aside)
