"""The micro-kernel: a small tile of the result, with all its sums in registers."""

from mlteach.matmul.vector_ir import PROCESSOR, at, emitted, index, pointers, repeat

# A tile of MR rows by NV vectors needs MR * NV registers for its sums, NV for a row of `b` and one for a
# number of `a`. Few rows and many vectors load less per multiply-add, and want `a` packed; read where it
# lies, `a` costs less per row when there are many.
if PROCESSOR.registers == 32:
    # Arm's loads know no second stride: each row of `a` needs a pointer, and there are registers for ten.
    MR, NV = (12, 2) if PROCESSOR.width == 64 else (10, 2)  # 24 + 2 + 1 or 20 + 2 + 1 registers
    PACKED_MR, PACKED_NV = 8, 3  # 24 + 3 + 1
else:
    MR, NV = PACKED_MR, PACKED_NV = 6, 2  # 12 + 2 + 1 of 16
UNROLL = 4  # steps written out one after another, so that counting them costs a quarter
LINE = 64  # bytes that a prefetch brings


@emitted
def micro(builder, lanes, arguments, rows, vectors, packed, panel=None):
    """Write or add a tile of `out`: `rows` rows of `a` times a packed panel of `b`.

    Made for the rows and vectors of a tile, and whether `a` is packed (its `rows` numbers of each step next
    to each other) or read where it lies (the numbers of each row next to each other). Where the panel has
    more vectors than the tile, `panel` says how many, and the first are used. The arguments are k,
    a, the stride of its rows, b, out, the stride of its rows, the rows and columns of `out` that exist,
    whether to add to what is there, and what to prefetch, a line every few steps.
    """
    k, a, a_row, b, out, out_row, m, n, add, ahead = arguments
    a, b, out, ahead = pointers(builder, (a, b, out, ahead))
    lines = [at(builder, out, builder.mul(index(i), out_row)) for i in range(rows)]
    for line in lines:
        for v in range(vectors):
            lanes.prefetch(builder, at(builder, line, v * lanes.width), level=1)

    # An instruction can address a pointer plus one or two strides: every third row has a pointer of its own.
    strides = [index(0), a_row, builder.mul(index(2), a_row)]
    starts = [a]
    while not packed and 3 * len(starts) < rows:
        starts.append(at(builder, starts[-1], builder.mul(index(3), a_row)))

    def number(places, i, u):
        """Where row i of `a` has its number of step u."""
        if packed:
            return at(builder, places[0], (u * rows + i) * lanes.size)
        return at(builder, at(builder, places[i // 3], strides[i % 3]), u * lanes.size)

    # Packed, a line every few steps brings the next panel of `b` while this one serves a block of `a`. In
    # place, as much of `a` is fetched as is used, so the next rows come while these are used.
    fetched = 1 if packed else rows * UNROLL * lanes.size // LINE

    def steps(unroll):
        def step(carried):
            ahead, b, *rest = carried
            places, sums = rest[: len(starts)], rest[len(starts) :]
            if unroll > 1:
                for line in range(fetched):
                    lanes.prefetch(builder, at(builder, ahead, line * LINE), level=2)
                ahead = at(builder, ahead, fetched * LINE)
            for u in range(unroll):
                row = [lanes.load(builder, at(builder, b, v * lanes.width)) for v in range(vectors)]
                b = at(builder, b, (panel or vectors) * lanes.width)
                for i in range(rows):
                    x = lanes.broadcast(builder, number(places, i, u))
                    for v in range(vectors):
                        t = i * vectors + v
                        sums[t] = lanes.multiply_add(builder, x, row[v], sums[t])
            moved = unroll * lanes.size * (rows if packed else 1)
            return [ahead, b, *(at(builder, place, moved) for place in places), *sums]

        return step

    carried = [ahead, b, *starts, *[lanes.zero] * (rows * vectors)]
    carried = repeat(builder, builder.sdiv(k, index(UNROLL)), carried, steps(UNROLL))
    carried = repeat(builder, builder.srem(k, index(UNROLL)), carried, steps(1))
    _write(builder, lanes, carried[2 + len(starts) :], lines, m, n, add)


def _write(builder, lanes, sums, lines, m, n, add):
    """Write the sums to the lines of `out`, of which m exist, up to column n."""
    rows, vectors = len(lines), len(sums) // len(lines)
    grow = builder.icmp_signed("!=", add, index(0))

    def write(i, masks):
        for v, mask in enumerate(masks):
            pointer = at(builder, lines[i], v * lanes.width)
            old = builder.select(grow, lanes.load(builder, pointer, mask), lanes.zero)
            lanes.store(builder, builder.fadd(sums[i * vectors + v], old), pointer, mask)

    whole = builder.and_(
        builder.icmp_signed("==", m, index(rows)),
        builder.icmp_signed("==", n, index(vectors * lanes.count)),
    )
    inner, edge, done = (builder.append_basic_block(name) for name in ("inner", "edge", "done"))
    builder.cbranch(whole, inner, edge)
    builder.position_at_end(inner)
    for i in range(rows):
        write(i, [None] * vectors)
    builder.branch(done)
    builder.position_at_end(edge)
    masks = lanes.masks(builder, n, vectors)
    for i in range(rows):
        write(i, masks)
        next_row = builder.append_basic_block("row") if i + 1 < rows else done
        builder.cbranch(builder.icmp_signed(">", m, index(i + 1)), next_row, done)
        builder.position_at_end(next_row)
