"""Three loops over three matrices, one step at a time."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mlteach.teach.plots.style import CARD, FAINT, GREY, INK, ORANGE, image_axes, styled

ORDERS = ("ijp", "ipj", "jip", "jpi", "pij", "pji")
WASH, SLATE = "#F8D5B5", "#4D4D4D"  # a cell that was touched before, and the number on it
GAP = 1.5  # cells between two matrices


def loop_steps(order: str, shape: tuple[int, int, int] = (4, 3, 5)) -> np.ndarray:
    """List what three nested loops visit.

    Parameters
    ----------
    order : str
        The letters i, j and p (or k, which means p), outermost first.
    shape : (int, int, int)
        (m, k, n): a is m x k, b is k x n, out is m x n.

    Returns
    -------
    ndarray, shape (m * k * n, 3), int64
        The values of i, j and p at each step.

    Raises
    ------
    ValueError
        Where ``order`` is not the three letters, each once.
    """
    letters = order.replace("k", "p")
    if sorted(letters) != ["i", "j", "p"]:
        raise ValueError(
            f"order {order!r} is not three loops: use i, j and p, each once, as in {', '.join(ORDERS)}"
        )
    m, k, n = shape
    sizes = {"i": m, "j": n, "p": k}
    walk = np.indices([sizes[letter] for letter in letters]).reshape(3, -1).T
    return walk[:, [letters.index(letter) for letter in "ijp"]]


@styled
def loop_walk(
    ax: Axes, order: str = "ijp", step: int = 0, *, shape: tuple[int, int, int] = (4, 3, 5)
) -> Axes:
    """Show one step of ``out[i, j] += a[i, p] * b[p, j]``: the cells it touches and those touched before.

    The matrices lie so that a row of a and a column of b meet at their cell of out.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    order : str
        The loops, outermost first, such as "ijp"; k may stand for p.
    step : int
        From 0; past the last step the last one is shown.
    shape : (int, int, int)
        (m, k, n), each at least 1 and small enough to draw.

    Returns
    -------
    matplotlib.axes.Axes
    """
    walk = loop_steps(order, shape)
    step = min(max(step, 0), len(walk) - 1)
    m, k, n = shape
    i, j, p = walk[: step + 1].T
    left, top, above = max(k + GAP, 5.6), k + GAP, 0  # out's corner leaves room for the loops above a
    aside = left + n + 0.7
    now = dict(zip("ijp", map(int, walk[step]), strict=True))
    cells = "out[{i}, {j}] += a[{i}, {p}] * b[{p}, {j}]".format(**now)
    image_axes(ax, f"{order}, step {step + 1} of {len(walk)}:  {cells}")
    _draw_matrix(ax, "a", (left - GAP - k, top), (m, k), i, p)
    _draw_matrix(ax, "b", (left, above), (k, n), p, j)
    _draw_matrix(ax, "out", (left, top), (m, n), i, j)
    _write(ax, (0, above - 0.25), _loops(order.replace("k", "p"), now, {"i": m, "j": n, "p": k}), INK)
    _write(ax, (aside, above), "framed  this step\npale    before\nnumber  touches so far", GREY)
    _write(ax, (aside, top), _moves(walk, step, (k, n)), GREY)
    ax.set_xlim(-0.3, aside + 5.9)
    ax.set_ylim(max(top, 3) + m + 0.3, above - 1)
    return ax


def _draw_matrix(ax, name, corner, shape, rows, columns) -> None:
    """Draw a matrix as cells: framed now, pale where touched before, each with the number of its touches."""
    x, y = corner
    touches = np.zeros(shape, int)
    np.add.at(touches, (rows, columns), 1)
    ax.text(x, y - 0.25, name, family="monospace", size=14, va="bottom", fontweight="bold")
    for row, column in np.ndindex(shape):
        count = touches[row, column]
        now = (row, column) == (rows[-1], columns[-1])
        look: dict[str, Any] = {"lw": 0.9, "ec": FAINT, "fc": WASH if count else CARD, "zorder": 2}
        if now:
            look = {"lw": 2.4, "ec": INK, "fc": ORANGE, "zorder": 3}
        ax.add_patch(Rectangle((x + column, y + row), 1, 1, gid=f"{name}[{row}, {column}]", **look))
        if count:
            middle = {"ha": "center", "va": "center_baseline", "fontweight": "bold" if now else "normal"}
            ax.text(
                x + column + 0.5, y + row + 0.5, str(count), color=INK if now else SLATE, zorder=4, **middle
            )


def _write(ax, place, words, colour) -> None:
    ax.text(*place, words, family="monospace", color=colour, va="top", linespacing=1.5)


def _loops(order, now, sizes) -> str:
    """The three loops in their order, with the value that each has now."""
    return "\n".join(
        f"{'  ' * depth}for {letter} = {now[letter]}  of {sizes[letter]}"
        for depth, letter in enumerate(order)
    )


def _moves(walk, step, shape) -> str:
    """How far in memory each matrix moved to get here, in elements; its rows lie one after another."""
    if step == 0:
        return "moves in memory\nnone before step 2"
    k, n = shape
    i, j, p = walk[step] - walk[step - 1]
    moves = {"a": i * k + p, "b": p * n + j, "out": i * n + j}
    words = (f"{name:<6}{f'{move:+d}' if move else '0':>4}" for name, move in moves.items())
    return "\n".join(["moves in memory", *words]).replace("-", "−")
