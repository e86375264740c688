"""Timing: how fast it is on this machine, and what the reader guessed.

The names below are imported when they are first used: listing them costs nothing.
"""

import importlib

_HOMES = {
    "CacheLevel": "cache",
    "CacheReport": "cache",
    "Finding": "doctor",
    "Guess": "contents",
    "Journal": "journal",
    "Machine": "machine",
    "Measurement": "records",
    "Race": "race",
    "compare": "bench",
    "describe": "machine",
    "examine": "doctor",
    "ladder": "bench",
    "recorded": "recordings",
    "simulate": "cache",
    "time_iteration": "bench",
    "time_product": "bench",
    "walk": "cache",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(
            f"module 'mlteach.measure' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    value = getattr(importlib.import_module(f"mlteach.measure.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
