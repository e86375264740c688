"""A line of pixels: which bytes it has, and how they become vectors of numbers.

A vector holds the same pixel of neighbouring images, and a *line*, which one step of a loop reads, `DEPTH`
neighbouring pixels of `IMAGES` images, a byte each.

To turn a byte into a float32 takes two instructions, one to widen and one to convert, and on Intel's
processors both wait for the ports that multiply. With vectors of 512 bits it is one here: the eight bits
replace bits of the number 256 that count ones. What comes of it is 256 plus the pixel, so every sum is too
large by 256 times all weights, or all errors. Those are added up beside, and taken off at the end.
"""

from llvmlite import ir

from mlteach.matmul.vector_ir import BYTE, LANE, PROCESSOR, at

LANES = PROCESSOR.width // 4  # images whose scores one vector holds
# With several vectors of images in a line, a weight in a register meets all of them; with several pixels, an
# error does. That spares the ports for loads, and takes VECTORS or DEPTH registers of sums for each class.
# More than CLASSES go in groups, also because the errors of a block must stay in the first-level cache.
if PROCESSOR.registers == 32:
    VECTORS, DEPTH, CLASSES = 2, 2, 12  # 24 registers for sums, and 4 for pixels
else:
    VECTORS, DEPTH, CLASSES = 1, 1, 12  # 12, and 1 for pixels
IMAGES = VECTORS * LANES
LINE = DEPTH * IMAGES  # bytes
CACHE_LINE = 64

# From one vector of a line to the next it is VECTOR_STEP bytes, from lane to lane LANE_STEP. With a base, the
# vectors share every four bytes: loaded from a byte further on, the next one's pixel lies in the same bits.
# SHIFT is how many bits further up than the bytes all lines lie, for these to be the bits that count ones.
if PROCESSOR.width == 64:
    BASE, SHIFT, VECTOR_STEP, LANE_STEP = 256, 15, 1, VECTORS * DEPTH
else:
    BASE, SHIFT, VECTOR_STEP, LANE_STEP = 0, 0, LANES, 1
PIXEL_BITS, BASE_BITS = 0xFF << SHIFT, 0x43800000  # of four bytes, and of the number 256


def vectors_of(builder, lanes, line) -> list[list]:
    """Write the code that reads a line.

    Returns
    -------
    list of lists of vectors
        For each of its pixels, the vectors of the images; all numbers are the pixels plus `BASE`.
    """
    dwords = ir.VectorType(LANE, lanes.count)
    pixel, base = (ir.Constant(dwords, [bits] * lanes.count) for bits in (PIXEL_BITS, BASE_BITS))

    def vector(i):
        start = at(builder, line, i * VECTOR_STEP)
        if not BASE:
            narrow = builder.load(start, typ=ir.VectorType(BYTE, lanes.count), align=1)
            return builder.uitofp(narrow, lanes.vector)
        bits = builder.and_(builder.load(start, typ=dwords, align=1), pixel)
        return builder.bitcast(builder.or_(bits, base), lanes.vector)

    return [[vector(p * VECTORS + v) for v in range(VECTORS)] for p in range(DEPTH)]
