"""An immutable matrix whose programs read like the formulas they come from.

``minus(product(X, theta), y)`` and ``X @ theta - y`` say the same. Nothing that you can do to a ``Matrix``
changes it: every operation gives a new one. That is why a transpose or a slice can share the numbers of the
matrix that it came from, and why any number of threads may read it.

`matrix` has the class, `functions` the talk's words for its operators, `choice` the kernel that multiplies.
`checks` refuses what cannot be, `display` shows what is.
"""

from mlteach.matrix.choice import using
from mlteach.matrix.functions import (
    concatenate_columns,
    concatenate_rows,
    dot,
    equals,
    from_function,
    minus,
    plus,
    product,
    zeros,
)
from mlteach.matrix.matrix import Matrix

__all__ = [
    "Matrix",
    "concatenate_columns",
    "concatenate_rows",
    "dot",
    "equals",
    "from_function",
    "minus",
    "plus",
    "product",
    "using",
    "zeros",
]
