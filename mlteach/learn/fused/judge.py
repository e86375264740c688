"""What both ways of multiplying share: from scores to answers and errors, in vector instructions.

Each lane follows one image, so nothing is added across lanes until a block of images is done.
"""

from llvmlite import ir
from numba.extending import overload

from mlteach.learn.fused.layout import VECTORS
from mlteach.matmul.vector_ir import LANE, at, pointers, spread

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


def constant(lanes, value):
    """A vector of equal numbers."""
    return ir.Constant(lanes.vector, [value] * lanes.count)


def judge(builder, lanes, sums, arguments):
    """Write scores and errors of a group of classes, and keep the best score of each image with its class.

    The arguments are the labels (int32; below 0 where there is no image), the number of the first class, the
    best score so far and its class (int32), and where the scores and the errors go: a line of numbers for
    each class, and after the errors their totals, a number for each class, in whole vectors.
    """
    labels, first, *rest = arguments
    labels, best, answers, scores, errors = pointers(builder, (labels, *rest))
    first = builder.trunc(first, LANE)
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
    for i, total in enumerate(fold(builder, lanes, totals)):
        lanes.store(builder, total, at(builder, errors, (classes * VECTORS + i) * lanes.width))


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
