"""Writes docs/reference/ from the program itself, so that it cannot say anything else.

usage: gen_docs.py [--check]

Without --check the files are written. With it nothing is written: the files that are out of date are named, and the
exit code is 1 when there are any.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_type_hints

import typer.main
from pydantic import BaseModel, ConfigDict, create_model
from pydantic.json_schema import GenerateJsonSchema

from aiops_cli.adapters.alerts.native import NativeAlert
from aiops_cli.adapters.backends.simulator import parts, scenario
from aiops_cli.adapters.backends.simulator.rehearsal import Rehearsal
from aiops_cli.adapters.backends.simulator.schema import (
    DIALECT,
    NOT_NEGATIVE,
    OFFSET,
    POSITIVE,
    part_schema,
    scenario_schema,
)
from aiops_cli.adapters.keys import GEMINI_VARIABLES, SECRET_KINDS, secret_variable
from aiops_cli.adapters.store.costs import Grouping
from aiops_cli.adapters.store.history import IncidentRow
from aiops_cli.bootstrap.audit import TOKEN_VARIABLE
from aiops_cli.bootstrap.live import servers
from aiops_cli.cli.app import app
from aiops_cli.cli.doctor import Check
from aiops_cli.cli.run import _WORST_FIRST
from aiops_cli.config import FILE, PROFILE_VARIABLE, PROFILES, SETTINGS
from aiops_cli.domain import truth
from aiops_cli.domain.action import CATALOGUE, ActionSpec, Risk, usage
from aiops_cli.domain.audit import Head
from aiops_cli.domain.chain import Finding
from aiops_cli.domain.document import IncidentDocument
from aiops_cli.domain.handoff import HandoffDocument
from aiops_cli.domain.incident import ActionState
from aiops_cli.domain.memory import MatchedRunbook, SimilarIncident
from aiops_cli.domain.policy import PolicyVerdict
from aiops_cli.domain.readiness import Item as ReadinessItem
from aiops_cli.domain.recorded_case import RecordedCase
from aiops_cli.domain.runbook_review import Flaw
from aiops_cli.domain.scoring import Result
from aiops_cli.domain.statistics import Statistics
from aiops_cli.domain.status import Status
from aiops_cli.domain.usage import BreakerState, CostRow, Crossed, UsageFigures
from aiops_cli.domain.vocabulary import THRESHOLDS, FaultClass, Metric
from aiops_cli.errors import ExitCode

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
WIDTH = 80
NOTE = "<!-- Written by tools/gen_docs.py. Do not edit: run `make docs`. -->\n"


# --- the command line ------------------------------------------------------------------------------------------------


@cache
def walk_commands() -> list[tuple[str, Any, Any]]:
    """Every command as (full name, command, context), the program itself first, in the order of its help."""
    root = typer.main.get_command(app)
    return list(_walk("aiops", root, root.make_context("aiops", [], resilient_parsing=True, terminal_width=WIDTH)))


def _walk(name: str, command: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    yield name, command, context
    for word in command.list_commands(context) if hasattr(command, "list_commands") else ():
        inner = command.get_command(context, word)
        inner_context = inner.make_context(word, [], parent=context, resilient_parsing=True)
        yield from _walk(f"{name} {word}", inner, inner_context)


def make_cli() -> str:
    """Every command's own help."""
    parts = [NOTE, "# Commands\n", "What each command says with `--help`. See also [exit codes](exit-codes.md).\n"]
    for name, command, context in walk_commands():
        text = "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())
        parts.append(f"## {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


# --- settings --------------------------------------------------------------------------------------------------------

_EXAMPLE = {"reasoner": "offline", "deadline": "30s", "environment": "production"}

_SETTINGS_END = f"""\
Where a value comes from, first match wins: the flag, the environment variable, `{FILE}` in the data folder, the
default. `aiops config show` prints every value with its source. An unknown name in the file, or a value that is not
allowed, ends the command with exit code 2.

The data folder is `AIOPS_HOME` where that is set, else the user's data folder of the operating system. It holds
`{FILE}` and the incident store.

```toml
{{example}}
```

## Profiles

What stands in `[{PROFILES}.NAME]` comes before what stands outside of it, where that profile is chosen: by
`--profile NAME`, before or after any command, else by `{PROFILE_VARIABLE}`. A table of a system is below it, such as
`[{PROFILES}.NAME.prometheus]`. The flag and the environment variable of a setting come before both. A profile that the
file does not have is an error.

## Secrets

No secret is a setting. Each server has two variables; what is not there is looked for in the keyring, where
`aiops config set-secret SERVER token` or `password` keeps it. They are the same in all profiles. The token is sent as a
bearer; where `SERVER.user` is set, the password is sent instead.

| server | token | password |
|---|---|---|
{{secrets}}

## Other environment variables

| variable | what it does |
|---|---|
| `AIOPS_HOME` | the data folder |
| `{PROFILE_VARIABLE}` | the profile, as `--profile` |
| `{TOKEN_VARIABLE}` | the token of the collector that the audit log is forwarded to |
| `{secret_variable("changes", "token")}` | the token of `changes.feed` |
| `AIOPS_DATABASE_URL` | a team's store in PostgreSQL instead of the file; see the guide to the history |
{{keys}}
| `OPENAI_API_KEY` | the key for an `openai:` model, embeddings included, where its endpoint wants one |
| `VISUAL`, `EDITOR` | the editor of `aiops history add --editor` |
| `NO_COLOR` | no colour, as `--no-color` |
"""


def make_settings() -> str:
    """The settings table."""
    rows = [
        f"| `{s.name}` | {_shown(s.default)} | `{s.variable}` | {_flags(s.name)} | {s.allowed} | {s.help} |"
        for s in SETTINGS.values()
    ]
    for name, value in _EXAMPLE.items():
        SETTINGS[name].parse(value)
    example = "\n".join(f"{name} = {json.dumps(value)}" for name, value in _EXAMPLE.items())
    first, *others = GEMINI_VARIABLES
    keys = [f"| `{first}` | the key for Gemini |", *(f"| `{n}` | the same; `{first}` wins |" for n in others)]
    table = ["| name | default | variable | flag | allowed | what it does |", "|---|---|---|---|---|---|", *rows]
    secrets = "\n".join(_secret_row(server) for server in servers())
    end = _SETTINGS_END.format(example=example, keys="\n".join(keys), secrets=secrets)
    return "\n".join([NOTE, "# Settings\n", *table, "", end])


def _secret_row(server: str) -> str:
    return f"| {server} | " + " | ".join(f"`{secret_variable(server, kind)}`" for kind in SECRET_KINDS) + " |"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`" if value else "none"


def _flags(setting: str) -> str:
    found: dict[str, list[str]] = {}
    for name, command, _ in walk_commands():
        for parameter in command.params:
            if parameter.name == setting and parameter.opts[0].startswith("--"):
                found.setdefault(parameter.opts[0], []).append(name.removeprefix("aiops "))
    return "; ".join(f"`{flag}` ({', '.join(names)})" for flag, names in found.items()) or "none"


# --- exit codes ------------------------------------------------------------------------------------------------------

_ENDINGS = {
    Status.RUNNING: "the run has not ended; `unfinished` in the history when its process is gone",
    Status.RECOVERED: "an action ran, and the alert's own signal was measured to be back and to hold",
    Status.HEALTHY: "nothing needed fixing",
    Status.ACTION_NEEDED: "a fault was found and nothing was changed: not approved, not asked for, or no action fits",
    Status.NOT_RECOVERED: "an action ran, and the signal did not come back, or the cause is still there",
    Status.INCONCLUSIVE: "the evidence does not say what is wrong",
    Status.INTERRUPTED: "Ctrl-C, SIGTERM or SIGHUP; what had happened is in the record",
    Status.FAILED: "a backend or the store failed, or every action that was tried failed to run",
    Status.OPEN: "kept by hand, and not over as far as people say",
    Status.RESOLVED: "a person, or an agent over MCP, says that it is over; nothing was measured",
    Status.NOTED: "a note, which is no incident",
}


def make_exit_codes() -> str:
    """The exit codes, and the status that leads to each."""
    codes = [f"| {code.value} | `{code.name}` | {code.meaning} |" for code in ExitCode]
    statuses = [f"| `{status}` | {status.exit_code.value} | {_ENDINGS[status]} |" for status in Status]
    order = ", ".join(str(code.value) for code in _WORST_FIRST)
    return "\n".join(
        [
            NOTE,
            "# Exit codes\n",
            "| code | name | meaning |",
            "|---|---|---|",
            *codes,
            "",
            "`aiops handoff`, `aiops history`, `aiops runbooks`, `aiops scenarios`, `aiops actions`, `aiops alert`,",
            "`aiops cost`, `aiops policy`, `aiops audit`, `aiops approvals`, `aiops trust`, `aiops mcp` and",
            "`aiops config` use 0, 1, 2 and 130 alone; `aiops runbooks check` gives 1 when a runbook has an error,",
            "`add` when a file does not hold; `aiops alert parse` gives 2 when a file cannot be read.",
            "`aiops doctor` gives 1 when something that is needed is broken. A bug ends in a traceback, and gives 1.\n",
            "## Status of an incident\n",
            "`incident.status` in the JSON document, and the exit code of a run that ends so.\n",
            "| status | exit code | meaning |",
            "|---|---|---|",
            *statuses,
            "",
            "A file with several alert groups is several incidents. The exit code is the first of",
            f"{order} that one of them has.",
            "",
        ]
    )


# --- actions ---------------------------------------------------------------------------------------------------------


def make_actions() -> str:
    """The catalogue of actions."""
    parts = [
        NOTE,
        "# Actions\n",
        "The closed catalogue: nothing else can be proposed, approved or run. `aiops actions list` prints the same.\n",
    ]
    return "\n".join([*parts, *(_action(spec) for spec in CATALOGUE.values())])


def _action(spec: ActionSpec) -> str:
    rows = [
        ("call", f"`{usage(spec)}`"),
        ("acts on", spec.target),
        ("arguments", _arguments(spec)),
        ("risk", spec.risk.value),
        ("blast radius", spec.blast_radius),
        ("undo", spec.undo),
        ("reversible", "yes" if spec.reversible else "no"),
    ]
    table = "\n".join(f"| {label} | {text} |" for label, text in rows)
    return f"## {spec.name}\n\n{spec.summary}\n\n| | |\n|---|---|\n{table}\n"


def _arguments(spec: ActionSpec) -> str:
    said = []
    for name, rule in spec.arguments.model_json_schema().get("properties", {}).items():
        limits = [
            f"{word} {rule[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in rule
        ]
        if "pattern" in rule:
            limits.append(f"`{rule['pattern']}`")
        said.append(f"`{name}`: {', '.join([rule['type'], *limits])}")
    return "; ".join(said) or "none"


# --- schemas ---------------------------------------------------------------------------------------------------------


class _Schema(GenerateJsonSchema):
    """Without a title for each field: it repeats the name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def make_triage_schema() -> str:
    """The JSON document of an incident."""
    return _dump(IncidentDocument, IncidentDocument.model_json_schema(mode="serialization", schema_generator=_Schema))


def make_alert_schema() -> str:
    """aiops' own alert JSON: one alert, or several under `alerts`."""
    one = NativeAlert.model_json_schema(schema_generator=_Schema)
    many = {
        "description": "Several alerts that are one incident, named by `key`, or else by the first alert.",
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "alerts": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/NativeAlert"}},
        },
        "required": ["alerts"],
    }
    return _dump(NativeAlert, {"anyOf": [{"$ref": "#/$defs/NativeAlert"}, many], "$defs": {"NativeAlert": one}})


def make_scenario_schema() -> str:
    """The scenario file."""
    return _dump(scenario.Scenario, scenario_schema())


def make_case_schema() -> str:
    """The file of a recorded case."""
    return _dump(RecordedCase, RecordedCase.model_json_schema(schema_generator=_Schema))


# The parts of a scenario in the order of a file; each is a class with a docstring.
_SCENARIO_PARTS: tuple[tuple[str, type[BaseModel]], ...] = (
    ("meta", scenario.Meta),
    ("services", parts.Service),
    ("… memory", parts.Memory),
    ("… cache", parts.Cache),
    ("… disk", parts.Disk),
    ("… tokens", parts.Tokens),
    ("… gpu", parts.Gpu),
    ("… serves", parts.Serving),
    ("… autoscaler", parts.Autoscaler),
    ("… canary", parts.Canary),
    ("… releases", parts.Release),
    ("… configs", parts.Configuration),
    ("… flags", parts.Flag),
    ("effects", parts.Effects),
    ("calls", parts.CallEdge),
    ("nodes", parts.Node),
    ("traffic", parts.Traffic),
    ("… pulses", parts.Pulse),
    ("jobs", parts.Job),
    ("data", parts.DataSet),
    ("models", parts.RegisteredModel),
    ("… versions", parts.ModelVersion),
    ("faults", parts.Fault),
    ("… starts_on, ends_on", parts.Trigger),
    ("changes", parts.WorldChange),
    ("cosmetic_errors", parts.CosmeticError),
    ("missing", parts.Missing),
    ("alerts", parts.Rule),
    ("past", parts.PastIncident),
    ("truth", truth.Truth),
    ("… roots", truth.Root),
)
_SCENARIO_HEAD = """\
The schema for editors is [scenario.schema.json](scenario.schema.json); how to write a scenario is told in the
[guide](../guides/scenarios.md). A key that is not listed is an error, and so are duplicate keys, anchors and aliases.

Durations are texts: `90s`, `5m`, `2h40m`, `-26h`. Times such as `at` count from the start of the scenario. Names are
lower case with hyphens. A version that looks like a number, such as `"15.6"`, has to be quoted.

Beside the parts below a file has `version: 1`, `metric_noise` (0.02, relative) and, where the namespace has a limit,
`pod_quota`.
"""


def make_scenario_reference() -> str:
    """Every part of a scenario with its fields."""
    texts = [NOTE, "# The scenario format\n", _SCENARIO_HEAD]
    shared = set(parts.Effects.model_fields)
    for title, part in _SCENARIO_PARTS:
        schema = part_schema(part)
        effects = part is not parts.Effects and issubclass(part, parts.Effects)
        fields = {name: rule for name, rule in schema["properties"].items() if not (effects and name in shared)}
        rows = [_field_row(name, rule, name in schema.get("required", ())) for name, rule in fields.items()]
        also = ["All fields of [effects](#effects) besides.\n"] if effects else []
        doc = (part.__doc__ or "").replace("\n    ", "\n")
        head = ["| field | default | type | what |", "|---|---|---|---|"]
        texts += [f"## {title}\n", f"{doc.strip()}\n", *also, *head, *rows, ""]
    metrics = ", ".join(f"`{metric}`" for metric in Metric)
    classes = ", ".join(f"`{fault}`" for fault in FaultClass if not fault.benign)
    levels = [f"| `{m}` | {'<' if t.below else '>'} {t.warning:g} | {t.critical:g} |" for m, t in THRESHOLDS.items()]
    table = "\n".join(["| metric | warning | critical |", "|---|---|---|", *levels])
    ends = (f"## metrics\n\n{metrics}\n", f"## usual thresholds\n\n{table}\n", f"## fault classes\n\n{classes}")
    return "\n".join([*texts, *ends]) + "\n"


def _field_row(name: str, rule: Mapping[str, Any], required: bool) -> str:
    default = "" if required else f"`{json.dumps(rule['default'])}`" if "default" in rule else ""
    if default in ("`null`", "`[]`", "`{}`", '`""`') or len(default) > 40:
        default = "none"
    what = rule.get("description", "")
    return f"| `{name}` | {default} | {_kind(rule)} | {what[:1].lower() + what[1:].removesuffix('.')} |"


def _kind(rule: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words."""
    if "$ref" in rule:
        return rule["$ref"].rpartition("/")[2]
    if "anyOf" in rule:
        return " or ".join(_kind(each) for each in rule["anyOf"] if each.get("type") != "null")
    if "enum" in rule:
        return ", ".join(f"`{word}`" for word in rule["enum"])
    if rule.get("pattern") in (OFFSET, NOT_NEGATIVE, POSITIVE):
        return {OFFSET: "time", NOT_NEGATIVE: "duration", POSITIVE: "duration, more than 0"}[rule["pattern"]]
    if rule.get("type") == "array":
        inner = rule.get("items") or {}
        return f"list of {_kind(inner)}" if inner else "list of two texts"
    limits = [f"{word} {rule[key]:g}" for key, word in _LIMITS.items() if key in rule]
    return ", ".join([_TYPES.get(rule.get("type", ""), "map"), *limits])


_LIMITS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}
_TYPES = {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}


class _SettingValue(BaseModel):
    """A setting's value and where it came from."""

    value: Any
    source: str


class _FoundServer(BaseModel):
    """A server that is there; `login` is what it wants where it lets nobody in without."""

    name: str
    url: str
    how: str
    login: Literal["", "token", "password"]


class _FoundContext(BaseModel):
    """A context of the kubeconfig, with its namespace."""

    name: str
    namespace: str


class _Action(BaseModel):
    """A row of the catalogue; `arguments` is a JSON Schema itself."""

    name: str
    summary: str
    target: str
    risk: str
    blast_radius: str
    undo: str
    reversible: bool
    arguments: dict[str, Any]


class _Tool(BaseModel):
    """A tool for other agents; `writes` is empty where it only reads, `arguments` is a JSON Schema itself."""

    name: str
    does: str
    reads: str
    writes: str
    arguments: dict[str, Any]


class _ScenarioRow(BaseModel):
    """A scenario in a list."""

    name: str
    title: str
    family: str
    traits: list[str]


class _Comparison(BaseModel):
    """What changed since a saved run; one line of words for each."""

    common: int
    better: list[str]
    worse: list[str]
    gone: list[str]
    got_worse: bool


class _Problem(BaseModel):
    """What is wrong with a file."""

    path: str
    problem: str


class _PavedCheck(BaseModel):
    """A read check that a team declared; `runs` has its parameters in braces."""

    name: str
    says: str
    services: list[str]
    runs: str
    reads: Literal["text", "known"]


class _PavedOperation(BaseModel):
    """An operation that a team declared; `undo` is another one, `none` or `not-needed`."""

    name: str
    says: str
    services: list[str]
    call: str
    parameters: dict[str, str]
    risk: Literal["low", "medium", "high"]
    reach: str
    runs: str
    undo: str
    dry_run: bool
    success: bool
    digest: str


class _FoundRunbook(BaseModel):
    """A runbook that was found; `score` orders within a kind of match, and is no probability."""

    id: str
    title: str
    path: str
    revision: str
    commit: str | None
    score: float
    why: list[str]
    kind: Literal["runbook"]
    ties: list[str]
    checks: list[str]
    differs: list[str]
    shipped: bool


class _RunbookRow(BaseModel):
    """A runbook in a list; `place` is None for what ships, `structured` that it has our front matter."""

    id: str
    title: str
    path: str
    place: str | None
    shipped: bool
    structured: bool
    revision: str
    commit: str | None
    reviewed: date | None
    used: int
    last_used: datetime | None
    problem: str | None


class _RunbookMatches(BaseModel):
    """What a runbook is for."""

    alerts: list[str]
    labels: dict[str, str]
    signatures: list[str]
    fault_classes: list[str]


class _RunbookStep(BaseModel):
    """An action that a runbook proposes; `arguments` are those that the team settled."""

    action: str
    when: Literal["always", "change", "no-change"]
    stop_gap: bool
    arguments: dict[str, Any]


class _RunbookCommand(BaseModel):
    """A command in a code block, and why it is known to read only, or is not. Shown, never run."""

    text: str
    section: str
    language: str
    why: str


class _Runbook(_RunbookRow):
    """A whole runbook; `sections` maps a heading to its prose."""

    services: list[str]
    matches: _RunbookMatches
    actions: list[_RunbookStep]
    verification: str
    undo: str
    owner: str
    sections: dict[str, str]
    checks: list[_RunbookCommand]
    other_commands: list[_RunbookCommand]
    metrics: list[str]


class _RunbookPlace(BaseModel):
    """Where runbooks are read from."""

    path: str
    runbooks: int
    shipped: bool
    there: bool


class _Elsewhere(BaseModel):
    """A file that is known already, and of which place; None for what ships."""

    path: str
    place: str | None


class _SameId(BaseModel):
    """An id that several runbooks have."""

    id: str
    paths: list[str]


class _UsedAnchor(BaseModel):
    """An anchor that the audit log agrees with, and where it was found."""

    seq: int
    hash: str
    source: str


class _Budget(BaseModel):
    """A limit in US dollars with what counts towards it; see `aiops cost budget`.

    `reserved_usd` is set aside for `open` calls; calls of `unknown` price are in no sum.
    """

    limit_usd: float | None
    spent_usd: float
    reserved_usd: float
    left_usd: float | None
    open: int
    unknown: int
    level: Literal["ok", "warning", "critical"]


class _IncidentBudget(_Budget):
    """What an incident of today cost so far."""

    incident: str


class _Rate(BaseModel):
    """Calls of the last minute, and how many may be made; None is no limit."""

    limit: int | None
    made: int


class _PolicyRule(BaseModel):
    """A rule or a freeze, in words."""

    id: str
    says: str
    why: str


class _PolicyFile(BaseModel):
    """A policy file that applies; `label` is default, user, team or project."""

    label: str
    place: str
    timezone: str
    tests: int
    rules: list[_PolicyRule]


class _PolicyTest(BaseModel):
    """How a test of a policy file went; `problem` is empty where it holds, `reason` is that of the verdict."""

    name: str
    passed: bool
    problem: str
    reason: str


class _TestedFile(BaseModel):
    """A policy file with its tests; `label` is `file` for one that was given."""

    label: str
    place: str
    tests: list[_PolicyTest]


class _PolicySubject(BaseModel):
    """What is known of the call; `touched` is how many replicas it restarts, adds or takes away."""

    service: str
    team: str | None
    environment: str
    tags: list[str]
    risk: Risk
    reversible: bool
    touched: int | None
    ticket: str | None


class _WeighedRule(BaseModel):
    """A rule beside the call: what it says of it, or why it does not apply."""

    rule: str
    matched: bool
    says: str


class _Verdict(BaseModel):
    """What the policy says now; `rule` is FILE/RULE."""

    allowed: bool
    reason: str
    rule: str


class _Answer(BaseModel):
    """An answer to a request. `principal` is who signed, checked now; null with `signed` is a signature that fails."""

    answer: Literal["approve", "deny"]
    by: str
    principal: str | None
    signed: bool
    method: Literal["prompt", "approval-file", "approvals-command", "grant", "trust", "approve-simulated", "none"]
    reason: str
    at: datetime
    digest: str


class _Request(BaseModel):
    """A request: `body` is the call as it is in the digest, `people` those whose yes counts, of `needed`."""

    id: str
    state: Literal[
        "proposed", "approved", "denied", "expired", "withdrawn", "executing", "done", "failed", "unknown",
        "reconciled_done", "reconciled_not_done",
    ]  # fmt: skip
    incident: str
    attempt: int
    call: str
    body: dict[str, Any]
    changes: str
    touches: list[str]
    undo: str
    undo_takes_s: float
    because: str
    environment: str
    ticket: str | None
    requester: str
    principal: str | None
    proposed_at: datetime
    decide_by: datetime
    run_by: datetime
    policy_digest: str
    policy_changed: bool
    policy: _Verdict
    digest: str
    people: list[str]
    needed: int
    missing: str
    decisions: list[_Answer]
    detail: str
    outcome: str | None


class _Grant(BaseModel):
    """A yes given beforehand for one exact call; `left` of `uses` until `expires_at`."""

    id: str
    call: str
    environment: str
    simulated: bool
    uses: int
    left: int
    by: str
    reason: str
    at: datetime
    expires_at: datetime


class _Undo(BaseModel):
    """The way back as it was computed before the action; without an `action` there is none, or none is needed."""

    action: str | None
    arguments: dict[str, Any]
    text: str


class _TrustRow(BaseModel):
    """An action on a target: `in_row` verified of `needed`; `why_not` says why it does not run unasked, or may not."""

    action: str
    target: str
    environment: str
    simulated: bool
    runs: int
    in_row: int
    needed: int | None
    per_day: int | None
    rule: str | None
    last_failure: datetime | None
    promoted: bool
    promoted_at: datetime | None
    promoted_by: str | None
    ended_at: datetime | None
    ended_by: str | None
    ended_why: str | None
    why_not: str | None


class _ParsedAlert(BaseModel):
    """One alert as it was read: our words for status and severity, and beside each the product's own."""

    file: str
    format: str
    source: str
    group: str
    title: str
    status: Literal["firing", "resolved"]
    native_status: str | None
    severity: Literal["critical", "high", "warning", "info", "unknown"]
    native_severity: str | None
    service: str | None
    summary: str
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime | None
    ends_at: datetime | None
    expression: str | None
    links: list[str]


class _ParsedFile(BaseModel):
    """One file: what it was read as and how many alerts it holds, or why it could not be read."""

    file: str
    format: str | None
    alerts: int
    error: str | None
    hint: str | None


# What each command prints with --output json, beside `schema_version`; tests/cli/test_documents.py holds it to this.
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "history-list": {"incidents": list[IncidentRow]},
    "history-search": {"results": list[SimilarIncident | MatchedRunbook], "corrected": dict[str, str]},
    "runbooks-list": {"runbooks": list[_RunbookRow], "failed": list[_Problem]},
    "runbooks-show": {"runbook": _Runbook},
    "runbooks-search": {"results": list[_FoundRunbook], "corrected": dict[str, str]},
    "runbooks-check": {"checked": int, "flaws": list[Flaw], "not_checked": list[str]},
    "runbooks-add": {
        "place": str,
        "remembered": bool,
        "added": list[str],
        "changed": list[str],
        "removed": list[str],
        "unchanged": int,
        "failed": list[_Problem],
        "front_matter": list[_Problem],
        "elsewhere": list[_Elsewhere],
        "same_id": list[_SameId],
    },
    "runbooks-path": {"places": list[_RunbookPlace]},
    "history-stats": {name: kind for name, kind in get_type_hints(Statistics).items()},
    "history-add": {"id": str, "alike": list[str] | None},
    "history-import": {
        "dry_run": bool,
        "files": int,
        "outcomes": dict[str, list[str]],
        "alike": list[dict[str, str]],
        "problems": list[dict[str, str]],
        "remarks": list[dict[str, str]],
    },
    "history-prune": {
        "dry_run": bool,
        "older_than_days": int,
        "incidents": int,
        "texts": int,
        "spans": int,
        "bytes": int,
        "calls": int,
        "answers": int,
        "worlds": int,
    },
    "audit-show": {"rows": list[dict[str, Any]]},
    "audit-verify": {
        "holds": bool,
        "rows": int,
        "first": int | None,
        "head": Head,
        "since": str | None,
        "until": str | None,
        "compared": int,
        "anchors": list[_UsedAnchor],
        "problems": int,
        "findings": list[Finding],
        "notes": list[str],
    },
    "audit-anchor": {"seq": int, "hash": str, "at": str, "signature": str | None, "file": str | None},
    "audit-forward": {"sent": int, "left": int, "problem": str | None},
    "audit-prune": {"rows": int, "through": int | None, "hash": str | None, "until": str | None, "signed": bool},
    "cost": {
        "by": Grouping,
        "since": datetime | None,
        "rows": list[CostRow],
        "figures": UsageFigures,
        "crossed": list[Crossed],
        "note": str,
    },
    "cost-budget": {
        "day": date,
        "daily": _Budget,
        "incidents": list[_IncidentBudget],
        "incident_limit_usd": float | None,
        "calls_per_minute": _Rate,
        "calls_per_person": _Rate,
        "breakers": list[BreakerState],
    },
    "handoff": {
        name: part.annotation for name, part in HandoffDocument.model_fields.items() if name != "schema_version"
    },
    "policy-show": {"digest": str, "problems": list[str], "files": list[_PolicyFile]},
    "policy-test": {"digest": str, "problems": list[str], "files": list[_TestedFile]},
    "policy-explain": {
        "call": str,
        "at": datetime,
        "asked": _PolicySubject,
        "verdict": PolicyVerdict,
        "rules": list[_WeighedRule],
        "policy_digest": str,
    },
    "approvals-list": {"requests": list[_Request], "damaged": list[str], "grants": list[_Grant]},
    "approvals-show": {"request": _Request},
    "trust-show": {"trust": list[_TrustRow]},
    "approvals-settle": {
        "request": str,
        "incident": str,
        "state": Literal["reconciled_done", "reconciled_not_done"],
        "by": str,
        "reason": str,
    },
    "undo": {
        "incident": str,
        "request": str,
        "action": str,
        "target": str,
        "undo": _Undo,
        "undo_request": str | None,
        "state": ActionState,
        "restored": bool | None,
        "said": str,
    },
    "mcp-tools": {"tools": list[_Tool]},
    "paved-road-check": {
        "file": str,
        "team": str | None,
        "write": bool,
        "checks": list[_PavedCheck],
        "operations": list[_PavedOperation],
        "lacking": list[str],
    },
    "readiness": {
        "service": str,
        "tier": Literal[1, 2, 3] | None,
        "requests_per_day": float | None,
        "items": list[ReadinessItem],
        "missing": list[str],
        "not_known": list[str],
    },
    "scenarios-list": {"scenarios": list[_ScenarioRow]},
    "scenarios-show": {"scenario": dict[str, Any]},
    "scenarios-validate": {"scenarios": list[Rehearsal]},
    "eval": {
        "reasoner": str,
        "complete": bool,
        "scoreboard": list[dict[str, Any]],
        "comparison": _Comparison | None,
        "runs": list[Result],
    },
    "alert-parse": {"format": str | None, "alerts": list[_ParsedAlert], "files": list[_ParsedFile]},
    "actions-list": {"actions": list[_Action]},
    "actions-show": {"action": _Action},
    "init": {
        "path": str,
        "profile": str,
        "dry_run": bool,
        "written": bool,
        "kept": str | None,
        "servers": list[_FoundServer],
        "contexts": list[_FoundContext],
        "kubeconfig": str,
        "settings": dict[str, Any],
        "notes": list[str],
    },
    "config-show": {
        "home": str,
        "profile": str,
        "settings": dict[str, _SettingValue],
        "secrets": dict[str, str],
    },
    "triage-nothing": {"firing": Literal[0], "pending": int, "place": str},
    "doctor": {"checks": list[Check]},
    "redact": {"lines": int, "secrets": dict[str, int], "identifiers": dict[str, int]},
}


def make_document_schema(name: str) -> str:
    """The JSON document of a command."""
    title = "".join(word.capitalize() for word in name.split("-")) + "Document"
    fields: dict[str, Any] = {key: (kind, ...) for key, kind in DOCUMENTS[name].items()}
    model = create_model(title, __config__=ConfigDict(extra="forbid"), schema_version=(Literal[1], ...), **fields)
    return _dump(model, model.model_json_schema(mode="serialization", schema_generator=_Schema))


def _dump(model: type[BaseModel], schema: Mapping[str, Any]) -> str:
    head = {"$schema": DIALECT, "$comment": "Written by tools/gen_docs.py. Do not edit: run `make docs`."}
    named = {"title": model.__name__} | dict(schema)
    return json.dumps(head | named, indent=2, ensure_ascii=False) + "\n"


# --- files -----------------------------------------------------------------------------------------------------------

MAKERS: Mapping[str, Callable[[], str]] = {
    "cli.md": make_cli,
    "settings.md": make_settings,
    "exit-codes.md": make_exit_codes,
    "actions.md": make_actions,
    "triage.schema.json": make_triage_schema,
    "alert.schema.json": make_alert_schema,
    "scenario.schema.json": make_scenario_schema,
    "scenario.md": make_scenario_reference,
    "case.schema.json": make_case_schema,
    **{f"{name}.schema.json": partial(make_document_schema, name) for name in DOCUMENTS},
}


def find_stale(folder: Path = FOLDER) -> list[str]:
    """Names of files that are missing or say something else than the program does, and of files nobody makes."""
    stale = [name for name, make in MAKERS.items() if _read(folder / name) != make()]
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return stale + sorted(there - set(MAKERS))


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which are out of date."""
    if arguments == ["--check"]:
        stale = find_stale()
        for name in stale:
            print(f"out of date: docs/reference/{name}", file=sys.stderr)
        if stale:
            print("hint: run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    if arguments:
        print(__doc__, file=sys.stderr)
        return 2
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, make in MAKERS.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
