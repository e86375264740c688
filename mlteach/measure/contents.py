"""What a journal's file holds, read with care.

The document of `mlteach.measure.records`, with the reader's guesses beside the measurements.
"""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlteach.files import replacing
from mlteach.measure.records import FORMAT, Measurement, document


@dataclass(frozen=True)
class Guess:
    """What the reader expected, and what turned out.

    Attributes
    ----------
    question : str
    value : float
        The guess.
    unit : str
        "s", "x", "%" or whatever the question asks for.
    truth : float or None
        What was measured; None before the answer was shown.
    """

    question: str
    value: float
    unit: str
    truth: float | None = None


class Newer(Exception):
    """The file was written by a later mlteach."""


@dataclass
class Contents:
    """What a journal file holds."""

    measurements: dict[tuple, Measurement] = field(default_factory=dict)
    guesses: dict[str, Guess] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    date: str | None = None
    damaged: bool = False

    @classmethod
    def read(cls, path: Path) -> "Contents":
        """Read a file, passing over what cannot be understood and saying so in `damaged`."""
        contents = cls()
        try:
            held = json.loads(path.read_bytes())
            version = held["format"]
            if not isinstance(version, int) or version < 1:
                raise ValueError(version)
        except FileNotFoundError:
            return contents
        except (KeyError, RecursionError, TypeError, ValueError):
            return cls(damaged=True)
        if version > FORMAT:
            raise Newer
        if isinstance(held.get("machine"), dict) and isinstance(held.get("date"), str):
            contents.machine, contents.date = held["machine"], held["date"]
        contents._take(held, "measurements", lambda record: contents.keep(Measurement.from_dict(record)))
        contents._take(held, "guesses", lambda record: contents.guess(_read_guess(record)))
        return contents

    def _take(self, held: dict, name: str, take: Callable[[Any], None]) -> None:
        records = held.get(name, [])
        if not isinstance(records, list):
            self.damaged, records = True, []
        for record in records:
            try:
                take(record)
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
                self.damaged = True

    def keep(self, measurement: Measurement) -> None:
        """Put a measurement in the place of the earlier one of its kind, as the newest."""
        self.measurements.pop(measurement.key, None)
        self.measurements[measurement.key] = measurement

    def guess(self, guess: Guess) -> None:
        """Put a guess in the place of the earlier one to its question."""
        self.guesses[guess.question] = guess

    def write(self, path: Path) -> None:
        """Replace the file as a whole, or leave it as it was and raise OSError."""
        made = document(self.measurements.values(), self.machine, self.date)
        made["guesses"] = [asdict(guess) for guess in self.guesses.values()]
        with replacing(path) as file:
            file.write(json.dumps(made, indent=1).encode())


def _read_guess(record: dict[str, Any]) -> Guess:
    value = float(record["value"])
    truth = None if record.get("truth") is None else float(record["truth"])
    if not all(math.isfinite(number) for number in (value, truth or 0)):
        raise ValueError(record)
    return Guess(str(record["question"]), value, str(record["unit"]), truth)
