"""Sources, and which of their lines changed."""

import html
import linecache
import re
from itertools import product

import pytest
from numba import njit

from mlteach.matmul.jit import jit
from mlteach.teach.source import changed_lines, marked_lines, show, source_of


def loops(a, b, out):
    """Multiply."""
    m, k, n = len(a), len(b), len(b[0])
    for i in range(m):
        for j in range(n):
            acc = 0.0
            for p in range(k):  # one product at a time
                acc += a[i][p] * b[p][j]
            out[i][j] = acc


def swapped(a, b, out):
    """Multiply with the two inner loops the other way round.

    Nothing in here counts: for p in range(k).
    """
    m, k, n = len(a), len(b), len(b[0])
    for i in range(m):
        for p in range(k):  # <- changed
            x = a[i][p]  # <- changed

            # a comment and an empty line are no change
            for j in range(n):  # <- changed
                out[i][j] += x * b[p][j]  # <- changed


def in_tasks(a, b, out):
    m, k, n = len(a), len(b), len(b[0])

    def cell(i, j):  # <- changed
        acc = 0.0
        for p in range(k):  # another comment
            acc += a[i][p] * b[p][j]
        out[i][j] = acc

    for i, j in product(range(m), range(n)):  # <- changed: two loops in one
        cell(i, j)  # <- changed


@njit
def marked_wrongly(a, b, out):
    """Multiply."""
    m, k, n = len(a), len(b), len(b[0])
    for i in range(m):
        for j in range(n):  # <- changed
            acc = 1.0
            for p in range(k):
                acc += a[i][p] * b[p][j]
            out[i][j] = acc


class Counter:
    """Counts."""

    def add(self, step=1):
        """Go on."""
        return "# <- changed, but in a string", step  # and not in a comment


def text_of(source, page=None):
    """The text that the HTML shows."""
    return html.unescape(re.sub("<[^>]+>", "", page or source._repr_html_()))


def highlighted(source):
    return text_of(
        source, "".join(re.findall(r"<span[^>]*border-left.*?\n</span>", source._repr_html_(), re.DOTALL))
    )


def test_the_lines_that_changed_are_those_that_are_marked():
    assert changed_lines(swapped, loops) == marked_lines(swapped) == {8, 9, 12, 13}


def test_a_block_that_only_moved_in_or_out_has_not_changed():
    assert changed_lines(in_tasks, loops) == marked_lines(in_tasks) == {4, 10, 11}
    assert changed_lines(loops, in_tasks) == {4, 5}


def test_nothing_changed_from_itself():
    assert changed_lines(loops, loops) == set()


def test_a_function_of_a_docstring_has_no_lines_to_change():
    def empty():
        """Do nothing."""

    assert changed_lines(empty, loops) == set()
    assert changed_lines(loops, empty) == {3, 4, 5, 6, 7, 8, 9}


def test_show_brings_out_what_changed_and_shows_exactly_the_source():
    source = show(swapped, changed_from=loops)
    assert source.changed == {8, 9, 12, 13}
    assert repr(source) + "\n" == source_of(swapped)
    assert text_of(source) == source_of(swapped)
    assert highlighted(source).count("<- changed") == 4
    assert len(highlighted(source).splitlines()) == 4


def test_show_without_another_function_brings_out_the_marks():
    assert show(swapped).changed == {8, 9, 12, 13}
    assert show(loops).changed == frozenset()


def test_show_brings_out_computed_lines_where_there_are_no_marks():
    source = show(loops, changed_from=swapped)
    assert source.changed == {5, 6, 7, 8, 9}
    assert "acc = 0.0" in highlighted(source)


def test_show_refuses_marks_that_are_not_on_the_lines_that_changed():
    with pytest.raises(
        ValueError, match=r"marked_wrongly carries .* on lines 6, but lines 7 differ from loops"
    ):
        show(marked_wrongly, changed_from=loops)


def test_compiled_kernels_are_shown_with_their_decorator():
    assert repr(show(jit)).startswith("@njit(")
    assert "def jit(a, b, out):" in text_of(show(jit))


def test_methods_are_not_indented_and_classes_are_whole():
    assert repr(show(Counter.add)).startswith("def add(self")
    assert repr(show(Counter.add)) == repr(show(Counter().add))
    assert repr(show(Counter)).startswith("class Counter:")
    assert show(Counter).changed == frozenset()  # a mark is a comment, not a string


def test_several_objects_stand_below_each_other_with_their_marks():
    source = show(loops, swapped)
    assert repr(source) + "\n" == source_of(loops) + "\n\n" + source_of(swapped)
    assert source.changed == {line + 11 for line in (8, 9, 12, 13)}


def test_a_function_of_a_notebook_cell_is_shown():
    cell = "def mine(a, b):\n    return a @ b  # <- changed\n"
    names = {}
    linecache.cache["<ipython-input-1>"] = (
        len(cell),
        None,
        cell.splitlines(keepends=True),
        "<ipython-input-1>",
    )
    exec(compile(cell, "<ipython-input-1>", "exec"), names)
    source = show(names["mine"])
    assert repr(source) + "\n" == cell
    assert source.changed == {2}


def test_code_is_escaped_and_coloured_by_the_theme():
    def less(a, b):
        return a < b and "<b>&amp;</b>"

    shown = show(less)._repr_html_()
    assert text_of(show(less)) == source_of(less)
    assert "<b>" not in shown
    assert "var(--jp-mirror-editor-keyword-color, inherit)" in shown


@pytest.mark.parametrize("thing", [len, 3, None])
def test_what_has_no_source_is_refused_in_a_sentence(thing):
    with pytest.raises(TypeError, match="has no source to show"):
        show(thing)


def test_only_one_function_can_be_compared_and_only_a_function():
    with pytest.raises(TypeError, match="one function, not with 2"):
        show(loops, swapped, changed_from=in_tasks)
    with pytest.raises(TypeError, match="Counter is not a function"):
        show(loops, changed_from=Counter)
