"""What a reader meets in JupyterLab works: the server, the notebooks, their sliders and pads."""

import re
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest

from tests.browser import drive

expect = pytest.importorskip("playwright.sync_api", reason=drive.NO_PLAYWRIGHT).expect

WITH_SLIDERS = {"02", "04", "09"}
WITH_A_PAD = {"00", "12"}

PLOT = """
import ipywidgets
import matplotlib.pyplot as plt

def draw(power):
    plt.figure(figsize=(3, 2))
    plt.plot([x**power for x in range(20)])
    plt.show()

power = ipywidgets.IntSlider(1, 0, 9)
ipywidgets.VBox([power, ipywidgets.interactive_output(draw, {"power": power})])
"""


def notebook(lab, number):
    """Return the name of the notebook with a number, once there is one."""
    found = [path.name for path in lab.root.glob(f"{number}_*.ipynb")]
    if not found:
        pytest.skip(f"there is no notebook {number} yet")
    return found[0]


def move_the_sliders(page):
    """Press a key on every slider and wait until the figure below it changes; return how many there are."""
    moved = 0
    for cell in page.locator(".jp-CodeCell:has(.noUi-handle)").all():
        figure = cell.locator(".widget-box img").first
        for slider in cell.locator(".noUi-handle").all():
            before = figure.get_attribute("src")
            at_its_end = slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")
            slider.press("ArrowLeft" if at_its_end else "ArrowRight")
            expect(figure).not_to_have_attribute("src", before, timeout=1000 * drive.SECONDS)
            moved += 1
    return moved


@pytest.mark.parametrize("path", ["api/contents", "api/kernels", "api/terminals"])
def test_the_server_refuses_without_its_token(lab, path):
    request = urllib.request.Request(f"{lab.url}/{path}", headers={"Accept": "application/json"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)


def test_a_page_without_the_token_is_a_login(lab):
    with urllib.request.urlopen(f"{lab.url}/lab") as answer:
        assert urlsplit(answer.url).path == "/login"


def test_the_server_opens_with_its_token(lab):
    with urllib.request.urlopen(f"{lab.url}/api/contents?token={lab.token}") as answer:
        assert answer.status == 200


def test_a_page_calls_no_other_machine_and_asks_no_question(page, lab, throwaway):
    called = []
    page.on("request", lambda request: called.append(urlsplit(request.url)))
    drive.open_and_run(page, lab, throwaway("1"))
    assert any(url.path.startswith("/api/kernels") for url in called)
    assert {url.hostname for url in called if url.scheme not in ("data", "blob")} == {"127.0.0.1"}
    page.wait_for_timeout(1000)  # JupyterLab would ask about its news some time after it is ready
    assert page.locator(".Toastify__toast").all_inner_texts() == []


@pytest.mark.parametrize(("link", "heading"), [("cache-line", "cache line"), ("blas", "BLAS")])
def test_a_term_leads_to_its_place_in_a_text(page, lab, throwaway, link, heading):
    filling = "\n\nA line.\n" * 100
    (lab.root / "terms.md").write_text(
        f'{filling}## cache line\n{filling}<a id="blas"></a>\n\n## BLAS\n{filling}'
    )
    drive.open_notebook(page, lab, throwaway(text=f"[term](terms.md#{link})"))
    page.get_by_role("link", name="term", exact=True).click()
    place = page.locator(".jp-MarkdownViewer").get_by_role("heading", name=heading)
    expect(place).to_be_in_viewport(timeout=1000 * drive.SECONDS)


def test_an_error_is_seen(page, lab, throwaway):
    drive.open_and_run(page, lab, throwaway("import sys; print('careful', file=sys.stderr)", "1 / 0", "2"))
    stderr, error = drive.errors(page)
    assert "careful" in stderr
    assert "ZeroDivisionError" in error


def test_a_slider_moves_a_figure(page, lab, throwaway):
    drive.open_and_run(page, lab, throwaway(PLOT))
    assert move_the_sliders(page) == 1
    assert drive.errors(page) == []


@pytest.mark.parametrize("number", ["00", "02", "04", "09", "12"])
def test_run_all_ends_without_an_error_and_what_moves_moves(page, lab, number):
    drive.open_and_run(page, lab, notebook(lab, number))
    assert drive.errors(page) == []
    sliders, pad = move_the_sliders(page), page.locator(".drawpad-pad")
    assert sliders or number not in WITH_SLIDERS
    assert pad.count() == (number in WITH_A_PAD)
    if number in WITH_A_PAD:
        for digit, line in ((1, drive.STROKE), (0, drive.RING)):
            page.locator(".drawpad-clear").click()
            drive.draw(page, pad, line)
            expect(page.locator(".drawpad-sentence")).to_have_text(re.compile(rf"Reads {digit}, "))
    assert drive.errors(page) == []
