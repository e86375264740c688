"""The look of every figure: one style sheet, one light card, one colour for each rung."""

import base64
import functools
import io
from pathlib import Path
from types import MappingProxyType

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

STYLE = matplotlib.rc_params_from_file(Path(__file__).parents[1] / "mlteach.mplstyle", use_default_template=False)

INK = "#222222"  # words, and what matters most
GREY = "#767676"  # what came before: 4.5 to 1 against the card, so still readable
FAINT = "#B9B6AE"  # what was measured elsewhere, and everything that only guides the eye
CARD = "#FBFAF7"
BLUE, ORANGE, GREEN, PURPLE, GOLD = "#0071B1", "#E86700", "#007B59", "#C574A1", "#BE8200"

# One colour for each rung, wherever it is drawn. The hues are Okabe and Ito's, in shades that keep at
# least 3 to 1 of contrast with the card; two neighbours on the ladder stay apart for every kind of colour
# blindness (tests/teach/test_plots.py simulates them). The two BLAS rungs are black and grey: the standard.
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


def styled(draw):
    """Make a drawing function look the same whatever style the reader has set, and leave that style alone."""

    @functools.wraps(draw)
    def draw_in_style(*args, **options):
        with matplotlib.rc_context(STYLE):
            return draw(*args, **options)

    return draw_in_style


class Card(Figure):
    """A figure that a notebook shows where it is the value of a cell, once, and that pyplot never sees."""

    @styled
    def png(self, scale=2):
        """Draw the card.

        Parameters
        ----------
        scale : float
            Pixels of the picture per pixel of the page; 2 keeps it sharp on a dense screen.

        Returns
        -------
        bytes
            A PNG file.
        """
        drawn, picture = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png", dpi=scale * 100, pil_kwargs={"compress_level": 1})
        palette = Image.open(drawn).convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE)
        palette.save(picture, format="png")  # a third of the bytes, and a notebook keeps every one of them
        return picture.getvalue()

    def __repr__(self):
        """Say what the figure shows: its titles are its text alternative."""
        titles = [self.get_suptitle(), *(ax.get_title(loc) for ax in self.axes for loc in ("left", "center"))]
        words = " ".join(title.replace("\n", " ").rstrip(".") + "." for title in titles if title)
        return f"Figure: {words}" if words else "Figure without a title."

    def _repr_mimebundle_(self, include=None, exclude=None):
        picture = base64.b64encode(self.png()).decode()
        width = round(self.get_figwidth() * 100)
        return {"image/png": picture, "text/plain": repr(self)}, {"image/png": {"width": width}}


class CardAxes(Axes):
    """Axes that show the card they are on, so that a plotting call can be the last line of a cell."""

    set_title = styled(Axes.set_title)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return self.figure._repr_mimebundle_(include, exclude)


@styled
def figure(rows=1, columns=1, *, size=None, **options):
    """Make a styled figure and its axes.

    The figure is the reader's alone: pyplot does not know it, so it appears where a cell ends with the
    figure or its axes, exactly once, and never needs closing.

    Parameters
    ----------
    rows, columns : int
        How many axes below and beside each other.
    size : (float, float), optional
        Width and height in hundreds of pixels; default (8.8, 4.6 per row).
    **options
        Passed to `matplotlib.figure.Figure.subplots`, for example `sharey=True` or `width_ratios=[2, 1]`.

    Returns
    -------
    fig : matplotlib.figure.Figure
    ax : matplotlib.axes.Axes or array of Axes
        One Axes, or an array as `matplotlib.pyplot.subplots` gives.
    """
    card = Card(figsize=size or (8.8, 4.6 * rows))
    return card, card.subplots(rows, columns, subplot_kw={"axes_class": CardAxes}, **options)


@styled
def headline(ax, title="", *, x="", y=""):
    """Write a title, the unit of x below, and the unit of y level above its axis, where it is read first."""
    ax.set_title(title, pad=32 if y else 12)
    ax.set_xlabel(x)
    ax.set_ylabel(y, rotation=0, ha="left", va="bottom")
    ax.yaxis.set_label_coords(0, 1.02)
    return ax


def image_axes(ax, title=""):
    """Prepare axes that hold pictures or boxes: no scales, square cells."""
    ax.set_axis_off()
    ax.set_aspect("equal")
    ax.set_title(title)
    return ax


@styled
def label_ends(ax, labels, *, size=11):
    """Name lines at the right edge, pushed apart where they would overlap.

    Call it last: it reads the limits of the axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    labels : iterable of (x, y, text, colour)
        Where each line ends, in data units, and its name. A name that stands away from the end of its
        line is tied to it by a thin dotted line.
    size : float
        Points.

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax.get_xlim(), ax.get_ylim()  # limits that are still to be found are found now
    labels = sorted(labels, key=lambda label: label[1])
    to_axes = ax.transData + ax.transAxes.inverted()
    ends = to_axes.transform([(x, y) for x, y, *_ in labels]) if labels else np.empty((0, 2))
    gap = 1.45 * size / 72 * ax.figure.dpi / ax.bbox.height
    for (_, _, text, colour), (x, y), level in zip(labels, ends, spread(ends[:, 1], gap), strict=True):
        ax.plot([x, 1.0, 1.015], [y, y, level], color=colour, lw=0.8, ls=":", transform=ax.transAxes, clip_on=False)
        ax.text(1.02, level, text, color=colour, size=size, va="center", transform=ax.transAxes)
    return ax


def spread(levels, gap):
    """Move sorted levels apart until neighbours are `gap` apart, and no further than needed.

    The least-squares answer: levels that collide form a block around their mean; blocks that collide merge.

    Parameters
    ----------
    levels : array_like (N,)
        Ascending.
    gap : float
        In the unit of the levels.

    Returns
    -------
    ndarray (N,) float64
    """
    blocks = []  # (sum of the levels less their offsets, how many)
    for i, level in enumerate(levels):
        total, count = level - i * gap, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before, size = blocks.pop()
            total, count = total + before, count + size
        blocks.append((total, count))
    flat = [total / count for total, count in blocks for _ in range(count)]
    return np.array(flat, dtype=float) + gap * np.arange(len(flat))

