"""Exceptions that more than one part of mlteach raises."""


class GpuUnavailable(RuntimeError):
    """A GPU rung was asked for where there is no usable GPU.

    The message is one sentence: what is missing (driver, toolkit, package or a version that fits) and what
    to do instead.
    """


class Misuse(Exception):
    """A command was called with arguments that cannot be meant; the message says what to call instead."""
