"""A JupyterLab server for the tests of a module, and a fresh page for each."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

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


@pytest.fixture
def throwaway(lab):
    """Return a function that saves cells as a notebook beside the others; returns its name."""
    path = lab.root / "throwaway.ipynb"

    def write(*sources, text="Text"):
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        cells = [new_markdown_cell(text), *map(new_code_cell, sources)]
        nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
        return path.name

    yield write
    path.unlink()
