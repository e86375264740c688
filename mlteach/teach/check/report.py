"""What a checker says."""

import html
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Report:
    """The verdict on an answer, true where it passed.

    Parameters
    ----------
    passed : bool
        Whether every case came out right.
    lines : tuple of str
        The verdict, then what was expected and what came, the smallest failing case first.
    """

    passed: bool
    lines: tuple[str, ...]

    def __bool__(self):
        return self.passed

    def __repr__(self):
        return "\n  ".join(self.lines)

    def _repr_html_(self):
        symbol, colour = _MARKS.get(self.lines[0], _MARKS[self.passed])
        verdict, *rest = map(html.escape, self.lines)
        details = "".join(f"<div>{line}</div>" for line in rest)
        style = f"border-left: 4px solid {colour}; padding: 2px 12px"
        return f'<div style="{style}"><strong>{symbol} {verdict}</strong>{details}</div>'


UNSOLVED = Report(False, ("not solved yet",))
INTERRUPTED = Report(False, ("interrupted",))
INCONCLUSIVE = "inconclusive"  # the first line of a report on a speed that this machine cannot tell now

# A symbol and the colour of the rule beside it; the text keeps the colour of the theme.
_MARKS = {
    True: ("✓", "#009e73"),
    False: ("✗", "#d55e00"),
    UNSOLVED.lines[0]: ("○", "#888888"),
    INTERRUPTED.lines[0]: ("○", "#888888"),
    INCONCLUSIVE: ("○", "#888888"),
}


def not_passed(*lines: str) -> Report:
    """A report of what went wrong, a line each."""
    return Report(False, ("not passed", *lines))
