"""Quoting the evidence: a long line is cut in the middle, as what failed stands at its beginning and why at its end."""

import re

_HEAD_SHARE = 0.6
_LEAST_HEAD_SHARE = 0.35
_LEAST_TAIL_SHARE = 0.2
_GAP = " … "
# The end of every message of the scheduler, which says nothing of the reason.
_BOILERPLATE = re.compile(r" preemption: \d+/\d+ nodes are available: \d+ [^:]{0,80} not helpful for scheduling\.?")


def shorten(text: str, limit: int) -> str:
    """`text` in at most `limit` characters on one line, its beginning and its end kept, cut between words.

    Chains of errors are joined by colons, and the last link is the reason: it is kept whole where it fits.
    """
    said = _BOILERPLATE.sub("", " ".join(text.split()))
    if len(said) <= limit:
        return said
    room = limit - len(_GAP)
    tail = _tail(said, room)
    head = said[: room - len(tail)]
    return f"{_between_words(head)}{_GAP}{tail}"


def _tail(said: str, room: int) -> str:
    reason = said[said.rfind(": ") + 2 :]
    if _LEAST_TAIL_SHARE * room <= len(reason) <= (1 - _LEAST_HEAD_SHARE) * room:
        return reason
    tail = said[len(said) - int((1 - _HEAD_SHARE) * room) :]
    return tail.partition(" ")[2] or tail


def _between_words(head: str) -> str:
    whole = head.rpartition(" ")[0]
    return whole if len(whole) > len(head) // 2 else head
