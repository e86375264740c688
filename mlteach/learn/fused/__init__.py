"""The talk's training iteration in one pass over the raw pixels.

Two products of matrices read X twice, 377 MB in float32, for a sum of pixels that are mostly blank. The fused
step keeps the pixels as bytes, does with a block of images all that is to do while it is in the cache, and
visits only lines of pixels with ink::

    step = TalkStep(images, labels)
    accuracy, theta = step.iterate(theta)

`layout` says how pixels lie in memory, `order` and `lines` put them there. `floats` and `limbs` multiply, in
two ways: `room` takes the one that this processor is better at. `judge` turns scores into errors, `cut`
numbers into limbs, and `sweep` walks the blocks.
"""

from mlteach.learn.fused.step import TalkStep

__all__ = ["TalkStep"]
