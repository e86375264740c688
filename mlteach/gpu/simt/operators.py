"""Operators that Python and NumPy give another sense than Numba, replaced where a kernel is compiled again.

Small literals, sizes and indices are Python integers, which are fast and do not wrap. A sum or a product of
them stays small; shifts, as of a random number seeded with the place of a thread, must not. The sum of two
comparisons counts them, where NumPy's is true or false.
"""

from __future__ import annotations

import ast
import operator

import numpy as np

from mlteach.gpu.simt.integers import BITS, Unsigned, signed

SHIFT, COUNT = "__shift__", "__count__"  # the global names of `shift_left` and of Python's int in a kernel


class Operators(ast.NodeTransformer):
    """Puts `__shift__(a, b)` for `a << b`, also for `a <<= b`, and counts comparisons in a sum."""

    def _expression(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.LShift):
            return _call(SHIFT, node.left, node.right)
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            node.left, node.right = map(_counted, (node.left, node.right))
        return node

    def _statement(self, node):
        self.generic_visit(node)
        if not isinstance(node.op, ast.LShift) or not isinstance(node.target, ast.Name):
            return node  # an element of an array has 64 bits already
        value = _call(SHIFT, ast.Name(node.target.id, ast.Load()), node.value)
        return ast.copy_location(ast.Assign([node.target], value), node)

    visit_BinOp, visit_AugAssign = _expression, _statement


def _call(name: str, first: ast.expr, *others: ast.expr) -> ast.Call:
    return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), [first, *others], []), first)


def _counted(node: ast.expr) -> ast.expr:
    return _call(COUNT, node) if isinstance(node, ast.Compare) else node


def shift_left(a, b):
    """Return `a << b` of 64 bits: as a Python integer if `a` is one, so that it stays a fast index."""
    if isinstance(a, (Unsigned, np.generic)):
        return a << b
    b = operator.index(b)
    return signed(a << b) if 0 <= b < BITS else 0


OPERATORS = {SHIFT: shift_left, COUNT: int}
