"""Why a matrix product is slow, how to make it fast, and what that buys.

The names below are imported when they are first used, so that ``import mlteach`` costs next to nothing::

    from mlteach import Matrix, product
    from mlteach.matmul import matmul
    from mlteach.mnist import load
"""

import importlib

__version__ = "0.1.0"

_HOMES = {
    "KERNELS": "matmul",
    "Matrix": "matrix",
    "concatenate_columns": "matrix",
    "concatenate_rows": "matrix",
    "dot": "matrix",
    "equals": "matrix",
    "from_function": "matrix",
    "minus": "matrix",
    "plus": "matrix",
    "product": "matrix",
    "using": "matrix",
    "zeros": "matrix",
}

__all__ = list(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'mlteach' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(importlib.import_module(f"mlteach.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
