"""The drawing pad takes a mouse, a finger and the keyboard, and says what is read in it."""

import re

import pytest

from tests.browser import drive

expect = pytest.importorskip("playwright.sync_api", reason=drive.NO_PLAYWRIGHT).expect

# Reads a hole in the middle as a 0 and anything else as a 1.
PAD = """
from mlteach.teach.drawpad import DrawPad

pad = DrawPad(lambda picture: [0.9, 0.1] if picture.any() and not picture[14, 14] else [0.2, 0.8])
pad
"""


@pytest.fixture
def pad(page, lab, throwaway):
    """Show a pad in a notebook of its own."""
    drive.open_and_run(page, lab, throwaway(PAD))
    assert drive.errors(page) == []
    return page.locator(".drawpad-pad")


def says(page, words):
    """Wait until the sentence below the pad, which screen readers announce, begins with these words."""
    sentence = page.get_by_role("status").and_(page.locator(".drawpad-sentence"))
    expect(sentence).to_have_text(re.compile(f"^{re.escape(words)}"), timeout=1000 * drive.SECONDS)


def ink(pad):
    """Count the pixels of the pad that are not paper."""
    pixels = "pad.getContext('2d').getImageData(0, 0, pad.width, pad.height).data"
    return pad.evaluate(f"pad => {pixels}.filter((level, i) => i % 4 === 3 && level > 0).length")


def press(page, keys):
    for key in keys.split():
        page.keyboard.press(key)


def test_what_the_mouse_draws_is_read_and_the_button_clears_it(page, pad):
    says(page, "Nothing is drawn yet.")
    drive.draw(page, pad, drive.STROKE)
    says(page, "Reads 1, 80 %.")
    expect(pad).not_to_be_focused()  # the keys stay with the notebook
    page.get_by_role("button", name="Clear").click()
    says(page, "Nothing is drawn yet.")
    assert ink(pad) == 0
    drive.draw(page, pad, drive.RING)
    says(page, "Reads 0, 90 %.")


def test_bars_move_while_the_pen_is_down(page, pad):
    first = page.locator(".drawpad-first")
    (start, *_, end) = drive.places(pad, drive.STROKE)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=5)
    expect(first).to_have_text(re.compile("^1.*80 %$"))
    page.mouse.up()


def test_a_finger_draws_and_does_not_scroll_the_page(page, pad):
    finger = page.context.new_cdp_session(page)
    first, *others = drive.places(pad, [(0.5, 0.15 + 0.07 * step) for step in range(10)])
    touches = [("touchStart", first), *(("touchMove", place) for place in others), ("touchEnd", None)]
    for kind, place in touches:
        points = [dict(zip("xy", place, strict=True))] if place else []
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    says(page, "Reads 1, 80 %.")
    assert ink(pad) > 2000  # the whole line


def test_the_keyboard_draws_and_jupyterlab_leaves_its_keys_alone(page, pad):
    cells = page.locator(".jp-Cell").count()
    pad.focus()
    press(page, "ArrowUp " * 8 + "Space")
    says(page, "The pen is down.")
    press(page, "ArrowDown " * 16 + "Space")
    says(page, "Reads 1, 80 %.")
    press(page, "ArrowRight " * 3)
    drawn = ink(pad)
    press(page, "d d a b x m y")
    press(page, "ArrowRight " * 3)
    assert ink(pad) == drawn
    assert page.locator(".jp-Cell").count() == cells
    press(page, "Delete")
    says(page, "Nothing is drawn yet.")
    press(page, "Tab")
    expect(page.get_by_role("button", name="Clear")).to_be_focused()


def test_two_arrow_keys_at_once_draw_a_slope(page, pad):
    pad.focus()
    press(page, "Space")
    page.keyboard.down("ArrowRight")
    for _ in range(6):
        page.keyboard.down("ArrowDown")
    page.keyboard.up("ArrowRight")
    page.keyboard.up("ArrowDown")
    says(page, "Reads 1, 80 %.")
    across, down = page.locator(".drawpad-pen").evaluate(
        "pen => [pen.style.left, pen.style.top].map(parseFloat)"
    )
    assert across > 70
    assert down > 70


def test_a_second_view_and_a_drawing_from_python_show_the_same(page, lab, throwaway):
    one = "from mlteach import mnist\npad.draw(mnist.load('test').images[2])"
    drive.open_and_run(page, lab, throwaway(PAD, "pad", one))
    assert drive.errors(page) == []
    pads, sentences = page.locator(".drawpad-pad"), page.locator(".drawpad-sentence")
    expect(sentences).to_have_text(["Reads 1, 80 %."] * 2)
    assert ink(pads.nth(0)) == ink(pads.nth(1)) > 0
    page.locator(".drawpad-clear").nth(1).click()
    expect(sentences).to_have_text(["Nothing is drawn yet."] * 2)
    assert ink(pads.nth(0)) == ink(pads.nth(1)) == 0


def test_words_stand_out_in_both_themes(page, pad):
    light = page.locator(".drawpad-sentence").evaluate("words => getComputedStyle(words).color")
    paper = pad.evaluate("pad => getComputedStyle(pad).backgroundColor")
    drive.go_dark(page)
    dark = page.locator(".drawpad-sentence").evaluate("words => getComputedStyle(words).color")
    channels = [sum(map(float, re.findall(r"[\d.]+", colour)[:3])) for colour in (light, dark)]
    assert channels[0] < 200 < 550 < channels[1]
    assert pad.evaluate("pad => getComputedStyle(pad).backgroundColor") == paper
