"""Which thread touches what: threads on a matrix, a warp on sectors, a tile on its banks."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle

from mlteach.gpu.simt import picture
from mlteach.gpu.simt.counts import BANK_BYTES, BANKS, SECTOR, WARP
from mlteach.gpu.simt.picture import WarpAccess
from mlteach.teach.plots.style import BLUE, CARD, FAINT, GREY, INK, headline, styled

FLOAT = 4  # bytes
EMPTY, DELIVERED, CLASH = "#ECEAE4", "#B5D5E8", picture.BAD_COLOUR
ROWS, COLUMNS = 32, 128  # of the matrix in the warp explorer: 16 sectors in a row

space_time = styled(picture.space_time)


@styled
def thread_map(
    ax: Axes, shape: tuple[int, int], grid: Sequence[int], block: Sequence[int], *, x_down: bool = False
) -> Axes:
    """Write into each cell of a matrix which thread of a grid takes it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    shape : (int, int)
        Rows and columns of the matrix; threads beyond it are drawn pale.
    grid, block : (int, int)
        Blocks of the grid and threads of a block, x first.
    x_down : bool
        Whether x runs down the rows, as after ``i, j = cuda.grid(2)``, or along them.

    Returns
    -------
    matplotlib.axes.Axes
    """
    flip = 1 if x_down else -1  # a pair (x, y) read this way is (row, column)
    height, width = block[::flip]
    rows, columns = grid[::flip][0] * height, grid[::flip][1] * width
    for i, j in np.ndindex(rows, columns):
        inside = i < shape[0] and j < shape[1]
        dark = (i // height + j // width) % 2
        colour = (DELIVERED if dark else EMPTY) if inside else CARD
        ax.add_patch(
            Rectangle((j, i), 1, 1, fc=colour, ec=CARD if inside else FAINT, lw=1, ls="-" if inside else ":")
        )
        x, y = (i % height, j % width)[::flip]
        ax.text(
            j + 0.5, i + 0.5, f"{x}, {y}", ha="center", va="center", size=9, color=INK if inside else GREY
        )
    for i, j in np.ndindex(rows // height, columns // width):
        ax.add_patch(Rectangle((j * width, i * height), width, height, fill=False, ec=BLUE, lw=1.6))
    ax.add_patch(Rectangle((0, 0), shape[1], shape[0], fill=False, ec=INK, lw=2.5))
    ax.set(xlim=(-0.1, columns + 0.1), ylim=(rows + 0.1, -0.1), aspect="equal")
    ax.set_xticks(np.arange(columns) + 0.5, range(columns))
    ax.set_yticks(np.arange(rows) + 0.5, range(rows))
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    spare = rows * columns - shape[0] * shape[1]
    words = f"{rows * columns} threads for {shape[0]} x {shape[1]} cells: {spare} have nothing to do"
    return headline(ax, words, x="column j; in each cell threadIdx.x, threadIdx.y", y="row i")


@styled
def warp_on_matrix(ax: Axes, access: WarpAccess, shape: tuple[int, int]) -> Axes:
    """Draw the elements of a matrix that a warp touches, and the sectors that memory delivers for them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    access : WarpAccess
        From ``picture.warp_access``, on an array of four-byte elements in row order.
    shape : (int, int)
        Of the matrix.

    Returns
    -------
    matplotlib.axes.Axes
    """
    touched, sectors = np.unique(access.offsets // FLOAT), picture.touched_sectors(access)
    cells = np.zeros(shape[0] * shape[1])
    for sector in sectors:
        cells[sector * SECTOR // FLOAT : (sector + 1) * SECTOR // FLOAT] = 1
    cells[touched] = 2
    _raster(ax, cells.reshape(shape), (EMPTY, DELIVERED, BLUE), SECTOR // FLOAT)
    used = f"{len(touched) * FLOAT / (len(sectors) * SECTOR):.0%} used" if len(touched) > 1 else "one element"
    title = f"{access.array}: {_several(len(sectors), 'sector')}, {used}"
    return headline(ax, title, x="column (dark: asked for, light: comes along)", y="row")


def block_warp(block_width: int, stride: int = 1, swap: bool = False) -> WarpAccess:
    """Lay the first warp of a block on a matrix of 32 x 128 floats.

    Parameters
    ----------
    block_width : int
        Threads of the block along x, 1 to 32.
    stride : int
        Columns from one thread's element to the next, 1 to 4.
    swap : bool
        Whether x runs down the rows.
    """
    lane = np.arange(WARP)
    across, down = lane % block_width, lane // block_width
    row, column = (across, down) if swap else (down, across)
    return WarpAccess("a", 0, 0, lane, (row * COLUMNS + column * stride) * FLOAT, FLOAT)


def block_warp_text(block_width: int, stride: int = 1, swap: bool = False) -> str:
    """Say in how many sectors the warp of `block_warp` lies."""
    sectors = len(picture.touched_sectors(block_warp(block_width, stride, swap)))
    way = "down the rows" if swap else "along the rows"
    return (
        f"Blocks {block_width} wide, stride {stride}, x {way}: 32 lanes touch {_several(sectors, 'sector')} "
        f"and use {WARP * FLOAT / (sectors * SECTOR):.0%} of what is delivered."
    )


def warp_explorer(ax: Axes, block_width: int = 32, stride: int = 1, swap: bool = False) -> Axes:
    """Draw the warp of `block_warp` on its matrix; for ``explore``."""
    return warp_on_matrix(ax, block_warp(block_width, stride, swap), (ROWS, COLUMNS))


@styled
def tile_on_banks(ax: Axes, access: WarpAccess, pitch: int = 32, bank: int = 0) -> Axes:
    """Draw a tile of shared memory, the elements that a warp touches, and those that lie in one bank.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    access : WarpAccess
        From ``picture.warp_access``, on a shared array of floats with 32 rows.
    pitch : int
        Elements in a row of the array, padding included.
    bank : int
        Which of the 32 banks to bring out.

    Returns
    -------
    matplotlib.axes.Axes
    """
    words = np.arange(BANKS * pitch)
    cells = (words % BANKS == bank).astype(int)
    counts = np.array([len(found) for found in picture.bank_words(access)])
    touched = np.unique(access.offsets // BANK_BYTES)
    cells[touched] = np.where(counts[touched % BANKS] > 1, 3, 2)
    _raster(ax, cells.reshape(BANKS, pitch), (EMPTY, "#F0C49B", BLUE, CLASH), pitch)
    used, most = np.count_nonzero(counts), counts.max()
    title = f"{pitch} wide: {_several(used, 'bank')}, {_several(most, 'word')} each"
    return headline(ax, title, x=f"column (orange: bank {bank})", y="row")


def _several(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _raster(ax: Axes, cells: np.ndarray, colours: Sequence[str], step: int) -> None:
    """Draw a matrix of small whole numbers as coloured cells, with a gap after `step` columns."""
    rows, columns = cells.shape
    ax.imshow(
        cells,
        cmap=ListedColormap(colours),
        vmin=0,
        vmax=len(colours) - 1,
        aspect="equal",
        interpolation="nearest",
    )
    ax.hlines(np.arange(1, rows) - 0.5, -0.5, columns - 0.5, color=CARD, lw=0.6)
    ax.vlines(np.arange(1, columns) - 0.5, -0.5, rows - 0.5, color=CARD, lw=0.3)
    ax.vlines(np.arange(step, columns, step) - 0.5, -0.5, rows - 0.5, color=CARD, lw=2)
    ax.set_xticks(range(0, columns, 8 if columns <= 40 else 16))
    ax.set_yticks(range(0, rows, 8))
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
