"""PromQL: the metrics that an expression names, and the queries that a block of text holds."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiops_cli.domain.metric_names import recognise
from aiops_cli.domain.vocabulary import METRICS, Metric

_TOKEN = re.compile(
    r"(?P<comment>\#[^\n]*)"
    r"|(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)"
    r"|(?P<template>\{\{[^{}]*\}\}|\$\{?\w+\}?)"
    r"|(?P<number>0x[0-9a-fA-F]+|(?:\d[\w.]*))"
    r"|(?P<name>[A-Za-z_:][\w:]*)"
    r"|(?P<operator>[=!]~|[=!<>]=|[-+*/%^<>=@,])"
    r"|(?P<bracket>[(){}\[\]])"
    r"|(?P<other>[^\s])",
    re.ASCII,
)
_GROUPINGS = frozenset(["by", "without", "on", "ignoring", "group_left", "group_right"])
_AGGREGATES = frozenset(
    ["sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile"]
)
_JOINING = _GROUPINGS | {"and", "or", "unless", "offset"}
_OTHER_WORDS = frozenset(["bool", "inf", "nan", "atan2", "start", "end", "step"])
_CLOSING = {"{": "}", "[": "]", "(": ")"}
_METRIC_NAME = re.compile(r"[A-Za-z_:][\w:]*", re.ASCII)


def _tokens(text: str) -> list[re.Match[str]]:
    return [token for token in _TOKEN.finditer(text) if token.lastgroup != "comment"]


def promql_metrics(expression: str) -> tuple[str, ...]:
    """Names of metrics in a PromQL expression, each once, in order. Functions, labels, words of the language, numbers,
    strings and template variables are none.
    """
    tokens = _tokens(expression)
    found: list[str] = []
    inside = ""  # "{" within a selector, "[" within a range, "(" within a list of labels
    for at, token in enumerate(tokens):
        text = token[0]
        if inside:
            if inside == "{" and token.lastgroup == "string":
                found += _quoted_metric(tokens, at)
            if text == _CLOSING[inside]:
                inside = ""
        elif text in "{[" or (text == "(" and at and tokens[at - 1][0].lower() in _GROUPINGS):
            inside = text
        elif token.lastgroup == "name" and _is_metric(tokens, at):
            found.append(text)
    return tuple(dict.fromkeys(found))


def _following(tokens: Sequence[re.Match[str]], at: int) -> str:
    return tokens[at + 1][0].lower() if at + 1 < len(tokens) else ""


def _is_metric(tokens: Sequence[re.Match[str]], at: int) -> bool:
    text, following = tokens[at][0].lower(), _following(tokens, at)
    if following == "(" or text in _JOINING or text in _OTHER_WORDS:
        return False
    return not (text in _AGGREGATES and following in ("by", "without"))


def _quoted_metric(tokens: Sequence[re.Match[str]], at: int) -> list[str]:
    """A name in quotes in a selector: `{"name", a="b"}` or `{__name__="name"}`."""
    value, before = tokens[at][0][1:-1], tokens[at - 1][0]
    alone = before in "{," and _following(tokens, at) in (",", "}")
    named = before == "=" and at >= 2 and tokens[at - 2][0] == "__name__"
    return [value] if (alone or named) and _METRIC_NAME.fullmatch(value) else []


_SIGN = re.compile(
    r"\w\{[^{}\n]{0,500}(?:=|!=|=~|!~)\s?\"|\[\d{1,6}(?:ms|[smhdwy])(?::\d{0,6}[smhd]?)?\]"
    r"|\b(?:sum|avg|count|max|min|rate|irate|increase|topk|histogram_quantile|absent|predict_linear|label_replace)"
    r"\s?(?:by|without)?\s?\([^\n]{0,500}\w_\w"
)


def looks_like_promql(text: str) -> bool:
    """Whether a selector, a range or a usual function stands in a short text."""
    return bool(_SIGN.search(text))


_LABEL_LIST_END = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s?\([^()]{0,500}\)\s*$")
_MAX_LOOK = 1_000


def queries(code: str) -> Iterator[str]:
    """Queries of a block: a line that begins after a complete one is another query."""
    lines: list[str] = []
    depth, open_end = 0, False
    for line in code.split("\n"):
        tokens = _tokens(line)
        if not tokens:
            continue
        if lines and depth <= 0 and not open_end and not _goes_on(tokens[0], lines[-1]):
            yield "\n".join(lines)
            lines, depth = [], 0
        lines.append(line.rstrip() if lines else line.strip())
        depth += sum((token[0] in "({[") - (token[0] in ")}]") for token in tokens if token.lastgroup == "bracket")
        open_end = tokens[-1].lastgroup == "operator" or tokens[-1][0].lower() in _JOINING | _AGGREGATES
    if lines:
        yield "\n".join(lines)


def _goes_on(first: re.Match[str], before: str) -> bool:
    if first[0] == "(":
        return bool(_LABEL_LIST_END.search(before[-_MAX_LOOK:]))
    return first.lastgroup == "operator" or first[0].lower() in _JOINING or first[0] in ")}]"


@dataclass(frozen=True, slots=True)
class Condition:
    """An alert's expression taken apart: `left` is measured, and bad on that side of `threshold`.

    `comparison` is > or <; >= and <= are read as these.
    """

    left: str
    comparison: str
    threshold: float


_COMPARISONS = {">": ">", ">=": ">", "<": "<", "<=": "<"}
_TURNED = {">": "<", "<": ">"}


def split_condition(expression: str) -> Condition | None:
    """The one comparison with a number that an expression is, or None where it is anything else."""
    tokens = _unwrapped(_tokens(expression))
    found = list(_outer(tokens))
    if len(found) != 1 or found[0][1] not in _COMPARISONS:
        return None
    at, sign = found[0]
    after = at + 1 + (at + 1 < len(tokens) and tokens[at + 1][0].lower() == "bool")
    left, right = tokens[:at], tokens[after:]
    if not left or not right:
        return None
    comparison = _COMPARISONS[sign]
    if (threshold := _number(right)) is not None:
        return Condition(_text(expression, left), comparison, threshold)
    if (threshold := _number(left)) is not None:
        return Condition(_text(expression, right), _TURNED[comparison], threshold)
    return None


def _unwrapped(tokens: list[re.Match[str]]) -> list[re.Match[str]]:
    """The tokens without parentheses around all of them."""
    while len(tokens) > 2 and tokens[0][0] == "(" and _closing(tokens) == len(tokens) - 1:
        tokens = tokens[1:-1]
    return tokens


def _closing(tokens: Sequence[re.Match[str]]) -> int:
    """Where the first bracket is closed; -1 where it is not."""
    depth = 0
    for at, token in enumerate(tokens):
        if token.lastgroup == "bracket":
            depth += 1 if token[0] in "({[" else -1
            if depth == 0:
                return at
    return -1


def _outer(tokens: Sequence[re.Match[str]]) -> Iterator[tuple[int, str]]:
    """Comparisons, and words that join two conditions, that are in no bracket."""
    depth = 0
    for at, token in enumerate(tokens):
        if token.lastgroup == "bracket":
            depth += 1 if token[0] in "({[" else -1
        elif depth == 0 and token[0].lower() in {*_COMPARISONS, "==", "!=", "and", "or", "unless"}:
            yield at, token[0].lower()


def _number(tokens: Sequence[re.Match[str]]) -> float | None:
    """The value of a sum or product of numbers; None where anything else is in it."""
    if not all(token.lastgroup == "number" or token[0] in "+-*/()" for token in tokens):
        return None
    # The exponent of 1e-3 is three tokens, which stand together.
    text = re.sub(r"(\d[eE]) ([+-]) (\d)", r"\1\2\3", " ".join(token[0] for token in tokens))
    try:
        return _computed(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, TypeError):
        return None


_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _computed(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_computed(inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=inner):
            return _computed(inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](_computed(left), _computed(right))
    raise ValueError("that is no number")


def _text(expression: str, tokens: Sequence[re.Match[str]]) -> str:
    return expression[tokens[0].start() : tokens[-1].end()].strip()


_MATCHER = re.compile(r"([A-Za-z_]\w*)\s*(=~|!=|!~|=)\s*\"((?:[^\"\\]|\\.){0,500})\"")


def equal_matchers(expression: str) -> dict[str, str]:
    """Labels that every selector of an expression which names them wants to be one value."""
    found: dict[str, set[str]] = {}
    for label, sign, value in _MATCHER.findall(expression):
        found.setdefault(label, set()).add(value if sign == "=" else "")
    return {label: values.pop() for label, values in found.items() if len(values) == 1 and "" not in values}


_RANGE = re.compile(r"\[(\d{1,6})(ms|[smhdwy])\s*(?::[^\]]{0,20})?\]")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def range_of(expression: str) -> float | None:
    """The shortest range that an expression looks back, in seconds; None where it names none."""
    return min((int(number) * _SECONDS[unit] for number, unit in _RANGE.findall(expression)), default=None)


_QUANTILE = re.compile(r"histogram_quantile\s*\(\s*(0?\.\d+)")
_FAILING = re.compile(r"(?i)error|fail|5\.\.|5xx|\"5|exception")


@dataclass(frozen=True, slots=True)
class Measured:
    """What an expression measures in our terms; `scale` makes our unit of its values."""

    metric: str
    unit: str
    scale: float = 1.0


def measured_by(expression: str) -> Measured:
    """What an expression measures, by its form and the names in it; failing that its first metric, as it is called."""
    names = promql_metrics(expression)
    first = names[0] if names else "value"
    lower = first.lower()
    milli = 0.001 if re.search(r"milliseconds|_ms(_|$)", lower) else 1.0
    if found := _QUANTILE.search(expression):
        metric = _latency(float(found[1]), lower)
        return Measured(metric, "s", milli)
    if "/" in expression and _FAILING.search(expression):
        hundred = re.search(r"\*\s*100\b|\b100\s*\*", expression)
        return Measured(Metric.ERRORS, "ratio", 0.01 if hundred else 1.0)
    known = recognise(first)
    if known is not None and len(names) == 1:
        return Measured(known.metric, METRICS[known.metric].unit, known.scale)
    return Measured(*next((row for pattern, row in _NAMED if pattern.search(expression)), (first, _unit(lower))))


def _latency(quantile: float, name: str) -> Metric:
    if "queue" in name:
        return Metric.QUEUE_WAIT
    if quantile < 0.9:
        return Metric.LATENCY_P50
    return Metric.LATENCY_P99 if quantile >= 0.99 else Metric.LATENCY_P95


_NAMED: tuple[tuple[re.Pattern[str], tuple[str, str]], ...] = (
    (re.compile(r"resident_memory_bytes|memory_working_set_bytes|memory_usage_bytes"), (Metric.MEMORY, "bytes")),
    (re.compile(r"queue_(?:size|length|depth|items)|queue_messages"), (Metric.QUEUE_DEPTH, "")),
    (re.compile(r"restarts_total"), (Metric.RESTARTS, "")),
    (re.compile(r"filesystem_(?:avail|free)_bytes|volume_stats_available"), ("disk_free", "")),
    (re.compile(r"replicas_(?:available|ready)|status_ready_replicas"), (Metric.REPLICAS, "")),
    (re.compile(r"rate\s*\([^)]*requests?_total|rate\s*\([^)]*requests_seconds_count"), (Metric.TRAFFIC, "/s")),
)


def _unit(name: str) -> str:
    ends = {"_seconds": "s", "_bytes": "bytes", "_ratio": "ratio"}
    return next((unit for end, unit in ends.items() if name.removesuffix("_total").endswith(end)), "")
