"""Examine this machine and its set-up, and say how to cure what is wrong."""

from collections.abc import Callable, Iterator

from mlteach.measure import doctor_machine, doctor_setup
from mlteach.measure.finding import Finding

__all__ = ["Finding", "examine"]

EXAMINATIONS: dict[str, Callable[[], Iterator[Finding]]] = {
    "Python": doctor_setup.python,
    "Packages": doctor_setup.packages,
    "JupyterLab": doctor_setup.jupyter,
    "Cores": doctor_machine.cores,
    "Caches": doctor_machine.caches,
    "SIMD": doctor_machine.simd,
    "BLAS": doctor_machine.blas,
    "Numba": doctor_machine.numba,
    "Numba cache": doctor_setup.numba_cache,
    "Compiler": doctor_machine.compiler,
    "GPU": doctor_machine.gpu,
    "Digits": doctor_setup.digits,
    "Journal": doctor_setup.journal,
    "Disk": doctor_setup.disk,
}


def examine() -> list[Finding]:
    """Look at everything that the lessons need.

    Returns
    -------
    list of Finding
        At least one for each topic. An examination that goes wrong itself, on a machine odder than any that
        was thought of, becomes a finding too: this function raises nothing.
    """
    findings: list[Finding] = []
    for topic, examination in EXAMINATIONS.items():
        try:
            findings += examination()
        except Exception as problem:
            message = f"Unknown: looking at it failed ({type(problem).__name__}: {problem})."
            findings.append(Finding(topic, "warn", message, "Nothing to do unless a lesson fails."))
    return findings
