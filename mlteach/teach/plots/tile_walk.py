"""A block of a GPU on its way through two matrices, tile by tile."""

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mlteach.teach.plots.style import BLUE, CARD, INK, ORANGE, headline, styled

PAPER, DONE = "#ECEAE4", "#B5D5E8"
ROWS, STEPS, COLUMNS = 3, 4, 4  # tiles of a, b and out, in each direction
ROW, COLUMN = 1, 2  # the block that is watched
GAP = 0.6


@styled
def tile_walk(ax: Axes, step: int = 0) -> Axes:
    """Draw which tiles of a and b a block holds in shared memory at one step of its sum.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    step : int
        0 to 3.

    Returns
    -------
    matplotlib.axes.Axes
    """
    right, below = STEPS + GAP, STEPS + GAP  # b stands above out, a to its left
    for name, rows, columns, x, y in (
        ("a", ROWS, STEPS, 0, below),
        ("b", STEPS, COLUMNS, right, 0),
        ("out", ROWS, COLUMNS, right, below),
    ):
        for i in range(rows):
            for j in range(columns):
                colour = _colour(name, i, j, step)
                ax.add_patch(Rectangle((x + j, y + i), 1, 1, fc=colour, ec=CARD, lw=2))
        ax.text(x + columns + 0.1, y + 0.5, name, color=INK, fontweight="bold", va="center", size=13)
    for x, y in ((step, below + ROW), (right + COLUMN, step)):
        ax.annotate(
            "",
            (right + COLUMN + 0.5, below + ROW + 0.5),
            (x + 0.5, y + 0.5),
            arrowprops={"arrowstyle": "->", "color": BLUE, "lw": 1.5},
        )
    ax.set(xlim=(-0.1, right + COLUMNS + 0.8), ylim=(below + ROWS + 0.1, -0.1), aspect="equal")
    ax.set_axis_off()
    return headline(ax, f"Step {step + 1} of {STEPS}: two tiles in shared memory, one block of sums")


def tile_walk_text(step: int = 0) -> str:
    """Say the same in a sentence."""
    used = f", after {step} pair{'s' * (step != 1)} of tiles before" if step else ""
    return (
        f"The block of row {ROW} and column {COLUMN} loads tile ({ROW}, {step}) of a and tile "
        f"({step}, {COLUMN}) of b{used}."
    )


def _colour(name: str, i: int, j: int, step: int) -> str:
    """Colour of a tile: in use, used before, still to come, or of no concern to this block."""
    if name == "out":
        return ORANGE if (i, j) == (ROW, COLUMN) else PAPER
    mine, at = (i == ROW, j) if name == "a" else (j == COLUMN, i)
    if not mine or at > step:
        return PAPER
    return BLUE if at == step else DONE
