"""A cost as a landscape, and the ways down it."""

import numpy as np
from matplotlib.patheffects import withStroke

from mlteach.measure.units import number_text
from mlteach.teach.plots.style import BLUE, CARD, GREY, INK, ORANGE, headline, styled

HALO = [withStroke(linewidth=4, foreground=CARD)]  # keeps words readable across lines
SHADES = ("#C3DAE8", "#D3E4EE", "#E0ECF2", "#EAF1F4", "#F2F5F5")  # deep water to shore: the lower, the bluer


@styled
def cost_surface(ax, u, v, cost, *, names=("theta 0", "theta 1"), levels=None, title=None):
    """Draw a cost over two weights as contour lines; the lower, the deeper the blue.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    u, v : array_like (U,), (V,)
        The values of the two weights, ascending.
    cost : array_like (V, U)
        The cost at each pair, finite: `cost[j, i]` belongs to `u[i]`, `v[j]`.
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
        Where the shape of `cost` is not (V, U), or it holds NaN or infinity.
    """
    u, v, cost = np.asarray(u, float), np.asarray(v, float), np.asarray(cost, float)
    if cost.shape != (len(v), len(u)):
        raise ValueError(f"cost of shape {cost.shape} does not fit {len(u)} values of u and {len(v)} of v: give (V, U)")
    if not np.isfinite(cost).all():
        raise ValueError("cost holds a value that is not finite: draw a smaller piece of the surface")
    if levels is None:
        levels = np.quantile(cost, (1 / 64, 1 / 16, 1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6))
    levels = np.unique(levels)
    if cost.min() < cost.max():
        fill = SHADES[: len(levels)]
        ax.contourf(u, v, cost, levels=[cost.min(), *levels[: len(fill)]], colors=fill)
        lines = ax.contour(u, v, cost, levels=levels, colors=GREY, linewidths=0.7)
        ax.clabel(lines, fmt=number_text, fontsize=9, colors=GREY)
    lowest = np.unravel_index(cost.argmin(), cost.shape)
    ax.plot(u[lowest[1]], v[lowest[0]], "+", color=INK, ms=11, mew=1.8, gid="lowest")
    ax.set(xlim=(u[0], u[-1]), ylim=(v[0], v[-1]))
    return headline(ax, title or f"The cost over {names[0]} and {names[1]}", x=names[0], y=names[1])


@styled
def descent_path(ax, path, *, name=None, colour=ORANGE):
    """Draw the steps of a descent over a surface that is already there; the picture keeps its limits.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path : array_like (steps + 1, 2)
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
        Where `path` is not a list of pairs.
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
    ax.set(xlim=limits[0], ylim=limits[1])
    return ax


def _call(ax, name, place, colour):
    """Write a name beside a place, on the side where there is room."""
    right = place[0] < np.mean(ax.get_xlim())
    ax.annotate(
        name, place, xytext=(9 if right else -9, 7), textcoords="offset points",
        ha="left" if right else "right", color=colour, fontweight="bold", path_effects=HALO,
    )  # fmt: skip


def stability_limit(x):
    """Find the largest step that still goes downhill: 2 over the largest curvature of the cost.

    Parameters
    ----------
    x : array_like (N,)
        The one feature of `step_size`; the other is a column of ones.

    Returns
    -------
    float
    """
    return 2 / np.linalg.eigvalsh(_curvature(np.asarray(x, float)))[-1]


def _curvature(x):
    return np.array([[1, x.mean()], [x.mean(), np.mean(x * x)]])


@styled
def step_size(ax, x, y, rate=0.5, steps=20, *, start=(0.0, 0.0), names=("offset", "slope")):
    """Walk down the cost of a straight line through points, with steps of one size.

    The cost is the talk's: half the mean square of `offset + slope * x - y`.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : array_like (N,)
        The points; x takes at least two values.
    rate : float
        The step size: each step is `rate` times the gradient.
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
    if x.shape != y.shape or x.ndim != 1 or np.ptp(x) == 0:
        raise ValueError(f"x of shape {x.shape} and y of shape {y.shape} are no points: give two or more with different x")
    curvature, slope = _curvature(x), np.array([y.mean(), np.mean(x * y)])
    best, here = np.linalg.solve(curvature, slope), np.array(start, float)
    path = [here]
    with np.errstate(over="ignore", invalid="ignore"):  # a step beyond the limit runs away, as it should
        for _ in range(steps):
            here = here - rate * (curvature @ here - slope)
            path.append(here)
    reach = 1.6 * np.abs(path[0] - best) + 0.15 * np.abs(path[0] - best).max() + 1e-9
    u, v = (np.linspace(centre - r, centre + r, 121) for centre, r in zip(best, reach, strict=True))
    du, dv = np.meshgrid(u - best[0], v - best[1])
    lowest = (np.mean(y * y) - slope @ best) / 2
    bowl = (du * du + 2 * curvature[0, 1] * du * dv + curvature[1, 1] * dv * dv) / 2
    verdict, colour = _verdict(rate, stability_limit(x))
    cost_surface(ax, u, v, lowest + bowl, names=names, title=verdict)
    return descent_path(ax, path, name=f"after {steps} step{'s' * (steps != 1)}", colour=colour)


def _verdict(rate, limit):
    """Say what steps of this size do, and in which colour."""
    if rate >= limit:
        return f"Step size {rate:.3g} is beyond the limit of {limit:.3g}: each step climbs", ORANGE
    if rate > limit / 2:
        return f"Step size {rate:.3g} zigzags but goes down; the limit is {limit:.3g}", BLUE
    return f"Step size {rate:.3g} goes straight down; the limit is {limit:.3g}", BLUE
