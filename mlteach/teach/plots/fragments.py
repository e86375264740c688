"""Which lane of a warp holds which elements when a tensor core multiplies."""

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mlteach.teach.plots.style import BLUE, CARD, INK, headline, styled

PLAIN, SAME_ROW = "#ECEAE4", "#B5D5E8"
GAP = 2.2  # columns between two matrices
LANES = 32


def held(lane: int) -> dict[str, list[tuple[int, int]]]:
    """Return the elements (row, column) of a (16 x 16), b (16 x 8) and out (16 x 8) that a lane holds."""
    row, pair = lane // 4, lane % 4 * 2
    return {
        "a": [(row + i, pair + p + e) for p in (0, 8) for i in (0, 8) for e in (0, 1)],
        "b": [(pair + p + e, row) for p in (0, 8) for e in (0, 1)],
        "out": [(row + i, pair + e) for i in (0, 8) for e in (0, 1)],
    }


@styled
def fragments(ax: Axes, lane: int = 5) -> Axes:
    """Write into each element of a, b and out which lane holds it, and mark those of one lane.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        About 8.8 wide and 4.6 high.
    lane : int
        From 0 to 31.

    Returns
    -------
    matplotlib.axes.Axes
    """
    lefts = {"a": 0, "b": 16 + GAP, "out": 24 + 2 * GAP}
    for other in range(LANES):
        for name, cells in held(other).items():
            for row, column in cells:
                _element(ax, lefts[name] + column, row, other, lane)
    for name, left in lefts.items():
        ax.text(left, -0.5, name, color=INK, size=13, va="bottom")
    for left, sign in ((16, "@"), (24 + GAP, "=")):
        ax.text(left + GAP / 2, 8, sign, color=INK, size=15, ha="center", va="center")
    ax.set(xlim=(-0.2, 32.2 + 2 * GAP), ylim=(16.2, -1.8), aspect="equal")
    ax.set_axis_off()
    return headline(ax, f"Lane {lane} of 32: eight elements of a, four of b, four sums")


def _element(ax: Axes, x: float, y: int, lane: int, marked: int) -> None:
    colour = BLUE if lane == marked else SAME_ROW if lane // 4 == marked // 4 else PLAIN
    ax.add_patch(Rectangle((x, y), 1, 1, fc=colour, ec=CARD, lw=1, gid=f"lane {lane}"))
    ink = CARD if lane == marked else INK
    ax.text(x + 0.5, y + 0.52, str(lane), color=ink, size=8.5, ha="center", va="center_baseline")


def fragments_text(lane: int = 5) -> str:
    """Say which elements a lane holds."""
    parts = []
    for name, cells in held(lane).items():
        rows, columns = (sorted({cell[axis] for cell in cells}) for axis in (0, 1))
        parts.append(f"of {name} {_named('row', rows)} in {_named('column', columns)}")
    return f"Lane {lane} holds {'; '.join(parts)}."


def _named(thing: str, numbers: list[int]) -> str:
    words = [str(number) for number in numbers]
    return f"{thing} {words[0]}" if len(words) == 1 else f"{thing}s {', '.join(words[:-1])} and {words[-1]}"
