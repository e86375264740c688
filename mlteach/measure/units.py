"""Numbers as people read them."""


def seconds_text(seconds: float) -> str:
    """Write a time with three digits and the unit that suits it, such as ``47.3 s`` or ``1.2 ms``."""
    for unit, factor in (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * factor:
            return f"{seconds / factor:.3g} {unit}"
    if seconds < 119.5:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:,.1f} min".replace(",", " ")


def number_text(value: float) -> str:
    """Write a number with two or three digits that matter, such as ``1.04``, ``9.7``, ``62`` or ``3 260``."""
    size = abs(value)
    if size < 0.1:
        return f"{value:.2g}"
    if size < 2:
        return f"{value:.2f}"
    if size < 9.95:
        return f"{value:.1f}"
    return f"{float(f'{value:.3g}') if size >= 100 else value:,.0f}".replace(",", " ")


def count_text(count: int) -> str:
    """Write a whole number in full, its digits in groups of three, such as ``60 000``."""
    return f"{count:,}".replace(",", " ")


def bytes_text(count: float) -> str:
    """Write a size in bytes with the power of 1024 that suits it, such as ``48 KiB`` or ``260 MiB``."""
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 2**power:
            return f"{count / 2**power:.4g} {unit}"
    return f"{count:.0f} B"


def listing(words: list[str]) -> str:
    """Join words as a sentence does: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
