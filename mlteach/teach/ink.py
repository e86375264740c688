"""Make a drawing look like a digit of MNIST: scaled to a box, centred by its mass."""

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

SIDE = 28  # pixels of a digit
BOX = 20  # what its ink fills, the longer way
CENTRE = 14  # the row and the column, counted from 0, that the mass of the ink lies on


def centred(drawing: ArrayLike) -> np.ndarray:
    """Scale and centre a drawing as the digits of MNIST were.

    The ink is cut out, scaled with soft edges until it just fills a box of 20 x 20, its shape kept, and moved
    by whole pixels until its centre of mass lies on pixel (14, 14) of 28 x 28. A digit of MNIST itself comes
    back as it was.

    Parameters
    ----------
    drawing : array_like of uint8 or bool, shape (rows, columns)
        0 is paper, 255 or True is ink.

    Returns
    -------
    ndarray, shape (28, 28), uint8
        Zeros where there is no ink.

    Raises
    ------
    ValueError
        Where the drawing has no two dimensions, or holds other numbers.
    """
    ink = grey(drawing)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    picture = np.zeros((SIDE, SIDE), np.uint8)
    if len(rows) == 0:
        return picture
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(BOX * length / max(ink.shape))) for length in ink.shape)
    ink = resized(ink, height, width)
    top, left = _start(ink.sum(axis=1)), _start(ink.sum(axis=0))
    picture[top : top + height, left : left + width] = ink
    return picture


def grey(drawing: ArrayLike) -> np.ndarray:
    """Return a drawing in uint8, with 255 where it was True; another array is a ValueError."""
    drawing = np.asarray(drawing)
    if drawing.ndim != 2 or drawing.dtype not in (np.uint8, np.bool_):
        raise ValueError(
            f"a drawing is uint8 or bool of shape (rows, columns), not {drawing.dtype} of {drawing.shape}"
        )
    return drawing if drawing.dtype == np.uint8 else drawing * np.uint8(255)


def resized(image: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Enlarge or reduce a uint8 image to (rows, columns), with soft edges."""
    return np.asarray(Image.fromarray(image).resize((columns, rows), Image.Resampling.BILINEAR))


def _start(ink: np.ndarray) -> int:
    """Where a row or column of sums begins, so that its mass lies on the centre and all of it is inside."""
    total = ink.sum(dtype=np.float64)
    mean = ink @ np.arange(len(ink), dtype=np.float64) / total if total else len(ink) / 2
    return int(np.clip(round(CENTRE - mean), 0, SIDE - len(ink)))
