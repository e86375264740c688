"""The pad: what it reads, what it shows without a front end, and what it makes of a front end's messages."""

import sys

import nbformat
import numpy as np
import pytest

from mlteach import mnist
from mlteach.teach import drawpad
from mlteach.teach.drawpad import SIDE, DrawPad
from mlteach.teach.widgets import WIDGET
from tools import refresh

ONE, SEVEN = (mnist.load("test").images[i] for i in (2, 0))


def shares(picture):
    """Read a narrow picture as a 1, another as a 7, and an empty one as nothing in particular."""
    if not picture.any():
        return [0.1] * 10
    digit = 1 if picture.any(axis=0).sum() < 12 else 7
    return np.where(np.arange(10) == digit, 0.91, 0.01)


def from_the_front_end(pad, value):
    """Hand the pad's widget what a browser would, as the kernel does."""
    pad._canvas.set_state({"drawing": value})
    return pad._canvas.answer


def stroke():
    drawing = np.zeros((SIDE, SIDE), np.uint8)
    drawing[20:120, 60:72] = 255
    return memoryview(drawing.tobytes())


@pytest.fixture
def kernel(monkeypatch):
    """Pretend that a kernel runs the test."""

    class Shell:
        kernel = object()

    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: Shell)


def test_an_empty_pad_reads_nothing():
    pad = DrawPad(shares)
    assert not pad.picture.any()
    assert pad.probabilities.tolist() == [0] * 10
    assert repr(pad) == "A pad to draw on. Nothing is drawn yet."


def test_a_pad_reads_what_is_drawn():
    pad = DrawPad(shares, SEVEN)
    assert (pad.picture == SEVEN).all()
    assert pad.probabilities.argmax() == 7
    assert pad.sentence == "Reads 7, 91 %."
    pad.draw(ONE)
    assert pad.sentence == "Reads 1, 91 %."


@pytest.mark.parametrize(("share", "words"), [(0.999, "over 99 %"), (1 + 1e-7, "over 99 %"), (0.994, "99 %")])
def test_a_pad_never_claims_certainty(share, words):
    pad = DrawPad(lambda picture: [1 - min(share, 1), share], SEVEN)
    assert pad.sentence == f"Reads 1, {words}."
    assert pad.probabilities.max() <= 1


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (np.full((1, 10), 0.1), r"shape \(1, 10\)"),
        (0.5, r"shape \(\)"),
        ([], r"shape \(0,\)"),
        ([0.5, 1.5], "numbers from 0.5 to 1.5"),
        ([-0.1, 1], "numbers from -0.1 to 1"),
        ([np.nan, 1], "numbers from nan to nan"),
    ],
)
def test_what_is_no_probability_is_refused_at_once(answer, came):
    with pytest.raises(ValueError, match=f"return a probability from 0 to 1 .*, not {came}$"):
        DrawPad(lambda picture: answer)


def test_a_program_that_fails_on_a_drawing_is_a_sentence():
    def read(picture):
        if picture.any():
            raise RuntimeError("out of\nluck")
        return [0.5, 0.5]

    pad = DrawPad(read, SEVEN)
    assert pad.sentence == "The program failed to read it: RuntimeError, out of luck"
    assert pad.probabilities.tolist() == [0, 0]
    assert (pad.picture == SEVEN).all()


@pytest.mark.parametrize("drawing", [np.zeros((28, 27), bool), np.zeros((0, 0), bool), np.zeros((28, 28))])
def test_what_does_not_fit_the_pad_is_refused(drawing):
    with pytest.raises(ValueError, match="drawing"):
        DrawPad(shares, drawing)


def test_without_a_kernel_a_pad_is_a_picture_and_a_sentence():
    data, metadata = DrawPad(shares, SEVEN)._repr_mimebundle_()
    assert data.keys() == {"image/png", "text/plain"}
    assert data["text/plain"] == f"A pad to draw on. Reads 7, 91 %. {drawpad.RUN}"
    assert metadata["image/png"]["width"] == 720


def test_without_anywidget_a_pad_says_what_to_install(kernel, monkeypatch):
    monkeypatch.setattr(drawpad.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "anywidget", None)
    data, _ = DrawPad(shares)._repr_mimebundle_()
    assert data.keys() == {"image/png", "text/plain"}
    assert 'pip install "mlteach[lab]"' in data["text/plain"]


def test_in_a_kernel_the_widget_stands_beside_the_picture(kernel):
    data, _ = DrawPad(shares)._repr_mimebundle_()
    assert data.keys() == {WIDGET, "image/png", "text/plain"}


def test_a_drawing_from_the_front_end_is_read_and_answered():
    pad = DrawPad(shares)
    answer = from_the_front_end(pad, stroke())
    assert answer["sentence"] == pad.sentence == "Reads 1, 91 %."
    assert answer["probabilities"] == pad.probabilities.tolist()
    assert answer["picture"] == pad.picture.tobytes()
    assert from_the_front_end(pad, memoryview(bytes(SIDE * SIDE)))["sentence"] == "Nothing is drawn yet."


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (memoryview(b"12"), "2 bytes"),
        (memoryview(bytes(SIDE * SIDE + 1)), f"{SIDE * SIDE + 1} bytes"),
        (memoryview(bytes(10**8)), "100000000 bytes"),
        (memoryview(b""), "0 bytes"),
        ("ink" * 10_000, "a str"),
        (10**12, "a int"),
        ({"picture": [1]}, "a dict"),
        ([255] * SIDE * SIDE, "a list"),
        (None, "a NoneType"),
    ],
)
def test_wrong_data_from_the_front_end_is_ignored_with_a_message(value, what):
    pad = DrawPad(shares)
    from_the_front_end(pad, stroke())
    before = pad.picture.copy()
    answer = from_the_front_end(pad, value)
    assert answer["sentence"] == f"The pad sent {what} in place of a drawing, so the one before it stands."
    assert (pad.picture == before).all()
    assert answer["probabilities"][1] == 0.91
    assert from_the_front_end(pad, memoryview(bytes(SIDE * SIDE)))["sentence"] == "Nothing is drawn yet."


def test_the_front_end_shares_all_that_it_shows_and_its_own_drawings_stay_with_it():
    shared = DrawPad(shares)._canvas.traits(sync=True)
    assert {"side", "drawing", "answer"} <= shared.keys()
    assert shared["drawing"].metadata["echo_update"] is False  # an echo would overtake the pen


def test_a_drawing_from_python_reaches_the_front_end():
    pad = DrawPad(shares)
    canvas = pad._canvas
    pad.draw(SEVEN)
    assert len(canvas.drawing) == SIDE * SIDE
    assert canvas.answer["picture"] == SEVEN.tobytes()
    assert canvas.answer["sentence"] == "Reads 7, 91 %."


def test_a_notebook_keeps_a_picture_and_a_sentence(tmp_path):
    source = "from mlteach.teach.drawpad import DrawPad\nDrawPad(lambda picture: [0.2, 0.8])"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    refresh.execute(notebook, tmp_path)
    (output,) = notebook.cells[0].outputs
    assert output.data.keys() == {WIDGET, "image/png", "text/plain"}
    assert output.data["text/plain"].startswith("A pad to draw on. Nothing is drawn yet.")
