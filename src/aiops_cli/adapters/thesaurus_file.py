"""Reads the on-call thesaurus that ships with the program, and a team's own beside it."""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from aiops_cli.domain.ranking import VERSION
from aiops_cli.domain.redact import safe
from aiops_cli.domain.thesaurus import Thesaurus
from aiops_cli.errors import BadConfig
from aiops_cli.private_files import NotPrivate, read_trusted

_MOST_WORDS = 3
_MOST_BYTES = 1_000_000
_HINT = "a concept is a line such as `latency: [slow, sluggish, taking ages]`"


def thesaurus_digest(own: Path | None) -> str:
    """What changes when either file or the way of ranking does; neither is read as YAML for it. Raises BadConfig."""
    digest = hashlib.sha256(f"ranking {VERSION}".encode())
    for text in _texts(own).values():
        digest.update(text.encode() + b"\x00")
    return digest.hexdigest()[:16]


def read_thesaurus(own: Path | None) -> Thesaurus:
    """The thesaurus that ships, with a team's concepts and forms added. Raises BadConfig with the line."""
    return _read_texts(tuple(_texts(own).items()))


@lru_cache(maxsize=4)
def _read_texts(texts: tuple[tuple[str, str], ...]) -> Thesaurus:
    groups: dict[str, list[str]] = {}
    for name, text in texts:
        for concept, forms in _read(text, name).items():
            groups.setdefault(concept, []).extend(forms)
    return Thesaurus.of(groups)


def _texts(own: Path | None) -> dict[str, str]:
    shipped = files("aiops_cli").joinpath("data", "thesaurus.yaml")
    texts = {"thesaurus.yaml": shipped.read_text(encoding="utf-8")}
    if own is not None:
        shown = safe(str(own), one_line=True, limit=200)
        try:
            texts[shown] = read_trusted(own, _MOST_BYTES).decode("utf-8")
        except NotPrivate as error:
            raise BadConfig(
                f"the thesaurus {shown} {error.strerror}", hint="it is read where it is yours alone"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise BadConfig(f"cannot read the thesaurus {shown}", hint=_HINT) from error
    return texts


def _read(text: str, name: str) -> Mapping[str, list[str]]:
    from aiops_cli.strict_yaml import read_yaml

    document = read_yaml(text, name)
    if not isinstance(document.data, dict):
        raise BadConfig(f"{name}: is no mapping of concepts to words", hint=_HINT)
    for concept, forms in document.data.items():
        where = document.where((concept,))
        if not isinstance(forms, list) or not all(isinstance(form, str | int) for form in forms):
            raise BadConfig(f"{where}: is no list of words", hint=_HINT)
        long = [form for form in forms if len(str(form).split()) > _MOST_WORDS]
        if long:
            raise BadConfig(f"{where}: {str(long[0])[:80]!r} has more than {_MOST_WORDS} words", hint=_HINT)
    return {safe(str(concept), one_line=True, limit=80): [str(form) for form in forms]
            for concept, forms in document.data.items()}  # fmt: skip
