"""The two kernels of the talk's training iteration over raw pixels.

`sweep` reads each pixel twice, once for the scores of its image and once for the gradient, and never makes
the features: `pixel / 255 + 0.5` is one multiply-add on the way. `update` adds up what the blocks found and
takes the step.
"""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, float32, int32, uint8

from mlteach.gpu.intrinsics import load4
from mlteach.gpu.launch import jit_for

PIXELS, CLASSES = 784, 10
WORDS = PIXELS // 4  # four pixels travel as one 32-bit word
TOGETHER = 4  # images of a warp: a weight from shared memory then serves four sums
WARPS = 7  # the fewest that have a lane for each of the 196 words of an image
THREADS = 32 * WARPS
IMAGES = TOGETHER * WARPS  # of a tile, which a block works on at a time
COLUMNS = 12  # errors of an image, ten, in rows that begin at a multiple of 16 bytes
ADDED, GROUPS = 32, 8  # numbers that a block of `update` makes, and threads that add up one of them
FULL = 0xFFFFFFFF  # all lanes of a warp
SCALE, SHIFT = float32(1 / 255), float32(0.5)


@cuda.jit(device=True, inline="always")
def feature(word, e):
    """Return pixel e of a word as the feature that the talk makes of it."""
    return float32(uint8(word >> (8 * e))) * SCALE + SHIFT


@cuda.jit(device=True, inline="always")
def halve(a, b, upper, distance):
    """Add up over the halves of a warp: lower lanes get the sum of the a's, upper ones that of the b's."""
    kept, given = (b, a) if upper else (a, b)
    return kept + cuda.shfl_xor_sync(FULL, given, distance)


@cuda.jit(device=True, inline="always")
def score(words, weights, theta, first, scores):
    """Write the scores of a tile of images, four by each warp: every lane adds up its words' part."""
    s = cuda.local.array((TOGETHER, CLASSES), float32)
    x = cuda.local.array((TOGETHER, 4), float32)
    lane, image = cuda.threadIdx.x % 32, cuda.threadIdx.x // 32 * TOGETHER
    for i in range(TOGETHER):
        for c in range(CLASSES):
            s[i, c] = 0
    q = lane if first + image < words.shape[0] else WORDS  # a warp without images has nothing to add
    while q < WORDS:
        for i in range(TOGETHER):
            word = words[min(first + image + i, words.shape[0] - 1), q]
            for e in range(4):
                x[i, e] = feature(word, e)
        for c in range(CLASSES):
            w = load4(weights, c, 4 * q)
            for i in range(TOGETHER):
                s[i, c] = s[i, c] + x[i, 0] * w[0] + x[i, 1] * w[1] + x[i, 2] * w[2] + x[i, 3] * w[3]
        q += 32
    for c in range(CLASSES):  # first eight lanes for each image, then one sum in all of them
        s[0, c] = halve(s[0, c], s[2, c], lane & 16, 16)
        s[1, c] = halve(s[1, c], s[3, c], lane & 16, 16)
        s[0, c] = halve(s[0, c], s[1, c], lane & 8, 8)
        s[0, c] += cuda.shfl_xor_sync(FULL, s[0, c], 4)
        s[0, c] += cuda.shfl_xor_sync(FULL, s[0, c], 2)
        s[0, c] += cuda.shfl_xor_sync(FULL, s[0, c], 1)
    if lane % 8 == 0:
        for c in range(CLASSES):
            scores[image + lane // 16 * 2 + lane // 8 % 2, c] = s[0, c] + float32(theta[0, c])


@cuda.jit(device=True, inline="always")
def judge(labels, scores, first, errors):
    """Write the errors of a tile, and return whether this thread's image was answered rightly."""
    t, count, right = cuda.threadIdx.x, labels.shape[0], False
    if t < IMAGES and first + t < count:
        best = 0
        for c in range(1, CLASSES):
            if scores[t, c] > scores[t, best]:
                best = c
        right = best == labels[first + t]
    for e in range(t, IMAGES * CLASSES, THREADS):
        i, c = e // CLASSES, e % CLASSES
        if first + i < count:
            certainty = float32(1) / (float32(1) + math.exp(-scores[i, c]))
            errors[i, c] = certainty - float32(labels[first + i] == c)
        else:
            errors[i, c] = 0
    return right


@cuda.jit(device=True, inline="always")
def add_gradient(words, errors, first, g):
    """Add feature times error of a tile's images to the gradient of this thread's four pixels."""
    i = 0
    while i < IMAGES and first + i < words.shape[0]:
        word = words[first + i, cuda.threadIdx.x]
        y, z = load4(errors, i, 0), load4(errors, i, 4)
        for e in range(4):
            f = feature(word, e)
            for c in range(4):
                g[e, c] += f * y[c]
                g[e, c + 4] += f * z[c]
            g[e, 8] += f * errors[i, 8]
            g[e, 9] += f * errors[i, 9]
        i += 1


@jit_for(THREADS)
def sweep(words, labels, theta, partial, right):
    """Find the gradient and the right answers of a block's images.

    Idea: a thread keeps the gradient of four pixels in registers, while tile after tile of images passes.
    Limit: the FMA units. Each pixel costs twenty multiply-adds, and two conversions from a byte.

    Parameters
    ----------
    words : uint32 array, shape (N, 196)
        The pixels, four to a word.
    labels : uint8 array, shape (N,)
    theta : float64 array, shape (785, 10)
    partial : float32 array, shape (blocks, 785, 10)
        Where each block writes its sum of feature times error.
    right : int32 array, shape (blocks, 28)
        Where each block writes how many of its images were answered rightly, 28 sums.
    """
    weights = cuda.shared.array((CLASSES, PIXELS), float32)
    scores = cuda.shared.array((IMAGES, CLASSES), float32)
    errors = cuda.shared.array((IMAGES, COLUMNS), float32)
    g = cuda.local.array((4, CLASSES), float32)
    t, block = cuda.threadIdx.x, cuda.blockIdx.x
    for e in range(t, PIXELS * CLASSES, THREADS):
        weights[e % CLASSES, e // CLASSES] = theta[1 + e // CLASSES, e % CLASSES]
    for e in range(4):
        for c in range(CLASSES):
            g[e, c] = 0
    bias, found = float32(0), int32(0)
    first = block * IMAGES
    while first < words.shape[0]:
        cuda.syncthreads()  # the weights are there, and the errors of the tile before have been used
        score(words, weights, theta, first, scores)
        cuda.syncthreads()
        found += judge(labels, scores, first, errors)
        cuda.syncthreads()
        if t < WORDS:
            add_gradient(words, errors, first, g)
        elif t < WORDS + CLASSES:
            for i in range(IMAGES):
                bias += errors[i, t - WORDS]
        first += cuda.gridDim.x * IMAGES
    if t < WORDS:
        for e in range(4):
            for c in range(CLASSES):
                partial[block, 1 + 4 * t + e, c] = g[e, c]
    elif t < WORDS + CLASSES:
        partial[block, 0, t - WORDS] = bias
    if t < IMAGES:
        right[block, t] = found


@cuda.jit
def update(partial, right, theta, rate, accuracies, iteration):
    """Add up what the blocks of `sweep` found, and take the step.

    Idea: eight threads add up one number, each the finds of every eighth block, so that their loads overlap.
    Limit: the launch. The work itself takes less time than starting it.

    Parameters
    ----------
    partial, right
        What `sweep` wrote.
    theta : float64 array, shape (785, 10)
        The weights, changed in place.
    rate : float64
        The step size divided by the number of images.
    accuracies : float64 array
        Where the count of right answers goes, at `iteration`.
    """
    sums = cuda.shared.array((GROUPS, ADDED), np.float64)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    n = cuda.blockIdx.x * ADDED + x
    row, c = n // CLASSES, n % CLASSES
    total = 0.0
    if row < theta.shape[0]:
        for block in range(y, partial.shape[0], cuda.blockDim.y):
            total += partial[block, row, c]
    sums[y, x] = total
    cuda.syncthreads()
    if y == 0 and row < theta.shape[0]:
        for group in range(1, cuda.blockDim.y):
            total += sums[group, x]
        theta[row, c] -= rate * total
    if cuda.blockIdx.x == 0 and y == 0:
        found = 0
        for e in range(x, right.size, ADDED):
            found += right[e // right.shape[1], e % right.shape[1]]
        cuda.atomic.add(accuracies, iteration, found)
