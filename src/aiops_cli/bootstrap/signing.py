"""Signatures of answers, and who signed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiops_cli.config import Settings
from aiops_cli.errors import BadConfig

if TYPE_CHECKING:
    from aiops_cli.domain.approval import Answer, Decision


def _path_of(settings: Settings, name: str) -> Path | None:
    value = str(settings[name].value)
    return Path(value).expanduser() if value else None


def make_prover(settings: Settings) -> "Callable[[Decision], str | None]":
    """Who signed a decision, by the file of allowed signers as it is at that moment; None where nobody did."""
    allowed = _path_of(settings, "allowed_signers")

    def prove(decision: "Decision") -> str | None:
        from aiops_cli.adapters.signatures import APPROVAL, verify
        from aiops_cli.domain.approval import approval_bytes
        from aiops_cli.errors import BadSignature

        if allowed is None or not decision.signature:
            return None
        try:
            return verify(approval_bytes(decision.digest, decision.answer), decision.signature, allowed, APPROVAL)
        except BadSignature:
            return None

    return prove


def sign_answer(settings: Settings, key: Path | None, digest: str, answer: "Answer") -> tuple[str, str]:
    """Sign an answer, and check it as others will: who that is, and the signature. Raises BadSignature or BadConfig."""
    from aiops_cli.adapters.signatures import APPROVAL, sign, verify
    from aiops_cli.domain.approval import approval_bytes

    allowed, own = _path_of(settings, "allowed_signers"), key or _path_of(settings, "signing_key")
    if own is None:
        raise BadConfig("no key to sign with", hint="name it with --key PATH, or in the setting signing_key")
    if allowed is None:
        raise BadConfig(
            "nobody says whose signatures count", hint="name a file of allowed signers in the setting allowed_signers"
        )
    data = approval_bytes(digest, answer)
    signature = sign(data, own, APPROVAL)
    return verify(data, signature, allowed, APPROVAL), signature


def find_principal(settings: Settings) -> str | None:
    """Who asks, proved by their key without anybody being asked for a passphrase; None where that cannot be proved."""
    import secrets

    from aiops_cli.adapters.signatures import REQUEST, sign, verify
    from aiops_cli.errors import BadSignature

    allowed, own = _path_of(settings, "allowed_signers"), _path_of(settings, "signing_key")
    if allowed is None or own is None:
        return None
    data = f"aiops-request\n{secrets.token_hex(16)}\n".encode()
    try:
        return verify(data, sign(data, own, REQUEST, ask=False), allowed, REQUEST)
    except BadSignature:
        return None
