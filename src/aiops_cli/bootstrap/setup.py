"""The first settings: what is there to be found, and a commented config.toml from it."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiops_cli.config import FILE, PROFILES, SETTINGS
from aiops_cli.errors import BadConfig, UsageError

# Where each of them listens when nobody changed it, on this machine.
USUAL = {
    "prometheus": "http://127.0.0.1:9090",
    "alertmanager": "http://127.0.0.1:9093",
    "loki": "http://127.0.0.1:3100",
    "supervisor": "http://127.0.0.1:9001",
    "mlflow": "http://127.0.0.1:5000",
    "elasticsearch": "http://127.0.0.1:9200",
}
# Variables in which other tools are told the same.
VARIABLES = {
    "PROMETHEUS_URL": "prometheus",
    "ALERTMANAGER_URL": "alertmanager",
    "LOKI_ADDR": "loki",
    "LOKI_URL": "loki",
    "MLFLOW_TRACKING_URI": "mlflow",
    "ELASTICSEARCH_URL": "elasticsearch",
}
PROBE_S = 1.5
_LARGEST = 1_000_000
_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")
_HEAD = """\
# Settings of aiops. What is not here is at its default; `aiops config show --all` lists everything.
# No secret belongs here: tokens and passwords are in the environment, or kept with `aiops config set-secret`.
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A server that is there: what it is, where, how that was found out, and whether it wants a token or a password."""

    name: str
    url: str
    how: str
    login: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """A context of the kubeconfig, with the namespace that it is for."""

    name: str
    namespace: str


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found. `notes` are for the person: what was seen and not taken, and why."""

    servers: tuple[Found, ...]
    contexts: tuple[Context, ...]
    kubeconfig: str
    notes: tuple[str, ...]


def detect(usual: Mapping[str, str] | None = None) -> Detected:
    """Look at the environment, the kubeconfig and the usual addresses. Raises nothing, and takes `PROBE_S` at most."""
    named, notes = _from_environment({**_own_variables(), **VARIABLES})
    others = {name: url for name, url in (USUAL if usual is None else usual).items() if name not in named}
    servers = (*named.values(), *_answering(others))
    contexts, kubeconfig, problem = _read_contexts()
    return Detected(servers, contexts, kubeconfig, (*notes, *problem, *_keys()))


def _own_variables() -> dict[str, str]:
    return {setting.variable: name.removesuffix(".url") for name, setting in SETTINGS.items() if name.endswith(".url")}


def _from_environment(variables: Mapping[str, str]) -> tuple[dict[str, Found], list[str]]:
    found: dict[str, Found] = {}
    notes = []
    for variable, name in variables.items():
        value = os.environ.get(variable, "").strip()
        if not value or name in found:
            continue
        try:
            found[name] = Found(name, SETTINGS[f"{name}.url"].parse(value), f"{variable} says so")
        except ValueError as error:
            # The value itself may hold a password.
            notes.append(f"{variable} was not taken: it {error}")
    return found, notes


def _answering(addresses: Mapping[str, str]) -> list[Found]:
    from aiops_cli.adapters.backends.looks import Looked, look_for
    from aiops_cli.adapters.backends.web import Server

    servers = [Server(name=name, url=url) for name, url in addresses.items()]
    said = look_for(servers, PROBE_S)
    pairs = zip(servers, said, strict=True)
    return [
        Found(server.name, server.url, each.words, each.login) for server, each in pairs if isinstance(each, Looked)
    ]


def _read_contexts() -> tuple[tuple[Context, ...], str, list[str]]:
    """Contexts of the kubeconfig, the file where KUBECONFIG names a single one, and what could not be read."""
    named = os.environ.get("KUBECONFIG", "").strip()
    paths = [Path(each) for each in named.split(os.pathsep) if each] or [Path("~/.kube/config")]
    contexts: dict[str, Context] = {}
    problems = []
    for path in paths:
        try:
            contexts |= {each.name: each for each in _contexts_of(path.expanduser())}
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, RuntimeError, BadConfig) as error:
            problems.append(f"cannot read the kubeconfig {path}: {getattr(error, 'strerror', None) or error}")
    only = str(paths[0].expanduser()) if named and len(paths) == 1 and contexts else ""
    return tuple(contexts.values()), only if only.startswith("/") else "", problems


def _contexts_of(path: Path) -> list[Context]:
    """Names alone are taken from the file: what it holds besides are secrets."""
    from aiops_cli.domain.redact import safe
    from aiops_cli.strict_yaml import read_yaml

    with path.open("rb") as file:
        data = read_yaml(file.read(_LARGEST).decode("utf-8"), path.name).data
    rows = data.get("contexts") if isinstance(data, dict) else None
    found = []
    for row in rows if isinstance(rows, list) else []:
        name = row.get("name") if isinstance(row, dict) else None
        inner = row.get("context") if isinstance(row, dict) else None
        space = inner.get("namespace") if isinstance(inner, dict) else None
        if isinstance(name, str) and name.strip() and safe(name, one_line=True) == name:
            found.append(Context(name, space if isinstance(space, str) else ""))
    return found


def _keys() -> list[str]:
    from aiops_cli.adapters.keys import find_key

    key = find_key("gemini", ask_keyring=False)
    return [f"a key for Gemini is in the environment ({key.source}): it stays there"] if key else []


def values_of(servers: Sequence[Found], context: Context | None, kubeconfig: str = "") -> dict[str, Any]:
    """The settings that follow from what was found and wanted."""
    values: dict[str, Any] = {f"{found.name}.url": found.url for found in servers}
    if context is not None:
        values["kubernetes.context"] = context.name
        if context.namespace:
            values["kubernetes.namespaces"] = (context.namespace,)
        if kubeconfig:
            values["kubernetes.kubeconfig"] = kubeconfig
    return values


# --- the file --------------------------------------------------------------------------------------------------------


def check_profile(name: str) -> str:
    """The name as it is. Raises UsageError for one that cannot be written without quotes."""
    if name and not _BARE.fullmatch(name):
        raise UsageError(f"{name[:60]!r} cannot be the name of a profile", hint="letters, digits, - and _")
    return name


def make_settings_text(before: str, values: Mapping[str, Any], profile: str = "") -> str:
    """The file with these settings in it, those that it has already left as they are, each with what it does.

    Every byte of what was there stays. Raises BadConfig where that cannot be done.
    """
    from aiops_cli.adapters.settings_file import add_lines, read_names

    prefix = f"{PROFILES}.{profile}" if profile else ""
    there = read_names(before, prefix)
    missing = {name: value for name, value in values.items() if name not in there}
    after = before or _HEAD
    for table in dict.fromkeys(name.rpartition(".")[0] for name in missing):
        own = {name: value for name, value in missing.items() if name.rpartition(".")[0] == table}
        whole = bool(table) and not any(name.startswith(f"{table}.") for name in there)
        full = ".".join(part for part in (prefix, table) if part)
        after = add_lines(after, full, _lines(own, table if whole and not profile else ""))
    if not before:
        after += _not_found(values)
    _check(before, after, missing, prefix)
    return after


def _lines(values: Mapping[str, Any], rest_of: str = "") -> list[str]:
    """Settings with their comments; with `rest_of` the others of that table too, as comments."""
    from aiops_cli.adapters.settings_file import toml_value

    lines = []
    for name, value in values.items():
        short = name.rpartition(".")[2]
        lines += [*_comment(name), f"{short} = {toml_value(value)}"]
    for name, setting in SETTINGS.items():
        if rest_of and name.startswith(f"{rest_of}.") and name not in values:
            lines += [*_comment(name), f"# {name.rpartition('.')[2]} = {toml_value(setting.default)}"]
    return lines


def _comment(name: str) -> list[str]:
    import textwrap

    setting = SETTINGS[name]
    text = f"{setting.help} Allowed: {setting.allowed}."
    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _not_found(values: Mapping[str, Any]) -> str:
    """What else could be set, as comments: one line of each system that is not."""
    from aiops_cli.adapters.settings_file import toml_value

    here = {name.partition(".")[0] for name in values if "." in name}
    first: dict[str, str] = {}
    for name in SETTINGS:
        table, dot, _ = name.partition(".")
        if dot and table not in here:
            first.setdefault(table, name)
    blocks = ["\n# What else can be set, where you have it:\n"]
    for table, name in first.items():
        blocks.append(
            "\n".join(
                [f"# [{table}]", *_comment(name), f"# {name.partition('.')[2]} = {toml_value(SETTINGS[name].default)}"]
            )
            + "\n"
        )
    return "\n".join(blocks)


def _check(before: str, after: str, added: Mapping[str, Any], prefix: str) -> None:
    """Whether the new text says what the old one said and what was added, and nothing else. Raises BadConfig."""
    import tomllib

    try:
        holds = tomllib.loads(after) == _with(tomllib.loads(before), added, prefix)
    except (tomllib.TOMLDecodeError, TypeError, AttributeError):
        # A table that is a list or a text there, or whose heading could not be found.
        holds = False
    if not holds:
        lines = "; ".join(_lines(added)[-1:])
        raise BadConfig(f"{FILE} has a form in which nothing can be added", hint=f"add it yourself, such as {lines}")


def _with(data: dict[str, Any], added: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    for name, value in added.items():
        at: Any = data
        *path, last = ".".join(part for part in (prefix, name) if part).split(".")
        for part in path:
            at = at.setdefault(part, {})
        at[last] = list(value) if isinstance(value, tuple) else value
    return data


def write(path: Path, before: str, after: str) -> Path | None:
    """Exchange the file, in a data folder that is made where it is missing; where the old one is kept.

    Raises BadConfig or StoreError.
    """
    from aiops_cli.adapters.settings_file import write_settings_text
    from aiops_cli.adapters.store.engine import prepare_home

    prepare_home(path.parent)
    return write_settings_text(path, before, after)
