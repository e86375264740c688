"""Let a reader move a slider and see a figure change."""

import base64
import functools
import html
import importlib.util
import inspect
import itertools
import numbers
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from mlteach.teach.plots.style import bundle, figure

ON_A_SLIDER = 12  # choices up to this many lie on a slider, more in a list
PAUSE = 600  # milliseconds from one frame to the next while playing: a frame takes about 150 to draw
WIDGET = "application/vnd.jupyter.widget-view+json"


class Floats(NamedTuple):
    """The values of a slider that is not in whole numbers."""

    low: float
    high: float
    step: float


class Frame(NamedTuple):
    """One picture of an explorer, and a sentence that says what it shows."""

    png: bytes | None  # None where drawing failed; the sentence then says why
    sentence: str


def explore(
    draw: Callable,
    compute: Callable | None = None,
    *,
    describe: Callable[..., str] | None = None,
    play: str | None = None,
    size: tuple[float, float] = (8.8, 4.6),
    **sliders: Any,
) -> "Explorer":
    """Draw a figure anew whenever a slider moves; the value of a cell in a notebook.

    Parameters
    ----------
    draw : callable
        ``draw(ax, **values)`` on fresh styled axes; with ``compute``, ``draw(ax, result, **values)``. A
        slider starts at the default that ``draw`` gives its argument, otherwise at its first value.
    compute : callable, optional
        ``compute(**values) -> result``, the arithmetic behind the picture.
    describe : callable, optional
        ``describe(**values) -> sentence``, written below the picture. By default the title of the figure is
        its text alternative.
    play : str, optional
        A slider of whole numbers that gets a button to run through it.
    size : (float, float)
        Of the figure, in hundreds of pixels.
    **sliders
        For each value one of: ``(low, high)`` or ``(low, high, step)``, both ends included, and whole numbers
        where all of them are; a ``range``; or a list of choices.

    Returns
    -------
    Explorer
        In a live notebook, sliders above the figure. In a saved one, without ipywidgets or in a script, the
        first frame and its sentence.

    Raises
    ------
    ValueError
        Where a slider has no values, or ``play`` is no slider of whole numbers.
    """
    return Explorer(draw, compute, describe, play, size, sliders)


class Explorer:
    """A figure with sliders; ``explore`` makes it.

    Attributes
    ----------
    start : dict
        The values of the first frame, by slider.
    """

    def __init__(self, draw, compute, describe, play, size, sliders):
        self._draw, self._compute, self._describe = draw, compute, describe
        self._play, self._size = play, size
        self._values = {name: _values(name, given) for name, given in sliders.items()}
        if play is not None and not isinstance(self._values.get(play), range):
            raise ValueError(f"play={play!r} is no slider of whole numbers: name one of the sliders")
        self.start = {name: _start(draw, name, values) for name, values in self._values.items()}

    def frame(self, **values) -> Frame:
        """Draw the figure; a value left out is at its start, and an exception becomes the sentence."""
        values = self.start | values
        card, ax = figure(size=self._size)
        try:
            result = () if self._compute is None else (self._compute(**values),)
            self._draw(ax, *result, **values)
            return Frame(card.png(scale=1.5), self._describe(**values) if self._describe else repr(card))
        except Exception as problem:
            where = ", ".join(f"{name} = {value}" for name, value in values.items())
            words = " ".join(str(problem).split()) or "no reason given"
            return Frame(None, f"No picture at {where}: {type(problem).__name__}, {words}")

    def extremes(self) -> Iterator[dict[str, Any]]:
        """Every combination of the ends of the sliders, and of all choices: what a test should try."""
        for combination in itertools.product(*map(_ends, self._values.values())):
            yield dict(zip(self._values, combination, strict=True))

    @functools.cached_property
    def _first(self) -> Frame:
        return self.frame()

    @functools.cached_property
    def _view(self):
        """The sliders above the picture, as a widget."""
        import ipywidgets
        from IPython.display import display

        def redraw(**values):
            display({"text/html": self._html(self.frame(**values))}, raw=True)

        controls = {name: _control(name, values, self.start[name]) for name, values in self._values.items()}
        rows = list(controls.values())
        if self._play is not None:
            slider = controls[self._play]
            player = ipywidgets.Play(
                min=slider.min, max=slider.max, step=slider.step, interval=PAUSE, repeat=False
            )
            ipywidgets.jslink((player, "value"), (slider, "value"))
            rows[rows.index(slider)] = ipywidgets.HBox([slider, player])
        return ipywidgets.VBox([*rows, ipywidgets.interactive_output(redraw, controls)])

    def _html(self, frame: Frame) -> str:
        sentence = html.escape(frame.sentence)
        if frame.png is None:
            return f"<p>{sentence}</p>"
        source = f"data:image/png;base64,{base64.b64encode(frame.png).decode()}"
        style = f"width: {self._size[0] * 100:.0f}px; max-width: 100%"
        picture = f'<img src="{source}" alt="{sentence}" style="{style}">'
        return picture + (f"<p>{sentence}</p>" if self._describe else "")

    def __repr__(self) -> str:
        return self._first.sentence

    def _repr_mimebundle_(self, include=None, exclude=None):
        data, metadata = bundle(*self._first, self._size[0])
        if widgets_work():
            data[WIDGET] = self._view._repr_mimebundle_()[WIDGET]
        return data, metadata


def widgets_work(package: str = "ipywidgets") -> bool:
    """Whether a kernel runs this and the package that a widget needs is there."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel") and importlib.util.find_spec(package) is not None


def _values(name: str, given: Any) -> range | Floats | list:
    """Read what a slider was given."""
    if (
        isinstance(given, tuple)
        and len(given) in (2, 3)
        and all(isinstance(end, numbers.Real) for end in given)
    ):
        low, high = given[:2]
        whole = all(isinstance(end, numbers.Integral) for end in given)
        step = given[2] if len(given) == 3 else 1 if whole else (high - low) / 50
        if step > 0 and low <= high:
            return range(low, high + 1, step) if whole else Floats(low, high, step)
    elif not isinstance(given, str) and len(values := given if isinstance(given, range) else list(given)):
        return values
    raise ValueError(
        f"slider {name}={given!r} has no values: give (low, high), (low, high, step) or a list of choices"
    )


def _ends(values: range | Floats | list) -> list:
    if isinstance(values, Floats):
        return [values.low, values.high]
    return values if isinstance(values, list) else [values[0], values[-1]]


def _start(draw: Callable, name: str, values: range | Floats | list) -> Any:
    """Where a slider starts: at the default of `draw`, or at its first value if it cannot stand there."""
    argument = inspect.signature(draw).parameters.get(name)
    default = argument.default if argument else inspect.Parameter.empty
    if isinstance(values, Floats):
        fits = isinstance(default, int | float) and values.low <= default <= values.high
    else:
        fits = default in values
    return default if fits else _ends(values)[0]


def _control(name: str, values: range | Floats | list, start: Any):
    """Make the widget for one slider."""
    import ipywidgets

    look = {
        "description": name.replace("_", " "),
        "style": {"description_width": "initial"},
        "layout": {"width": "min(560px, 100%)"},
    }
    if isinstance(values, range):
        low, high = sorted(_ends(values))
        return ipywidgets.IntSlider(value=start, min=low, max=high, step=abs(values.step), **look)
    if isinstance(values, Floats):
        low, high, step = values
        digits = len(f"{step:.9f}".rstrip("0").partition(".")[2])
        return ipywidgets.FloatSlider(
            value=start, min=low, max=high, step=step, readout_format=f".{digits}f", **look
        )
    kind = ipywidgets.SelectionSlider if len(values) <= ON_A_SLIDER else ipywidgets.Dropdown
    return kind(value=start, options=values, **look)
