"""Counts the iterations of a kernel's loops, so that an endless one is found without a clock.

A kernel is compiled again from its source with a call at the start of each loop's body, on the same lines.
Where the source cannot be had (code made by `exec`), a trace function counts executed lines instead.
"""

from __future__ import annotations

import ast
import dis
import inspect
import tokenize
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

from mlteach.gpu.simt.operators import Operators

TICK = "__tick__"  # the global name under which a kernel finds the counter
COMPILER_FLAGS = 0xFF0000 | 0x1000000  # of `from __future__ import ...`, as in code.co_flags


class Loop(NamedTuple):
    """The lines of a loop."""

    first: int
    last: int


class Ticks(ast.NodeTransformer):
    """Puts `__tick__(n)` at the start of the body of the n-th loop."""

    def __init__(self, begin: int):
        self.begin = begin
        self.loops: list[Loop] = []

    def _loop(self, node):
        number = self.begin + len(self.loops)
        self.loops.append(Loop(node.lineno, node.end_lineno))
        self.generic_visit(node)
        tick = ast.parse(f"{TICK}({number})").body[0]
        for part in ast.walk(tick):
            ast.copy_location(part, node)
        node.body.insert(0, tick)
        return node

    visit_For = visit_While = _loop


def find(code: CodeType, name: str) -> CodeType | None:
    """Return the code object called `name` inside another one."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found = constant if constant.co_name == name else find(constant, name)
            if found:
                return found
    return None


def fingerprint(code: CodeType) -> tuple:
    """Return what equal sources share, however their modules import names (calls may differ)."""
    operations = [
        (i.opname, i.argrepr, i.positions.lineno if i.positions else None)
        for i in dis.get_instructions(code)
        if i.opname.startswith(("BINARY", "COMPARE", "UNARY", "LOAD_CONST", "LOAD_SMALL_INT"))
        and not isinstance(i.argval, CodeType)
    ]
    return code.co_firstlineno, code.co_varnames, sorted(code.co_names), operations


@lru_cache(maxsize=256)
def with_ticks(code: CodeType, begin: int) -> tuple[CodeType, tuple[Loop, ...]] | None:
    """Compile a function's source again with its loops counted from number `begin`.

    Returns
    -------
    (code, loops), or None when there is no source or it has changed since the function was compiled.
    """
    try:
        lines, first = inspect.getsourcelines(code)
        # an enclosing function keeps the indentation, and makes the free variables free again
        head = f"def outer({', '.join(code.co_freevars)}):\n" if lines[0][:1].isspace() else "\n"
        tree = ast.parse(head + "".join(lines))
    except (OSError, TypeError, SyntaxError, tokenize.TokenError):
        return None
    ast.increment_lineno(tree, first - 2)
    flags = code.co_flags & COMPILER_FLAGS

    def build():
        made = compile(tree, code.co_filename, "exec", flags=flags, dont_inherit=True)
        return find(made, code.co_name)

    plain = build()
    if plain is None or fingerprint(plain) != fingerprint(code):
        return None
    ticks = Ticks(begin)
    tree = ast.fix_missing_locations(Operators().visit(ticks.visit(tree)))
    return build(), tuple(ticks.loops)


def line_tracer(codes: dict[CodeType, int], tick):
    """Return a trace function that calls `tick` at each line of the given functions."""

    def local(frame, event, argument):
        if event == "line":
            tick()
        return local

    def trace(frame, event, argument):
        return local if frame.f_code in codes else None

    return trace
