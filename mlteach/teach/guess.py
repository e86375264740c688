"""Ask the reader for a guess before the answer is measured, and keep it."""

import math
import numbers
from dataclasses import dataclass

from mlteach.measure import Journal
from mlteach.measure.units import count_text, number_text, seconds_text

CLOSE = 1.05  # a guess within five per cent is right


@dataclass(frozen=True, repr=False)
class Prediction:
    """A reader's guess, shown as one line; ``predict`` makes it.

    Attributes
    ----------
    question : str
        What was asked.
    value : float or None
        The guess; None where there is none yet.
    unit : str
        What the number counts, such as "s" or "%".
    journal : Journal
        Where it is kept.
    """

    question: str
    value: float | None
    unit: str
    journal: Journal

    def __repr__(self) -> str:
        if self.value is None:
            return "No guess yet. Put a number in place of None, then run the cell again."
        return f"Your guess: {_with_unit(f'{self.value:.12g}', self.unit)}. It is in your journal."

    def reveal(self, truth: float) -> None:
        """Print the truth beside the guess, and keep it in the journal.

        Parameters
        ----------
        truth : float
            What was measured, in the unit of the guess.

        Raises
        ------
        TypeError
            Where the truth is not a number.
        """
        if not _is_number(truth):
            raise TypeError(f"the truth is a finite number, not {truth!r}: give what was measured")
        sentence = f"Measured: {_truth_text(truth, self.unit)}."
        if self.value is not None:
            self.journal.reveal(self.question, float(truth))
            guess = _with_unit(f"{self.value:.12g}", self.unit)
            sentence += f" You guessed {guess}, {_verdict(self.value, truth, self.unit)}."
        print(sentence)


def predict(
    question: str, guess: float | None = None, unit: str = "", *, journal: Journal | None = None
) -> Prediction:
    """Take the reader's guess and keep it in the journal; the value of a cell in a notebook.

    Parameters
    ----------
    question : str
        What is asked. The journal holds one guess for each question; a new one takes the place of the old.
    guess : float, optional
        A finite number. The reader puts it in place of None; until then Run All goes on without it.
    unit : str
        What the number counts, such as "s", "%" or "x".
    journal : Journal, optional
        Where to keep it; the reader's own by default.

    Returns
    -------
    Prediction

    Raises
    ------
    TypeError
        Where the guess is something else than a finite number.
    """
    journal = journal or Journal()
    if guess is None:
        return Prediction(question, None, unit, journal)
    if not _is_number(guess):
        raise TypeError(f"a guess is a plain number, not {guess!r}: write 12, for example")
    journal.guess(question, float(guess), unit)
    return Prediction(question, float(guess), unit, journal)


def _is_number(value: object) -> bool:
    try:
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number too large for a float
        return False


def _truth_text(truth: float, unit: str) -> str:
    """Write what was measured: a count in full, a short time in the unit that suits it."""
    if isinstance(truth, numbers.Integral):
        return _with_unit(count_text(truth), unit)
    if unit == "s" and 0 < truth < 1:
        return seconds_text(truth)
    return _with_unit(number_text(truth), unit)


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}".rstrip()


def _verdict(guess: float, truth: float, unit: str) -> str:
    """Say how far off a guess was: by a factor where both are positive, otherwise by a difference."""
    direction = "too low" if guess < truth else "too high"
    if guess == truth:
        return "exactly right"
    if guess <= 0 or truth <= 0:
        return f"{_with_unit(number_text(abs(truth - guess)), unit)} {direction}"
    factor = max(guess / truth, truth / guess)
    return "within 5 %" if factor <= CLOSE else f"{number_text(factor)} times {direction}"
