"""Say in one line what a learner's code did, however strange the objects are that it did it with.

The words are the same on every run and every machine: no addresses, no control characters.
"""

import re

LONGEST = 160  # characters of somebody else's text in a line


def describe(error: BaseException) -> str:
    """An exception's type and message, even where asking for them fails."""
    try:
        name, message = plain(type(error).__name__), plain(str(error))
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "an exception that cannot be shown"
    return f"{name}: {message}" if message else name


def kind(value: object) -> str:
    """What sort of thing a value is: ``None``, ``a list``, ``an int``."""
    if value is None:
        return "None"
    try:
        name = plain(type(value).__name__)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "an object that cannot be shown"
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def plain(text: str) -> str:
    """One printable line of at most ``LONGEST`` characters, without addresses."""
    line = " ".join(str.split(text))
    line = "".join(c if c.isprintable() else "?" for c in line[: 2 * LONGEST])
    line = re.sub(r"0x[0-9A-Fa-f]{4,}", "0x...", line)
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def both(expected: float, came: float) -> tuple[str, str]:
    """Two different numbers with as many digits as it takes to tell them apart, six at least."""
    for digits in range(6, 18):
        texts = f"{expected:.{digits}g}", f"{came:.{digits}g}"
        if texts[0] != texts[1]:
            break
    return texts
