"""A pad to draw a digit on, and a program that reads it while it is drawn."""

import functools
import importlib.util
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from mlteach.teach.ink import centred, grey, resized
from mlteach.teach.plots import figure, reading
from mlteach.teach.plots.style import GREY, bundle
from mlteach.teach.widgets import WIDGET, widgets_work

SIDE = 140  # pixels of a drawing on the pad, five for each one of a digit
EMPTY = np.zeros((SIDE, SIDE), np.uint8)
SIZE = (7.2, 3.8)
RUN = "To draw with your own hand, run this cell in JupyterLab."
INSTALL = 'To draw with your own hand:  pip install "mlteach[lab]",  then restart the kernel.'


class DrawPad:
    """Read what somebody draws, while they draw it; the value of a cell in a notebook.

    In a live notebook this is a pad for mouse, finger or keyboard, and beside it the picture that is made of
    the drawing and a bar for each class. In a saved one, without anywidget or in a script, it is a picture
    and a sentence.

    Parameters
    ----------
    read : callable
        ``read(picture) -> probabilities`` takes a (28, 28) uint8 picture, 0 is paper and 255 is ink, scaled
        and centred as the digits of MNIST are, and returns a probability from 0 to 1 for each class, shape
        (classes,). It is called once with an empty picture, then for every new drawing.
    drawing : array_like of uint8 or bool, shape (side, side), optional
        What is on the pad at first.

    Attributes
    ----------
    picture : ndarray, shape (28, 28), uint8
        What is read; zeros where there is no ink.
    probabilities : ndarray, shape (classes,), float64
        What was read; zeros where there is no ink or ``read`` failed.
    sentence : str
        What was read, or why nothing was.

    Raises
    ------
    ValueError
        Where ``read`` returns something else for an empty picture, or ``drawing`` is none.
    """

    def __init__(self, read: Callable[[np.ndarray], ArrayLike], drawing: ArrayLike = EMPTY):
        self._read = read
        self._nothing = np.zeros_like(self._probabilities(centred(EMPTY)))
        self.draw(drawing)

    def draw(self, drawing: ArrayLike) -> None:
        """Put a drawing on the pad, in place of what is there, and read it.

        Parameters
        ----------
        drawing : array_like of uint8 or bool, shape (side, side)
            Such as an image of MNIST: 0 is paper, 255 or True is ink.

        Raises
        ------
        ValueError
            Where it is no such array.
        """
        drawing = grey(drawing)
        if drawing.shape[0] != drawing.shape[1] or drawing.size == 0:
            raise ValueError(f"the pad is square: a drawing of shape {drawing.shape} does not fit it")
        self._look(drawing)
        self._bytes = resized(drawing, SIDE, SIDE).tobytes()
        if "_canvas" in vars(self):
            self._canvas.drawing = self._bytes
            self._canvas.answer = self._answer()

    def _arrived(self, change) -> None:
        """Read a drawing from the front end, unless it is none."""
        came = change["new"]
        if came == self._bytes:
            return
        if isinstance(came, bytes) and len(came) == SIDE * SIDE:
            self._bytes = came
            self._look(np.frombuffer(came, np.uint8).reshape(SIDE, SIDE))
        else:
            what = f"{len(came)} bytes" if isinstance(came, bytes) else f"a {type(came).__name__}"
            self.sentence = f"The pad sent {what} in place of a drawing, so the one before it stands."
        self._canvas.answer = self._answer()

    def _look(self, drawing: np.ndarray) -> None:
        """Make a picture of a drawing and read it; an exception becomes the sentence."""
        self.picture = centred(drawing)
        self.probabilities, self.sentence = self._nothing, "Nothing is drawn yet."
        if not self.picture.any():
            return
        try:
            self.probabilities = self._probabilities(self.picture)
        except Exception as problem:
            words = " ".join(str(problem).split()) or "no reason given"
            self.sentence = f"The program failed to read it: {type(problem).__name__}, {words}"
        else:
            first = self.probabilities.argmax()
            self.sentence = f"Reads {first}, {_percent(self.probabilities[first])}."

    def _probabilities(self, picture: np.ndarray) -> np.ndarray:
        shares = np.array(self._read(picture), np.float64)
        row = shares.ndim == 1 and len(shares) > 0
        if row and (shares >= 0).all() and (shares <= 1 + 1e-6).all():
            return shares.clip(0, 1)
        came = f"numbers from {shares.min():.3g} to {shares.max():.3g}" if row else f"shape {shares.shape}"
        raise ValueError(
            "read(picture) must return a probability from 0 to 1 for each class, in an array of shape "
            f"(classes,), not {came}"
        )

    def _answer(self) -> dict:
        return {
            "picture": self.picture.tobytes(),
            "probabilities": self.probabilities.tolist(),
            "sentence": self.sentence,
        }

    @functools.cached_property
    def _canvas(self):
        from mlteach.teach.canvas import Canvas

        canvas = Canvas(side=SIDE, drawing=self._bytes, answer=self._answer())
        canvas.observe(self._arrived, "drawing")
        return canvas

    def __repr__(self) -> str:
        return f"A pad to draw on. {self.sentence}"

    def _repr_mimebundle_(self, include=None, exclude=None):
        how = RUN if importlib.util.find_spec("anywidget") else INSTALL
        card, ax = figure(size=SIZE)
        reading(ax, self.picture, self.probabilities, title=self.sentence.rstrip("."))
        ax.text(0, 31, how, color=GREY, size=11)
        data, metadata = bundle(card.png(), f"{self!r} {how}", SIZE[0])
        if widgets_work("anywidget"):
            data[WIDGET] = {"version_major": 2, "version_minor": 0, "model_id": self._canvas.model_id}
        return data, metadata


def _percent(share: float) -> str:
    """Write a probability in whole percent, and never claim certainty."""
    return "over 99 %" if share > 0.995 else f"{100 * share:.0f} %"
