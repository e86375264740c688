"""The talk's training iteration in one pass over the raw pixels.

Two products of matrices read X twice, 377 MB in float32, for a sum of pixels that are mostly blank. The fused
step keeps the pixels as bytes, does with a block of images all that is to do while it is in the cache, and
visits only lines of pixels with ink::

    step = TalkStep(images, labels)
    accuracy, theta = step.iterate(theta)

`pixels` turns bytes into vectors of numbers, `lines` puts them in order, `micro` has the two inner loops,
`sweep` walks the blocks.
"""

from mlteach.learn.fused.step import TalkStep

__all__ = ["TalkStep"]
