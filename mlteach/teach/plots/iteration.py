"""The ladder by what it is for: the seconds of one iteration of the talk's training."""

import math
from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from mlteach.measure import Measurement
from mlteach.measure.units import seconds_text
from mlteach.teach.plots.style import CARD, COLOURS, FAINT, GREY, INK, ORANGE, headline, styled

REFERENCES = ("blas", "cublas")
RECORDED = "pale: recorded on another machine"
NOT_YET = "not measured yet"


@styled
def ladder_by_iteration(
    ax: Axes,
    measurements: Iterable[Measurement],
    newest: str | None = None,
    *,
    recorded: Iterable[Measurement] = (),
    dtype: str = "float64",
    rungs: Iterable[str] = (),
    guess: float | None = None,
) -> Axes:
    """Draw the seconds that one iteration of the talk's training takes on each rung.

    A hollow point was scaled from fewer images. Pale points come from a recorded ladder.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measurements : iterable of Measurement
        The reader's own. What is no iteration in ``dtype`` is passed over; the fastest of a rung counts.
    newest : str, optional
        The rung to bring out. It has a line even where nothing is measured yet, and says so.
    recorded : iterable of Measurement
        From another machine; used for rungs that the reader has not measured.
    dtype : str
    rungs : iterable of str
        Names that get a line even where nothing is measured yet.
    guess : float, optional
        What the reader expects of the first rung, in seconds. One beyond the axis is marked at its edge.

    Returns
    -------
    matplotlib.axes.Axes
    """
    own, others = fastest(measurements, dtype), fastest(recorded, dtype)
    chosen = {**others, **own}
    names = in_order({*rungs, *chosen, *([newest] if newest else [])})
    low, high = _time_axis(ax, [made.seconds for made in chosen.values()])
    for row, name in enumerate(names):
        reach = chosen[name].seconds if name in chosen else high
        ax.plot([low, reach], [row, row], color=FAINT, lw=0.9, ls="-" if name in chosen else ":", zorder=1)
        if name in chosen:
            _draw_point(ax, row, chosen[name], line_look(name, newest, name in own)["color"], name == newest)
        elif name == newest:
            _say_not_yet(ax, row, high, line_look(name, newest, False)["color"])
    if guess is not None:
        _mark_guess(ax, guess, low, high)
    ax.set_ylim(max(len(names), 1) - 0.4, -0.6 if guess is None else -1.1)
    ax.set_yticks(range(len(names)), names)
    for word in ax.get_yticklabels():
        word.set(color=INK, fontweight="bold" if word.get_text() == newest else "normal")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    title = f"One training iteration, rung by rung{'' if chosen else ': nothing measured yet'}"
    notes = ["time, log scale"]
    notes += ["hollow: scaled from fewer images"] * any(made.scaled for made in chosen.values())
    notes += [RECORDED] * bool(others.keys() - own.keys())
    return headline(ax, title, x="; ".join(notes))


def empty_ladder(ax: Axes, rungs: Iterable[str] = tuple(COLOURS), guess: float | None = None) -> Axes:
    """Draw the ladder before anything is measured: the rungs' names, and the reader's guess for the first.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 6.6 high for all 22 rungs.
    rungs : iterable of str
    guess : float, optional
        Seconds.

    Returns
    -------
    matplotlib.axes.Axes
    """
    return ladder_by_iteration(ax, (), rungs=rungs, guess=guess)


def fastest(measurements: Iterable[Measurement], dtype: str) -> dict[str, Measurement]:
    """The fastest iteration of each rung in a dtype."""
    found: dict[str, Measurement] = {}
    for made in measurements:
        if made.workload == "iteration" and made.dtype == dtype:
            found[made.kernel] = min(made, found.get(made.kernel, made), key=lambda one: one.seconds)
    return found


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names as on the ladder; one that it does not have comes last."""
    rank = {name: place for place, name in enumerate(COLOURS)}
    return sorted(names, key=lambda name: (rank.get(name, len(rank)), name))


def line_look(name: str, newest: str | None, own: bool) -> dict[str, Any]:
    """How a rung's line is drawn: the newest in its colour, earlier ones dashed, recorded ones pale."""
    if name == newest:
        return {"color": COLOURS.get(name, ORANGE), "lw": 3, "ls": "-", "ms": 6, "zorder": 4}
    if name in REFERENCES:
        return {"color": INK if own else GREY, "lw": 1.4, "ls": "-", "ms": 3, "zorder": 3}
    return {"color": GREY if own else FAINT, "lw": 1.4, "ls": "--" if own else "-", "ms": 3, "zorder": 2}


def word_colour(colour: str) -> str:
    """The colour of words beside a mark: what is pale as a mark would be too pale to read."""
    return GREY if colour == FAINT else colour


def _time_axis(ax: Axes, seconds: list[float]) -> tuple[float, float]:
    """Span at least 1 ms to 100 s, in whole powers of ten; return both ends."""
    low = 10.0 ** math.floor(round(math.log10(min([1e-3, *seconds])), 9))
    high = 10.0 ** math.ceil(round(math.log10(max([100.0, *seconds])), 9))
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(LogLocator(base=10))
    ax.xaxis.set_minor_locator(NullLocator())
    words = FuncFormatter(lambda time, _: f"{time:g} s" if time >= 1 else seconds_text(time))
    ax.xaxis.set_major_formatter(words)
    ax.grid(True, axis="x")
    return low, high


def _draw_point(ax: Axes, row: int, made: Measurement, colour: str, newest: bool) -> None:
    """Draw one rung's time, with the time in words beside it."""
    look: dict[str, Any] = {
        "ms": 11 if newest else 8,
        "mec": colour,
        "mew": 1.8,
        "mfc": CARD if made.scaled else colour,
    }
    ax.plot(made.seconds, row, "o", label=made.kernel, zorder=4, **look)
    ax.annotate(
        f"{'≈ ' if made.scaled else ''}{seconds_text(made.seconds)}",
        (made.seconds, row),
        xytext=(10, 0),
        textcoords="offset points",
        va="center_baseline",
        size=11,
        color=word_colour(colour),
        fontweight="bold" if newest else "normal",
        zorder=5,
    )


def _say_not_yet(ax: Axes, row: int, high: float, colour: str) -> None:
    """Write beside the line of the newest rung that it has no time yet."""
    look: dict[str, Any] = {"color": colour, "fontweight": "bold", "size": 11, "backgroundcolor": CARD}
    ax.annotate(
        NOT_YET, (high, row), xytext=(-10, 0), textcoords="offset points", ha="right", va="center", **look
    )


def _mark_guess(ax: Axes, guess: float, low: float, high: float) -> None:
    """Mark the reader's guess on the first rung; where it is off the axis, point at it."""
    place = min(max(guess, low), high)
    arrow = "← " if guess < low else "→ " if guess > high else ""
    right = place > math.sqrt(low * high)
    ax.plot(place, 0, "D", ms=9, color=ORANGE, zorder=5, clip_on=False, gid="guess")
    ax.annotate(
        f"{arrow}your guess: {guess:g} s",
        (place, 0),
        xytext=(4 if right else 0, 8),
        textcoords="offset points",
        ha="right" if right else "left",
        color=ORANGE,
        fontweight="bold",
    )
