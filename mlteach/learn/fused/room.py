"""The way of multiplying that this processor takes, and the memory that a pass works in."""

import numpy as np

from mlteach.learn.fused import floats, limbs
from mlteach.learn.fused.layout import BYTE_DOTS, CLASSES, aligned, error_count
from mlteach.learn.fused.lines import CHUNKS, Lines

way = limbs if BYTE_DOTS else floats
NEVER = -1e30  # the score of a column that is no class
SHARES = 24  # of the blocks, each with sums of its own; many teams of threads divide them evenly


class Room:
    """Memory for the pass with a certain number of classes, which go in groups of at most `CLASSES`.

    Attributes
    ----------
    classes, groups, size : int
        How many classes, how many groups, and how many classes a group has; the last may have some to spare.
    cuts : ndarray of int64, shape (shares + 1,)
        The first block of each share of the work, and the end.
    weights : ndarray of uint8, shape (groups, bytes)
        As the way of multiplying has them.
    numbers : ndarray of float32, shape (groups, 2, size)
        What is added to the score of each class, and the scale of its weights.
    errors : ndarray of float32, shape (shares, groups, CHUNKS, numbers)
        The errors of a block as they come, the totals of each class after those of a chunk.
    settled : ndarray of uint8, shape (shares, groups, bytes)
        The errors as the way of multiplying has them.
    sums : ndarray of float64, shape (shares, groups, numbers)
        The gradient as the way of multiplying has it, and then the totals of the errors of each class.
    right : ndarray of int64, shape (shares,)
        How many answers are right.
    """

    def __init__(self, lines: Lines, classes: int):
        self.classes = classes
        self.groups = -(-classes // CLASSES)
        self.size = -(-classes // self.groups)
        blocks = len(lines.bounds)
        shares = min(SHARES, blocks)
        work = lines.bounds[:, 0] + CHUNKS * np.arange(blocks)  # a chunk costs as much as a tile
        total = len(lines.entries) + CHUNKS * blocks
        self.cuts = np.searchsorted(work, total * np.arange(shares + 1) / shares)
        self.weights = aligned((self.groups, way.weight_bytes(self.size)), np.uint8)
        self.numbers = aligned((self.groups, 2, self.size), np.float32)
        self.numbers[:, 0] = NEVER
        self.errors = aligned((shares, self.groups, CHUNKS, error_count(self.size)), np.float32)
        self.settled = aligned((shares, self.groups, way.error_bytes(self.size, CHUNKS)), np.uint8)
        self.sums = aligned((shares, self.groups, way.sum_count(self.size) + self.size), np.float64)
        self.right = np.zeros(shares, np.int64)
