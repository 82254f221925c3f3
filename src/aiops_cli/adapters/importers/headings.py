"""What a heading of a postmortem announces, in the many ways in which people write it."""

import re

# The first kind with words that occur in a heading is meant; where two could be, the more special stands first.
_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("none", (r"^(?:time to|mean time|duration|mtt[rd]|date|status|severity|(?:table of )?contents|glossary)\b",)),
    ("timeline", (r"time ?line", r"chronolog", r"sequence of events", r"(?:event|incident) log\b")),
    ("fix", (
        r"\bactions? taken",
        r"^(?:immediate|response|mitigating|recovery) (?:actions?|steps)",
        r"^how (?:we|it was|was it) (?:\w+ )?(?:fix|resolv|mitigat|recover)",
        r"\bhow did we (?:fix|resolve|mitigate|recover)",
    )),
    ("lesson", (
        r"\blessons?\b", r"\blearn(?:ed|t|ings?)?\b", r"\bwent (?:well|wrong|right|poorly|badly|good|bad)\b",
        r"\blucky\b", r"\bgone better\b", r"\btake ?aways?\b", r"^what (?:worked|helped|hurt|didnt)\b",
        r"\b(?:didnt|did not) go well\b", r"retrospective", r"\bcould (?:be|have been) improved",
        r"\b(?:do|did) (?:well|better)\b", r"^reflections?\b", r"\bkey insights?\b",
    )),
    ("actions", (
        r"\baction ?(?:items?|points?|plan)", r"\bfollow ?ups?\b", r"\bnext steps?", r"\bprevent", r"\bcorrective",
        r"\bto ?dos?\b", r"\b(?:remediation|improvement|remedial) (?:items?|actions?|plan|tasks?)",
        r"^(?:planned |future )?(?:improvements?|actions?)$", r"^(?:long|short) term\b", r"\b(?:moving|going) forward",
        r"^recommendations?\b", r"^open (?:actions?|items?)",
    )),
    ("cause", (
        r"\broot ?cause", r"\bcauses?\b", r"\bcontribut\w+ (?:factors?|causes?)", r"\btrigger(?:s|ed)?\b", r"\brca\b",
        r"\bwhys\b", r"^what caused", r"^why (?:did )?(?:it|this|the) .*\b(?:happen|fail|break)",
        r"^the (?:bug|problem)$", r"^diagnosis$",
    )),
    ("detection", (
        r"\bdetect", r"\bhow (?:did )?we (?:find|found|know|knew|notice)", r"^discovery", r"^symptoms?\b",
        r"^(?:alerting|monitoring)$",
    )),
    ("fix", (
        r"\bresolutions?\b", r"\bmitigat", r"\bremediat", r"\brecover", r"\bfix(?:es|ed)?\b", r"\bwork ?arounds?\b",
        r"\brestor", r"\bsolutions?\b", r"^rollback$", r"^response$", r"^treatment$",
    )),
    ("impact", (
        r"\bimpact", r"\baffected\b", r"\bblast radius", r"^scope\b", r"^consequences\b", r"^effects?\b", r"^damage\b",
    )),
    ("links", (
        r"^(?:useful |related |external )?(?:links?|references?|resources?)\b", r"^related\b", r"^see also",
        r"^further reading", r"^supporting (?:info|material|evidence|data|doc)", r"^artifacts?$", r"documentation$",
    )),
    ("people", (
        r"^(?:the )?(?:participants?|people|responders?|attendees?|authors?|contributors?|stakeholders?|roles?)\b",
        r"\b(?:response|incident) team\b", r"\bwho was involved", r"^command hierarchy", r"^incident roles?",
    )),
    ("details", (
        r"^(?:incident |issue |outage |basic |general |key )?(?:details|metadata|info|information|facts|header|data)$",
        r"^(?:incident |issue )?(?:stats|statistics|record|identification|properties)$", r"^at a glance",
    )),
    ("summary", (
        r"\bsummary\b", r"^tl ?dr\b", r"^(?:incident |issue )?overview\b", r"^what happened\b", r"^abstract$",
        r"^synopsis", r"^(?:the )?(?:incident |issue |problem )?description$", r"^problem(?: statement)?$",
        r"^introduction$", r"^what (?:is|was) the (?:issue|problem|incident)",
    )),
)  # fmt: skip
_COMPILED = [(kind, re.compile("|".join(words))) for kind, words in _KINDS]
# A heading that is a sentence is about something, and announces nothing.
_MAX_WORDS = 9


def simplify(heading: str) -> str:
    """A heading without marks, numbers, emoji and what is in brackets, in lower case."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading[:300])
    text = re.sub(r"\([^)]*\)|\[[^\]]*\]|<[^>]*>", " ", text.lower())
    text = re.sub(r"['’`*]", "", text)
    text = re.sub(r"[^a-z0-9&/+,:–—-]+", " ", text)
    text = re.sub(r"^[\W_]*(?:\d+(?:\.\d+)*[.):]?\s+)?", "", text)
    return re.sub(r"[-\s]+", " ", text.split(":")[0]).strip(" ,;–—/&+")


def kinds_of(heading: str) -> tuple[str, ...]:
    """What a heading announces; two kinds for `Root cause and resolution`, none for anything else."""
    text = simplify(heading)
    if not text or len(text.split()) > _MAX_WORDS:
        return ()
    parts = [part.strip() for part in re.split(r"\s*[&/,+]\s*|\band\b|\s[–—]\s", text) if part.strip()]
    found = [kind for part in parts if (kind := _kind(part))]
    # "Detection and response" tells two things; "Corrective and preventative measures" tells one.
    return tuple(dict.fromkeys(found))[:2] or ((kind,) if (kind := _kind(text)) else ())


def _kind(text: str) -> str:
    kind = next((kind for kind, words in _COMPILED if words.search(text)), "")
    return "" if kind == "none" else kind


def names_document(heading: str) -> bool:
    """Whether a heading says no more than that this is a postmortem, so that it is no title."""
    words = (
        r"the|a|blameless|incident|outage|rca|review|report|analysis|template|post|mortem|postmortems?|post-?mortems?"
    )
    return re.sub(rf"(?i)\b(?:{words})\b|\[[^\]]*\]|<[^>]*>|[\W_]", "", heading[:300]) == ""
