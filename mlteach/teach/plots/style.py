"""The look of every figure: one style sheet, one light card, one colour for each rung."""

import base64
import functools
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from PIL import Image

P = ParamSpec("P")
R = TypeVar("R")

STYLE = matplotlib.rc_params_from_file(
    Path(__file__).parents[1] / "mlteach.mplstyle", use_default_template=False
)

INK = "#222222"  # words, and what matters most
GREY = "#737373"  # what came before: 4.5 to 1 against the card, so still readable
FAINT = "#B9B6AE"  # what was measured elsewhere, and everything that only guides the eye
CARD = "#FBFAF7"
LEADING = 1.45  # from one line of words to the next, in their size
BLUE, ORANGE = "#0071B1", "#E86700"

# One colour for each rung, wherever it is drawn. The hues are Okabe and Ito's, in shades that keep a contrast
# of 3 to 1 with the card. Two neighbours on the ladder stay apart for every kind of colour blindness; a test
# simulates them. The two BLAS rungs are black and grey: the standard for all others.
COLOURS = MappingProxyType(
    {
        "loops": "#4695C2",
        "threads_cell": "#70405B",
        "threads_row": "#863800",
        "numpy_rows": "#347296",
        "jit": "#E86700",
        "jit_ikj": "#00A176",
        "jit_threads": "#005B41",
        "jit_prange": "#B34E00",
        "tiled": "#98587B",
        "packed": "#0071B1",
        "simd": "#BE8200",
        "c": "#555111",
        "blas": "#000000",
        "cuda_naive": "#25546F",
        "cuda_coalesced": "#989026",
        "cuda_shared": "#6C4800",
        "cuda_registers_1d": "#C574A1",
        "cuda_registers_2d": "#007B59",
        "cuda_vector": "#926300",
        "cuda_double_buffer": "#0094E6",
        "cuda_tensor_core": "#005384",
        "cublas": "#4D4D4D",
    }
)


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Make a drawing function look the same whatever style the reader has set, and leave that style alone."""

    @functools.wraps(draw)
    def draw_in_style(*args: P.args, **options: P.kwargs) -> R:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **options)

    return draw_in_style


class Card(Figure):
    """A figure that a notebook shows where it is the value of a cell, once, and that pyplot never sees."""

    savefig = styled(Figure.savefig)

    def png(self, scale: float = 2) -> bytes:
        """Draw the card as a PNG file.

        Parameters
        ----------
        scale : float
            Pixels of the picture per pixel of the page; 2 keeps it sharp on a dense screen.
        """
        drawn, picture = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=scale * 100, pil_kwargs={"compress_level": 1})
        palette = Image.open(drawn).convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE)
        palette.save(picture, format="png")  # a third of the bytes, and a notebook keeps every one of them
        return picture.getvalue()

    def __repr__(self) -> str:
        """Say what the figure shows: its titles are its text alternative."""
        titles = [self.get_suptitle(), *(ax.get_title(loc) for ax in self.axes for loc in ("left", "center"))]
        words = " ".join(title.replace("\n", " ").rstrip(".") + "." for title in titles if title)
        return f"Figure: {words}" if words else "Figure without a title."

    __str__ = __repr__

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        return bundle(self.png(), repr(self), self.get_figwidth())


class CardAxes(Axes):
    """Axes that show the card they are on, so that a plotting call can be the last line of a cell."""

    set_title = styled(Axes.set_title)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        card: Any = self.figure
        return card._repr_mimebundle_(include, exclude)


def bundle(png: bytes | None, sentence: str, width: float) -> tuple[dict, dict]:
    """Put a picture, and the sentence that stands for it, into the form that a notebook keeps."""
    if png is None:
        return {"text/plain": sentence}, {}
    picture = base64.b64encode(png).decode()
    return {"image/png": picture, "text/plain": sentence}, {"image/png": {"width": round(width * 100)}}


@styled
def figure(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] | None = None, **options: Any
) -> tuple[Card, Any]:
    """Make a styled figure and its axes.

    The figure is the reader's alone: pyplot does not know it. A notebook shows it where a cell ends with the
    figure or one of its axes, exactly once; a script saves it with ``fig.savefig``.

    Parameters
    ----------
    rows, columns : int
        How many axes below and beside each other.
    size : (float, float), optional
        Width and height in hundreds of pixels; default (8.8, 4.6 per row).
    **options
        Passed to ``matplotlib.figure.Figure.subplots``, such as ``sharey=True`` or ``width_ratios=[2, 1]``.

    Returns
    -------
    fig : Card
        A ``matplotlib.figure.Figure``.
    ax : matplotlib.axes.Axes or array of Axes
        One Axes, or an array as ``matplotlib.pyplot.subplots`` gives.
    """
    card = Card(figsize=size or (8.8, 4.6 * rows))
    return card, card.subplots(rows, columns, subplot_kw={"axes_class": CardAxes}, **options)


@styled
def headline(ax: Axes, title: str = "", *, x: str = "", y: str = "") -> Axes:
    """Write a title, the unit of x below, and the unit of y level above its axis, where it is read first."""
    ax.set_title(title, pad=32 if y else 12)
    ax.set_xlabel(x)
    ax.set_ylabel(y, rotation=0, ha="left", va="bottom")
    ax.yaxis.set_label_coords(0, 1.02)
    return ax


def image_axes(ax: Axes, title: str = "") -> Axes:
    """Prepare axes that hold pictures or boxes: no scales, square cells."""
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_title(title)
    return ax


@styled
def label_ends(ax: Axes, labels: Iterable[tuple[float, float, str, str]], *, size: float = 11) -> Axes:
    """Name lines at the right edge, pushed apart where they would overlap.

    Call it last: it reads the limits of the axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    labels : iterable of (x, y, text, colour)
        Where each line ends, in data units, and its name. A name that stands away from the end of its
        line is tied to it by a thin dotted line.
    size : float
        Points; smaller where the names would not fit otherwise.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax.get_xlim(), ax.get_ylim()  # limits that are still to be found are found now
    labels = sorted(labels, key=lambda label: label[1])
    to_axes = ax.transData + ax.transAxes.inverted()
    ends = to_axes.transform([(x, y) for x, y, *_ in labels]) if labels else np.empty((0, 2))
    height = 72 * ax.bbox.height / ax.figure.dpi
    size = min(size, height / (LEADING * max(len(labels), 1)))
    leader: dict[str, Any] = {"lw": 0.8, "ls": ":", "transform": ax.transAxes, "clip_on": False}
    for (_, _, text, colour), (x, y), level in zip(
        labels, ends, spread(ends[:, 1], LEADING * size / height, 0, 1), strict=True
    ):
        ax.plot([x, 1, 1.015], [y, y, level], color=colour, **leader)
        ax.text(1.02, level, text, color=colour, size=size, va="center", transform=ax.transAxes)
    return ax


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis as a reader would: 1, 2, 5, 10, or powers of ten alone where it is long."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def spread(
    levels: Sequence[float] | np.ndarray, gap: float, low: float = -np.inf, high: float = np.inf
) -> np.ndarray:
    """Move sorted levels apart until neighbours are ``gap`` apart, and no further than needed.

    The least-squares answer: levels that collide form a block around their mean, blocks that collide merge,
    and a block that would leave the range is pushed back into it.

    Parameters
    ----------
    levels : sequence of N floats
        Ascending.
    gap : float
        In the unit of the levels.
    low, high : float
        The range to stay in, wide enough for all.

    Returns
    -------
    ndarray, shape (N,), float64
    """
    blocks: list[tuple[float, int]] = []  # (sum of the levels less their offsets, how many)
    for i, level in enumerate(levels):
        total, count = level - i * gap, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before, size = blocks.pop()
            total, count = total + before, count + size
        blocks.append((total, count))
    flat = [total / count for total, count in blocks for _ in range(count)]
    highest = max(low, high - gap * (len(flat) - 1))
    return np.clip(np.array(flat, dtype=float), low, highest) + gap * np.arange(len(flat))
