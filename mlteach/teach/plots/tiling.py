"""Where a product outgrows the caches, and what tiles change about that."""

import math
from collections.abc import Iterable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from mlteach.measure import CacheLevel, Measurement
from mlteach.measure.units import bytes_text, count_text, number_text
from mlteach.teach.plots.style import COLOURS, FAINT, GREY, INK, ORANGE, headline, label_ends, styled

SHADES = ("#F4EEE0", "#EADDC6", "#DCC9A8")  # darker, the further away b lies
NARROW = 0.12  # of the axis: a shade narrower than this has no room for its name
ARRAYS = ("a", "b", "out")


@styled
def speed_by_size(
    ax: Axes,
    measurements: Iterable[Measurement],
    caches: Mapping[str, int | None],
    *,
    title: str | None = None,
) -> Axes:
    """Draw GFLOP/s against n, the rows and columns of b, and shade where b fits which cache.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    measurements : iterable of Measurement
        Products of one dtype in which b is square, at least one.
    caches : mapping of str to int or None
        Bytes of "L2" and "L3"; a level that is missing or None is not shaded.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where there is nothing to draw.
    """
    lines: dict[str, dict[int, float]] = {}
    itemsize = 4
    for made in measurements:
        lines.setdefault(made.kernel, {})[made.shape[2]] = made.gflops
        itemsize = np.dtype(made.dtype).itemsize
    if not lines:
        raise ValueError("there is no measurement to draw: time at least one product first")
    sizes = sorted({n for line in lines.values() for n in line})
    ends = []
    for name, line in lines.items():
        colour = COLOURS.get(name, GREY)
        ax.plot(sorted(line), [line[n] for n in sorted(line)], "o-", color=colour, label=name)
        ends.append((max(line), line[max(line)], name, colour))
    ax.set(xscale="log", xlim=(0.94 * sizes[0], 1.06 * sizes[-1]))
    ax.set_ylim(0, 1.25 * max(speed for line in lines.values() for speed in line.values()))
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda n, _: f"{n:.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(True, axis="y")
    known = {level: caches.get(level) for level in ("L2", "L3")}
    _shade(ax, {level: math.sqrt(size / itemsize) for level, size in known.items() if size})
    return label_ends(headline(ax, title or "Speed against size", x="n", y="GFLOP/s"), ends)


def _shade(ax: Axes, fits: Mapping[str, float]) -> None:
    """Shade where b lies; `fits` holds the largest n at which it fits each level, the smaller level first."""
    left, most = first, last = ax.get_xlim()
    places = [*fits.items(), ("no cache", math.inf)] if fits else []
    for shade, (level, largest) in zip(SHADES, places, strict=False):
        right = min(largest, most)
        if right <= left:
            continue
        ax.axvspan(left, right, color=shade, lw=0, zorder=0, gid=f"b fits {level}")
        if math.log(right / left) > NARROW * math.log(last / first):
            place = (math.sqrt(left * right), 0.97)
            words = {"ha": "center", "va": "top", "size": 10.5, "color": INK}
            ax.text(*place, f"b fits\n{level}", transform=ax.get_xaxis_transform(), **words)
        left = right


@styled
def tile_misses(
    ax: Axes, tiled: CacheLevel, whole: CacheLevel, tile: tuple[int, int, int], *, itemsize: int = 4
) -> Axes:
    """Draw how often each matrix missed the cache, with tiles and without.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    tiled, whole : CacheLevel
        What one cache saw of a product cut into tiles, and of the same in one piece.
    tile : (tm, tn, tk)
        The sides of the tiles.
    itemsize : int
        Bytes of a number.

    Returns
    -------
    matplotlib.axes.Axes
    """
    tm, tn, tk = tile
    bytes_of = {"a": tm * tk * itemsize, "b": tk * tn * itemsize, "out": tm * tn * itemsize}
    for row, name in enumerate(ARRAYS):
        for what, level, offset, colour in (("whole", whole, -0.2, FAINT), ("tiled", tiled, 0.2, ORANGE)):
            count = level.by_array[name]
            ax.barh(row + offset, count, height=0.34, color=colour, gid=f"{name} {what}")
            words = f" {count_text(count)}"
            ax.text(count, row + offset, words, va="center", color=GREY if level is whole else INK)
    most = max(*whole.by_array.values(), *tiled.by_array.values())
    ax.set(xlim=(0, 1.15 * most), ylim=(2.6, -0.6))
    ax.set_yticks(range(3), [f"{name}\ntile {bytes_text(bytes_of[name])}" for name in ARRAYS], color=INK)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda count, _: count_text(round(count))))
    ratio = whole.misses / tiled.misses
    words = f"{number_text(max(ratio, 1 / ratio))} times {'fewer' if ratio > 1 else 'more'}"
    if ratio == 1:
        words = "as many as without"
    title = f"Tiles of {tm} x {tn} x {tk}: {count_text(tiled.misses)} misses, {words}"
    return headline(ax, title, x=f"misses in a cache of {bytes_text(tiled.bytes)}; grey: without tiles")
