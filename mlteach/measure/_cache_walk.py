"""The compiled half of the cache simulator; ``cache.py`` is the door to it."""

from numba import njit

from mlteach.matmul.interrupts import keep_while_compiling

keep_while_compiling()


@njit(nogil=True, cache=True, error_model="numpy")
def touch(address, column, geometry, lines, misses):
    """Use one address: a level that lacks its line takes it in, counts a miss and asks the next level.

    A set is a stretch of `lines`, the one used last in front. The line asked for goes to the front and those
    that it passes move back by one: up to the place where it was, or off the end, which is LRU.
    """
    for level in range(geometry.shape[0]):
        line = address >> geometry[level, 0]
        ways = geometry[level, 2]
        front = geometry[level, 3] + line % geometry[level, 1] * ways
        moved = line
        for place in range(front, front + ways):
            moved, lines[place] = lines[place], moved
            if moved == line:
                return
        misses[level, column] += 1


@njit(nogil=True, cache=True, error_model="numpy")
def walk(addresses, geometry, lines, misses):
    """Use the addresses in turn."""
    for address in addresses:
        touch(address, 0, geometry, lines, misses)


@njit(nogil=True, cache=True, error_model="numpy")
def nest(first, last, tiles, starts, strides, geometry, lines, misses):
    """Run the steps of three loops from `first` up to `last`, in tiles.

    `first`, `last` and `tiles` are tuples of three, outermost loop first, which stay in registers (arrays
    cost a tenth more); array number r begins at the byte `starts[r]` and moves by `strides[r, s]` bytes with
    a step of loop s. The element of `out` is used once, not twice: the write follows its own read, finds the
    line in front of its set, and changes nothing.
    """
    for x0 in range(first[0], last[0], tiles[0]):
        for y0 in range(first[1], last[1], tiles[1]):
            for z0 in range(first[2], last[2], tiles[2]):
                for x in range(x0, min(x0 + tiles[0], last[0])):
                    for y in range(y0, min(y0 + tiles[1], last[1])):
                        for z in range(z0, min(z0 + tiles[2], last[2])):
                            for r in range(3):
                                moved = x * strides[r, 0] + y * strides[r, 1] + z * strides[r, 2]
                                touch(starts[r] + moved, r, geometry, lines, misses)
