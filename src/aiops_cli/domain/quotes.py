"""Quoting the evidence: a long line is cut in the middle, as what failed stands at its beginning and why at its end."""

_HEAD_SHARE = 0.6


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters on one line, its beginning and its end kept."""
    said = " ".join(text.split())
    if len(said) <= limit:
        return said
    head = int(limit * _HEAD_SHARE)
    return f"{said[:head].rstrip()} … {said[len(said) - (limit - head - 3) :].lstrip()}"
