"""Run notebooks and save their outputs: the only way in which outputs are written.

    python run.py notebooks [NOTEBOOK ...] [--check] [--fresh]

A saved output changes only when a reader would see it change, so a second run leaves `git diff` empty:

- an output that the tests compare is kept when its sanitised text and its pictures are the same;
- an output that they do not compare (times, facts about a machine) is kept while its cell's source is the
  same and makes the same kinds of output; `--fresh` measures it again.
"""

import argparse
import copy
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.output_widget import OutputWidget

from mlteach.files import replacing

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
CELL_SECONDS = 300
WIDGET = "application/vnd.jupyter.widget-view+json"
DIGEST = "saved_for"  # in the metadata of a cell that is not compared: which source made its output
KEPT = ("tags", "jupyter", DIGEST)

# What would change an output from one machine to the next: the width of a terminal, a colour setting, another
# way to draw, and a BLAS told to run below its speed.
UNSET = {
    *("COLUMNS", "LINES", "JUPYTER_COLUMNS", "JUPYTER_LINES"),
    *("NO_COLOR", "FORCE_COLOR", "MPLBACKEND", "PYTHONWARNINGS"),
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),
}
PATTERNS = re.findall(
    r"^regex: (.*)$\n^replace: (.*)$", (ROOT / "nbval_sanitize.cfg").read_text(encoding="utf-8"), re.MULTILINE
)


def environment(home):
    """Return the environment of every notebook kernel, in tests and here.

    Parameters
    ----------
    home : path
        A temporary folder that stands for the reader's: an empty journal, no IPython profile.

    Returns
    -------
    dict of str to str
        A copy of this process's environment, made repeatable.
    """
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    home = Path(home)
    return kept | {
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",  # dates inside SVG and PDF
        "MLTEACH_HOME": str(home / "mlteach"),
        "IPYTHONDIR": str(home / "ipython"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    }


class CellError(Exception):
    """A cell without the tag `raises-exception` did not finish; the message says which, and how."""


class QuietOutput(OutputWidget):
    """An Output widget that takes its outputs and does not tell the kernel.

    nbclient sends them past the asyncio socket on which it waits for the cell's reply. About once in twenty
    times that swallows the news of the reply, and the cell lasts until its time limit.
    """

    def send(self, data=None, metadata=None, buffers=None):
        """Send nothing."""


def execute(notebook, folder):
    """Run a notebook from top to bottom in a fresh kernel; the outputs are stored in it."""
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_SECONDS,
        coalesce_streams=True,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.widget_registry["@jupyter-widgets/output"]["OutputModel"] = QuietOutput
    for cell in code_cells(notebook):
        cell.execution_count, cell.outputs = None, []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        client.setup_kernel(env=environment(home), stderr=subprocess.DEVNULL),
    ):
        number = 0  # counted here: a kernel that dies may not have told it
        for position, cell in enumerate(notebook.cells):
            number += cell.cell_type == "code" and bool(cell.source.strip())
            try:
                client.execute_cell(cell, position)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                raise CellError(f"cell In [{number}] {reason(error)}") from error


def reason(error):
    """Say in one line what became of a cell."""
    if isinstance(error, CellExecutionError):
        return f"raised {error.ename}: {error.evalue}".splitlines()[0]
    if isinstance(error, CellTimeoutError):
        return f"ran for more than {CELL_SECONDS} s"
    return "took the kernel down with it"


def code_cells(notebook):
    """Return the code cells of a notebook, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def sanitised(text):
    """Return text as the tests compare it, with addresses and random numbers masked."""
    for pattern, replacement in PATTERNS:
        text = re.sub(pattern, replacement, text)
    return text


def seen(output):
    """Return what a reader sees of an output: comparable with `==`, without what is random."""
    if output.output_type == "stream":
        return output.name, sanitised(output.text)
    if output.output_type == "error":
        return output.ename, sanitised(output.evalue)
    return {mime: sanitised(data) if isinstance(data, str) else data for mime, data in output.data.items()}


def kind(output):
    """Return what an output is made of, whatever it says."""
    return output.output_type, output.get("name"), sorted(output.get("data", ()))


def ignored(cell):
    """Tell whether the tests run a cell without comparing its outputs."""
    return "nbval-ignore-output" in cell.metadata.get("tags", [])


def digest(cell):
    """Return a short fingerprint of a cell's source."""
    return hashlib.sha256(cell.source.encode()).hexdigest()[:8]


def keeps(old, new, fresh):
    """Tell whether the saved outputs of a cell still stand after a new run of it."""
    if ignored(new) and (fresh or old.metadata.get(DIGEST) != digest(new)):
        return False
    view = kind if ignored(new) else seen
    return [view(output) for output in old.outputs] == [view(output) for output in new.outputs]


def tidy(cell):
    """Remove from a cell what changes with every run, and what only a live kernel could show."""
    cell.metadata = {name: cell.metadata[name] for name in KEPT if name in cell.metadata}
    for output in cell.get("outputs", ()):
        # A saved widget has no kernel behind it and would read "model not found"; the picture and the text
        # beside it stay, and are what a reader sees before the first run.
        output.get("data", {}).pop(WIDGET, None)


def refreshed(saved, folder, fresh=False):
    """Return a copy of a notebook with the outputs of a new run, keeping those that still stand."""
    notebook = copy.deepcopy(saved)
    execute(notebook, folder)
    for cell in saved.cells + notebook.cells:
        tidy(cell)
    for old, new in zip(code_cells(saved), code_cells(notebook), strict=True):
        if keeps(old, new, fresh):
            new.outputs = old.outputs
        for output in new.outputs:
            if "execution_count" in output:
                output.execution_count = new.execution_count
        new.metadata.pop(DIGEST, None)
        if ignored(new):
            new.metadata[DIGEST] = digest(new)
    for position, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{position}")
    notebook.nbformat_minor = 5
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return nbformat.from_dict(notebook)


def refresh(path, *, check=False, fresh=False):
    """Run one notebook and bring its file up to date.

    Parameters
    ----------
    path : Path
        The notebook.
    check : bool
        Only tell; write nothing.
    fresh : bool
        Write the outputs that the tests do not compare anew, too.

    Returns
    -------
    bool
        Whether the file changed, or would have.

    Raises
    ------
    CellError
        The file is as it was.
    """
    before = path.read_text(encoding="utf-8")
    notebook = refreshed(nbformat.reads(before, as_version=4), path.parent, fresh)
    nbformat.validate(notebook)
    after = nbformat.writes(notebook).rstrip("\n") + "\n"
    if after != before and not check:
        with replacing(path) as file:
            file.write(after.encode())
    return after != before


def found(paths):
    """Return the notebooks that are named, or lie in a named folder, in order."""
    for path in paths:
        if not path.exists():
            sys.exit(f"{path} does not exist: name a notebook or a folder of notebooks")
    return [
        notebook
        for path in paths
        for notebook in (sorted(path.rglob("[!.]*.ipynb")) if path.is_dir() else [path])
        if ".ipynb_checkpoints" not in notebook.parts
    ]


def main(arguments=None):
    """Refresh notebooks one after another, so that none of them is timed beside another."""
    parser = argparse.ArgumentParser(description="Run notebooks and save their outputs.")
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="NOTEBOOK", help="default: all, with the solutions"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something would change")
    parser.add_argument(
        "--fresh", action="store_true", help="renew the outputs that tests do not compare, too"
    )
    options = parser.parse_args(arguments)

    changed = failed = 0
    for path in found(options.paths or [NOTEBOOKS]):
        start = time.perf_counter()
        try:
            news = refresh(path.resolve(), check=options.check, fresh=options.fresh)
        except CellError as error:
            failed += 1
            print(f"{path.name}: {error}", file=sys.stderr, flush=True)
            continue
        changed += news
        verdict = ("would change" if options.check else "changed") if news else "unchanged"
        print(f"{path.name}: {verdict}, {time.perf_counter() - start:.1f} s", flush=True)
    return 1 if failed or (options.check and changed) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
