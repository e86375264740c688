"""Packing: copy a panel of a matrix so that the micro-kernel reads it from first to last.

A packed panel holds, step by step, the numbers that the micro-kernel needs at that step: for `b` some
vectors of them, for `a` one for each row of the tile. Past the edge of the matrix it holds zeros.
"""

from llvmlite import ir

from mlteach.matmul.vector_ir import LANE, at, emitted, index, pointers, repeat


@emitted
def pack_rows(builder, lanes, arguments, numbers, vectors):
    """Pack columns of a matrix whose rows lie in one piece: a copy.

    Made for the panel's width: so many numbers plus so many vectors. The arguments are the steps, the
    source, its stride from step to step, how many columns exist, and the target.
    """
    count = numbers + vectors * lanes.count
    k, source, stride, n, target = arguments
    source, target = pointers(builder, (source, target))
    vectors = -(-count // lanes.count)
    masks = lanes.masks(builder, n, vectors)
    stored = [None] * vectors
    if count % lanes.count:
        stored[-1] = ir.Constant(lanes.mask, [lane < count % lanes.count for lane in range(lanes.count)])

    def copy(masks):
        def step(carried):
            source, target = carried
            for v, mask in enumerate(masks):
                vector = lanes.load(builder, at(builder, source, v * lanes.width), mask)
                lanes.store(builder, vector, at(builder, target, v * lanes.width), stored[v])
            return [at(builder, source, stride), at(builder, target, count * lanes.size)]

        repeat(builder, k, [source, target], step)

    whole = builder.icmp_signed("==", n, index(vectors * lanes.count))
    with builder.if_else(whole) as (inner, edge):
        with inner:
            copy([None] * vectors)
        with edge:
            copy(masks)


@emitted
def pack_columns(builder, lanes, arguments, numbers, vectors):
    """Pack rows of a matrix whose rows lie in one piece: a transposition, a square of lanes at a time.

    Made for the panel's width: so many numbers plus so many vectors. The arguments are the steps, the
    source, its stride from row to row, how many rows exist, and the target. It stores whole vectors, so up
    to one vector behind the panel is overwritten.
    """
    count = numbers + vectors * lanes.count
    k, source, stride, m, target = arguments
    source, target = pointers(builder, (source, target))
    exists = [builder.icmp_signed("<", index(i), m) for i in range(count)]
    offsets = [
        builder.select(there, builder.mul(index(i), stride), index(0)) for i, there in enumerate(exists)
    ]

    def square(carried):
        source, target = carried
        for first in reversed(range(0, count, lanes.count)):  # what one stores too far, the next overwrites
            rows = [lanes.zero] * lanes.count
            for i in range(first, min(first + lanes.count, count)):
                row = lanes.load(builder, at(builder, source, offsets[i]))
                rows[i - first] = builder.select(exists[i], row, lanes.zero)
            for p, column in enumerate(_transpose(builder, rows)):
                lanes.store(builder, column, at(builder, target, (p * count + first) * lanes.size))
        moved = lanes.count * lanes.size
        return [at(builder, source, moved), at(builder, target, moved * count)]

    def single(carried):
        source, target = carried
        for i in range(count):
            x = builder.load(at(builder, source, offsets[i]), typ=lanes.number, align=lanes.size)
            x = builder.select(exists[i], x, ir.Constant(lanes.number, 0.0))
            builder.store(x, at(builder, target, i * lanes.size), align=lanes.size)
        return [at(builder, source, lanes.size), at(builder, target, count * lanes.size)]

    carried = repeat(builder, builder.sdiv(k, index(lanes.count)), [source, target], square)
    repeat(builder, builder.srem(k, index(lanes.count)), carried, single)


def _transpose(builder, rows: list) -> list:
    """The columns of a square of lanes: swap the off-diagonal parts of ever larger squares inside it."""
    count = len(rows)
    kind = ir.VectorType(LANE, count)
    distance = 1
    while distance < count:
        low = [lane ^ distance | count if lane & distance else lane for lane in range(count)]
        high = [lane | count if lane & distance else lane | distance for lane in range(count)]
        for i in range(count):
            if not i & distance:
                pair = rows[i], rows[i | distance]
                rows[i] = builder.shuffle_vector(*pair, ir.Constant(kind, low))
                rows[i | distance] = builder.shuffle_vector(*pair, ir.Constant(kind, high))
        distance *= 2
    return rows
