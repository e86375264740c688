"""What a cache holds, step by step, and what that means for loops of different sizes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MultipleLocator

from mlteach.teach.plots.style import (
    BLUE,
    CARD,
    FAINT,
    GREY,
    INK,
    ORANGE,
    headline,
    image_axes,
    label_ends,
    styled,
)

SETS, WAYS, LINE = 4, 2, 4  # the cache by hand: so many sets, lines in a set, and numbers in a line
ROWS = 8  # of the matrix by hand: as many as the cache has lines
TINTS = ("#CFE3F1", "#F8D5B5", "#CDE8DC", "#EBD6E3")  # a set each
WAY = 3.4  # what a line in the cache is wide, in cells of the matrix


class Access(NamedTuple):
    """What the cache by hand did for one access.

    Attributes
    ----------
    number, line, place : int
        The number asked for, counted from the beginning of memory, its line, and the set of that line.
    hit : bool
        Whether the line was there.
    contents : tuple of tuple of int
        The lines in each set afterwards, the one used last in front.
    """

    number: int
    line: int
    place: int
    hit: bool
    contents: tuple[tuple[int, ...], ...]


def column_walk(columns: int) -> list[Access]:
    """Walk down the first column of a matrix with 8 rows, twice, through a cache of 8 lines.

    The cache has four sets of two lines, each line holds four numbers, and it is empty at first.

    Parameters
    ----------
    columns : int
        How many numbers a row of the matrix has, at least 1.

    Raises
    ------
    ValueError
        Where there is no column.
    """
    if columns < 1:
        raise ValueError(f"a matrix to walk down has 1 column or more, not {columns}")
    sets: list[list[int]] = [[] for _ in range(SETS)]
    accesses = []
    for number in 2 * [row * columns for row in range(ROWS)]:
        line = number // LINE
        held = sets[line % SETS]
        hit = line in held
        if hit:
            held.remove(line)
        held.insert(0, line)
        del held[WAYS:]
        accesses.append(Access(number, line, line % SETS, hit, tuple(map(tuple, sets))))
    return accesses


@styled
def cache_step(ax: Axes, columns: int = 16, step: int = 0) -> Axes:
    """Show one step of `column_walk`: the number asked for, its line and set, and what the cache holds.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 3.8 high.
    columns : int
        How many numbers a row of the matrix has, at least 1 and few enough to draw.
    step : int
        From 0 to 15; past the last step the last one is shown.

    Returns
    -------
    matplotlib.axes.Axes
    """
    walk = column_walk(columns)
    step = min(max(step, 0), len(walk) - 1)
    now = walk[step]
    verdict = "a hit" if now.hit else "a miss"
    image_axes(
        ax,
        f"Step {step + 1} of {len(walk)}: number {now.number}, line {now.line}, set {now.place}: {verdict}",
    )
    for index in range(ROWS * columns):
        _draw_number(ax, index, columns, now)
    ax.text(0, -0.35, f"a matrix, {ROWS} rows of {columns} numbers", va="bottom")
    left = columns + 3.6
    ax.text(left, -0.35, "the cache", va="bottom")
    for place, lines in enumerate(now.contents):
        ax.text(left - 0.4, 1.5 * place + 0.6, f"set {place}", ha="right", va="center", color=INK)
        for way in range(WAYS):
            _draw_line(ax, (left + way * WAY, 1.5 * place), place, lines[way : way + 1], now)
    misses = sum(not access.hit for access in walk[: step + 1])
    ax.text(left, 1.5 * SETS + 0.3, f"misses so far: {misses}", va="top", color=INK, fontweight="bold")
    ax.set_xlim(-0.3, left + WAYS * WAY + 0.3)
    ax.set_ylim(ROWS + 0.3, -1.4)
    return ax


def _draw_number(ax: Axes, index: int, columns: int, now: Access) -> None:
    """Draw a number of the matrix in the tint of its set; where a line begins, with the number of the set."""
    row, column = divmod(index, columns)
    place = index // LINE % SETS
    look: dict[str, Any] = {"fc": TINTS[place], "ec": FAINT, "lw": 0.5}
    if index // LINE == now.line:
        look |= {"ec": INK, "lw": 1.4, "zorder": 3}
    if index == now.number:
        look |= {"fc": ORANGE, "zorder": 4}
    ax.add_patch(Rectangle((column, row), 1, 1, gid=f"number {index}", **look))
    if index % LINE == 0:
        middle = {"ha": "center", "va": "center_baseline", "size": 8, "color": INK, "zorder": 5}
        ax.text(column + 0.5, row + 0.5, str(place), **middle)


def _draw_line(ax: Axes, corner: tuple[float, float], place: int, line: Sequence[int], now: Access) -> None:
    """Draw a place of the cache: empty, or with the numbers of the line that it holds."""
    used = line == (now.line,)
    look = {"fc": TINTS[place] if line else CARD, "ec": INK if used else FAINT, "lw": 2 if used else 0.8}
    ax.add_patch(Rectangle(corner, WAY - 0.2, 1.2, **look))
    words = f"{line[0] * LINE}–{line[0] * LINE + LINE - 1}" if line else "empty"
    middle = {"ha": "center", "va": "center_baseline", "size": 9, "color": INK if line else GREY}
    ax.text(corner[0] + WAY / 2 - 0.1, corner[1] + 0.6, words, **middle)


@styled
def by_size(
    ax: Axes, series: Mapping[str, tuple[Sequence[int], Sequence[float]]], *, title: str, y: str
) -> Axes:
    """Draw how something depends on n, with the powers of two marked, at which caches have trouble.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    series : mapping of str to (sizes, values)
        By the name of their line; at least one, with sizes in any order.
    title, y : str
        The title, and what the values are, with their unit.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ends, largest = [], max(max(sizes) for sizes, _ in series.values())
    for (name, (sizes, values)), colour in zip(series.items(), (BLUE, ORANGE, INK, GREY), strict=False):
        order = np.argsort(sizes)
        along, level = np.asarray(sizes)[order], np.asarray(values)[order]
        ax.plot(along, level, "o-", ms=3.5, lw=1.8, color=colour, label=name)
        ends.append((along[-1], level[-1], name, colour))
    for power in 2 ** np.arange(int(np.log2(largest)) + 1):
        if 16 * power > largest:
            ax.axvline(power, color=FAINT, lw=1, ls=":", zorder=0, gid=f"n = {power}")
    ax.set_xlim(0, largest)
    ax.set_ylim(0, 1.08 * max(max(values) for _, values in series.values()))
    ax.xaxis.set_major_locator(MultipleLocator(256 if largest >= 1024 else 64))
    return label_ends(headline(ax, title, x="n; dotted: powers of two", y=y), ends)
