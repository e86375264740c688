"""The ladders that come with mlteach, one file for each machine they were recorded on."""

from dataclasses import dataclass
from typing import Any

from mlteach.measure.contents import Contents, Newer
from mlteach.measure.records import Measurement
from mlteach.resources import folder


@dataclass(frozen=True)
class Recording:
    """A ladder that was recorded on some machine.

    Attributes
    ----------
    machine : dict
        As `Machine.as_dict` gives it.
    date : str
        YYYY-MM-DD.
    measurements : tuple of Measurement
    """

    machine: dict[str, Any]
    date: str
    measurements: tuple[Measurement, ...]


def recordings() -> list[Recording]:
    """The ladders that come with mlteach, the newest first; a file that cannot be read is passed over."""
    try:
        paths = sorted(folder("results").glob("*.json"))
    except FileNotFoundError:
        return []
    found = []
    for path in paths:
        try:
            contents = Contents.read(path)
        except (OSError, Newer):
            continue
        if contents.measurements and contents.date:
            found.append(Recording(contents.machine, contents.date, tuple(contents.measurements.values())))
    return sorted(found, key=lambda recording: recording.date, reverse=True)


def recorded() -> list[Measurement]:
    """The measurements that come with mlteach: each kind once, from the newest recording that has it."""
    newest: dict[tuple, Measurement] = {}
    for recording in recordings():
        for measurement in recording.measurements:
            newest.setdefault(measurement.key, measurement)
    return list(newest.values())
