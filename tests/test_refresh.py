"""The refresh tool changes what a reader would see change, and nothing else."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, output_from_msg

from tools import refresh

FACTS = """
import os, pathlib
home = pathlib.Path(os.environ["MLTEACH_HOME"])
print(os.environ["PYTHONHASHSEED"], os.environ["SOURCE_DATE_EPOCH"], home.exists())
print("OPENBLAS_CORETYPE" in os.environ)
home.mkdir()
"""


def shown(**data):
    """Return a displayed output; image_png="..." stands for image/png."""
    return new_output("display_data", data={name.replace("_", "/"): text for name, text in data.items()})


def result(text):
    """Return the output of a cell that ends in an expression."""
    return new_output("execute_result", data={"text/plain": text}, execution_count=1)


def timed(source, **more):
    """Return a cell whose output is not compared."""
    return new_code_cell(source, metadata={"tags": ["nbval-ignore-output"]}, **more)


@pytest.fixture
def write(tmp_path):
    """Return a function that saves cells as a notebook and returns its path."""

    def write(*cells, name="book.ipynb"):
        path = tmp_path / name
        nbformat.write(new_notebook(cells=list(cells)), path)
        return path

    return write


@pytest.fixture
def kernel(monkeypatch):
    """Return a list: the outputs that each code cell will make, whatever its source."""
    outputs = []

    def execute(notebook, folder):
        code = refresh.code_cells(notebook)
        for count, (cell, made) in enumerate(zip(code, outputs, strict=True), 1):
            cell.execution_count, cell.outputs = count, made

    monkeypatch.setattr(refresh, "execute", execute)
    return outputs


def cells(path):
    """Return the cells of a saved notebook."""
    return nbformat.read(path, as_version=4).cells


def test_a_second_run_changes_nothing(write, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    path = write(
        new_markdown_cell("Text"),
        new_code_cell(FACTS, metadata={"execution": {"started": "now"}, "collapsed": False}),
        new_code_cell("import ipywidgets; ipywidgets.IntSlider(3)"),
        new_code_cell("object()"),
        timed("import time; time.perf_counter_ns()"),
    )
    assert refresh.main([str(path)]) == 0
    first = path.read_bytes()
    assert refresh.main([str(path)]) == 0
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == [path.name]

    book = nbformat.read(path, as_version=4)
    text, facts, widget, _, clock = book.cells
    assert set(book.metadata) == {"kernelspec", "language_info"}
    assert [cell.execution_count for cell in book.cells[1:]] == [1, 2, 3, 4]
    assert (text.metadata, facts.metadata) == ({}, {})
    assert facts.outputs[0].text == "0 0 False\nFalse\n"
    assert list(widget.outputs[0].data) == ["text/plain"]
    assert set(clock.metadata) == {"tags", "saved_for"}


OLD, NEW = "object at 0x1234", "object at 0x5678"


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ([result("42")], [result("42")], True),
        ([result("42")], [result("54")], False),
        ([result(OLD)], [result(NEW)], True),
        ([result("4")], [], False),
        ([new_output("stream", text="a\n")], [new_output("stream", name="stderr", text="a\n")], False),
        ([shown(image_png="YQ==", text_plain=OLD)], [shown(image_png="YQ==", text_plain=NEW)], True),
        ([shown(image_png="YQ==", text_plain=OLD)], [shown(image_png="Yg==", text_plain=OLD)], False),
        ([new_output("error", ename="E", evalue=OLD)], [new_output("error", ename="E", evalue=NEW)], True),
        ([new_output("error", ename="E", evalue="a")], [new_output("error", ename="E", evalue="b")], False),
    ],
)
def test_an_output_is_kept_while_a_reader_sees_the_same(write, kernel, old, new, same):
    path = write(new_code_cell("x", outputs=old, execution_count=1))
    kernel.append(new)
    assert refresh.main([str(path)]) == 0
    assert cells(path)[0].outputs == (old if same else new)


def test_a_large_picture_is_no_work_for_the_patterns():
    picture = "iVBORw0KGgo" * 500_000  # minutes, if one of the patterns tries every place of it anew
    assert refresh.sanitised(picture) == picture
    assert refresh.sanitised("in /tmp/ipykernel_12/345.py, line 1") == "in CELL.py, line 1"


def test_an_output_that_is_not_compared_is_kept_until_its_source_changes(write, kernel):
    path = write(timed("clock"), timed("clock"), timed("clock"))
    kernel[:] = [result("1 s")], [result("1 s")], [result("1 s")]
    refresh.main([str(path)])

    book = nbformat.read(path, as_version=4)
    book.cells[1].source = "another clock"
    nbformat.write(book, path)
    kernel[:] = [result("2 s")], [result("2 s")], [shown(text_plain="2 s", image_png="YQ==")]
    refresh.main([str(path)])
    assert [cell.outputs[0].data["text/plain"] for cell in cells(path)] == ["1 s", "2 s", "2 s"]

    refresh.main([str(path), "--fresh"])
    assert cells(path)[0].outputs[0].data["text/plain"] == "2 s"


def test_a_kept_result_gets_the_number_of_its_cell(write, kernel):
    path = write(new_code_cell("pass"), new_code_cell("4", outputs=[result(OLD)], execution_count=1))
    kernel[:] = [], [result(NEW)]
    refresh.main([str(path)])
    kept = cells(path)[1]
    assert kept.outputs[0].data["text/plain"] == OLD
    assert kept.outputs[0].execution_count == kept.execution_count == 2


def test_check_tells_and_writes_nothing(write, kernel, capsys):
    path = write(new_code_cell("x"))
    before = path.read_bytes()
    kernel.append([result("1")])
    assert refresh.main([str(path), "--check"]) == 1
    assert "book.ipynb: would change" in capsys.readouterr().out
    assert path.read_bytes() == before
    refresh.main([str(path)])
    assert refresh.main([str(path), "--check"]) == 0


def test_a_failing_cell_is_named_and_the_others_go_on(write, capsys, monkeypatch):
    execute = refresh.execute

    def in_a_second(notebook, folder):
        """Run a notebook; one that sleeps gets a second for a cell."""
        seconds = 1 if "sleep" in notebook.cells[0].source else refresh.CELL_SECONDS
        with monkeypatch.context() as patch:
            patch.setattr(refresh, "CELL_SECONDS", seconds)
            execute(notebook, folder)

    monkeypatch.setattr(refresh, "execute", in_a_second)
    expected = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    bad = write(new_code_cell("1"), new_code_cell("{}['lost']"), name="bad.ipynb")
    write(new_code_cell("import os; os._exit(3)"), name="dead.ipynb")
    good = write(expected, new_code_cell("'on'"), name="good.ipynb")
    write(new_code_cell("import time; time.sleep(60)"), name="slow.ipynb")
    before = bad.read_bytes()
    assert refresh.main([str(bad.parent)]) == 1
    told = capsys.readouterr()
    assert told.err.splitlines() == [
        "bad.ipynb: cell In [2] raised KeyError: 'lost'",
        "dead.ipynb: cell In [1] took the kernel down with it",
        "slow.ipynb: cell In [1] ran for more than 1 s",
    ]
    assert told.out.startswith("good.ipynb: changed")
    assert bad.read_bytes() == before
    assert [cell.outputs[0].output_type for cell in cells(good)] == ["error", "execute_result"]


def test_a_name_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(SystemExit, match=r"lost\.ipynb does not exist: name a notebook"):
        refresh.main([str(tmp_path / "lost.ipynb")])


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT to one process, which Windows cannot")
def test_ctrl_c_stops_quietly_and_leaves_the_file(write):
    path = write(new_code_cell("open('running', 'w'); import time; time.sleep(60)"))
    before = path.read_bytes()
    tool = subprocess.Popen([sys.executable, refresh.__file__, path], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (path.parent / "running").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    tool.send_signal(signal.SIGINT)
    told = tool.communicate(timeout=60)[1]
    assert (tool.returncode, told) == (130, "")
    assert path.read_bytes() == before


def test_an_output_widget_does_not_talk_to_the_kernel():
    """A message to the kernel would need the client, which is None here."""
    output = refresh.QuietOutput("id", {"outputs": []}, None, None)
    message = {
        "header": {"msg_type": "stream"},
        "content": {"name": "stdout", "text": "a"},
        "parent_header": {},
    }
    output.output([], message, None, 0)
    assert output.outputs == [output_from_msg(message)]
