"""Three loops over three matrices, one step at a time."""

import numpy as np
from matplotlib.patches import Rectangle

from mlteach.teach.plots.style import CARD, FAINT, GREY, INK, ORANGE, image_axes, styled

ORDERS = ("ijp", "ipj", "jip", "jpi", "pij", "pji")
WASH, SLATE = "#F8D5B5", "#4D4D4D"  # a cell that was touched before, and the number on it


def loop_steps(order, shape=(4, 3, 5)):
    """List what three nested loops visit.

    Parameters
    ----------
    order : str
        The letters i, j and p (or k, which means p), outermost first.
    shape : (int, int, int)
        (m, k, n): a is m x k, b is k x n, out is m x n.

    Returns
    -------
    ndarray (m * k * n, 3) int64
        The values of i, j and p at each step.

    Raises
    ------
    ValueError
        Where `order` is not the three letters, each once.
    """
    letters = order.replace("k", "p")
    if sorted(letters) != ["i", "j", "p"]:
        raise ValueError(f"order {order!r} is not three loops: use i, j and p, each once, such as 'ipj'")
    m, k, n = shape
    sizes = {"i": m, "j": n, "p": k}
    walk = np.indices([sizes[letter] for letter in letters]).reshape(3, -1).T
    return walk[:, [letters.index(letter) for letter in "ijp"]]


@styled
def loop_walk(ax, order="ijp", step=0, *, shape=(4, 3, 5)):
    """Show one step of `out[i, j] += a[i, p] * b[p, j]`: the cells it touches and those touched before.

    The three matrices lie as in a proof: a row of a meets a column of b at a cell of out.

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
    left, top = max(k + 1.5, 5.6), max(k + 1.5, 4.2)  # where out begins: room for the loops above a
    cells = "out[{0}, {1}] += a[{0}, {2}] * b[{2}, {1}]".format(*walk[step])
    image_axes(ax, f"{order}, step {step + 1} of {len(walk)}:  {cells}")
    _draw_matrix(ax, "a", (left - 1.5 - k, top), (m, k), i, p)
    _draw_matrix(ax, "b", (left, top - 1.5 - k), (k, n), p, j)
    _draw_matrix(ax, "out", (left, top), (m, n), i, j)
    _write_loops(ax, order.replace("k", "p"), walk[step], {"i": m, "j": n, "p": k}, top - 1.5 - k)
    aside = {"family": "monospace", "size": 12, "color": GREY, "va": "top", "linespacing": 1.5}
    ax.text(left + n + 0.7, top - 1.5 - k, "framed  this step\npale    before\nnumber  touches so far", **aside)
    ax.text(left + n + 0.7, top, _moves(walk, step, (k, n)), **aside)
    ax.set_xlim(-0.3, left + n + 6.6)
    ax.set_ylim(top + m + 0.3, top - 2.5 - k)
    return ax


def _draw_matrix(ax, name, corner, shape, rows, columns):
    """Draw a matrix as cells: orange now, pale where it was touched before, and the number of its touches."""
    x, y = corner
    touches = np.zeros(shape, int)
    np.add.at(touches, (rows, columns), 1)
    ax.text(x, y - 0.25, name, family="monospace", size=14, color=INK, va="bottom", fontweight="bold")
    for row, column in np.ndindex(shape):
        now = (row, column) == (rows[-1], columns[-1])
        count = touches[row, column]
        ax.add_patch(
            Rectangle(
                (x + column, y + row), 1, 1, lw=2.4 if now else 0.9, ec=INK if now else FAINT,
                fc=ORANGE if now else WASH if count else CARD, zorder=3 if now else 2, gid=f"{name} {row} {column}",
            )
        )  # fmt: skip
        if count:
            ax.text(
                x + column + 0.5, y + row + 0.5, str(count), ha="center", va="center_baseline", zorder=4,
                size=12, color=INK if now else SLATE, fontweight="bold" if now else "normal",
            )  # fmt: skip


def _write_loops(ax, order, place, sizes, top):
    """Write the three loops in their order, with the value that each has now."""
    now = dict(zip("ijp", place, strict=True))
    lines = [f"{'  ' * depth}for {letter} = {now[letter]}  of {sizes[letter]}" for depth, letter in enumerate(order)]
    ax.text(0, top - 0.25, "\n".join(lines), family="monospace", size=12, color=INK, va="top", linespacing=1.5)


def _moves(walk, step, shape):
    """Say how far in memory each matrix moved to get here, in elements; rows lie one after another."""
    if step == 0:
        return "moves in memory\nnone before step 2"
    k, n = shape
    i, j, p = walk[step] - walk[step - 1]
    moves = {"a": i * k + p, "b": p * n + j, "out": i * n + j}
    words = [f"{name:<6}{format(move, '+d').replace('-', '−') if move else '0':>4}" for name, move in moves.items()]
    return "\n".join(["moves in memory", *words])
