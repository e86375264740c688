"""Notebooks are saved whole, open and close alike, and lead to one another.

nbval compares nothing in a cell that was saved without having run: the first check is what makes it strict.
Each check yields what is wrong, and is itself tried on notebooks with something wrong.
"""

import re
from urllib.parse import unquote

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools.refresh import DIGEST, KEPT, NOTEBOOKS, WIDGET, code_cells, digest, ignored

LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
SOLUTIONS = sorted(NOTEBOOKS.glob("solutions/*.ipynb"))
MOST_BYTES = 1_000_000
MOST_IGNORED = 0.35
TAGS = {"nbval-ignore-output", "raises-exception", "hide-input"}
MACHINE_PATH = re.compile(
    r"(?<![\w/])/(?:home|root|tmp|private|Users|opt|usr|mnt|work)/|\b[A-Z]:\\|site-packages"
)


def text_of(cells):
    """Return the text cells as one."""
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def told(output):
    """Return the words of an output, without its pictures."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return output.evalue
    words = "\n".join(text for mime, text in output.data.items() if mime.startswith("text/"))
    return re.sub(r"data:image/[^\"']+", "", words)


def saved(path, book):
    """Check that a notebook was run from top to bottom by `run.py notebooks`, and nothing was left out."""
    code = code_cells(book)
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "its cells were not run once each, in order"
    if book.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "its kernel is not python3"
    if path.stat().st_size >= MOST_BYTES:
        yield f"it has {path.stat().st_size} bytes"
    share = sum(map(ignored, code)) / max(1, len(code))
    if share > MOST_IGNORED:
        yield f"{share:.0%} of its outputs are not compared"
    for number, cell in enumerate(code, 1):
        yield from (f"cell In [{number}] {problem}" for problem in saved_cell(cell))


def saved_cell(cell):
    """Check one code cell of a saved notebook."""
    tags = set(cell.metadata.get("tags", []))
    if tags - TAGS:
        yield f"carries the unknown tag {sorted(tags - TAGS)[0]!r}"
    if set(cell.metadata) - set(KEPT) or (ignored(cell) and cell.metadata.get(DIGEST) != digest(cell)):
        yield "was changed after its output was saved"
    if not cell.source.strip():
        yield "is empty"
    for output in cell.outputs:
        if output.output_type == "error" and "raises-exception" not in tags:
            yield f"ends in {output.ename}"
        if output.get("name") == "stderr":
            yield "writes to stderr"
        if WIDGET in output.get("data", {}):
            yield "holds a widget that has no kernel"
        if found := MACHINE_PATH.search(told(output)):
            yield f"names a path of one machine: {found.group()}"


def opened(path, book):
    """Check that a lesson opens with what you'll do, what you'll learn and what you need."""
    opening = book.cells[0].source if book.cells and book.cells[0].cell_type == "markdown" else ""
    title, _, rest = opening.partition("\n")
    promise, _, rest = rest.strip().partition("\n")
    if not title.startswith(f"# {path.name[:2]} "):
        yield "its title does not begin with its number"
    if not re.fullmatch(r"([^.?]+\? )?You (?:[^.]|\.\S)+\.", promise):
        yield "it does not open with one sentence of what you do, or a question and one sentence"
    learn, need = rest.partition("**You'll learn**")[2].partition("**You need**")[::2]
    if not 3 <= learn.count("\n- ") <= 5:
        yield "it does not say three to five things that you'll learn"
    if not need.strip():
        yield "it does not say what you need"


def closed(path, book):
    """Check that a lesson closes with a summary, something to do on your own and the way on."""
    summary, end = text_of(book.cells).partition("\n## Summary")[2].partition("## On your own")[::2]
    if not 1 <= summary.count("\n- ") <= 4:
        yield "it has no summary of up to four points"
    own, _, following = end.partition("\nNext")
    if not re.search(r"^(-|\d+\.) ", own, re.MULTILINE):
        yield "it leaves nothing to do on your own"
    later = [
        lesson.name for lesson in sorted(path.parent.glob("[0-9][0-9]_*.ipynb")) if lesson.name > path.name
    ]
    if not following or (later and f"]({later[0]})" not in following):
        yield "it does not lead to the next"


def linked(path, book):
    """Check that links within the project lead somewhere, on GitHub and in JupyterLab."""
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(book.cells)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = unquote(link).partition("#")
        target = path.parent / name if name else path
        if not target.exists():
            yield f"{link} is not there"
        elif anchor and anchor not in anchors(target):
            yield f"{link} has no such place"


def anchors(path):
    """Return the places that a text or a notebook can be entered at.

    GitHub writes them in small letters without marks, JupyterLab as they are; only where both agree does a
    heading serve. Others need an `<a id="...">` above them.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        text = text_of(nbformat.reads(text, as_version=4).cells)
    headings = [heading.strip().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    return {h for h in headings if h == re.sub(r"[^\w-]", "", h.lower())} | set(
        re.findall(r'<a id="(.*?)">', text)
    )


def solved(path, book):
    """Check that a lesson with an exercise has its solution."""
    asks = "your turn" in text_of(book.cells).lower()
    if asks and not (path.parent / "solutions" / f"{path.stem}_solution.ipynb").exists():
        yield "its exercises have no solutions"


@pytest.mark.parametrize("check", [saved, opened, closed, linked, solved])
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson(path, check):
    assert list(check(path, nbformat.read(path, as_version=4))) == []


@pytest.mark.parametrize("check", [saved, linked])
@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
def test_solution(path, check):
    assert list(check(path, nbformat.read(path, as_version=4))) == []
    assert (NOTEBOOKS / f"{path.stem.removesuffix('_solution')}.ipynb").exists()


def test_the_numbers_run_without_a_gap():
    assert [path.name[:2] for path in LESSONS] == [f"{number:02}" for number in range(len(LESSONS))]


OPENING = """# 07 Follow the lines

You follow the lines.

**You'll learn**
- one,
- two,
- three.

**You need** time."""
TURN = "**Your turn.** See [line](glossary.md#line), [BLAS](glossary.md#blas) and [this](#on-your-own)."
CLOSING = """## Summary

- A point.

## On your own

- Go on.

Next: [08](08_next.ipynb) goes on.

<a id="on-your-own"></a>"""


@pytest.fixture
def lesson(tmp_path):
    """Return a function that saves a lesson, good but for what it is given, and returns path and notebook."""
    (tmp_path / "solutions").mkdir()
    for name in ("08_next.ipynb", "solutions/07_follow_solution.ipynb"):
        nbformat.write(new_notebook(), tmp_path / name)
    (tmp_path / "glossary.md").write_text(
        '# Glossary\n\n## line\n\n## Cache line\n\n<a id="blas"></a>\n\n## BLAS\n'
    )

    def lesson(
        opening=OPENING, turn=TURN, closing=CLOSING, source="1", count=1, outputs=(), kernel="python3", **more
    ):
        cell = new_code_cell(source, execution_count=count, outputs=list(outputs), **more)
        cells = [new_markdown_cell(opening), new_markdown_cell(turn), cell, new_markdown_cell(closing)]
        path = tmp_path / "07_follow.ipynb"
        nbformat.write(
            new_notebook(cells=cells, metadata={"kernelspec": {"name": kernel, "display_name": kernel}}), path
        )
        return path, nbformat.read(path, as_version=4)

    return lesson


def test_a_good_lesson_has_no_problems(lesson):
    path, book = lesson(outputs=[new_output("stream", text="a/b and 3 / 4 in work/\n")])
    for check in (saved, opened, closed, linked, solved):
        assert list(check(path, book)) == []


def printed(text, name="stdout"):
    """Return the saved output of a print."""
    return [new_output("stream", name=name, text=text)]


@pytest.mark.parametrize(
    ("check", "wrong", "problem"),
    [
        (saved, {"count": None}, "not run once each"),
        (saved, {"count": 2}, "not run once each"),
        (saved, {"kernel": "conda"}, "not python3"),
        (saved, {"source": " "}, "is empty"),
        (saved, {"outputs": printed("x" * MOST_BYTES)}, "bytes"),
        (saved, {"outputs": printed("careful", "stderr")}, "stderr"),
        (saved, {"outputs": printed("in /home/me/a.py")}, "a path of one machine: /home/"),
        (saved, {"outputs": printed(r"in C:\Users")}, "a path of one machine"),
        (saved, {"outputs": [new_output("display_data", {WIDGET: {}})]}, "holds a widget"),
        (
            saved,
            {"outputs": [new_output("error", ename="KeyError", evalue="", traceback=[])]},
            "ends in KeyError",
        ),
        (saved, {"metadata": {"tags": ["nbval-skip"]}}, "unknown tag 'nbval-skip'"),
        (saved, {"metadata": {"collapsed": True}}, "changed after"),
        (saved, {"metadata": {"tags": ["nbval-ignore-output"], "saved_for": "0"}}, "changed after"),
        (saved, {"metadata": {"tags": ["nbval-ignore-output"]}}, "100% of its outputs are not compared"),
        (opened, {"opening": OPENING.replace("07", "06")}, "its number"),
        (opened, {"opening": OPENING.replace("lines.\n\n**", "lines. Then more.\n\n**")}, "one sentence"),
        (opened, {"opening": OPENING.replace("You follow", "Why? How? You follow")}, "one sentence"),
        (opened, {"opening": OPENING.replace("- one,\n", "")}, "three to five"),
        (opened, {"opening": OPENING.replace(" time.", "")}, "what you need"),
        (closed, {"closing": CLOSING.replace("Summary", "End")}, "no summary"),
        (closed, {"closing": CLOSING.replace("- A point.", "- A point.\n" * 5)}, "no summary"),
        (closed, {"closing": CLOSING.replace("- Go on.", "")}, "on your own"),
        (closed, {"closing": CLOSING.replace("Next:", "Then:")}, "lead to the next"),
        (closed, {"closing": CLOSING.replace("08_next", "07_follow")}, "lead to the next"),
        (linked, {"turn": "[a](lost.md)"}, "lost.md is not there"),
        (linked, {"turn": "[a](glossary.md#lost)"}, "no such place"),
        (linked, {"turn": "[a](glossary.md#cache-line)"}, "no such place"),
        (linked, {"turn": "[a](08_next.ipynb#lost)"}, "no such place"),
    ],
)
def test_a_problem_is_found(lesson, check, wrong, problem):
    assert any(problem in found for found in check(*lesson(**wrong)))


def test_a_missing_solution_is_found(lesson):
    path, book = lesson()
    (path.parent / "solutions" / "07_follow_solution.ipynb").unlink()
    assert list(solved(path, book)) == ["its exercises have no solutions"]
