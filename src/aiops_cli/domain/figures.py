"""Measured values in words, the same in a sentence, on the panel and beside a chart."""


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
