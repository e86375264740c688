"""Puts a kernel into another world: its own bytecode, but `cuda`, arrays and device code are stand-ins."""

from __future__ import annotations

import builtins
import math
import sys
from functools import partial
from types import CellType, CodeType, FunctionType, ModuleType

import numpy as np

from mlteach.gpu.simt.arrays import converter
from mlteach.gpu.simt.integers import BUILTINS, constant
from mlteach.gpu.simt.loops import TICK, with_ticks
from mlteach.gpu.simt.operators import OPERATORS
from mlteach.gpu.simt.trace import KernelError

STAND_IN = "simt_stand_in"  # the attribute by which an intrinsic carries its Python stand-in
LIBRARIES = ("numpy", "math", "numba", "operator", "builtins")  # their functions run as they are

# NumPy's functions keep float32 and give infinities and NaN where Python's raise, as a GPU does
MATH = {
    name: getattr(np, alias)
    for name, alias in {
        "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
        "atan2": "arctan2", "atanh": "arctanh", "pow": "power", "fabs": "fabs",
    }.items()
} | {
    name: getattr(np, name)
    for name in (
        "copysign", "cos", "cosh", "degrees", "exp", "expm1", "fmod", "hypot", "isfinite", "isinf", "isnan",
        "ldexp", "log", "log10", "log1p", "log2", "radians", "sin", "sinh", "sqrt", "tan", "tanh",
    )
}  # fmt: skip


def stand_in(intrinsic):
    """Give an intrinsic the Python function that the simulator runs in its place.

    Parameters
    ----------
    intrinsic : object
        What kernels call: made by Numba's `intrinsic` decorator, or any object that takes attributes.

    Examples
    --------
    The function gets `gpu` (see `simt.gpu.Gpu`), then the kernel's arguments. A 128-bit load is ONE access:

    >>> @stand_in(load4)
    ... def _(gpu, array, i, j):
    ...     return gpu.load(array, (i, j), 4)
    """

    def attach(function):
        setattr(intrinsic, STAND_IN, function)
        return function

    return attach


class Cast:
    """An integer type called in a kernel: cuts and wraps its argument. Also serves as a dtype."""

    def __init__(self, dtype: np.dtype):
        self.dtype, self.convert = dtype, converter(dtype)

    def __call__(self, value=0):
        """Return the value as this type."""
        return self.convert(value)


class View:
    """A module as a kernel sees it: what it finds there is swapped at first use."""

    def __init__(self, module: ModuleType, swap, others=()):
        self.__dict__.update(others)
        self._module, self._swap = module, swap

    def __getattr__(self, name: str):
        value = self._swap(getattr(self._module, name))
        setattr(self, name, value)
        return value


def plain_function(value):
    """Return the Python function behind a jitted one, or the value itself."""
    return getattr(value, "py_func", None) or value


class Rebinder:
    """Rebuilds a kernel, and the device functions that it calls, for one launch."""

    def __init__(self, machine):
        self.machine = machine
        self._devices: dict[FunctionType, object] = {}
        cuda = sys.modules.get("numba.cuda")
        names = [n for n in dir(type(machine.gpu)) + list(vars(machine.gpu)) if not n.startswith("_")]
        self._cuda_names = {id(getattr(cuda, n)): n for n in names if hasattr(cuda, n)}
        self._cuda = cuda

    def kernel(self, kernel) -> FunctionType:
        """Return the function to call for each thread."""
        function = plain_function(kernel)
        if not isinstance(function, FunctionType):
            raise TypeError(
                f"the kernel is a {type(kernel).__name__}: pass a @cuda.jit function or a plain function"
            )
        return self._rebuild(function)

    def _rebuild(self, function: FunctionType) -> FunctionType:
        machine, code = self.machine, function.__code__
        nested = [c.co_name for c in code.co_consts if isinstance(c, CodeType)]
        if nested:
            raise KernelError(
                f"{function.__name__} defines {nested[0]} inside: write a loop, or move it out and "
                "decorate it with @cuda.jit(device=True)"
            )
        counted = with_ticks(code, len(machine.loops))
        if counted:
            code, loops = counted
        code = code.replace(co_consts=tuple(map(constant, code.co_consts)))
        number = machine.log.number(code)
        if counted:
            machine.loops_of[number] = range(len(machine.loops), len(machine.loops) + len(loops))
            machine.loops += loops
        else:
            machine.untraceable = True
        names = {"__builtins__": vars(builtins) | BUILTINS, TICK: machine.tick, **OPERATORS}
        for name in code.co_names:
            if name in function.__globals__ and name not in names:
                names[name] = self.swap(function.__globals__[name], name)
        cells = {
            name: CellType(self.swap(cell.cell_contents, name))
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        }
        closure = tuple(cells[name] for name in code.co_freevars)
        return FunctionType(code, names, function.__name__, function.__defaults__, closure)

    def swap(self, value, name: str = "an array"):
        """Return what stands for a value in the kernel's world."""
        if value is self._cuda:
            return self.machine.gpu
        if isinstance(value, ModuleType):
            return View(value, self.swap, MATH if value is math else ())
        if isinstance(value, np.ndarray):
            return self.machine.memory.constant(value, name)
        if isinstance(value, (int, float, np.generic)):
            return constant(value)
        if id(value) in self._cuda_names:
            return getattr(self.machine.gpu, self._cuda_names[id(value)])
        as_type = self._as_type(value)
        if as_type is not None:
            return as_type
        stand_in = getattr(value, STAND_IN, None)
        if stand_in is not None:
            return partial(stand_in, self.machine.gpu)
        function = plain_function(value)
        if isinstance(function, FunctionType) and function.__module__.partition(".")[0] not in LIBRARIES:
            return self._device(function)
        return value

    @staticmethod
    def _as_type(value):
        """Return the cast for a number type of Numba or NumPy, or None."""
        if isinstance(value, type) and issubclass(value, np.integer):
            return Cast(np.dtype(value))
        types = sys.modules.get("numba.core.types")
        if types is not None and isinstance(value, (types.Number, types.Boolean)):
            from numba.np.numpy_support import as_dtype

            dtype = as_dtype(value)
            return Cast(dtype) if dtype.kind in "iu" else dtype.type
        return None

    def _device(self, function: FunctionType):
        """Return a device function that says in the log when it runs."""
        if function in self._devices:
            return self._devices[function]
        machine, target = self.machine, None

        def call(*arguments, **keywords):
            outer, machine.function = machine.function, number
            machine.mark()
            try:
                return target(*arguments, **keywords)
            finally:
                machine.function = outer
                machine.mark()

        self._devices[function] = call  # before its own names are swapped: it may call itself
        target = self._rebuild(function)
        number = machine.log.number(target.__code__)
        return call
