"""A JupyterLab server for the tests of a module, and a fresh page for each."""

import pytest

from tests.browser import drive
from tools.refresh import NOTEBOOKS


@pytest.fixture(scope="module")
def lab():
    """Serve a copy of the notebooks, so that nothing a test does is saved in them."""
    with drive.copied(NOTEBOOKS) as folder, drive.jupyterlab(folder) as lab:
        yield lab


@pytest.fixture(scope="module")
def chromium():
    """Start a browser, where there is one."""
    if drive.CHROMIUM is None:
        pytest.skip("there is no Chromium: on Debian, apt install chromium")
    with drive.browser() as chromium:
        yield chromium


@pytest.fixture
def page(chromium):
    """Open a page and close it again."""
    page = drive.new_page(chromium)
    yield page
    page.close()
