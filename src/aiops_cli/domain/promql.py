"""PromQL: the metrics that an expression names, and the queries that a block of text holds."""

import re
from collections.abc import Iterator, Sequence

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
