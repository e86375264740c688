"""The outcome of timing several kernels on the same work, and how it is told."""

import html
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlteach.measure.records import Measurement
from mlteach.measure.units import listing, number_text, seconds_text

BUSY = 0.25  # a spread above this says more about the machine than about the kernel
CLEAR = 3.0  # a ratio above this is told even where other programs disturb
ALIKE = 1.02  # ratios below this are called equal


def middle_half(samples: Sequence[float]) -> tuple[float, float]:
    """The bounds between which the middle half of the samples lies; one wild sample does not move them."""
    if len(samples) < 2:
        return samples[0], samples[0]
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, high


def spread(samples: Sequence[float]) -> float:
    """The width of the middle half of the samples, as a share of their median."""
    low, high = middle_half(samples)
    return (high - low) / statistics.median(samples)


def unrest(samples: Mapping[str, Sequence[float]]) -> float:
    """The widest spread of several kernels' samples."""
    return max(map(spread, samples.values()))


@dataclass(frozen=True)
class Table:
    """Rows of text under headings, shown aligned in a terminal and as a table in a notebook.

    Attributes
    ----------
    headings : tuple of str
    rows : tuple of tuple of str
    sentences : tuple of str
        What is said below the table.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...] = ()

    def __str__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.headings, *self.rows, strict=True)]
        lines = [
            "  ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])])
            for cells in (self.headings, *self.rows)
        ]
        return "\n".join([*lines, *self.sentences])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def line(tag: str, cells: Sequence[str]) -> str:
            aligned = [f'<{tag} style="text-align: {"right" if i else "left"}">' for i in range(len(cells))]
            return "".join(
                f"{start}{html.escape(cell)}</{tag}>" for start, cell in zip(aligned, cells, strict=True)
            )

        body = "".join(f"<tr>{line('td', cells)}</tr>" for cells in self.rows)
        below = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences)
        return (
            f"<table><thead><tr>{line('th', self.headings)}</tr></thead><tbody>{body}</tbody></table>{below}"
        )


@dataclass(frozen=True)
class Race:
    """Kernels timed on the same product, taking turns.

    Attributes
    ----------
    shape : tuple of int
        (m, k, n).
    dtype : str
    threads : dict of str to int
        How many threads each kernel used.
    samples : dict of str to tuple of float
        Seconds of each sample, kernel by kernel in the order of the race.
    scaled : frozenset of str
        The kernels of which only the first rows were timed.
    crowded : bool
        Whether other programs used cores that the kernels needed.
    notes : tuple of str
        What the reader should know about the race, in sentences.
    once : dict of str to dict
        What each kernel paid once and was not timed, for the fields of a `Measurement`.
    """

    shape: tuple[int, int, int]
    dtype: str
    threads: dict[str, int]
    samples: dict[str, tuple[float, ...]]
    scaled: frozenset[str] = frozenset()
    crowded: bool = False
    notes: tuple[str, ...] = ()
    once: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def seconds(self) -> dict[str, float]:
        """The median of each kernel's samples: a pause of the machine or a lucky moment does not move it."""
        return {name: statistics.median(samples) for name, samples in self.samples.items()}

    @property
    def spread(self) -> dict[str, float]:
        """The width of the middle half of each kernel's samples, as a share of the median."""
        return {name: spread(samples) for name, samples in self.samples.items()}

    @property
    def busy(self) -> bool:
        """Whether other programs took part, or samples differ so much that small differences mean nothing."""
        return self.crowded or unrest(self.samples) > BUSY

    @property
    def measurements(self) -> list[Measurement]:
        """The race as measurements, for the journal or a file."""
        return [
            Measurement(
                name,
                "product",
                self.shape,
                self.dtype,
                self.threads[name],
                seconds,
                name in self.scaled,
                **self.once.get(name, {}),
            )
            for name, seconds in self.seconds.items()
        ]

    def ratio(self, a: str, b: str) -> float:
        """How many times faster ``b`` is than ``a``: the median of ``a`` divided by that of ``b``.

        Raises
        ------
        KeyError
            Where a kernel was not in the race.
        """
        seconds = self.seconds
        for name in (a, b):
            if name not in seconds:
                raise KeyError(f"{name!r} was not in this race: choose from {', '.join(seconds)}")
        return seconds[a] / seconds[b]

    def verdict(self, a: str, b: str) -> str:
        """Say in a sentence how much faster ``b`` is than ``a``, or that the samples do not tell."""
        ratio = self.ratio(a, b)
        (low_a, high_a), (low_b, high_b) = middle_half(self.samples[a]), middle_half(self.samples[b])
        overlap = low_a <= high_b and low_b <= high_a
        if (overlap and self.busy) or (self.crowded and max(ratio, 1 / ratio) < CLEAR):
            return f"The machine is busy: no verdict on {a} and {b}. Close other programs and try again."
        if overlap:
            return f"{b} and {a} are equally fast here."
        if max(ratio, 1 / ratio) < ALIKE:
            return f"{b} and {a} are equally fast here, within {ALIKE - 1:.0%}."
        if ratio > 1:
            return f"{b} is {number_text(ratio)} times faster than {a} here."
        return f"{b} is {number_text(1 / ratio)} times slower than {a} here."

    def table(self) -> Table:
        """The race as a table: seconds, GFLOP/s, times faster than the first kernel, spread."""
        first, *others = self.samples
        fastest = min(others, key=self.seconds.__getitem__, default=None)
        rows = []
        for one in self.measurements:
            rows.append(
                (
                    one.kernel,
                    ("≈ " if one.scaled else "") + seconds_text(one.seconds),
                    number_text(one.gflops),
                    number_text(self.ratio(first, one.kernel)),
                    f"{self.spread[one.kernel]:.0%}",
                )
            )
        sentences = [self.verdict(first, fastest)] if fastest else []
        if self.scaled:
            names = [name for name in self.samples if name in self.scaled]
            sentences.append(f"≈ {listing(names)}: timed on the first rows, and scaled.")
        headings = ("rung", "time", "GFLOP/s", f"times faster than {first}", "spread")
        return Table(headings, tuple(rows), (*sentences, *self.notes))

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
