"""The two inner loops of the fused step, in vector instructions: scores of images, sums of a pixel.

Each lane follows one image, so a weight serves all lanes, and nothing is added across lanes until a block of
images is done.
"""

from llvmlite import ir
from numba.extending import overload

from mlteach.learn.fused.pixels import BASE, DEPTH, IMAGES, LANES, LINE, VECTORS, vectors_of
from mlteach.matmul.vector_ir import INDEX, LANE, POINTER, at, emitted, index, repeat, spread

TOTALS = LANES if BASE else 0  # numbers after the errors of a chunk: the sums of those of each class
FETCHED = LINE // 2  # bytes of the next block to send for with each line of either loop
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


@per_class
@emitted
def forward(builder, lanes, arguments, classes):
    """Score the images of one chunk for one group of classes, answer, and say how wrong each score is.

    A score is the sum of weight times pixel over the lines of the chunk. The arguments are the number of
    lines, the lines, what to send for meanwhile, the place of each line (uint16), the weights (a row of
    `classes` numbers for each pixel of a place; a vector is read from where each row begins), the labels
    (int32; below 0 where there is no image), the number of the first class, the best score so far and its
    class (int32), and where the scores and the errors go. What follows the weights has a line of numbers for
    each class, or just one line.
    """
    count, lines, ahead, places, weights, labels, number, best, answers, scores, errors = (
        x if i in (0, 6) else builder.inttoptr(x, POINTER) for i, x in enumerate(arguments)
    )

    def step(carried):
        line, ahead, place, weight_sums, *sums = carried
        lanes.prefetch(builder, ahead, level=2)
        row = builder.zext(builder.load(place, typ=SHORT, align=2), INDEX)
        row = at(builder, weights, builder.mul(row, index(DEPTH * classes * lanes.size)))
        for p, pixels in enumerate(vectors_of(builder, lanes, line)):
            for j in range(classes):
                weight = at(builder, row, (p * classes + j) * lanes.size)
                weight = builder.load(weight, typ=lanes.number, align=lanes.size)
                weight = spread(builder, weight, lanes.count)
                for v, x in enumerate(pixels):
                    t = j * VECTORS + v
                    sums[t] = lanes.multiply_add(builder, x, weight, sums[t])
            if BASE:
                all_weights = lanes.load(builder, at(builder, row, p * classes * lanes.size))
                weight_sums = builder.fadd(weight_sums, all_weights)
        moved = (at(builder, x, step) for x, step in ((line, LINE), (ahead, FETCHED), (place, 2)))
        return [*moved, weight_sums, *sums]

    start = [lines, ahead, places, lanes.zero, *[lanes.zero] * (classes * VECTORS)]
    _, _, _, weight_sums, *sums = repeat(builder, count, start, step)
    if BASE:
        for t, total in enumerate(sums):
            weight = spread(builder, builder.extract_element(weight_sums, index(t // VECTORS)), lanes.count)
            sums[t] = lanes.multiply_add(builder, weight, constant(lanes, -BASE), total)
    _judge(builder, lanes, sums, builder.trunc(number, LANE), labels, best, answers, scores, errors)


def constant(lanes, value):
    """A vector of equal numbers."""
    return ir.Constant(lanes.vector, [value] * lanes.count)


def _judge(builder, lanes, sums, first, labels, best, answers, scores, errors):
    """Write scores and errors of a group of classes, and keep the best score of each image with its class."""
    whole = ir.VectorType(LANE, lanes.count)
    classes = len(sums) // VECTORS
    totals = [lanes.zero] * classes
    for v in range(VECTORS):
        label, answer = (
            builder.load(at(builder, x, v * lanes.width), typ=whole, align=4) for x in (labels, answers)
        )
        here = builder.icmp_signed(">=", label, ir.Constant(whole, None))
        top = lanes.load(builder, at(builder, best, v * lanes.width))
        for j, score in enumerate(sums[v::VECTORS]):
            offset = (j * VECTORS + v) * lanes.width
            lanes.store(builder, score, at(builder, scores, offset))
            this = spread(builder, builder.add(first, ir.Constant(LANE, j)), lanes.count)
            better = builder.fcmp_ordered(">", score, top)
            top, answer = builder.select(better, score, top), builder.select(better, this, answer)
            wanted = builder.uitofp(builder.icmp_signed("==", label, this), lanes.vector)
            error = builder.fsub(_sigmoid(builder, lanes, score), wanted)
            error = builder.select(here, error, lanes.zero)
            lanes.store(builder, error, at(builder, errors, offset))
            totals[j] = builder.fadd(totals[j], error)
        lanes.store(builder, top, at(builder, best, v * lanes.width))
        builder.store(answer, at(builder, answers, v * lanes.width), align=4)
    if BASE:
        (folded,) = fold(builder, lanes, totals)
        lanes.store(builder, folded, at(builder, errors, classes * VECTORS * lanes.width))


def _sigmoid(builder, lanes, score):
    """1 / (1 + exp(-score)) within 2e-7: half of 1 + tanh(score / 2), with tanh as Eigen computes it."""

    def polynomial(x, coefficients):
        total = constant(lanes, coefficients[0])
        for coefficient in coefficients[1:]:
            total = lanes.multiply_add(builder, total, x, constant(lanes, coefficient))
        return total

    half = constant(lanes, 0.5)
    x = builder.fmul(score, half)
    for sign, end in (("<", TANH_END), (">", -TANH_END)):
        x = builder.select(builder.fcmp_ordered(sign, x, constant(lanes, end)), x, constant(lanes, end))
    square = builder.fmul(x, x)
    above = builder.fmul(x, polynomial(square, TANH_ABOVE))
    tanh = builder.fdiv(above, polynomial(square, TANH_BELOW))
    return lanes.multiply_add(builder, tanh, half, half)


@per_class
@emitted
def backward(builder, lanes, arguments, classes):
    """Add to the sums of one place: pixel times error, over the lines of a block that lie there.

    The arguments are the number of lines, their entries (uint32), the lines of the block, what to send for
    meanwhile, the errors (for each chunk a line of numbers for each class, and `TOTALS`), and the sums
    (float64, one for each class).
    """
    count, entries, lines, ahead, errors, sums = (
        x if i == 0 else builder.inttoptr(x, POINTER) for i, x in enumerate(arguments)
    )
    low = ir.Constant(LANE, (1 << 32 - CHUNK_BITS) - 1)
    size = (classes * IMAGES + TOTALS) * lanes.size  # bytes of the errors of a chunk

    def step(carried):
        entry, ahead, error_sums, *totals = carried
        lanes.prefetch(builder, ahead, level=2)
        both = builder.load(entry, typ=LANE, align=4)
        number = builder.zext(builder.and_(both, low), INDEX)
        chunk = builder.zext(builder.lshr(both, ir.Constant(LANE, 32 - CHUNK_BITS)), INDEX)
        pixels = vectors_of(builder, lanes, at(builder, lines, builder.mul(number, index(LINE))))
        error = at(builder, errors, builder.mul(chunk, index(size)))
        for j in range(classes):
            for v in range(VECTORS):
                wrong = lanes.load(builder, at(builder, error, (j * VECTORS + v) * lanes.width))
                for p in range(DEPTH):
                    t = p * classes + j
                    totals[t] = lanes.multiply_add(builder, pixels[p][v], wrong, totals[t])
        if BASE:
            all_errors = lanes.load(builder, at(builder, error, classes * VECTORS * lanes.width))
            error_sums = builder.fadd(error_sums, all_errors)
        return [at(builder, entry, 4), at(builder, ahead, FETCHED), error_sums, *totals]

    start = [entries, ahead, lanes.zero, *[lanes.zero] * (DEPTH * classes)]
    _, _, error_sums, *totals = repeat(builder, count, start, step)
    wide = ir.VectorType(ir.DoubleType(), lanes.count)
    folded = [x for p in range(DEPTH) for x in fold(builder, lanes, totals[p * classes : (p + 1) * classes])]
    for i, total in enumerate(folded):
        if BASE:
            total = lanes.multiply_add(builder, error_sums, constant(lanes, -BASE), total)
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
