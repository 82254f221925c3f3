"""Finds what has the shape of a secret in a text, and puts the name of its kind in its place.

`mask_secrets` is for every text that leaves, is shown or is kept. It looks for shapes, and finds no secret without
one. What it puts into a text is never longer than a line, and a text has as many lines afterwards as before.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import unquote, unquote_plus

from aiops_cli.domain.redact import safe
from aiops_cli.domain.secret_shapes import (
    BENIGN_BEFORE,
    BENIGN_NAME,
    BLOCKS,
    FIGURE,
    FLAG,
    HINTS_OF_NAMES,
    IS_NAME,
    IS_PASSWORD,
    MORE,
    NAMED,
    NO_SECRET,
    PAIR,
    PATH,
    PLAIN_WORDS,
    REFERENCE,
    SCALAR,
    SHAPES,
    Shape,
)

# A secret may be encoded, and so may the text that holds it: a Docker configuration in a Kubernetes Secret is two deep.
_LAYERS = 3
_LEAST_NAMED_CHARS = 3
_MARK = re.compile(r"‹[a-z0-9-]{1,30}›")

Found = Counter[str]


def mask_secrets(text: str) -> tuple[str, int]:
    """Return `text` with secrets of known shapes replaced by `‹kind›`, and how many there were.

    Shapes: tokens and keys of the usual providers, private keys, passwords in addresses and headers, and values that
    have the name of a secret; also in base64 and with percent signs. A secret without a known shape is not found; the
    count is for the report, not a promise.
    """
    found: Found = Counter()
    return find_secrets(text, found), found.total()


def find_secrets(text: str, found: Found) -> str:
    """`text` without its secrets; `found` gets how many there were of each kind."""
    return _mask(text, found, _LAYERS)


def is_secret_name(name: str) -> bool:
    """Whether a field of that name holds a secret: `db_password` does, `max_tokens` and `secretName` do not."""
    match = IS_NAME.search(name)
    if match is None:
        return False
    return not _is_harmless(name, "")


def is_secret_value(name: str, value: str) -> bool:
    """Whether `value`, in a field with the name of a secret, is one: words, figures and references are not."""
    return _is_secret(name, value, quoted=True)


# --- the steps -------------------------------------------------------------------------------------------------------


def _mask(text: str, found: Found, layers: int) -> str:
    if "\n" not in text:
        return text if _is_clean(text) else _mask_line(_mask_blocks(text, found), found, layers)
    lines = text.split("\n")
    if all(map(_is_clean, lines)):
        return "\n".join(_mask_wrapped(lines, found, layers))
    lines = _mask_blocks(text, found).split("\n")
    masked = [line if _is_clean(line) else _mask_line(line, found, layers) for line in lines]
    return "\n".join(_mask_wrapped(masked, found, layers))


def _mask_blocks(text: str, found: Found) -> str:
    """What may go over several lines."""
    low = text.lower()
    for shape in BLOCKS:
        if _has_hint(shape, text, low):
            text = shape.pattern.sub(_replacing(shape, found), text)
    if "value" in low:
        text = PAIR.sub(lambda match: _named(match, found), text)
    if "\n" in text:
        if "|" in text or ">" in text:
            text = SCALAR.sub(lambda match: _named(match, found), text)
        if "secret" in low and "data:" in low:
            text = "\n".join(_mask_manifest(text.split("\n"), found))
    return text


def _mask_line(line: str, found: Found, layers: int) -> str:
    if layers and "%" in line and _ESCAPES.search(line):
        # First, as what stands before a percent sign would be taken for a part of the word behind it.
        line = _ESCAPED_WORD.sub(lambda match: _unescaped(match[0], found, layers), line)
    if layers and "\\n" in line:
        # JSON as text in a line: what it quotes has lines of its own.
        line = _mask(line.replace("\\n", "\n"), found, layers - 1).replace("\n", "\\n")
    if any(map(_EXACT.search, _LONG_WORD.findall(line))):
        line = _mask_shapes(_TOKENS, line, found)
    line = _mask_shapes(_PLACES, line, found)
    if _SIGNED.search(line.lower()):
        line = NAMED.sub(lambda match: _named(match, found), line)
    if "--" in line or " -" in line:
        line = FLAG.sub(lambda match: _named(match, found), line)
    if layers and _ENCODED.search(line):
        line = _ENCODED_WORD.sub(lambda match: _decoded(match[0], found, layers), line)
    return line


def _mask_shapes(shapes: Sequence[Shape], line: str, found: Found) -> str:
    low = line.lower()
    for shape in shapes:
        if _has_hint(shape, line, low):
            line = shape.pattern.sub(_replacing(shape, found), line)
            low = line.lower()
    return line


def _replacing(shape: Shape, found: Found) -> Callable[[re.Match[str]], str]:
    """Puts the kind where the secret was, and keeps the lines."""

    def replace(match: re.Match[str]) -> str:
        group = next((name for name, value in match.groupdict().items() if value is not None), 0)
        if _is_mark(match[group]):
            return match[0]
        found[shape.kind] += 1
        begin, end = match.start(group) - match.start(), match.end(group) - match.start()
        return f"{match[0][:begin]}‹{shape.kind}›{_lines(match[group])}{match[0][end:]}"

    return replace


def _lines(secret: str) -> str:
    return "\n" * secret.count("\n")


def _is_mark(text: str) -> bool:
    return bool(_MARK.fullmatch(text.strip("\"'\\ ")))


# --- values by their names -------------------------------------------------------------------------------------------


def _named(match: re.Match[str], found: Found) -> str:
    groups = match.groupdict()
    part = "value" if groups.get("value") is not None else "value2"
    name, raw = groups.get("name") or groups.get("name2") or "", match[part]
    before = match.string[max(0, match.start() - 20) : match.start()]
    if _is_harmless(name, before):
        return match[0]
    value = raw.strip("\"'\\ ")
    quoted = value != raw or groups.get("sign") in ("=", "=>", ":=")
    if not _is_secret(name, value, quoted=quoted) or _is_size(match, value):
        return match[0]
    found["secret"] += 1
    begin, end = match.start(part) - match.start(), match.end(part) - match.start()
    open_, close = _quotes(raw)
    return f"{match[0][:begin]}{open_}‹secret›{close}{_lines(raw)}{match[0][end:]}"


def _is_harmless(name: str, before: str) -> bool:
    """Whether a name is one of something about a secret, such as its length, or of another sort of token."""
    if BENIGN_NAME.search(name):
        return True
    match = IS_NAME.search(name)
    at = match.start() if match else 0
    return not IS_PASSWORD.search(name) and bool(BENIGN_BEFORE.search(before + name[:at]))


def _quotes(raw: str) -> tuple[str, str]:
    """What opens and closes a quoted value, so that JSON stays JSON."""
    inner = raw.strip("\"'\\")
    at = raw.find(inner) if inner else 0
    return raw[:at], raw[at + len(inner) :] if at else ""


def _is_secret(name: str, value: str, *, quoted: bool) -> bool:
    value = value.strip()
    if len(value) < _LEAST_NAMED_CHARS or _is_mark(value) or value.lower().rstrip(".:,!") in NO_SECRET:
        return False
    if REFERENCE.fullmatch(value):
        return False
    if IS_PASSWORD.search(name):
        return True
    if FIGURE.fullmatch(value) or PATH.fullmatch(value):
        return False
    return quoted or not PLAIN_WORDS.fullmatch(value)


def _is_size(match: re.Match[str], value: str) -> bool:
    """`kubectl describe secret` says how long a value is, and not what it is."""
    return value.isdigit() and match.string[match.end() : match.end() + 6].lstrip().startswith("byte")


# --- a Kubernetes Secret as text -------------------------------------------------------------------------------------

_KIND_SECRET = re.compile(r"(?m)^[ \t-]{0,20}kind: {1,4}[\"']?Secret[\"']?[ \t\r]{0,4}$")
_DATA = re.compile(r"([ \t-]{0,40})(data|stringData):[ \t\r]{0,8}")
_ENTRY = re.compile(r"([ \t]{1,60}[\w./-]{1,253}:[ \t]{1,8})(\S.*)")
_BASE64_VALUE = re.compile(
    r"[\"']?(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})[\"']?"
)


def _mask_manifest(lines: Sequence[str], found: Found) -> list[str]:
    """The lines with the values under `data:` and `stringData:` masked, where one of the objects is a Secret."""
    if not any(_KIND_SECRET.fullmatch(line) for line in lines):
        return list(lines)
    masked: list[str] = []
    indent, every = -1, False
    for line in lines:
        opened = _DATA.fullmatch(line)
        if opened:
            indent, every = len(opened[1]), opened[2] == "stringData"
        elif line.strip() and len(line) - len(line.lstrip()) <= indent:
            indent = -1
        entry = _ENTRY.fullmatch(line) if indent >= 0 and not opened else None
        # A ConfigMap beside it has `data` as well, and texts in it.
        if entry and not _is_mark(entry[2]) and (every or _BASE64_VALUE.fullmatch(entry[2].strip())):
            found["secret"] += 1
            line = f"{entry[1]}‹secret›"
        masked.append(line)
    return masked


# --- where a text may be cut -----------------------------------------------------------------------------------------

_BEGINS = re.compile(r"-----BEGIN [A-Z0-9 ]{0,80}PRIVATE KEY|Private-Lines: \d")
_ENDS = re.compile(r"-----END [A-Z0-9 ]{0,80}KEY")
_MANIFEST = re.compile(r"(?m)^[ \t-]{0,20}apiVersion:")
_NEXT_MANIFEST = re.compile(r"(?m)^---[ \t\r]*$")
# Half of a pair, a line of base64, the beginning of a block, or a line inside of one.
_GOES_ON = re.compile(
    r"[ \t]*[A-Za-z0-9+/]{40,}={0,2}\s*|.*[|>][+-]?\d?\s*|(?i:[^:=]{0,20}\b(?:name|key)[\"']?\s?[:=].*)|.*[\[{,]\s*"
)


def is_open(text: str) -> bool:
    """Whether lines that come after those of `text` may be part of a secret that begins in it."""
    begun = [match.start() for match in _BEGINS.finditer(text)]
    if begun and not _ENDS.search(text, begun[-1]):
        return True
    manifests = [match.start() for match in _MANIFEST.finditer(text)]
    if manifests and not _NEXT_MANIFEST.search(text, manifests[-1]):
        return True
    lines = text.rstrip("\n").split("\n")
    opener = max((at for at, line in enumerate(lines) if line.rstrip().endswith(("|", "|-", ">", ">-"))), default=None)
    if opener is not None and all(line[:1].isspace() or not line.strip() for line in lines[opener + 1 :]):
        return True
    return bool(_GOES_ON.fullmatch(lines[-1]))


# --- encoded ---------------------------------------------------------------------------------------------------------

_ESCAPES = re.compile(r"%[0-9A-Fa-f]{2}")
_ESCAPED_WORD = re.compile(r"[^\s\"'<>‹›]*%[0-9A-Fa-f]{2}[^\s\"'<>‹›]*")


def _unescaped(word: str, found: Found, layers: int) -> str:
    """A word with percent signs, decoded where a secret comes to light that way."""
    best, most = word, Counter[str]()
    for decode in (unquote, unquote_plus) if "+" in word else (unquote,):
        inside: Found = Counter()
        masked = _mask(decode(word), inside, layers - 1)
        if inside.total() > most.total():
            best, most = masked, inside
    found.update(most)
    return safe(best, one_line=True) if most else word


def _sixtyfour(allowed: Callable[[int], bool]) -> str:
    """A class of the letters of base64, in both alphabets, whose six bits are allowed."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    chosen = "".join(letter for bits, letter in enumerate(letters) if allowed(bits))
    return "[" + chosen.replace("+", "+\\-").replace("/", "/_") + "]"


# Three bytes of text leave their marks in the bits of four letters: of random letters one group in eleven looks so.
_TEXT_BITS = (
    _sixtyfour(lambda bits: 8 <= bits < 32 or bits in (2, 3))
    + _sixtyfour(lambda bits: bits % 16 == 0 or 2 <= bits % 16 < 8)
    + _sixtyfour(lambda bits: bits % 4 < 2)
    + _sixtyfour(lambda bits: True)
)
_ENCODED = re.compile(rf"(?:{_TEXT_BITS}){{5}}")
_ENCODED_WORD = re.compile(r"[A-Za-z0-9+/_-]{20,}={0,2}")
_TEXT = re.compile(rb"[\x20-\x7e\t\r\n]{8,}")
_WRAPPED_LINE = re.compile(r"[ \t]*[A-Za-z0-9+/]{60,76}[ \t\r]*")
_LAST_LINE = re.compile(r"[ \t]*[A-Za-z0-9+/]{1,76}={0,2}[ \t\r]*")


def _decoded(word: str, found: Found, layers: int) -> str:
    """A word in base64, masked as a whole where a secret comes to light: it may begin anywhere in the word."""
    plain = word.rstrip("=").replace("-", "+").replace("_", "/")
    if not _ENCODED.search(plain):
        return word
    for start in range(4):
        inside: Found = Counter()
        for text in _texts_in(plain[start:]):
            _mask(text, inside, layers - 1)
        if inside:
            found["encoded-secret"] += 1
            return "‹encoded-secret›"
    return word


def _texts_in(plain: str) -> list[str]:
    # A single letter left over has no byte of its own.
    plain = plain[: len(plain) - 1] if len(plain) % 4 == 1 else plain
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return []
    return [part.decode("ascii") for part in _TEXT.findall(raw)]


def _mask_wrapped(lines: list[str], found: Found, layers: int) -> list[str]:
    """The lines, with base64 that goes over several of them masked where a secret is in it."""
    at = 0
    while at < len(lines) - 1:
        end = at
        while end < len(lines) and len(lines[end]) >= 60 and _WRAPPED_LINE.fullmatch(lines[end]):
            end += 1
        if end == at:
            at += 1
            continue
        end += end < len(lines) and bool(_LAST_LINE.fullmatch(lines[end]))
        if layers and end - at > 1:
            word = "".join(line.strip() for line in lines[at:end])
            if _is_mark(masked := _decoded(word, found, layers)):
                lines[at:end] = [masked] + [""] * (end - at - 1)
        at = end
    return lines


# --- the gate --------------------------------------------------------------------------------------------------------


def _least(hints: set[str]) -> tuple[str, ...]:
    """The hints without those in which another one is contained: `pass` is in `password`."""
    return tuple(sorted(hint for hint in hints if not any(other in hint for other in hints - {hint})))


def _tree(words: Iterable[str]) -> str:
    """An expression for any of the words that looks at each letter once; `MORE` says what has to follow some."""
    branches: dict[str, list[str]] = {}
    for word in words:
        branches.setdefault(word[0], []).append(word)
    return "|".join(
        re.escape(letter) + _behind(letter, [word[1:] for word in group]) for letter, group in sorted(branches.items())
    )


def _behind(before: str, rests: Sequence[str]) -> str:
    ends = [f"(?:{MORE[before]})" if before in MORE else ""] if "" in rests else []
    longer: dict[str, list[str]] = {}
    for rest in filter(None, rests):
        longer.setdefault(rest[0], []).append(rest[1:])
    branches = [re.escape(letter) + _behind(before + letter, group) for letter, group in sorted(longer.items())]
    return f"(?:{'|'.join([*branches, *ends])})"


_TOKENS = tuple(shape for shape in SHAPES if not shape.folded)
_PLACES = tuple(shape for shape in SHAPES if shape.folded)
_EXACT = re.compile(_tree({hint for shape in _TOKENS for hint in shape.hints}))
_FOLDED = _least({hint for shape in (*_PLACES, *BLOCKS) for hint in shape.hints} | set(HINTS_OF_NAMES))
# A name that may be one of a secret, and the sign of a value behind it; in lower case.
_SIGNED = re.compile(rf"(?:{_tree(HINTS_OF_NAMES)})[\w-]{{0,40}}[\"'\]\\]{{0,5}}\s{{0,12}}[:=]")
# No token is shorter, and most lines have few words as long.
_LONG_WORD = re.compile(r"[\w.~:+/=-]{16,}", re.ASCII)


def _is_clean(text: str) -> bool:
    """Whether nothing in the text can be a secret: all that clean text pays for."""
    low = text.lower()
    for hint in _FOLDED:
        if hint in low:
            return False
    if "%" in text and _ESCAPES.search(text):
        return False
    words = _LONG_WORD.findall(text)
    return not (words and (any(map(_EXACT.search, words)) or any(map(_is_encoded, words))))


def _is_encoded(word: str) -> bool:
    """Whether a long word may be text in base64, which has letters of both cases."""
    return not word.islower() and bool(_ENCODED.search(word))


def _has_hint(shape: Shape, text: str, low: str) -> bool:
    within = low if shape.folded else text
    return any(map(within.__contains__, shape.hints))
