"""Where model keys are: the environment first, then the operating system's keyring. Never a file of ours."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiops_cli.errors import AiopsError, UsageError

SERVICE = "aiops-cli"
# The SDK itself prefers GOOGLE_API_KEY when both are set; so do we.
GEMINI_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
# Where each provider's key is looked for. The retired SDK of Google takes the same key as the other.
VARIABLES: Mapping[str, Sequence[str]] = {
    "gemini": GEMINI_VARIABLES,
    "openai": ("OPENAI_API_KEY",),
    "google-generativeai": GEMINI_VARIABLES,
}
_OWNERS = {"gemini": "Gemini", "google-generativeai": "Gemini", "openai": "OpenAI"}
_SAME_KEY = {"google-generativeai": "gemini"}


# What keyring raises while it looks for the backend that PYTHON_KEYRING_BACKEND or its configuration names.
_BROKEN = (ImportError, AttributeError, RuntimeError, TypeError)


@dataclass(frozen=True, slots=True)
class Key:
    """A key and where it was found; `repr` and messages never hold the key itself."""

    value: str
    source: str

    def __repr__(self) -> str:
        return f"Key(source={self.source!r})"


def find_key(provider: str, *, ask_keyring: bool = True) -> Key | None:
    """The key for a provider, or None. A keyring that does not work counts as empty: the run goes on without it."""
    for name in VARIABLES.get(provider, ()):
        value = os.environ.get(name, "").strip()
        if value:
            return Key(value, name)
    return _from_keyring(provider) if ask_keyring else None


def owner_of(provider: str) -> str:
    """Whose key a provider wants, in words."""
    return _OWNERS[provider]


def keyring_problem() -> str | None:
    """Why the keyring cannot be used here, or None when it can."""
    try:
        import keyring
        from keyring.backends.fail import Keyring as NoKeyring

        backend = keyring.get_keyring()
    except _BROKEN as error:
        return f"the keyring that is configured cannot be loaded: {error}"
    return "no keyring service is running on this machine" if isinstance(backend, NoKeyring) else None


def set_key(provider: str, value: str) -> None:
    """Keep a key in the keyring. Raises UsageError for a key that cannot be one, AiopsError when the keyring fails."""
    value = value.strip()
    if not value or not value.isascii() or any(char.isspace() for char in value):
        raise UsageError("that is not a key: it is empty, or has spaces or non-ASCII characters", hint="copy it again")
    _keep(_SAME_KEY.get(provider, provider), value, VARIABLES[provider][-1])


def set_secret(server: str, kind: str, value: str) -> None:
    """Keep the token or password (`kind`) of a server in the keyring. Raises UsageError or AiopsError as `set_key`."""
    value = value.strip("\r\n")
    if not value.strip() or not value.isprintable():
        raise UsageError(f"that is not a {kind}: it is empty, or has what cannot be typed", hint="copy it again")
    _keep(_name_of(server, kind), value, secret_variable(server, kind))


def _keep(name: str, value: str, variable: str) -> None:
    import keyring
    from keyring.errors import KeyringError

    try:
        keyring.set_password(SERVICE, name, value)
    except KeyringError as error:
        raise AiopsError(
            f"the keyring cannot keep it: {type(error).__name__}", hint=f"set {variable} instead"
        ) from error


def delete_key(provider: str) -> bool:
    """Forget a key; False when there was none. Raises AiopsError when the keyring fails."""
    return _forget(_SAME_KEY.get(provider, provider))


def delete_secret(server: str, kind: str) -> bool:
    """Forget a server's secret; False when there was none. Raises AiopsError when the keyring fails."""
    return _forget(_name_of(server, kind))


def _forget(name: str) -> bool:
    import keyring
    from keyring.errors import KeyringError, PasswordDeleteError

    try:
        keyring.delete_password(SERVICE, name)
    except PasswordDeleteError:
        return False
    except KeyringError as error:
        raise AiopsError(f"the keyring does not work here: {type(error).__name__}") from error
    return True


def is_any_kept() -> bool:
    """Whether the keyring holds a key of any provider."""
    return any(_from_keyring(provider) for provider in VARIABLES if provider not in _SAME_KEY)


def _from_keyring(provider: str) -> Key | None:
    try:
        import keyring
        from keyring.errors import KeyringError

        try:
            value = keyring.get_password(SERVICE, _SAME_KEY.get(provider, provider))
        except KeyringError:
            return None
    except _BROKEN:
        return None
    return Key(value, "keyring") if value else None


SECRET_KINDS = ("token", "password")


def secret_variable(server: str, kind: str) -> str:
    """The environment variable of a server's secret."""
    return f"AIOPS_{server.upper()}_{kind.upper()}"


def _name_of(server: str, kind: str) -> str:
    return f"{server}-{kind.lower()}"


def find_secret(server: str, kind: str, *, ask_keyring: bool) -> str:
    """The token or password (`kind`) of a server: AIOPS_SERVER_KIND, else the keyring's; empty where there is none."""
    return _secret(server, kind, ask_keyring=ask_keyring)[0]


def secret_source(server: str, kind: str, *, ask_keyring: bool) -> str:
    """Where a server's secret is: the variable, `keyring`, or empty where there is none."""
    return _secret(server, kind, ask_keyring=ask_keyring)[1]


def _secret(server: str, kind: str, *, ask_keyring: bool) -> tuple[str, str]:
    variable = secret_variable(server, kind)
    value = os.environ.get(variable, "").strip()
    if value or not ask_keyring:
        return value, variable if value else ""
    kept = _from_keyring(_name_of(server, kind))
    return (kept.value, "keyring") if kept else ("", "")
