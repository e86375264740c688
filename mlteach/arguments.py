"""What is said to a number that cannot be."""

import math
import numbers
from typing import Any


def check_whole(name: str, value: Any, least: int) -> None:
    """Raise a ValueError where a value is no whole number from `least` on."""
    if not (isinstance(value, numbers.Integral) and int(value) >= least):
        raise ValueError(f"{name} must be a whole number from {least} on, not {value!r}")


def check_rate(rate: Any) -> None:
    """Raise a ValueError where a step size is no finite number above 0."""
    real = isinstance(rate, numbers.Real)
    if not (real and 0 < rate < math.inf):
        raise ValueError(f"rate must be a number above 0, not {rate!r}")


def check_share(name: str, value: Any, below: float) -> None:
    """Raise a ValueError where a value is no number from 0 to below `below`."""
    real = isinstance(value, numbers.Real)
    if not (real and 0 <= value < below):
        range_ = "on" if below == math.inf else f"to below {below}"
        raise ValueError(f"{name} must be a number from 0 {range_}, not {value!r}")
