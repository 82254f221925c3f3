"""The runbooks that ship: whole, without ties, read-only to look with, and each of use in a scenario."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from aiops_cli.adapters.backends.simulator.scenario import parse_scenario
from aiops_cli.adapters.library import read_runbooks, read_scenario, scenario_names
from aiops_cli.domain.arguments import fill
from aiops_cli.domain.diagnosis import Hypothesis, diagnose
from aiops_cli.domain.memory import Recall
from aiops_cli.domain.plan import Plan, draft
from aiops_cli.domain.runbook import Runbook, RunbookAction, for_fault
from aiops_cli.domain.vocabulary import FaultClass
from tests.scenes import Stage, stage

ROOT = Path(__file__).resolve().parents[1]
BOOKS = read_runbooks()
IDS = [book.id for book in BOOKS]

# A runbook whose class is no root of a scenario, and the scenario in which the plan takes it.
TAKEN_IN = {
    "alert-without-impact": "parcels-forenoon",
    "out-of-memory": "hotels-evening",
    "planned-work": "loyalty-night",
    "rule-too-tight": "departures-weekday",
}


@cache
def looked_at(name: str) -> Stage:
    return stage(name)


def plan(name: str, books: list[Runbook]) -> Plan:
    at = looked_at(name)
    case = at.case()
    return draft(diagnose(case, Recall()), case, books, at.observer.inventory(), ())


def lead(name: str) -> Hypothesis:
    found = diagnose(looked_at(name).case(), Recall()).leading
    assert found is not None
    return found


def with_action(name: str, action: RunbookAction) -> list[Runbook]:
    """The runbook of what is wrong in a scenario, recommending one action only."""
    book = for_fault(lead(name).fault, BOOKS)
    assert book is not None
    return [replace(book, actions=(action,))]


def blocks(book: Runbook) -> Iterator[tuple[str, str]]:
    """Every fenced block of a runbook as (language, text)."""
    for prose in book.sections.values():
        yield from re.findall(r"^```(\S*)\n(.*?)^```$", prose, re.M | re.S)


def test_the_shipped_runbooks_are_many_and_named_by_their_files() -> None:
    assert len(BOOKS) >= 36
    assert [book.path for book in BOOKS] == [f"runbooks/{book.id}.md" for book in BOOKS]
    assert len({book.title.lower() for book in BOOKS}) == len(BOOKS)


def test_every_fault_class_is_in_exactly_one_runbook() -> None:
    assert Counter(fault for book in BOOKS for fault in book.fault_classes) == Counter(FaultClass)


def test_no_alert_and_no_signature_is_in_two_runbooks() -> None:
    for field in ("alerts", "signatures"):
        counted = Counter(name.lower() for book in BOOKS for name in getattr(book, field))
        assert [name for name, times in counted.items() if times > 1] == []


@pytest.mark.parametrize("book", BOOKS, ids=IDS)
def test_a_runbook_has_the_four_sections_and_says_how_to_verify_and_undo(book: Runbook) -> None:
    assert list(book.sections) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert all(len(prose) > 40 for prose in book.sections.values())
    assert book.verification and book.undo and book.owner and book.reviewed
    assert book.fault_classes


@pytest.mark.parametrize("book", BOOKS, ids=IDS)
def test_mitigation_is_a_list_of_single_lines_that_a_panel_can_show(book: Runbook) -> None:
    lines = [line for line in book.sections["Mitigation"].splitlines() if line]
    assert 3 <= len(lines) <= 5
    assert all(line.startswith("- ") and len(line) <= 120 for line in lines)


@pytest.mark.parametrize("book", BOOKS, ids=IDS)
def test_a_signature_is_one_of_a_lane_that_exists_for_a_class_of_the_runbook(book: Runbook) -> None:
    sources = (ROOT / "src" / "aiops_cli" / "domain" / "findings").rglob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    lanes = set(re.findall(r'(?:lane=|_LANE = )"([a-z-]+)"', text))
    for signature in book.signatures:
        lane, _, fault = signature.partition("/")
        assert lane in lanes and FaultClass(fault) in book.fault_classes


def test_a_runbook_that_is_pointed_to_is_there() -> None:
    prose = [text for book in BOOKS for section in book.sections.items() for text in section]
    pointers = {word for text in prose for word in re.findall(r"\b[Ss]ee ([a-z]+(?:-[a-z]+)+)", text)}
    assert len(pointers) > 8 and pointers <= set(IDS)


# The words that a command may begin with; what follows the options of kubectl is looked at besides.
_LOOKS = {
    "airflow dags list-runs", "amtool silence query", "aws sts get-caller-identity", "curl -sS", "dbt source freshness",
    "dig", "echo", "kafka-consumer-groups.sh", "nc -vz", "nvidia-smi --query-gpu", "openssl s_client", "openssl x509",
    "rabbitmqctl list_queues", "redis-cli", "skopeo inspect", "grep", "awk", "sort", "uniq", "head", "tail",
}  # fmt: skip
_KUBECTL_LOOKS = {"get", "describe", "logs", "top", "rollout history", "auth can-i"}
_SQL_LOOKS = ("select ", "show ", "explain select ")
_CHANGES = re.compile(
    r"(?i)\b(delete|apply|scale|drain|cordon|restart|undo|patch|flush\w*|shutdown|insert|update|drop|alter|truncate"
    r"|pg_(terminate|cancel)\w*|kill|config set|rm|purge\w*)\b|\s(-X|--data|--reset-offsets)\b"
)


def only_looks(command: str) -> bool:
    """Whether every part of a pipeline reads and changes nothing."""
    parts = re.split(r"\s\|\s(?=[a-z])", re.sub(r"2>/dev/null", "", command))
    writes = ">" in re.sub(r"'[^']*'|\"[^\"]*\"", "", command.replace("2>/dev/null", ""))
    return not writes and not _CHANGES.search(command) and all(part_looks(part.strip()) for part in parts)


def part_looks(part: str) -> bool:
    words = shlex.split(part)
    if words[0] == "kubectl":
        rest = words[3:] if words[1] == "-n" else words[1:]
        if rest[0] == "exec":
            return rest[2] == "--" and rest[3] in ("df", "du")
        return rest[0] in _KUBECTL_LOOKS or " ".join(rest[:2]) in _KUBECTL_LOOKS
    if words[0] in ("psql", "mysql"):
        return words[-1].startswith(_SQL_LOOKS)
    return any(part.startswith(look) for look in _LOOKS)


@pytest.mark.parametrize("book", BOOKS, ids=IDS)
def test_commands_in_a_runbook_only_look(book: Runbook) -> None:
    for language, text in blocks(book):
        assert language in ("sh", "promql") and text.strip()
        if language == "sh":
            assert [line for line in text.splitlines() if not only_looks(line)] == []
    assert "```" not in book.sections["Mitigation"]


@pytest.mark.parametrize(
    "command",
    ["kubectl -n $NS delete pod $POD", "kubectl drain $NODE", "kubectl -n $NS exec $POD -- rm -r /tmp/x",
     "redis-cli flushall", 'psql -c "select pg_terminate_backend(1)"', "kubectl get pods > pods.txt",
     'psql -c "vacuum full"', "curl -sS -X POST https://x"],
)  # fmt: skip
def test_a_command_that_changes_something_would_be_seen(command: str) -> None:
    assert not only_looks(command)


def test_no_line_of_a_runbook_is_longer_than_a_screen() -> None:
    assert [
        f"{book.path}:{number}"
        for book in BOOKS
        for number, line in enumerate((ROOT / book.path).read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120
    ] == []


@pytest.mark.parametrize(
    ("words", "id", "actions"),
    [
        ("AI API that we call is down", "provider-outage", {"use_provider"}),
        ("Costs of the AI API are spiking", "cost-spike", {"rollback_release", "revert_config", "set_flag"}),
        ("One client asks far more often", "runaway-client", {"limit_requests"}),
        ("Latency of a model server is degraded", "model-latency", {"scale_service", "limit_requests"}),
        ("Quality of answers is degraded", "quality-degraded", {"set_model_alias", "set_canary"}),
        ("data that nobody refreshed", "stale-data", {"rerun_job"}),
        ("no longer look like its training data", "data-drift", {"set_model_alias"}),
        ("refuses our requests with 429", "rate-limited", {"limit_requests", "use_provider"}),
    ],
)
def test_the_recovery_table_of_ai_services_is_whole(words: str, id: str, actions: set[str]) -> None:
    (book,) = [book for book in BOOKS if book.id == id]
    assert words in book.title
    assert actions <= {entry.action for entry in book.actions}
    assert any(language for language, _ in blocks(book))


def test_each_runbook_is_of_use_in_a_scenario() -> None:
    truths = {root.fault for name in scenario_names() for root in parse_scenario(read_scenario(name)).truth.roots}
    by_truth = {book.id for book in BOOKS if truths & set(book.fault_classes)}
    assert set(IDS) - by_truth == set(TAKEN_IN)


@pytest.mark.parametrize(("id", "scenario"), TAKEN_IN.items())
def test_a_runbook_without_a_root_of_its_own_is_the_one_that_a_plan_takes(id: str, scenario: str) -> None:
    assert plan(scenario, BOOKS).runbook == id


# --- fixed arguments -------------------------------------------------------------------------------------------------


def test_an_argument_that_the_runbook_fixes_goes_before_the_evidence() -> None:
    name = "payments-evening"
    (step,) = plan(name, with_action(name, RunbookAction("scale_service", arguments={"replicas": 5}))).steps
    assert (step.target, dict(step.arguments)) == ("payments-api", {"replicas": 5})
    assert step.because == "runbook capacity-exhausted"


def test_what_the_runbook_leaves_open_comes_from_the_evidence() -> None:
    name = "rooms-sunday"
    (usual,) = plan(name, with_action(name, RunbookAction("set_flag"))).steps
    (fixed,) = plan(name, with_action(name, RunbookAction("set_flag", arguments={"flag": "night-mode"}))).steps
    assert dict(usual.arguments) == {"flag": "trip-cards", "on": False}
    assert dict(fixed.arguments) == {"flag": "night-mode", "on": False}
    assert fixed.target == usual.target and "trip-cards" in usual.because and "trip-cards" not in fixed.because


def proposed(action: str, arguments: dict[str, object], when: str = "no-change") -> object:
    """Target and arguments of one line of a runbook, for a capacity fault of payments-api that no change explains."""
    entry = RunbookAction(action, when, arguments=arguments)
    found = fill(entry, "b", lead("payments-evening"), looked_at("payments-evening").case())
    return found and (found.target, dict(found.arguments))


@pytest.mark.parametrize(
    ("action", "arguments", "expected"),
    [
        ("expand_volume", {"size_gb": 40}, ("payments-api", {"size_gb": 40})),
        ("limit_requests", {"requests_per_second": 50}, ("payments-api", {"requests_per_second": 50})),
        ("set_flag", {"flag": "ai-answers", "on": False}, ("payments-api", {"flag": "ai-answers", "on": False})),
        ("set_pod_quota", {"pods": 30}, ("namespace", {"pods": 30})),
        ("set_flag", {"flag": "ai-answers"}, None),
        ("set_flag", {}, None),
        ("expand_volume", {}, None),
        ("restart_service", {}, ("payments-api", {})),
    ],
)
def test_a_call_that_is_wholly_written_down_needs_no_figures(
    action: str, arguments: dict[str, object], expected: object
) -> None:
    assert proposed(action, arguments) == expected


def test_a_change_that_nobody_made_is_not_taken_back() -> None:
    assert proposed("set_canary", {"percent": 0}, "change") is None


@pytest.mark.parametrize(
    ("scenario", "entity", "expected"),
    [
        ("payments-evening", "ledger-db", ("payments-api", {"provider": "spare"})),
        ("seats-july", "hold-api", ("seat-shop", {"provider": "spare"})),
        ("seats-july", "venue-db", None),
        ("seats-july", "seat-shop", None),
    ],
)
def test_another_provider_is_told_to_the_one_gateway_and_not_to_the_provider(
    scenario: str, entity: str, expected: object
) -> None:
    entry = RunbookAction("use_provider", arguments={"provider": "spare"})
    found = fill(entry, "b", replace(lead(scenario), entity=entity), looked_at(scenario).case())
    assert (found and (found.target, dict(found.arguments))) == expected
