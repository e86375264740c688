"""Settings of the test suite, and notebooks compared with what a Jupyter front end saves.

nbval runs each cell and compares what the kernel sent with what the notebook holds. JupyterLab and nbclient
do more with the kernel's messages before they save them, in four ways that make a right notebook fail. The
two classes below do the same four things; `tests/test_nbval_shim.py` has cells for each.
"""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from unittest import mock

import hypothesis
import pytest
from nbval.plugin import IPyNbCell, IPyNbFile

from tools.refresh import environment

ROOT = Path(__file__).parent
ONLY_WITH_ALL = (ROOT / "notebooks" / "solutions", ROOT / "tests" / "browser")

hypothesis.settings.register_profile("quick", max_examples=30, deadline=None, print_blob=True)
hypothesis.settings.register_profile("all", max_examples=1000, deadline=None, print_blob=True)


class Notebook(IPyNbFile):
    """A notebook whose kernel's messages arrive as a front end would save them."""

    def setup(self):
        """Start the kernel in the repeatable environment, with an empty home of its own."""
        self.home = tempfile.mkdtemp(prefix="mlteach-")
        self.cell = None  # the one that runs
        self.captured = {}  # comm id of an Output widget: the request whose outputs it takes, or ""
        self.displays = {}  # display id: where it is shown, as (outputs of a cell, position)
        self.clear_next = False
        with mock.patch.dict(os.environ, environment(self.home), clear=True):
            super().setup()

        # 1. A trailing semicolon hides a value only in a cell that has a place in the history.
        def execute(source, allow_stdin=None):
            return self.kernel.kc.execute(
                source, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
            )

        self.kernel.execute_cell_input = execute

    def teardown(self):
        """Stop the kernel and remove its home."""
        super().teardown()
        shutil.rmtree(self.home, ignore_errors=True)

    def collect(self):
        """Yield a `Cell` for each code cell."""
        for cell in super().collect():
            yield Cell.from_parent(
                self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=cell.options
            )

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """Return the next message that reaches the saved outputs, after what a front end does with it."""
        while True:
            message = super().get_kernel_message(timeout=timeout, stream=stream)
            if self._reaches_the_notebook(message):
                return message

    def _reaches_the_notebook(self, message):
        kind, content = message["msg_type"], message["content"]
        display = content.get("transient", {}).get("display_id")
        outputs = self.cell.test_outputs

        # 2. An Output widget takes the outputs of the request that it names, until it names none.
        if kind == "comm_msg":
            state = content["data"].get("state", {})
            if "msg_id" in state:
                self.captured[content["comm_id"]] = state["msg_id"]
        if kind not in ("stream", "display_data", "execute_result", "clear_output", "update_display_data"):
            return True
        if message["parent_header"].get("msg_id") in self.captured.values():
            return False

        # 3. clear_output empties the cell, at once or when the next output comes.
        if kind == "clear_output" and content["wait"]:
            self.clear_next = True
        elif kind == "clear_output" or (self.clear_next and kind != "update_display_data"):
            outputs.clear()
            self.displays.clear()
            self.clear_next = False
        if kind == "clear_output":
            return False

        # 4. display(..., display_id=...).update(...) changes an output that is there.
        if kind == "update_display_data":
            for shown, position in self.displays.get(display, ()):
                shown[position].data = content["data"]
            return False
        if display:
            self.displays.setdefault(display, []).append((outputs, len(outputs)))
        return True


class Cell(IPyNbCell):
    """A code cell of a `Notebook`."""

    def runtest(self):
        """Run the cell and compare its outputs."""
        self.parent.cell, self.parent.clear_next = self, False
        super().runtest()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Put a `Notebook` in the place of nbval's own."""
    return [
        Notebook.from_parent(parent, path=file_path) if isinstance(found, IPyNbFile) else found
        for found in (yield)
    ]


def pytest_addoption(parser):
    """Add `--all`."""
    parser.addoption(
        "--all",
        action="store_true",
        help="also solution notebooks, browser and slow tests, long fuzzing",
    )


def pytest_configure(config):
    """Set what holds for every test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background of a shell
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what tests start can be interrupted again
    config.option.nbval_current_env = True
    config.option.nbval_sanitize_with = str(ROOT / "nbval_sanitize.cfg")
    hypothesis.settings.load_profile("all" if config.option.all else "quick")


def pytest_collection_modifyitems(config, items):
    """Skip, and say so, what only `--all` runs."""
    if config.option.all:
        return
    skip = pytest.mark.skip(reason="runs with --all")
    for item in items:
        if item.get_closest_marker("slow") or any(folder in item.path.parents for folder in ONLY_WITH_ALL):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Give every test an empty MLTEACH_HOME, which is returned, and figures that need no screen."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MLTEACH_HOME", str(folder))
    monkeypatch.setenv("MPLBACKEND", "agg")
    return folder
