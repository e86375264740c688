"""The roofline: the best speed that a machine allows a product, and which of its two limits says so.

A product that does few operations for each byte it moves waits for memory; one that does many waits for
arithmetic. Operations per byte are its intensity. Where the two limits meet is the ridge.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlteach.measure._cache_arguments import itemsize_of, whole
from mlteach.measure.machine import Machine, describe
from mlteach.measure.records import Measurement
from mlteach.measure.units import number_text


@dataclass(frozen=True)
class Roof:
    """The two limits of a machine, or of a part of it.

    Attributes
    ----------
    name : str
        Whose limits they are, such as "2 cores, float32" or "tensor cores, fp16".
    peak : float
        The most arithmetic in GFLOP/s.
    bandwidth : float
        The most traffic with memory in GB/s.
    """

    name: str
    peak: float
    bandwidth: float

    def __post_init__(self):
        for what, value in (("peak", self.peak), ("bandwidth", self.bandwidth)):
            if not 0 < value < math.inf:
                raise ValueError(f"the {what} of {self.name!r} must be a number above 0, not {value}")

    @property
    def ridge(self) -> float:
        """The operations per byte from which on arithmetic is the limit."""
        return self.peak / self.bandwidth

    def attainable(self, intensity: Any) -> Any:
        """The most GFLOP/s at an intensity; an array of intensities gives an array."""
        return np.minimum(self.peak, self.bandwidth * np.asarray(intensity))[()]

    def limit(self, intensity: float) -> str:
        """Which limit holds at an intensity: "memory" below the ridge, "arithmetic" from there on."""
        return "memory" if intensity < self.ridge else "arithmetic"

    def sentence(self, intensity: float, gflops: float | None = None) -> str:
        """Say which limit holds at an intensity, how fast that allows and, if known, how near a kernel came.

        Examples
        --------
        >>> Roof("one core", peak=200, bandwidth=40).sentence(50, gflops=60)
        'At 50 operations per byte arithmetic is the limit: at most 200 GFLOP/s. Measured: 60, 30 % of it.'
        """
        most, limit = self.attainable(intensity), self.limit(intensity)
        speeds = (
            number_text(most) if limit == "arithmetic" else f"{number_text(most)} of {number_text(self.peak)}"
        )
        words = (
            f"At {number_text(intensity)} operations per byte {limit} is the limit: at most {speeds} GFLOP/s."
        )
        if gflops is None:
            return words
        return f"{words} Measured: {number_text(gflops)}, {100 * gflops / most:.0f} % of it."


@dataclass(frozen=True)
class Point:
    """A kernel below its roof.

    Attributes
    ----------
    name : str
    intensity : float
        Operations per byte of the product that it computed.
    gflops : float
        How fast it was.
    rung : str or None
        The rung whose colour it has in a figure.
    """

    name: str
    intensity: float
    gflops: float
    rung: str | None = None


def roof(dtype: str = "float32", threads: int = 1, machine: Machine | None = None) -> Roof:
    """Take the two limits of a processor.

    Parameters
    ----------
    dtype : str
        "float32" or "float64".
    threads : int
        How many cores work at once.
    machine : Machine, optional
        One whose peak and bandwidth were measured. This one by default: that takes some seconds the first
        time and is remembered for the life of the process.

    Raises
    ------
    ValueError
        Where the machine's limits are unknown.
    """
    itemsize_of(dtype)
    whole(threads, "threads", least=1)
    machine = machine or describe(measure=True)
    if machine.peak is None or machine.bandwidth is None:
        raise ValueError("the limits of this machine are unknown: describe it with describe(measure=True)")
    cores = f"{threads} core{'s'[: threads > 1]}"
    return Roof(f"{cores}, {dtype}", machine.peak[dtype].at(threads), machine.bandwidth.at(threads))


def traffic(
    m: int, n: int, k: int, *, dtype: Any = "float32", tile: int | tuple[int, int, int] | None = None
) -> int:
    """Count the bytes that a product moves between memory and a cache.

    Each step of the tile loops reads its tile of `a` and its tile of `b` and writes its tile of `out`, which
    it has read before unless the step is the first one on that tile. Within a step nothing moves, and a step
    finds nothing of the step before. A tile at the edge is as small as what is left.

    Parameters
    ----------
    m, n, k : int
        `a` is (m, k), `b` is (k, n), `out` is (m, n); at least 1.
    dtype : dtype-like
        float32 or float64.
    tile : int or (tm, tn, tk), optional
        How a step cuts m, n and k; one number for all three. Without it the product is one step: every
        number moves once, and no order of the loops can do with less.

    Examples
    --------
    >>> traffic(1000, 1000, 1000), traffic(1000, 1000, 1000, tile=64)
    (12000000, 252000000)
    """
    sizes = [whole(size, name, least=1) for size, name in ((m, "m"), (n, "n"), (k, "k"))]
    m, n, k = sizes
    sides = sizes if tile is None else tile if np.iterable(tile) else (tile,) * 3
    if len(sides) != 3:
        raise ValueError(f"tile must be one number, (tm, tn, tk) or None, not {tile!r}")
    pieces_m, pieces_n, pieces_k = (
        -(-size // whole(side, "a side of the tile", least=1))
        for size, side in zip(sizes, sides, strict=True)
    )
    numbers = m * k * pieces_n + k * n * pieces_m + m * n * (2 * pieces_k - 1)
    return numbers * itemsize_of(dtype)


def intensity(m: int, n: int, k: int, **options: Any) -> float:
    """The operations of a product for each byte it moves, 2mnk of them; the options are those of `traffic`.

    Examples
    --------
    The talk's product, then a square one:

    >>> round(intensity(60000, 10, 785, dtype="float64"), 2), intensity(1200, 1200, 1200)
    (2.47, 200.0)
    """
    return 2 * m * n * k / traffic(m, n, k, **options)


def point(
    measurement: Measurement, *, tile: int | tuple[int, int, int] | None = None, name: str | None = None
) -> Point:
    """Place a measured product, or training iteration, by its intensity and its speed.

    All three products of an iteration move the same three matrices, so they share one intensity.

    Parameters
    ----------
    measurement : Measurement
    tile : int or (tm, tn, tk), optional
        As in `traffic`.
    name : str, optional
        The rung's name where it is left out.
    """
    m, k, n = measurement.shape
    operations = intensity(m, n, k, dtype=measurement.dtype, tile=tile)
    return Point(name or measurement.kernel, operations, measurement.gflops, measurement.kernel)
