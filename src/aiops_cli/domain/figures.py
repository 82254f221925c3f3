"""Measured values in words, the same in a sentence, on the panel and beside a chart."""

from math import floor, log10


def figure(value: float | None, unit: str) -> str:
    """A measured value: `6.2 s`, `97 %`, `340 MiB`, `82,323`; `nothing` when the signal vanished."""
    if value is None:
        return "nothing"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "ratio":
        return f"{value:.1%}".replace("%", " %")
    if unit == "s" and value >= 600:
        return f"{value / 60:.0f} min"
    if value >= 100:
        return f"{value:,.0f} {unit}".rstrip()
    return f"{value:.2g} {unit}".rstrip()


def dollars(usd: float) -> str:
    """US dollars: `$0`, `$1,234.50`, `$0.20`, `$0.0123`, `$0.000392`. What is not nothing is not shown as nothing."""
    if usd == 0:
        return "$0"
    if abs(usd) >= 1:
        return f"${usd:,.2f}"
    whole, _, part = f"{usd:.{max(4, 2 - floor(log10(abs(usd))))}f}".partition(".")
    return f"${whole}.{part.rstrip('0'):0<2}"
