"""Explorers: sliders above a figure where there is a kernel, the first frame anywhere."""

import base64
import sys

import nbformat
import pytest

from mlteach.teach import plots, widgets
from mlteach.teach.widgets import WIDGET, Floats, explore
from tools import refresh


def draw_line(ax, rate=2):
    if rate > 3:
        raise ValueError("the rate\nis too high")
    ax.plot([1, rate])
    ax.set_title(f"Rate {rate}")


def controls(explorer):
    """The widgets of the sliders, by name; a play button's slider is inside a row."""
    rows = [
        child.children[0] if hasattr(child, "children") else child for child in explorer._view.children[:-1]
    ]
    return dict(zip(explorer.start, rows, strict=True))


def test_the_first_frame_and_its_sentence_need_no_kernel():
    explorer = explore(draw_line, rate=(1, 5))
    data, metadata = explorer._repr_mimebundle_()
    assert data.keys() == {"image/png", "text/plain"}
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert data["text/plain"] == repr(explorer) == "Figure: Rate 2."
    assert metadata["image/png"]["width"] == 880


def test_a_description_is_the_text_alternative_and_stands_below_the_picture():
    explorer = explore(draw_line, rate=(1, 5), describe=lambda rate: f"At {rate} & <more>.")
    assert repr(explorer) == "At 2 & <more>."
    page = explorer._html(explorer.frame(rate=1))
    assert 'alt="At 1 &amp; &lt;more&gt;."' in page
    assert page.endswith("<p>At 1 &amp; &lt;more&gt;.</p>")
    assert "<p>" not in explore(draw_line, rate=(1, 5))._html(explorer.frame())


def test_an_exception_is_one_sentence_without_a_trace():
    explorer = explore(draw_line, rate=(1, 5))
    png, sentence = explorer.frame(rate=4)
    assert png is None
    assert sentence == "No picture at rate = 4: ValueError, the rate is too high"
    assert explorer._html(explorer.frame(rate=4)) == f"<p>{sentence}</p>"


def test_an_exception_in_the_first_frame_still_shows_a_sentence():
    explorer = explore(draw_line, rate=(4, 5))
    assert explorer._repr_mimebundle_() == (
        {"text/plain": "No picture at rate = 4: ValueError, the rate is too high"},
        {},
    )


def test_keyboard_interrupt_is_not_swallowed():
    def interrupted(ax):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(interrupted).frame()


def test_compute_hands_its_result_to_draw():
    seen = []
    explorer = explore(
        lambda ax, result, n: seen.append((result, n)),
        compute=lambda n: n * n,
        n=(1, 4),
        describe="{n}".format,
    )
    assert explorer.frame(n=3).sentence == "3"
    assert seen == [(9, 3)]


@pytest.mark.parametrize(
    ("given", "start", "ends"),
    [
        ((1, 5), 2, [1, 5]),
        ((3, 9, 3), 3, [3, 9]),
        ((4, 4), 4, [4, 4]),
        (range(0, 10, 4), 0, [0, 8]),
        ((0.5, 2.5), 2, [0.5, 2.5]),
        ((2.5, 9.0, 0.25), 2.5, [2.5, 9.0]),
        (["slow", "fast"], "slow", ["slow", "fast"]),
        ([8, 4, 2], 2, [8, 4, 2]),
    ],
)
def test_a_slider_starts_at_the_default_of_draw_or_at_its_first_value(given, start, ends):
    explorer = explore(draw_line, rate=given)
    assert explorer.start == {"rate": start}
    assert [values["rate"] for values in explorer.extremes()] == ends
    slider = controls(explorer)["rate"]
    assert slider.value == start
    if hasattr(slider, "max"):
        assert [slider.min, slider.max] == ends


@pytest.mark.parametrize("given", [(5, 1), (1, 5, 0), (1.0, 1.0), (1, 2, 3, 4, 5)[:0], [], "fast", range(0)])
def test_a_slider_without_values_is_refused(given):
    with pytest.raises(ValueError, match=r"slider rate=.* has no values"):
        explore(draw_line, rate=given)


@pytest.mark.parametrize("play", ["speed", "rate"])
def test_only_a_slider_of_whole_numbers_can_play(play):
    with pytest.raises(ValueError, match="no slider of whole numbers"):
        explore(draw_line, rate=(0.1, 0.2), play=play)


def test_a_play_button_runs_through_its_slider():
    explorer = explore(draw_line, rate=(1, 5, 2), play="rate")
    slider, player = explorer._view.children[0].children
    assert (player.min, player.max, player.step) == (slider.min, slider.max, slider.step) == (1, 5, 2)


@pytest.mark.parametrize(("step", "read"), [(0.01, ".2f"), (0.025, ".3f"), (0.5, ".1f"), (2.0, ".0f")])
def test_a_slider_reads_as_many_digits_as_its_step_has(step, read):
    assert widgets._control("a_b", Floats(0.0, 10.0, step), 0.0).readout_format == read
    assert widgets._control("a_b", Floats(0.0, 10.0, step), 0.0).description == "a b"


def test_many_choices_are_a_list():
    explorer = explore(draw_line, rate=list(range(30)))
    assert type(controls(explorer)["rate"]).__name__ == "Dropdown"


def test_moving_a_slider_draws_again():
    seen = []
    explorer = explore(lambda ax, rate: seen.append(rate), rate=(1, 5))
    controls(explorer)["rate"].value = 4
    assert seen == [1, 4]


@pytest.mark.parametrize(
    "explorer",
    [
        explore(plots.loop_walk, order=list(plots.ORDERS), step=(0, 59), play="step", size=(8.8, 5)),
        explore(plots.amdahl, serial_fraction=(0.0, 1.0, 0.01), cores=(1, 64)),
        explore(
            lambda ax, rate=0.5, steps=20: plots.step_size(ax, [0, 1, 2], [1, 3, 2], rate, steps),
            rate=(0.01, 5.0),
            steps=(0, 200),
        ),
    ],
    ids=["loop walk", "Amdahl", "step size"],
)
def test_the_explorers_of_the_notebooks_work_at_every_extreme(explorer):
    for values in explorer.extremes():
        frame = explorer.frame(**values)
        assert frame.png, frame.sentence


def test_without_ipywidgets_the_first_frame_is_shown(monkeypatch):
    class Shell:
        kernel = object()

    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: Shell)
    explorer = explore(draw_line, rate=(1, 5))
    assert WIDGET in explorer._repr_mimebundle_()[0]
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    monkeypatch.setattr(widgets.importlib.util, "find_spec", lambda name: None)
    assert explore(draw_line, rate=(1, 5))._repr_mimebundle_()[0].keys() == {"image/png", "text/plain"}


NOTEBOOK = (
    "import matplotlib.pyplot\nfrom mlteach.teach import plots\nfrom mlteach.teach.widgets import explore",
    "fig, ax = plots.figure()\nplots.amdahl(ax)",
    "fig, ax = plots.figure()\nplots.amdahl(ax)\nfig",
    "explore(plots.amdahl, cores=(1, 64))",
    "explore(plots.amdahl, cores=(0, 64))\n",
)


def test_a_notebook_shows_each_figure_once_and_an_explorer_as_widget_picture_and_sentence(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in NOTEBOOK])
    refresh.execute(notebook, tmp_path)
    outputs = [cell.outputs for cell in notebook.cells]
    assert [len(output) for output in outputs] == [0, 1, 1, 1, 1]
    assert outputs[1][0].data.keys() == outputs[2][0].data.keys() == {"image/png", "text/plain"}
    assert outputs[3][0].data.keys() == {WIDGET, "image/png", "text/plain"}
    assert outputs[3][0].data["text/plain"] == "Figure: 5 % serial, 8 cores: 5.93 times as fast."
    assert outputs[4][0].data["text/plain"].startswith("Figure: ")
