"""Show the source of a kernel, with the lines that changed brought out."""

import ast
import difflib
import html
import inspect
import io
import itertools
import textwrap
import tokenize
from collections.abc import Callable
from typing import NamedTuple

from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

MARK = "# <- changed"
CODE_STYLE = "line-height: 1.4; font-family: var(--jp-code-font-family, monospace)"

# JupyterLab's colours, which follow its theme; other pages have none of these variables and show plain ink.
INKS = {
    Comment: "comment",
    Keyword: "keyword",
    Operator.Word: "keyword",
    String: "string",
    Number: "number",
    Name.Decorator: "meta",
    Name.Function: "def",
    Name.Class: "def",
    Name.Builtin: "builtin",
}
PLAIN_LINE = "display: block; padding-left: 12px"
CHANGED_LINE = (
    "display: block; padding-left: 8px; border-left: 4px solid #E69F00; background: rgba(230, 159, 0, 0.2)"
)


class Source:
    """Source code as a notebook shows it: the text itself, in colour where there is HTML.

    Attributes
    ----------
    text : str
        Exactly the source, without the newline at its end.
    changed : frozenset of int
        The lines that are brought out, counted from 1.
    """

    def __init__(self, text: str, changed: set[int] | frozenset[int] = frozenset()):
        self.text = text.rstrip("\n")
        self.changed = frozenset(changed)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        lines = enumerate(_coloured_lines(self.text), 1)
        shown = (
            f'<span style="{CHANGED_LINE}">{line}\n</span>'
            if number in self.changed
            else f'<span style="{PLAIN_LINE}">{line}\n</span>'
            for number, line in lines
        )
        return f'<pre style="{CODE_STYLE}">{"".join(shown)}</pre>'


def show(*objects: Callable | type, changed_from: Callable | None = None) -> Source:
    """Show source code; the value of a cell in a notebook.

    Parameters
    ----------
    *objects : function, class, method or compiled kernel
        What to show, one below the other. A function defined in the notebook works too.
    changed_from : function, optional
        The rung before: the lines that differ from it are brought out. Without it, the lines that carry
        ``# <- changed`` are.

    Returns
    -------
    Source

    Raises
    ------
    ValueError
        Where the marks in the source are not on the lines that changed.
    TypeError
        Where something has no Python source, or ``changed_from`` comes with several objects.
    """
    if changed_from is None:
        texts = [source_of(one) for one in objects]
        whole = "\n\n".join(texts)
        return Source(whole, _marked_in(whole))
    if len(objects) != 1:
        raise TypeError(
            f"changed_from compares with one function, not with {len(objects)}: call show once for each"
        )
    changed, marked = changed_lines(objects[0], changed_from), marked_lines(objects[0])
    if marked and marked != changed:
        raise ValueError(
            f"{_name(objects[0])} carries '{MARK}' on lines {_listed(marked)}, but lines {_listed(changed)} "
            f"differ from {_name(changed_from)}: move the marks"
        )
    return Source(source_of(objects[0]), changed)


def source_of(obj: Callable | type) -> str:
    """The source of a function, class, method or compiled kernel, as it stands in its file and not indented.

    Raises
    ------
    TypeError
        Where it has none, as for a built-in function.
    """
    try:
        return textwrap.dedent(inspect.getsource(getattr(obj, "py_func", obj)))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        raise TypeError(
            f"{_name(obj)} has no source to show: give a function or class written in Python"
        ) from None


def marked_lines(fn: Callable) -> set[int]:
    """The lines of a function's source with a comment that begins ``# <- changed``, counted from 1."""
    return _marked_in(source_of(fn))


def changed_lines(fn: Callable, changed_from: Callable) -> set[int]:
    """The lines in which a function differs from another.

    Decorators, the ``def`` line, the docstring, comments and empty lines are not compared. Two or more lines
    in a row that only moved in or out together have not changed.

    Parameters
    ----------
    fn, changed_from : function or compiled kernel

    Returns
    -------
    set of int
        Line numbers of ``fn``'s source, counted from 1.
    """
    before, after = _statements(changed_from), _statements(fn)
    kept: set[int] = set()
    for block in _matches([line[1:] for line in before], [line[1:] for line in after]):
        kept.update(after[block.b + i].number for i in range(block.size))
    for block in _matches([line.text for line in before], [line.text for line in after]):
        pairs = zip(before[block.a :], after[block.b : block.b + block.size], strict=False)
        for _, moved in itertools.groupby(pairs, lambda pair: pair[1].indent - pair[0].indent):
            together = [line.number for _, line in moved]
            kept.update(together if len(together) > 1 else ())
    return {line.number for line in after} - kept


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def _matches(before: list, after: list) -> list[difflib.Match]:
    return difflib.SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()


def _statements(fn: Callable) -> list[_Line]:
    """The lines of a function's body that hold code, without comments."""
    text = source_of(fn)
    definition = ast.parse(text).body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"{_name(fn)} is not a function: only the lines of functions are compared")
    body = definition.body[1:] if ast.get_docstring(definition) else definition.body
    lines = text.splitlines()
    for token in _comments(text):
        row, column = token.start
        lines[row - 1] = lines[row - 1][:column]
    numbered = enumerate(lines, 1)
    return [
        _Line(number, len(line) - len(line.lstrip()), line.strip())
        for number, line in numbered
        if body and number >= body[0].lineno and line.strip()
    ]


def _marked_in(text: str) -> set[int]:
    return {token.start[0] for token in _comments(text) if token.string.startswith(MARK)}


def _comments(text: str) -> list[tokenize.TokenInfo]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token for token in tokens if token.type == tokenize.COMMENT]


def _coloured_lines(text: str) -> list[str]:
    """The text as HTML, a string for each line."""
    coloured = []
    for kind, value in PythonLexer(stripnl=False, ensurenl=False).get_tokens(text):
        ink = next((INKS[parent] for parent in reversed(kind.split()) if parent in INKS), None)
        style = f'<span style="color: var(--jp-mirror-editor-{ink}-color, inherit)">' if ink else ""
        pieces = (html.escape(piece, quote=False) for piece in value.split("\n"))
        coloured.append("\n".join(f"{style}{piece}</span>" if style and piece else piece for piece in pieces))
    return "".join(coloured).split("\n")


def _name(obj) -> str:
    return getattr(obj, "__name__", None) or repr(obj)


def _listed(numbers: set[int]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "none"
