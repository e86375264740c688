"""Ctrl-C while Numba compiles: what is compiled is finished, and the interrupt is not lost."""

import signal
import threading

import pytest
from numba import njit, types
from numba.extending import intrinsic

from mlteach.matmul import interrupts

interrupts.keep_while_compiling()


def interrupted_while_compiled():
    @intrinsic
    def key_pressed(typingctx):
        def generate(context, builder, signature, args):
            signal.raise_signal(signal.SIGINT)
            return context.get_dummy_value()

        return types.void(), generate

    @njit
    def function():
        key_pressed()

    return function


def test_the_compiler_finishes_first():
    function, before = interrupted_while_compiled(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        function()
    assert function.signatures == [()]
    assert signal.getsignal(signal.SIGINT) is before
    function()


def test_an_ignored_interrupt_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interrupted_while_compiled()()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_compile_too():
    before = signal.getsignal(signal.SIGINT)
    function = njit(lambda x: x + 1)
    worker = threading.Thread(target=function, args=(1,))
    worker.start()
    worker.join()
    assert len(function.signatures) == 1
    assert signal.getsignal(signal.SIGINT) is before
