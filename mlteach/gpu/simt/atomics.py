"""`cuda.atomic`: read, change and write in one step that no other thread can part."""

from __future__ import annotations


def _operation(name: str, new):
    def operate(self, array, index, value):
        return array.change(index, lambda old: new(old, value))

    operate.__name__ = name
    operate.__doc__ = f"Do `{name}` to `array[index]` in one step and return the old value."
    return operate


class Atomic:
    """The atomic operations of `numba.cuda`. Each returns the old value."""

    add = _operation("add", lambda old, value: old + value)
    sub = _operation("sub", lambda old, value: old - value)
    max = _operation("max", lambda old, value: value if value > old or old != old else old)
    min = _operation("min", lambda old, value: value if value < old or old != old else old)
    nanmax, nanmin = max, min
    exch = _operation("exch", lambda old, value: value)
    and_ = _operation("and_", lambda old, value: old & value)
    or_ = _operation("or_", lambda old, value: old | value)
    xor = _operation("xor", lambda old, value: old ^ value)
    inc = _operation("inc", lambda old, value: 0 if old >= value else old + 1)
    dec = _operation("dec", lambda old, value: value if old == 0 or old > value else old - 1)

    def cas(self, array, index, old, value):
        """Write `value` to `array[index]` if it holds `old`; return what it held."""
        return array.change(index, lambda held: value if held == old else held)

    def compare_and_swap(self, array, old, value):
        """Do `cas` on the first element of an array of one."""
        return self.cas(array, 0, old, value)
