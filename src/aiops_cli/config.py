"""Settings: one table, and where each value came from: flag, environment, config.toml, or default."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiops_cli.errors import BadConfig, UnknownName

FILE = "config.toml"
_MOST_BYTES = 1_000_000
# Tables of config.toml that hold the same settings for one place: [profiles.prod].
PROFILES = "profiles"
PROFILE_VARIABLE = "AIOPS_PROFILE"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `parse` turns the text of an environment variable or a TOML value into what the program uses."""

    name: str
    default: Any
    parse: Callable[[Any], Any]
    help: str
    allowed: str

    @property
    def variable(self) -> str:
        """The environment variable."""
        return f"AIOPS_{self.name.upper().replace('.', '_')}"


@dataclass(frozen=True, slots=True)
class Resolved:
    """A value and where it came from."""

    value: Any
    source: str


# What a run goes by: every setting's name, its value, and where that came from.
Settings = Mapping[str, Resolved]


def _choice(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return parse


def _seconds(low: float, high: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        try:
            number = float(str(value).removesuffix("s"))
        except ValueError:
            raise ValueError("must be a number of seconds, such as 30s") from None
        if not low <= number <= high:
            raise ValueError(f"must be between {low:g} and {high:g} seconds")
        return number

    return parse


def _days(low: float, high: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        try:
            number = float(str(value).removesuffix("d"))
        except ValueError:
            raise ValueError("must be a number of days, such as 90d") from None
        if not low <= number <= high:
            raise ValueError(f"must be between {low:g} and {high:g} days")
        return number

    return parse


def _dollars(low: float, high: float) -> Callable[[Any], float | str]:
    """An amount of US dollars, or nothing, which is no limit."""

    def parse(value: Any) -> float | str:
        if value == "":
            return ""
        try:
            number = float(str(value).removeprefix("$"))
        except ValueError:
            raise ValueError("must be an amount in US dollars, such as 2.50") from None
        if not low <= number <= high:
            raise ValueError(f"must be between {low:g} and {high:,.0f} US dollars")
        return number

    return parse


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def read_seconds(value: Any) -> float:
    """Seconds, from `90s`, `15m`, `1h`, `7d` or a number of seconds. Raises ValueError."""
    text = str(value)
    unit = _UNITS.get(text[-1:], 0)
    try:
        return float(text[:-1] if unit else text) * (unit or 1)
    except ValueError:
        raise ValueError("must be a time such as 90s, 15m, 1h or 7d") from None


def _age(high_s: float, low_s: float = 0.0) -> Callable[[Any], float]:
    """Seconds of a time of this length at most, and at least."""

    def parse(value: Any) -> float:
        seconds = read_seconds(value)
        if not low_s <= seconds <= high_s:
            least = f"{low_s:g}s" if low_s else "0"
            raise ValueError(f"must be between {least} and {high_s / 86_400:g}d")
        return seconds

    return parse


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError("must be true or false")
    return words[str(value).lower()]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty")
    return value.strip()


def _text_or_none(value: Any) -> str:
    return "" if value in ("", "none") else _text(value)


def _count(low: int, high: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        text = str(value)
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low:,} to {high:,}")
        return int(text)

    return parse


def _url(value: Any) -> str:
    """An address of an API, or nothing. Plain http is for this machine and for gateways of one's own."""
    from urllib.parse import urlsplit

    if value == "":
        return ""
    parts = urlsplit(_text(value))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must begin with http:// or https:// and name a host")
    return _text(value)


def _collector(value: Any) -> str:
    """Where the audit log is forwarded to, or nothing. Plain http is for this machine; no address holds a password."""
    from urllib.parse import urlsplit

    if value in ("", "syslog"):
        return str(value)
    parts = urlsplit(_text(value))
    if parts.scheme not in ("syslog", "syslog+tcp", "http", "https") or not parts.hostname:
        raise ValueError("must be syslog, or begin with syslog://, syslog+tcp:// or https:// and name a host")
    if parts.port == 0:
        raise ValueError("has a port that is none")
    if "@" in parts.netloc:
        raise ValueError("must have no user and no password: AIOPS_AUDIT_TOKEN is for the collector's token")
    if parts.scheme == "http" and not _is_here(parts.hostname):
        raise ValueError("must be https:// for another machine")
    return _text(value)


def _is_here(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _file(value: Any) -> str:
    """A file by its full path: one from where somebody happens to stand could be another file tomorrow."""
    if value == "":
        return ""
    if not _text(value).startswith(("/", "~/")):
        raise ValueError("must be a full path, or begin with ~/")
    return _text(value)


def _embeddings(value: Any) -> str:
    if value == "":
        return ""
    provider, colon, model = _text(value).partition(":")
    if provider not in ("gemini", "openai") or not colon or not model.strip():
        raise ValueError("must be PROVIDER:ID, such as gemini:gemini-embedding-001 or openai:nomic-embed-text")
    return f"{provider}:{model.strip()}"


def _names(value: Any) -> tuple[str, ...]:
    """Texts: a list, or one text with commas."""
    given = value if isinstance(value, list | tuple) else str(value).split(",")
    if not all(isinstance(one, str) for one in given):
        raise ValueError("must be a list of texts")
    return tuple(one.strip() for one in given if one.strip())


def _headers(value: Any) -> tuple[str, ...]:
    names = _names(value)
    for header in names:
        name, colon, text = header.partition(":")
        if not colon or not name.strip() or not text.strip() or not header.isprintable():
            raise ValueError("must be texts such as X-Scope-OrgID: payments")
        if name.strip().lower() in ("authorization", "cookie", "proxy-authorization"):
            raise ValueError("must hold no secret: those are in the environment or the keyring")
    return names


def _server_address(value: Any) -> str:
    """An address without a password: secrets are in no file."""
    address = _url(value)
    if "@" in address.split("://", 1)[-1].split("/", 1)[0]:
        raise ValueError("must have no user and no password in it")
    return address.rstrip("/")


def _socket_or_address(value: Any) -> str:
    """An address, or a socket of this machine by its full path."""
    if isinstance(value, str) and value.startswith("unix://"):
        _file(_text(value.removeprefix("unix://")))
        return value
    return _server_address(value)


def _server(
    name: str,
    what: str,
    address: str = "http://127.0.0.1:9090",
    parse: Callable[[Any], str] = _server_address,
    allowed: str = "empty, URL",
) -> tuple[Setting, ...]:
    """The rows of one server. Its token or password is AIOPS_NAME_TOKEN or AIOPS_NAME_PASSWORD, or in the keyring."""
    return (
        Setting(f"{name}.url", "", parse, f"{what}: its address, such as {address}.", allowed),
        Setting(f"{name}.user", "", _text_or_none,
                f"Who signs in to {name} with a password (AIOPS_{name.upper()}_PASSWORD or the keyring); with a token"
                f" (AIOPS_{name.upper()}_TOKEN) it stays empty.", "empty, a name"),
        Setting(f"{name}.headers", (), _headers, f"What else is sent to {name} with each request.",
                "texts such as X-Scope-OrgID: payments"),
        Setting(f"{name}.ca_file", "", _file, f"The authority that signed the certificate of {name}.",
                "empty, a full path"),
        Setting(f"{name}.client_cert", "", _file, f"The certificate that we show to {name}.", "empty, a full path"),
        Setting(f"{name}.client_key", "", _file, "The key of that certificate.", "empty, a full path"),
    )  # fmt: skip


SETTINGS: Mapping[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("reasoner", "auto", _choice("auto", "offline", "gemini", "openai", "google-generativeai"),
                "Who diagnoses. `auto` takes the model when a key for it is found or `model_url` is a server of your"
                " own, else the embedded reasoner.",
                "auto, offline, gemini, openai, google-generativeai"),
        Setting("model", "gemini:gemini-3.5-flash-lite", _text,
                "The model, as PROVIDER:ID; `openai` is any endpoint of that kind, with the extra `openai`.",
                "gemini:ID, openai:ID, google-generativeai:ID, offline"),
        Setting("fallback_model", "gemini:gemini-3.8-flash", _text_or_none,
                "The model behind it: asked when the first cannot answer, and first for what is hard.",
                "none, PROVIDER:ID"),
        Setting("max_turns", 6, _count(1, 30),
                "How many requests a conversation with a model may take; 1 is a single question without tools.",
                "1 to 30"),
        Setting("max_questions", 12, _count(0, 100), "How many things a model may look up in one diagnosis.",
                "0 to 100"),
        Setting("max_tokens", 200_000, _count(1_000, 5_000_000), "How many tokens one diagnosis may take.",
                "1000 to 5000000"),
        Setting("context_tokens", 60_000, _count(2_000, 1_000_000),
                "Above so many tokens the earlier turns of a conversation are summarised.", "2000 to 1000000"),
        Setting("critic", "auto", _choice("auto", "on", "off"),
                "A model reviews the plan before you are asked; `auto` where it could do harm that is not taken back.",
                "auto, on, off"),
        Setting("story", "auto", _choice("auto", "on", "off"),
                "A model tells the incident at its end, for whoever reads the record; `auto` where it had answered and"
                " something was done or is handed over.",
                "auto, on, off"),
        Setting("model_url", "", _url,
                "Another address of the model's API: a proxy, a gateway, or a server such as http://127.0.0.1:11434/v1.",
                "URL"),
        Setting("backend", "auto", _choice("auto", "live", "simulator", "none"),
                "Where evidence comes from. `live` are the systems set below, `simulator` is the embedded world,"
                " for alerts on a service it knows; `auto` is live where anything of it is set, else the simulator.",
                "auto, live, simulator, none"),
        Setting("deadline", 60.0, _seconds(1, 3600), "How long the model may take; then the offline answer is given.",
                "1s to 3600s"),
        Setting("approval_timeout", 600.0, _seconds(5, 86400), "How long the prompt waits; then the answer is No.",
                "5s to 86400s"),
        Setting("decide_within", 3600.0, _age(7 * 86_400, 60),
                "How long a request can be answered, here or elsewhere; then it is expired.", "60s to 7d, such as 1h"),
        Setting("allowed_signers", "", _file,
                "Whose signatures count, as OpenSSH's file of allowed signers has it; needed where two people have to"
                " say yes.", "empty, a full path"),
        Setting("signing_key", "", _file,
                "Your key for signing answers: a private one, or a public one whose private half an agent holds.",
                "empty, a full path"),
        Setting("run_within", 600.0, _age(86_400, 10),
                "How long after that an approved request may still begin to run.", "10s to 1d, such as 10m"),
        Setting("embeddings", "", _embeddings,
                "Search by meaning beside words, with the extra `semantic`: gemini:MODEL, or openai:MODEL for any"
                " endpoint of that kind, which may be local.", "empty, gemini:ID, openai:ID"),
        Setting("embeddings_url", "", _url, "The address of the embeddings' API, such as http://127.0.0.1:11434/v1.",
                "URL"),
        Setting("mask_identifiers", True, _flag,
                "Whether hosts, addresses, users and e-mail addresses leave as numbers, which come back for display."
                " Secrets never leave.", "true, false"),
        Setting("keep_evidence", 90.0, _days(1, 36_500),
                "How long `aiops history prune` leaves the texts of evidence and the spans of runs.", "1d to 36500d"),
        Setting("daily_budget", "", _dollars(0.0001, 1_000_000),
                "What calls of models may cost in a day of UTC, in US dollars, for everybody who shares the store.",
                "empty for no limit, 0.0001 to 1000000"),
        Setting("incident_budget", "", _dollars(0.0001, 1_000_000),
                "What calls of models may cost for one incident, in US dollars.",
                "empty for no limit, 0.0001 to 1000000"),
        Setting("calls_per_minute", 60, _count(0, 100_000),
                "How many calls of models everybody who shares the store may make in a minute; 0 is no limit.",
                "0 to 100000"),
        Setting("calls_per_person", 30, _count(0, 100_000),
                "How many of them one person may make in a minute; 0 is no limit.", "0 to 100000"),
        Setting("cache_answers", 3600.0, _age(7 * 86_400),
                "How long a model's answer is given again to the very same question; 0 is never.",
                "0 to 7d, such as 1h"),
        Setting("audit_anchor", "", _file,
                "A file that the newest row of the audit log is noted down in, on a disk that whoever writes the store"
                " cannot write.", "empty, PATH"),
        Setting("audit_forward", "", _collector,
                "Where rows of the audit log go besides: the local syslog, a syslog server over UDP or TCP, or an HTTP"
                " collector.", "empty, syslog, syslog://HOST:PORT, syslog+tcp://HOST:PORT, https://URL"),
        Setting("environment", "unknown", _choice("unknown", "production", "staging", "homelab", "sandbox"),
                "What this machine looks after; written into every record.",
                "unknown, production, staging, homelab, sandbox"),
        Setting("team_policy", "", _file,
                "The policy file of your team, which holds beside your own and that of the project; where it is set"
                " and cannot be read, nothing is allowed.", "empty, a full path"),
        Setting("gather_within", 10.0, _seconds(0.2, 300), "How long each source may take to give its evidence.",
                "0.2s to 300s"),
        Setting("verify_step", 15.0, _seconds(0.5, 300), "How often the signal is measured after an action.",
                "0.5s to 300s"),
        Setting("verify_hold", 180.0, _seconds(1, 3600), "How long the signal has to stay good to count as recovered.",
                "1s to 3600s"),
        Setting("verify_within", 900.0, _seconds(2, 86_400), "How long it is waited for.", "2s to 86400s"),
        *_server("prometheus", "Prometheus, or any server that speaks PromQL"),
        Setting("prometheus.service_labels", ("service", "app", "job"), _names,
                "The labels that name a service, the first that a series has.", "names of labels"),
        *_server("alertmanager", "Alertmanager", "http://127.0.0.1:9093"),
        Setting("alertmanager.write", False, _flag, "Whether alerts may be silenced, with your yes to each.",
                "true, false"),
        Setting("kubernetes.context", "", _text_or_none,
                "The context of the kubeconfig; it is named in every command, and never the current one by itself.",
                "empty for no cluster, the name of a context"),
        Setting("kubernetes.namespaces", (), _names, "Where to look; the first is where a bare name is looked for.",
                "names of namespaces"),
        Setting("kubernetes.kubeconfig", "", _file, "The kubeconfig; empty is kubectl's own choice.",
                "empty, a full path"),
        Setting("kubernetes.kubectl", "kubectl", _text, "The kubectl to run.", "a name or a full path"),
        Setting("kubernetes.write", False, _flag, "Whether anything may be changed there, with your yes to each.",
                "true, false"),
        *_server("supervisor", "supervisord's XML-RPC, over HTTP or its socket", "http://127.0.0.1:9001",
                 _socket_or_address, "empty, URL, unix:///run/supervisor.sock"),
        Setting("supervisor.write", False, _flag, "Whether processes may be started, stopped and restarted, with your"
                " yes to each.", "true, false"),
        Setting("systemd.units", (), _names, "The units of this machine that are looked at.", "names of units"),
        Setting("systemd.write", False, _flag, "Whether they may be started, stopped and restarted, with your yes.",
                "true, false"),
        Setting("logs.files", (), _names, "Log files, as SERVICE=PATH; the path may hold * and {service}.",
                "texts such as payments-api=/var/log/payments/*.log"),
        Setting("logs.journal", False, _flag, "Whether journald of this machine is read.", "true, false"),
        *_server("loki", "Loki", "http://127.0.0.1:3100"),
        Setting("loki.query", '{app="$service"}', _text, "The stream selector; $service is the service's name.",
                "LogQL"),
        *_server("elasticsearch", "Elasticsearch or OpenSearch", "http://127.0.0.1:9200"),
        Setting("elasticsearch.index", "logs-*", _text, "The index to search.", "a name, which may hold *"),
        Setting("elasticsearch.service_field", "service.name", _text, "The field that names the service.",
                "name of a field"),
        Setting("changes.git", (), _names, "Checkouts whose log is read for changes, as SERVICE=PATH or PATH.",
                "texts such as payments-api=/srv/payments"),
        Setting("changes.feed", "", _server_address,
                "A list of changes as JSON (docs/guides/sources.md); AIOPS_CHANGES_TOKEN goes along.",
                "empty, URL"),
        *_server("argocd", "Argo CD", "https://argocd.example.com"),
        *_server("github", "GitHub's API, for deployments", "https://api.github.com"),
        Setting("github.repositories", (), _names, "Whose deployments are read, as SERVICE=OWNER/NAME or OWNER/NAME.",
                "texts such as payments-api=example/payments"),
        *_server("pagerduty", "PagerDuty's API, for --from pagerduty", "https://api.pagerduty.com"),
        *_server("mlflow", "MLflow's registry", "http://127.0.0.1:5000"),
        Setting("mlflow.models", (), _names, "The registered models that are looked at; empty is all of them.",
                "names of models"),
        Setting("mlflow.write", False, _flag, "Whether an alias of a model may be moved, with your yes to each.",
                "true, false"),
        Setting("paved_road.file", "", _file, "Your team's own checks and actions (docs/guides/paved-road.md).",
                "empty, a full path"),
        Setting("paved_road.write", False, _flag, "Whether its actions may be made, with your yes to each.",
                "true, false"),
        Setting("grouping.calls", (), _names, "Who calls whom, as CALLER=CALLEE: alerts of both may be one incident.",
                "texts such as payments-api=ledger-db"),
        Setting("grouping.within", 300.0, _seconds(0, 86_400), "How far apart such alerts begin at most.",
                "0s to 86400s"),
    )
}  # fmt: skip


def find_home() -> Path:
    """The data folder: AIOPS_HOME, else the user's data folder of the operating system."""
    given = os.environ.get("AIOPS_HOME", "").strip()
    if given:
        try:
            return Path(given).expanduser()
        except RuntimeError as error:
            raise BadConfig(f"AIOPS_HOME: {error}", hint="set it to a folder of yours") from error
    from platformdirs import user_data_path

    return user_data_path("aiops", appauthor=False)


def find_profile() -> str:
    """The profile that is chosen, by --profile or AIOPS_PROFILE; empty for none."""
    return os.environ.get(PROFILE_VARIABLE, "").strip()


def resolve(flags: Mapping[str, Any] | None = None, home: Path | None = None) -> dict[str, Resolved]:
    """Every setting with its value and source. Raises BadConfig naming the place of the first bad one."""
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    profile = find_profile()
    filed = _read_file((home or find_home()) / FILE, profile)
    return {name: _resolve_one(setting, given, filed) for name, setting in SETTINGS.items()}


def _resolve_one(setting: Setting, flags: Mapping[str, Any], filed: Mapping[str, tuple[Any, str]]) -> Resolved:
    variable = os.environ.get(setting.variable, "").strip()
    if setting.name in flags:
        source, value = "flag", flags[setting.name]
    elif variable:
        source, value = setting.variable, variable
    elif setting.name in filed:
        value, source = filed[setting.name]
    else:
        return Resolved(setting.default, "default")
    try:
        return Resolved(setting.parse(value), source)
    except (ValueError, TypeError) as error:
        raise BadConfig(f"{source}: {setting.name}: {error}", hint=f"allowed: {setting.allowed}") from error


def _read_file(path: Path, profile: str = "") -> Mapping[str, tuple[Any, str]]:
    import tomllib

    from aiops_cli.private_files import NotPrivate, read_trusted

    try:
        data = tomllib.loads(read_trusted(path, _MOST_BYTES).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        data = {}
    except NotPrivate as error:
        raise BadConfig(f"{path} {error.strerror}", hint="settings are read from a file of yours alone") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadConfig(
            f"cannot read {path}: {error}", hint="see docs/reference/settings.md in the repository"
        ) from error
    profiles = data.pop(PROFILES, {})
    found = _known(path, data, "")
    if not profile:
        return found
    if not isinstance(profiles, dict) or not isinstance(profiles.get(profile), dict):
        raise UnknownName("profile", profile, profiles if isinstance(profiles, dict) else ())
    own = _known(path, profiles[profile], f"{PROFILES}.{profile}.")
    return {**found, **own}


def _known(path: Path, data: Mapping[str, Any], where: str) -> dict[str, tuple[Any, str]]:
    """Settings of a file by their names with dots, each with where it stands. Raises BadConfig for an unknown one."""
    found: dict[str, tuple[Any, str]] = {}
    for name, value in data.items():
        rows = {f"{name}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {name: value}
        for row, given in rows.items():
            if row not in SETTINGS:
                from difflib import get_close_matches

                near = get_close_matches(row, SETTINGS, 3)
                hint = (
                    f"did you mean {', '.join(near)}?"
                    if near
                    else "`aiops config show --all` lists those that there are, once this one is gone"
                )
                raise BadConfig(f"{path}: unknown setting {where + row!r}", hint=hint)
            found[row] = (given, f"{FILE} [{where.rstrip('.')}]" if where else FILE)
    return found
