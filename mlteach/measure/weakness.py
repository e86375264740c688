"""Settings that make a library slower than it is, and how to time without them.

A comparison with a weakened opponent says nothing. Two things weaken one: a variable in the environment,
which a process started without it does not have, and kernels made for an older processor, which no variable
mends.

Environment variables count only when a library starts. So timings run in a process of their own, started with
`clean_environment`, wherever `weaknesses` finds one; where that cannot be, `bench.compare` refuses.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from mlteach.matmul import usable_cores
from mlteach.measure import probe

BLAS_VARIABLES = {
    "OPENBLAS_CORETYPE": "makes OpenBLAS run the kernels of another processor",
    "OPENBLAS_L2_SIZE": "makes OpenBLAS tile for another cache",
    "MKL_DEBUG_CPU_TYPE": "makes MKL run the kernels of another processor",
    "MKL_ENABLE_INSTRUCTIONS": "keeps MKL from the newest instructions",
    "MKL_CBWR": "keeps MKL from its fastest kernels",
    "NPY_DISABLE_CPU_FEATURES": "keeps NumPy from the newest instructions",
}
NUMBA_VARIABLES = {
    "NUMBA_CPU_NAME": "makes Numba compile for another processor",
    "NUMBA_CPU_FEATURES": "makes Numba compile for another processor",
    "NUMBA_DISABLE_JIT": "makes Numba run plain Python",
    "NUMBA_OPT": "makes Numba optimise less",
}
HARMLESS = {"NUMBA_DISABLE_JIT": ("", "0"), "NUMBA_OPT": ("", "3", "max")}
THREAD_VARIABLES = {
    "OPENBLAS_NUM_THREADS": "BLAS",
    "OMP_NUM_THREADS": "BLAS",
    "MKL_NUM_THREADS": "BLAS",
    "VECLIB_MAXIMUM_THREADS": "BLAS",
    "NUMBA_NUM_THREADS": "Numba",
}

# What OpenBLAS calls its kernels for x86, with the instructions that they use; kernels not listed are newer.
OPENBLAS_SIMD = {
    **dict.fromkeys(("Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom"), "SSE2"),
    **dict.fromkeys(("Athlon", "Opteron", "Barcelona", "Bobcat"), "SSE2"),
    **dict.fromkeys(("Sandybridge", "Bulldozer", "Piledriver", "Steamroller"), "AVX"),
    **dict.fromkeys(("Excavator", "Haswell", "Zen"), "AVX2"),
}


@dataclass(frozen=True)
class Weakness:
    """One reason why a library is slower here than it could be.

    Attributes
    ----------
    library : str
        "BLAS" or "Numba".
    message : str
        What weakens it, in one sentence.
    variable : str
        The environment variable that does it; empty where the library itself is to blame.
    kernels : bool
        Whether it changes the machine code that runs, and not only the number of threads.
    """

    library: str
    message: str
    variable: str = ""
    kernels: bool = True


def weaknesses(environ: Mapping[str, str] | None = None) -> list[Weakness]:
    """Find what the environment weakens.

    Parameters
    ----------
    environ : mapping, optional
        The variables to look at; this process's own where it is left out.
    """
    environ = os.environ if environ is None else environ
    found = []
    for library, variables in (("BLAS", BLAS_VARIABLES), ("Numba", NUMBA_VARIABLES)):
        for name, effect in variables.items():
            value = environ.get(name)
            if value is not None and value not in HARMLESS.get(name, ("",)):
                found.append(Weakness(library, f"{name}={value} {effect}", name))
    cores = usable_cores()
    for name, library in THREAD_VARIABLES.items():
        value = environ.get(name, "").split(",")[0]
        if value.isdecimal() and 0 < int(value) < cores:
            message = f"{name}={value} leaves {library} fewer threads than the {cores} cores here"
            found.append(Weakness(library, message, name, kernels=False))
    return found


def old_kernels(library: str, architecture: str | None) -> Weakness | None:
    """Tell whether a BLAS runs kernels for an older processor than this one.

    Parameters
    ----------
    library, architecture : str
        As `threadpoolctl` names them, such as "openblas" and "Haswell".
    """
    instructions = OPENBLAS_SIMD.get(architecture or "")
    width = probe.simd()
    if library != "openblas" or not instructions or not width:
        return None
    newest_first = [name for _, _, name in probe.SIMD]
    if newest_first.index(instructions) <= newest_first.index(width[1]):
        return None
    return Weakness("BLAS", f"OpenBLAS runs its {architecture} kernels on a processor with {width[1]}")


def clean_environment(threads: int) -> dict[str, str]:
    """Copy this process's environment without what weakens a library; thread pools hold ``threads``."""
    dropped = {*BLAS_VARIABLES, *NUMBA_VARIABLES}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
