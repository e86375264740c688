"""What a timing says, and the one format in which it is kept.

The journal, ``mlteach ladder --json`` and ``results/*.json`` all hold the same document::

    {"format": 1, "machine": {...}, "date": "YYYY-MM-DD", "measurements": [{...}, ...]}
"""

import dataclasses
import datetime
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

FORMAT = 1
PRODUCTS = {"product": 1, "iteration": 3}  # matrix products in a workload: the talk's iteration has three
DTYPES = ("float32", "float64")
ONCE = ("first_seconds", "transfer_seconds")  # fields that only a GPU's measurements have


@dataclass(frozen=True)
class Measurement:
    """How long one kernel took for one workload.

    Attributes
    ----------
    kernel : str
        The rung's name.
    workload : str
        "product", or "iteration": the three products of the talk's training step.
    shape : tuple of int
        (m, k, n): an m x k matrix times a k x n one. For an iteration, (images, features, classes).
    dtype : str
        "float32" or "float64".
    threads : int
        How many threads the kernel was given, after clamping to the cores there are.
    seconds : float
        The median of the samples, for the whole workload.
    scaled : bool
        Whether only the first rows were timed and the rest is extrapolated.
    first_seconds, transfer_seconds : float or None
        On a GPU, what is paid once and not timed: a first small product, which compiles, and the way of the
        matrices there and back.
    """

    kernel: str
    workload: str
    shape: tuple[int, int, int]
    dtype: str
    threads: int
    seconds: float
    scaled: bool = False
    first_seconds: float | None = None
    transfer_seconds: float | None = None

    @property
    def flops(self) -> int:
        """The multiplications and additions of the workload."""
        return 2 * math.prod(self.shape) * PRODUCTS[self.workload]

    @property
    def gflops(self) -> float:
        """Billions of multiplications and additions per second."""
        return self.flops / self.seconds / 1e9

    @property
    def key(self) -> tuple:
        """What was measured, without how long it took: two records of one key are the same rung twice."""
        return (self.kernel, self.workload, self.shape, self.dtype, self.threads)

    def as_dict(self) -> dict[str, Any]:
        """The measurement as JSON can hold it, without what is unknown."""
        known = {name: value for name, value in dataclasses.asdict(self).items() if value is not None}
        return {**known, "shape": list(self.shape)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Measurement":
        """Read what ``as_dict`` wrote; fields that a later version added are passed over.

        Raises
        ------
        ValueError
            Where the record lacks a field or holds a value that cannot be.
        """
        try:
            m, k, n = record["shape"]
            made = cls(
                kernel=str(record["kernel"]),
                workload=str(record["workload"]),
                shape=(int(m), int(k), int(n)),
                dtype=str(record["dtype"]),
                threads=int(record["threads"]),
                seconds=float(record["seconds"]),
                scaled=bool(record.get("scaled", False)),
                **{name: float(record[name]) for name in ONCE if record.get(name) is not None},
            )
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as problem:
            raise ValueError(f"{record!r} is not a measurement: {problem!r}") from None
        sound = (
            made.workload in PRODUCTS
            and made.dtype in DTYPES
            and min(*made.shape, made.threads) >= 1
            and 0 < made.seconds < math.inf
        )
        if not sound:
            raise ValueError(f"{record!r} is not a measurement: one of its values cannot be")
        return made


def document(
    measurements: Iterable[Measurement], machine: Mapping[str, Any], date: str | None = None
) -> dict:
    """Put measurements into the document that files hold.

    Parameters
    ----------
    measurements : iterable of Measurement
    machine : mapping
        ``Machine.as_dict()`` of the machine they were taken on.
    date : str, optional
        YYYY-MM-DD; today where it is left out.
    """
    return {
        "format": FORMAT,
        "machine": dict(machine),
        "date": date or datetime.date.today().isoformat(),
        "measurements": [measurement.as_dict() for measurement in measurements],
    }
