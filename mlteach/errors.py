"""Exceptions that more than one part of mlteach raises."""


class GpuUnavailable(RuntimeError):
    """A GPU rung was asked for where there is no usable GPU.

    The message is one sentence: what is missing (driver, toolkit, package or a version that fits) and what
    to do instead.
    """
