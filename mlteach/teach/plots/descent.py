"""A cost as a landscape, and the ways down it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike

from mlteach.measure.units import number_text
from mlteach.teach.plots.style import BLUE, CARD, GREY, INK, ORANGE, headline, styled

HALO = [withStroke(linewidth=4, foreground=CARD)]  # keeps words readable across lines
SHADES = ("#C3DAE8", "#D3E4EE", "#E0ECF2", "#EAF1F4", "#F2F5F5")  # deep water to shore: the lower, the bluer


@styled
def cost_surface(
    ax: Axes,
    u: ArrayLike,
    v: ArrayLike,
    cost: ArrayLike,
    *,
    names: tuple[str, str] = ("theta 0", "theta 1"),
    levels: Sequence[float] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw a cost over two weights as contour lines; the lower, the deeper the blue.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    u, v : array_like, shapes (U,) and (V,)
        The values of the two weights, ascending.
    cost : array_like, shape (V, U)
        The cost at each pair, finite: ``cost[j, i]`` belongs to ``u[i]`` and ``v[j]``.
    names : (str, str)
        What the two weights are called.
    levels : sequence of float, optional
        Where the lines run, ascending. By default close to the lowest point and wide at the rim.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where the shape of ``cost`` is not (V, U), or it holds NaN or infinity.
    """
    u, v, cost = np.asarray(u, float), np.asarray(v, float), np.asarray(cost, float)
    if cost.shape != (len(v), len(u)):
        raise ValueError(
            f"cost of shape {cost.shape} does not fit {len(u)} values of u and {len(v)} of v: give (V, U)"
        )
    if not np.isfinite(cost).all():
        raise ValueError("cost holds a value that is not finite: draw a smaller piece of the surface")
    if levels is None:
        levels = np.quantile(cost, (1 / 64, 1 / 16, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6))
    levels = [level for level in np.unique(levels) if cost.min() < level < cost.max()]
    if levels:
        fill = SHADES[: len(levels)]
        ax.contourf(u, v, cost, levels=[cost.min(), *levels[: len(fill)]], colors=fill)
        lines = ax.contour(u, v, cost, levels=levels, colors=GREY, linewidths=0.7)
        ax.clabel(lines, fmt=number_text, fontsize=9, colors=GREY)
    row, column = np.unravel_index(cost.argmin(), cost.shape)
    ax.plot(u[column], v[row], "+", color=INK, ms=11, mew=1.8, gid="lowest")
    ax.set(xlim=(u[0], u[-1]), ylim=(v[0], v[-1]))
    return headline(ax, title or f"The cost over {names[0]} and {names[1]}", x=names[0], y=names[1])


@styled
def descent_path(ax: Axes, path: ArrayLike, *, name: str | None = None, colour: str = ORANGE) -> Axes:
    """Draw the steps of a descent over a surface that is already there, within its limits.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path : array_like, shape (steps + 1, 2)
        The two weights at the start and after each step. What lies outside the limits is cut off, and what is
        not finite is left out.
    name : str, optional
        What to call the path where it ends.
    colour : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where ``path`` is not a list of pairs.
    """
    path = np.asarray(path, float)
    if path.ndim != 2 or path.shape[1] != 2 or len(path) == 0:
        raise ValueError(f"path of shape {path.shape} is no list of pairs: give shape (steps + 1, 2)")
    limits = np.array([ax.get_xlim(), ax.get_ylim()])
    far = 1e3 * np.ptp(limits, axis=1) + np.abs(limits).max(axis=1)  # enough to leave, not too much to draw
    steps = np.clip(path[np.isfinite(path).all(axis=1)], -far, far)
    ax.plot(*steps.T, "-o", color=colour, lw=1.5, ms=5 if len(steps) < 50 else 2.5, mew=0, gid="path")
    ax.plot(*steps[0], "o", color=CARD, mec=colour, mew=2, ms=9, gid="start")
    _call(ax, "start", steps[0], colour)
    inside = (steps >= limits[:, 0]).all(axis=1) & (steps <= limits[:, 1]).all(axis=1)
    if name and len(steps) > 1 and inside[-1]:
        _call(ax, name, steps[-1], colour)
    elif not inside.all() or len(steps) < len(path):
        leaves = len(inside) if inside.all() else int(np.argmin(inside))
        words = f"step {leaves} leaves the picture"
        ax.text(0.99, 0.02, words, transform=ax.transAxes, ha="right", path_effects=HALO)
    return ax


def _call(ax: Axes, name: str, place: np.ndarray, colour: str) -> None:
    """Write a name beside a place, on the side where there is room."""
    right = place[0] < np.mean(ax.get_xlim())
    look: dict[str, Any] = {
        "color": colour,
        "fontweight": "bold",
        "path_effects": HALO,
        "ha": "left" if right else "right",
    }
    ax.annotate(
        name, (place[0], place[1]), xytext=(9 if right else -9, 7), textcoords="offset points", **look
    )


def stability_limit(x: ArrayLike) -> float:
    """Find the step size from which on steps climb: 2 over the largest curvature of the cost.

    Parameters
    ----------
    x : array_like, shape (N,)
        The one feature of ``step_size``; the other is a column of ones.
    """
    return 2 / np.linalg.eigvalsh(_curvature(np.asarray(x, float)))[-1]


def _curvature(x: np.ndarray) -> np.ndarray:
    return np.array([[1, x.mean()], [x.mean(), np.mean(x * x)]])


@styled
def step_size(
    ax: Axes,
    x: ArrayLike,
    y: ArrayLike,
    rate: float = 0.5,
    steps: int = 20,
    *,
    start: tuple[float, float] = (0.0, 0.0),
    names: tuple[str, str] = ("offset", "slope"),
) -> Axes:
    """Walk down the cost of a straight line through points, in steps of one size.

    The cost is the talk's: half the mean square of ``offset + slope * x - y``.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : array_like, shape (N,)
        The points; x takes at least two values.
    rate : float
        The step size: each step is ``rate`` times the gradient.
    steps : int
        How many.
    start : (float, float)
        The first offset and slope.
    names : (str, str)
        What the two weights are called.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        Where x and y differ in length, or all x are alike.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.shape != y.shape or x.ndim != 1 or np.unique(x).size < 2:
        raise ValueError(
            f"x of shape {x.shape} and y of shape {y.shape} are no line: give points with different x"
        )
    curvature, pull = _curvature(x), np.array([y.mean(), np.mean(x * y)])
    best = np.linalg.solve(curvature, pull)
    path = _descend(np.array(start, float) - best, curvature, rate, steps) + best
    reach = 1.6 * np.abs(path[0] - best) + 0.15 * np.abs(path[0] - best).max() + 1e-9
    u, v = (np.linspace(centre - r, centre + r, 121) for centre, r in zip(best, reach, strict=True))
    du, dv = np.meshgrid(u - best[0], v - best[1])
    bowl = (du**2 + 2 * curvature[0, 1] * du * dv + curvature[1, 1] * dv**2) / 2
    floor = (np.mean(y * y) - pull @ best) / 2
    title, colour = _verdict(rate, stability_limit(x))
    cost_surface(ax, u, v, floor + bowl, names=names, title=title)
    return descent_path(ax, path, name=f"after {steps} step{'s' * (steps != 1)}", colour=colour)


def _descend(offset: np.ndarray, curvature: np.ndarray, rate: float, steps: int) -> np.ndarray:
    """Walk downhill in a bowl; return how far from its lowest point each step ends."""
    path = [offset]
    with np.errstate(over="ignore", invalid="ignore"):  # a step beyond the limit runs away, as it should
        for _ in range(steps):
            path.append(path[-1] - rate * curvature @ path[-1])
    return np.array(path)


def _verdict(rate: float, limit: float) -> tuple[str, str]:
    """Say what steps of this size do, and in which colour."""
    if rate >= limit:
        return f"Step size {rate:.3g} is beyond the limit of {limit:.3g}: each step climbs", ORANGE
    if rate > limit / 2:
        return f"Step size {rate:.3g} zigzags but goes down; the limit is {limit:.3g}", BLUE
    return f"Step size {rate:.3g} goes straight down; the limit is {limit:.3g}", BLUE
