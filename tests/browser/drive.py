"""A JupyterLab server and a browser page of one's own, and what a reader does with them."""

import contextlib
import json
import math
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import run
from tools.refresh import environment

NO_PLAYWRIGHT = "Playwright is not installed: it comes with  run.py test --all"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTH, HEIGHT = 1280, 1000
SECONDS = 120

# The whole notebook is in the page, not just the cells in view.
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"}}

# Lines on a pad whose sides are 1.
STROKE = [(0.5, 0.15), (0.5, 0.5), (0.5, 0.85)]
TURNS = [math.pi * part / 12 for part in range(25)]
RING = [(0.5 + 0.25 * math.sin(turn), 0.5 - 0.33 * math.cos(turn)) for turn in TURNS]

# JavaScript: the notebook that is shown.
PANEL = "window.jupyterapp?.shell?.currentWidget"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab: its address, the token it asks for and the folder that it shows."""

    url: str
    token: str
    root: Path

    def page(self, notebook):
        """Return the address of a notebook, alone on its page."""
        return f"{self.url}/doc/tree/{Path(notebook).as_posix()}?token={self.token}&reset"


@contextlib.contextmanager
def jupyterlab(root):
    """Serve a folder as `run.py lab` does, with an empty home, on a free port of this machine."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, socket.socket() as free:
        home, token = Path(home), secrets.token_hex(16)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        for name, values in SETTINGS.items():
            settings = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            settings.parent.mkdir(parents=True)
            settings.write_text(json.dumps(values), encoding="utf-8")
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        options = run.LAB | {
            "--ServerApp.root_dir": str(root),
            "--ServerApp.port": str(port),
            "--ServerApp.port_retries": "0",
            "--IdentityProvider.token": token,
            "--LabApp.expose_app_in_browser": "True",
        }
        with (home / "log").open("w+b") as log:
            server = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
                + [f"{name}={value}" for name, value in options.items()],
                env=environment(home) | {name: str(home / folder) for name, folder in folders.items()},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                lab = Lab(f"http://127.0.0.1:{port}", token, Path(root))
                _wait_until_it_answers(server, lab, home / "log")
                yield lab
            finally:
                server.terminate()
                server.wait(SECONDS)


def _wait_until_it_answers(server, lab, log):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{lab.url}/api/status?token={lab.token}", timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab does not answer: {log.read_text()}") from None
            time.sleep(0.1)


@contextlib.contextmanager
def copied(folder):
    """Copy a folder of notebooks to one that nobody minds, and remove it afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        copy = Path(scratch) / "notebooks"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".*"))
        yield copy


@contextlib.contextmanager
def browser():
    """Start Chromium with no window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def new_page(chromium):
    """Open an empty page of a size that a laptop has, with a screen that feels fingers."""
    page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT}, has_touch=True)
    page.set_default_timeout(SECONDS * 1000)
    return page


def open_notebook(page, lab, notebook):
    """Show a notebook, named by its path below the server's folder, and wait for its kernel."""
    page.goto(lab.page(notebook))
    page.wait_for_function(f"() => {PANEL}?.context?.sessionContext?.session?.kernel")
    page.evaluate(f"() => {PANEL}.context.ready.then(() => {PANEL}.context.sessionContext.ready)")


def open_and_run(page, lab, notebook):
    """Show a notebook and run all of its cells, to the end or to the first that fails."""
    open_notebook(page, lab, notebook)
    run_all = "window.jupyterapp.commands.execute('notebook:run-all-cells')"
    page.evaluate(f"() => {{ {run_all}.then(() => {{ window.ran = true }}) }}")
    page.wait_for_function("() => window.ran")


def errors(page):
    """Return the text of everything on the page that says that something went wrong."""
    kinds = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
    outputs = page.locator(", ".join(f'[data-mime-type="{kind}"]' for kind in kinds)).all_inner_texts()
    return outputs + page.get_by_text("Error displaying widget").all_inner_texts()


def places(pad, line):
    """Bring a drawing pad into view; return where on the page the points of a line lie."""
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]


def draw(page, pad, line):
    """Draw a line on a pad with the mouse."""
    first, *others = places(pad, line)
    page.mouse.move(*first)
    page.mouse.down()
    for place in others:
        page.mouse.move(*place, steps=3)
    page.mouse.up()


def go_dark(page):
    """Switch JupyterLab to its dark theme."""
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")


def picture(page, path):
    """Save a picture of a notebook from its first cell to its last."""
    height = page.locator(".jp-WindowedPanel-viewport").evaluate("panel => panel.scrollHeight")
    page.set_viewport_size({"width": WIDTH, "height": height + 150})
    page.locator(".jp-WindowedPanel-outer").evaluate("panel => { panel.scrollTop = 0 }")
    page.wait_for_timeout(500)  # for what is drawn anew at the new size
    page.screenshot(path=path)
