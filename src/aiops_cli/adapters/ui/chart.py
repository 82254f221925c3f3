"""A small chart of a signal for the terminal: a few rows of blocks, the threshold, and where something was done."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from aiops_cli.domain.figures import figure

_ROWS = 6
_LABEL = 9
_BLOCKS = " ▁▂▃▄▅▆▇█"


def draw_chart(
    points: Sequence[tuple[float, float]],
    threshold: float,
    unit: str,
    marks: Sequence[float],
    width: int,
    *,
    below: bool = False,
) -> list[str]:
    """Lines of text: `points` and `marks` in unix seconds, `width` in columns for the plot. Empty below two points.

    `below` says that low values are the bad ones: then a column shows its lowest value, and the chart need not begin at
    zero.
    """
    if len(points) < 2:
        return []
    columns = _columns(points, width, min if below else max)
    known = [value for value in columns if value is not None]
    top = max(threshold * 1.15, *known) or 1.0
    bottom = 0.0
    if below:
        top, low = max(threshold, *known), min(threshold, *known)
        bottom = max(0.0, low - (top - low) / 2)
    reach = (top - bottom) or 1.0
    line = min(_ROWS - 1, int((threshold - bottom) / reach * _ROWS))
    rows = []
    for row in reversed(range(_ROWS)):
        cells = [_cell(value, bottom, reach, row) for value in columns]
        if row == line:
            cells = [cell if cell != " " else "┄" for cell in cells]
        rows.append("".join(cells))
    labels = [_label(value, unit) for value in _scale(line, threshold, top, bottom)]
    wide = max(_LABEL, *map(len, labels))
    drawn = [f"{label:>{wide}} ┤{cells}" for label, cells in zip(labels, rows, strict=True)]
    return [*drawn, *_axis(points, marks, len(columns), wide)]


def _scale(line: int, threshold: float, top: float, bottom: float) -> list[float | None]:
    """What stands beside each row, the topmost first; the threshold is always among it."""
    marks: dict[int, float | None] = {0: bottom or None, _ROWS - 1: top}
    marks[line] = threshold
    return [marks.get(row) for row in reversed(range(_ROWS))]


def _label(value: float | None, unit: str) -> str:
    return "" if value is None else figure(value, unit)


def _columns(
    points: Sequence[tuple[float, float]], width: int, worst: Callable[[float, float], float]
) -> list[float | None]:
    """The worst value of each column, so that a spike is not averaged away; None where nothing was measured."""
    start, end = points[0][0], points[-1][0]
    columns: list[float | None] = [None] * max(2, min(width, len(points)))
    for time, value in points:
        index = min(len(columns) - 1, int((time - start) / (end - start or 1.0) * len(columns)))
        known = columns[index]
        columns[index] = value if known is None else worst(known, value)
    for index in range(1, len(columns)):
        # A column between two readings shows the one before it; one before the first shows nothing.
        columns[index] = columns[index - 1] if columns[index] is None else columns[index]
    return columns


def _cell(value: float | None, bottom: float, reach: float, row: int) -> str:
    if value is None:
        return " "
    filled = (value - bottom) / reach * _ROWS - row
    return _BLOCKS[max(0, min(8, round(filled * 8)))]


def _axis(points: Sequence[tuple[float, float]], marks: Sequence[float], width: int, indent: int) -> list[str]:
    start, end = points[0][0], points[-1][0]
    ticks = [" "] * width
    for mark in marks:
        if start <= mark <= end:
            ticks[min(width - 1, int((mark - start) / (end - start or 1.0) * width))] = "▲"
    first, last = (f"{datetime.fromtimestamp(t, UTC):%H:%M}" for t in (start, end))
    lines = [f"{'':>{indent}}  {first}{' ' * max(1, width - len(first) - len(last))}{last}"]
    return [f"{'':>{indent}}  {_named(''.join(ticks))}", *lines] if "▲" in ticks else lines


def _named(ticks: str) -> str:
    """The marks with what they are: after the last one, or before the first where that would leave the chart."""
    first, after = ticks.index("▲"), f"{ticks.rstrip()}  {_MARK}"
    if len(after) <= len(ticks) or first < len(_MARK) + 2:
        return after
    return f"{_MARK}  ".rjust(first) + ticks[first:].rstrip()


_MARK = "action"
