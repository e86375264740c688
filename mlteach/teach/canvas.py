"""The pad in the browser, as a widget: what it sends and what it is told. It needs anywidget."""

from pathlib import Path

import anywidget
import traitlets

ASSETS = Path(__file__).with_name("assets")


class Canvas(anywidget.AnyWidget):
    """A pad, and beside it the picture that is read and a bar for each class.

    Attributes
    ----------
    side : int
        Pixels of a drawing, across and down.
    drawing : bytes
        ``side * side`` grey levels, 0 is paper and 255 is ink; or whatever else a front end sends.
    answer : dict
        What to show: ``picture``, 784 bytes, ``probabilities``, a list of floats, and ``sentence``.
    """

    _esm = ASSETS / "drawpad.js"
    _css = ASSETS / "drawpad.css"

    side = traitlets.Int().tag(sync=True)
    # Bytes arrive as a memoryview. They are not sent back: their echo would overtake the pen.
    drawing = traitlets.Any(b"").tag(
        sync=True,
        echo_update=False,
        from_json=lambda value, _: bytes(value) if isinstance(value, memoryview) else value,
    )
    answer = traitlets.Dict().tag(sync=True)
