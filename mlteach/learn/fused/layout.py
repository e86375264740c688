"""How the bytes of pixels lie in memory, as the multiplying instructions of the processor want them.

Two ways of multiplying share one layout:

- Where the processor has an instruction that multiplies four bytes by four and adds up the products, pixels
  stay bytes, and weights and errors are cut into bytes (`limbs`).
- Elsewhere pixels become float32 in registers (`floats`).

The images are cut into *chunks* of `IMAGES`. A *line* has `DEPTH` neighbouring pixels of all images of a
chunk, a *tile* has `LINES` neighbouring lines. The loop over images reads lines, the one over pixels tiles.
"""

import numpy as np
from llvmlite import ir

from mlteach.matmul.vector_ir import INDEX, LANE, PROCESSOR

PIXELS, SIDE = 784, 28
LANES = PROCESSOR.width // 4  # numbers of 32 bits in a vector
BYTE_DOTS = PROCESSOR.byte_dots  # which of the two ways
CACHE_LINE = 64

# SIDE_BY_SIDE pixels of an image come before the same pixels of the next image. The registers hold sums: for
# scores one for each vector of images, class and limb; for gradients one for each class and pixel, or, with
# limbs, for each class and limb. More than CLASSES go in groups, also because the errors of a block must stay
# in the first-level cache.
if BYTE_DOTS:
    IMAGES, SIDE_BY_SIDE, DEPTH, LINES, CLASSES = LANES, 4, 4, 4, 10  # 30 sums, and 1 vector of pixels
elif PROCESSOR.registers == 32:
    IMAGES, SIDE_BY_SIDE, DEPTH, LINES, CLASSES = 2 * LANES, 1, 2, 1, 12  # 24, and 4
else:
    IMAGES, SIDE_BY_SIDE, DEPTH, LINES, CLASSES = LANES, 1, 1, 1, 12  # 12, and 1
VECTORS = IMAGES // LANES
LINE = DEPTH * IMAGES  # bytes
TILE = LINES * DEPTH  # pixels
FETCHED = LINE // 2  # bytes of the next block that either loop sends for with each line


def columns(classes: int) -> int:
    """How many numbers there are where so many classes have one each, in whole vectors."""
    return -(-classes // LANES) * LANES


def error_count(classes: int) -> int:
    """The numbers in the errors of a chunk: one for each class and image, then the total of each class."""
    return classes * IMAGES + columns(classes)


# Which pixel is the first, the second, and so on: 4 x 4 pixels after 4 x 4, each in quarters of 2 x 2. What
# lies together on paper has ink together, so whole lines and tiles are blank.
ORDER = np.arange(PIXELS).reshape(7, 2, 2, 7, 2, 2).transpose(0, 3, 1, 4, 2, 5).ravel()

# An entry (uint32) names a line or a tile: which in memory, and in the upper bits its place or its chunk.
UPPER_BITS = 12


def split(builder, entry):
    """Write the code that reads an entry: its two numbers."""
    both = builder.load(entry, typ=LANE, align=4)
    lower = builder.and_(both, ir.Constant(LANE, (1 << 32 - UPPER_BITS) - 1))
    upper = builder.lshr(both, ir.Constant(LANE, 32 - UPPER_BITS))
    return builder.zext(lower, INDEX), builder.zext(upper, INDEX)


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Zeros that begin where a line of the cache does."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    space = np.zeros(size + CACHE_LINE, np.uint8)
    start = -space.ctypes.data % CACHE_LINE
    return space[start : start + size].view(dtype).reshape(shape)
