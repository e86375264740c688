"""The two inner loops of the fused step, in vector instructions: scores of images, sums of a pixel.

A vector holds the same pixel of neighbouring images. So each lane follows one image, a weight serves all
lanes, and nothing is added across lanes until a block of images is done. A *line* is what one step of a loop
reads: `DEPTH` neighbouring pixels of `IMAGES` images, a byte each.
"""

from llvmlite import ir
from numba.extending import overload

from mlteach.matmul.vector_ir import (
    BYTE,
    INDEX,
    LANE,
    POINTER,
    PROCESSOR,
    at,
    emitted,
    index,
    repeat,
    spread,
)

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

CHUNK_BITS = 12  # of an entry, the lower bits number a line of a block, and these upper ones its chunk
SHORT = ir.IntType(16)

# The hyperbolic tangent between -TANH_END and TANH_END, as Eigen has it: x times one polynomial of x squared,
# divided by another. Beyond, it is 1 or -1 in float32.
TANH_END = 7.90531110763549805
TANH_ABOVE = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
TANH_BELOW = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)


def per_class(make):
    """Let compiled code choose among the kernels that `make` makes, by the length of a tuple.

    The length of a tuple is part of its type, so Numba compiles, and keeps on disk, one version for each
    number of classes.
    """

    def call(tally, zero, arguments):
        raise NotImplementedError("only compiled code can call a kernel")

    @overload(call)
    def choose(tally, zero, arguments):
        kernel = make(len(tally))
        return lambda tally, zero, arguments: kernel(zero, arguments)

    return call


def _pixels(builder, lanes, pointer):
    """The vectors of one line, as numbers from 0 to 255: for each of its places, those of the images."""
    bytes_ = ir.VectorType(BYTE, lanes.count)

    def vector(i):
        return builder.uitofp(
            builder.load(at(builder, pointer, i * lanes.count), typ=bytes_, align=1), lanes.vector
        )

    return [[vector(p * VECTORS + v) for v in range(VECTORS)] for p in range(DEPTH)]


@per_class
@emitted
def forward(builder, lanes, arguments, classes):
    """Score the images of one chunk for one group of classes, answer, and say how wrong each score is.

    A score is the sum of weight times pixel over the lines of the chunk. The arguments are the number of
    lines, the lines, the place of each (uint16), the weights (a row of `classes` numbers for each place), the
    labels (int32), the number of the first class, the best score so far and its class (int32), and where the
    scores and the errors go. All but the first four have a line of numbers for each class, or just one line.
    """
    count, lines, places, weights, labels, number, best, answers, scores, errors = (
        x if i in (0, 5) else builder.inttoptr(x, POINTER) for i, x in enumerate(arguments)
    )

    def step(carried):
        line, place, *sums = carried
        row = builder.zext(builder.load(place, typ=SHORT, align=2), INDEX)
        row = at(builder, weights, builder.mul(row, index(DEPTH * classes * lanes.size)))
        for p, pixels in enumerate(_pixels(builder, lanes, line)):
            for j in range(classes):
                weight = at(builder, row, (p * classes + j) * lanes.size)
                weight = builder.load(weight, typ=lanes.number, align=lanes.size)
                weight = spread(builder, weight, lanes.count)
                for v, x in enumerate(pixels):
                    t = j * VECTORS + v
                    sums[t] = lanes.multiply_add(builder, x, weight, sums[t])
        return [at(builder, line, LINE), at(builder, place, 2), *sums]

    start = [lines, places, *[lanes.zero] * (classes * VECTORS)]
    _, _, *sums = repeat(builder, count, start, step)
    _judge(builder, lanes, sums, builder.trunc(number, LANE), labels, best, answers, scores, errors)


def _judge(builder, lanes, sums, first, labels, best, answers, scores, errors):
    """Write scores and errors of a group of classes, and keep the best score of each image with its class."""
    whole = ir.VectorType(LANE, lanes.count)
    for v in range(VECTORS):
        label, answer = (
            builder.load(at(builder, x, v * lanes.width), typ=whole, align=4) for x in (labels, answers)
        )
        top = lanes.load(builder, at(builder, best, v * lanes.width))
        for j, score in enumerate(sums[v::VECTORS]):
            offset = (j * VECTORS + v) * lanes.width
            lanes.store(builder, score, at(builder, scores, offset))
            this = spread(builder, builder.add(first, ir.Constant(LANE, j)), lanes.count)
            better = builder.fcmp_ordered(">", score, top)
            top, answer = builder.select(better, score, top), builder.select(better, this, answer)
            wanted = builder.uitofp(builder.icmp_signed("==", label, this), lanes.vector)
            error = builder.fsub(_sigmoid(builder, lanes, score), wanted)
            lanes.store(builder, error, at(builder, errors, offset))
        lanes.store(builder, top, at(builder, best, v * lanes.width))
        builder.store(answer, at(builder, answers, v * lanes.width), align=4)


def _sigmoid(builder, lanes, score):
    """1 / (1 + exp(-score)) within 2e-7: half of 1 + tanh(score / 2), with tanh as Eigen computes it."""

    def number(value):
        return ir.Constant(lanes.vector, [value] * lanes.count)

    def polynomial(x, coefficients):
        total = number(coefficients[0])
        for coefficient in coefficients[1:]:
            total = lanes.multiply_add(builder, total, x, number(coefficient))
        return total

    x = builder.fmul(score, number(0.5))
    for sign, end in (("<", TANH_END), (">", -TANH_END)):
        x = builder.select(builder.fcmp_ordered(sign, x, number(end)), x, number(end))
    square = builder.fmul(x, x)
    above = builder.fmul(x, polynomial(square, TANH_ABOVE))
    tanh = builder.fdiv(above, polynomial(square, TANH_BELOW))
    return lanes.multiply_add(builder, tanh, number(0.5), number(0.5))


@per_class
@emitted
def backward(builder, lanes, arguments, classes):
    """Add to the sums of one place: pixel times error, over the lines of a block that lie there.

    The arguments are the number of lines, their entries (uint32), the lines of the block, the errors (for
    each chunk and class a line of numbers), the sums (float64, one for each class), and what to fetch for the
    next block meanwhile: from where, and how many lines of the cache.
    """
    count, entries, lines, errors, sums, ahead, fetched = (
        x if i in (0, 6) else builder.inttoptr(x, POINTER) for i, x in enumerate(arguments)
    )

    def fetch(carried):
        lanes.prefetch(builder, carried[0], level=2)
        return [at(builder, carried[0], CACHE_LINE)]

    repeat(builder, fetched, [ahead], fetch)
    low = ir.Constant(LANE, (1 << 32 - CHUNK_BITS) - 1)

    def step(carried):
        entry, *totals = carried
        both = builder.load(entry, typ=LANE, align=4)
        number = builder.zext(builder.and_(both, low), INDEX)
        chunk = builder.zext(builder.lshr(both, ir.Constant(LANE, 32 - CHUNK_BITS)), INDEX)
        pixels = _pixels(builder, lanes, at(builder, lines, builder.mul(number, index(LINE))))
        error = at(builder, errors, builder.mul(chunk, index(classes * VECTORS * lanes.width)))
        for j in range(classes):
            for v in range(VECTORS):
                wrong = lanes.load(builder, at(builder, error, (j * VECTORS + v) * lanes.width))
                for p in range(DEPTH):
                    t = p * classes + j
                    totals[t] = lanes.multiply_add(builder, pixels[p][v], wrong, totals[t])
        return [at(builder, entry, 4), *totals]

    _, *totals = repeat(builder, count, [entries, *[lanes.zero] * (DEPTH * classes)], step)
    wide = ir.VectorType(ir.DoubleType(), lanes.count)
    folded = [x for p in range(DEPTH) for x in fold(builder, lanes, totals[p * classes : (p + 1) * classes])]
    for i, total in enumerate(folded):
        target = at(builder, sums, i * lanes.count * 8)
        grown = builder.fadd(builder.fpext(total, wide), builder.load(target, typ=wide, align=8))
        builder.store(grown, target, align=8)


def fold(builder, lanes, vectors):
    """Add up the lanes of each vector, all vectors together: lane j of the result has the sum of vector j.

    Two vectors become one of twice as many half-done sums. Where the lane's number has bit `h`, it belongs to
    the second of the two; its other half comes from the lane whose number differs in that bit.
    """
    h = 1
    while h < lanes.count:
        if len(vectors) % 2:
            vectors = [*vectors, lanes.zero]
        own = [lane + (lanes.count if lane & h else 0) for lane in range(lanes.count)]
        halves = [[i ^ flip for i in own] for flip in (0, h)]
        masks = [ir.Constant(ir.VectorType(LANE, lanes.count), half) for half in halves]
        vectors = [
            builder.fadd(*(builder.shuffle_vector(x, y, mask) for mask in masks))
            for x, y in zip(vectors[::2], vectors[1::2], strict=True)
        ]
        h *= 2
    return vectors
