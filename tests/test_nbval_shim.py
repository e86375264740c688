"""Cells for each way in which nbval alone would call right what a front end saves."""

import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ElementTree
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools.refresh import ROOT, environment, refresh


def value(text, kind="execute_result"):
    """Return the saved output of a displayed value, given as its plain text."""
    return SimpleNamespace(kind=kind, text=text)


# For each difference, the cells: source, and what JupyterLab saves (a str was printed).
CASES = {
    "semicolon": [
        ("1 + 1;", []),
        ("2 + 2", [value("4")]),
    ],
    "output_widget": [
        (
            """
            import ipywidgets
            inside = ipywidgets.Output()
            with inside:
                print("taken")
            print("left")
            """,
            ["left\n"],
        ),
        (
            """
            slider = ipywidgets.IntSlider(1)
            follow = ipywidgets.interactive_output(lambda value: print("drawn", value), {"value": slider})
            slider.value = 2
            print("after")
            """,
            ["after\n"],
        ),
    ],
    "clear_output": [
        (
            """
            from IPython.display import clear_output
            print("old")
            clear_output()
            print("new")
            """,
            ["new\n"],
        ),
        (
            """
            print("old")
            clear_output(wait=True)
            print("new")
            """,
            ["new\n"],
        ),
        (
            """
            print("kept")
            clear_output(wait=True)
            """,
            ["kept\n"],
        ),
        ("print('next')", ["next\n"]),
    ],
    "update": [
        (
            """
            from IPython.display import display
            handle = display("first", display_id=True)
            print("between")
            handle.update("second")
            """,
            [value("'second'", "display_data"), "between\n"],
        ),
    ],
}


def saved(output, count):
    """Return an output as it stands in a notebook."""
    if isinstance(output, str):
        return new_output("stream", text=output)
    number = {"execution_count": count} if output.kind == "execute_result" else {}
    return new_output(output.kind, data={"text/plain": output.text}, **number)


def notebook(cells):
    """Return the notebook of one or more cases."""
    return new_notebook(
        cells=[
            new_code_cell(
                textwrap.dedent(source).strip(),
                execution_count=count,
                outputs=[saved(output, count) for output in outputs],
            )
            for count, (source, outputs) in enumerate(cells, 1)
        ]
    )


def spoilt(cells):
    """Return the same cells with something else in the place of each output, and one where there is none."""
    return [(source, ["wrong\n"] * max(1, len(outputs))) for source, outputs in cells]


def nbval(folder):
    """Run pytest --nbval on the notebooks of a folder; return how the cells of each fared."""
    log = folder / "log.xml"
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", f"--junitxml={log}", folder]
    subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, check=False)
    fared = {path.stem: [] for path in folder.glob("*.ipynb")}
    for case in ElementTree.parse(log).iter("testcase"):
        fared[case.get("classname").split(".")[0]].append(case.find("failure") is None)
    return fared


def test_what_a_front_end_saves_is_right_and_nothing_else(tmp_path):
    for name in ("conftest.py", "nbval_sanitize.cfg"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n", encoding="utf-8")
    everything = [cell for cells in CASES.values() for cell in cells]
    nbformat.write(notebook(everything), tmp_path / "right.ipynb")
    nbformat.write(notebook(spoilt(everything)), tmp_path / "spoilt.ipynb")
    count = len(everything)
    assert nbval(tmp_path) == {"right": [True] * count, "spoilt": [False] * count}


@pytest.mark.slow
def test_nbval_alone_still_calls_each_of_them_wrong(tmp_path):
    for name, cells in CASES.items():
        nbformat.write(notebook(cells), tmp_path / f"{name}.ipynb")
    fared = nbval(tmp_path)
    assert all(fared.values())
    assert not any(map(all, fared.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_the_refresh_tool_saves_the_same(name, tmp_path):
    path = tmp_path / f"{name}.ipynb"
    expected = notebook(CASES[name])
    nbformat.write(notebook(spoilt(CASES[name])), path)
    assert refresh(path)
    found = nbformat.read(path, as_version=4)
    assert [cell.outputs for cell in found.cells] == [cell.outputs for cell in expected.cells]
