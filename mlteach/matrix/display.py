"""How a Matrix looks: in a terminal and in a notebook."""

import numpy as np

EDGE = 4  # rows or columns shown at each end of a large matrix


def as_text(array: np.ndarray) -> str:
    """A 2-D array as plain text, shortened in the middle."""
    numbers = np.array2string(array, precision=4, suppress_small=True, threshold=4 * EDGE**2, edgeitems=EDGE)
    return f"{_title(array)}\n{numbers}"


def as_html(array: np.ndarray) -> str:
    """A 2-D array as an HTML table, shortened in the middle, with its shape below."""
    rows, columns = (_shown(size) for size in array.shape)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(array, i, j)}</td>" for j in columns) + "</tr>" for i in rows
    )
    return f"<table>{body}</table><p>{_title(array)}</p>"


def _title(array: np.ndarray) -> str:
    rows, columns = array.shape
    return f"Matrix, {rows} x {columns}, {array.dtype}"


def _shown(size: int) -> list[int | None]:
    """The indices to show; None stands for those left out."""
    return list(range(size)) if size <= 2 * EDGE else [*range(EDGE), None, *range(size - EDGE, size)]


def _cell(array: np.ndarray, i: int | None, j: int | None) -> str:
    return "&hellip;" if i is None or j is None else f"{array[i, j]:.4g}"
