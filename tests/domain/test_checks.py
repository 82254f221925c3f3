"""What is to be looked at by hand: by a command of the system that something was found in, and by none made up."""

from dataclasses import replace
from typing import Any

import pytest

from aiops_cli.domain.checks import Check, find_check
from aiops_cli.domain.evidence import ClusterEvent, Evidence, KubeObject, LogLine
from aiops_cli.domain.findings import Case
from aiops_cli.domain.vocabulary import FaultClass as F
from tests.evidence import case, item, log

SINCE = "--since '2026-01-05 03:17:00 UTC'"


def thing(kind: str, name: str = "web", context: str = "north") -> Evidence:
    return item(KubeObject(kind, name, "shop", {}, context=context), name)


def said_by(source: str, kind: str, text: str, warning: bool = False) -> Evidence:
    return Evidence("", source, "web", None, text, ClusterEvent("RUNNING", text, warning, kind))


PROCESS = said_by("supervisor", "Process", "web:web_0 runs for 3 h, pid 7")
DOWN = said_by("supervisor", "Process", "web:web_1 is backoff", warning=True)
STDERR = Evidence("", "supervisor:web:web_1:stderr", "web", None, "", LogLine("ERROR", "no"))
UNIT = said_by("systemd", "Unit", "web.service is active (running), pid 7")
JOURNAL = Evidence("", "journald", "web", None, "", LogLine("ERROR", "no"))
POD = thing("Pod", "web-7d9f8c6b5-x2x4k")

COMMANDS: list[tuple[str, list[Any], F, str]] = [
    ("a pod", [POD], F.APPLICATION_ERROR, "kubectl --context=north -n shop logs deploy/web --since=15m"),
    ("handed over", [thing("Deployment", context="")], F.APPLICATION_ERROR,
     "kubectl -n shop logs deploy/web --since=15m"),
    ("a stateful set", [thing("StatefulSet")], F.RELEASE_REGRESSION,
     "kubectl --context=north -n shop rollout history statefulset/web"),
    ("a node", [thing("Node")], F.NODE_FAILURE, "kubectl --context=north describe node web"),
    ("an odd context", [thing("Pod", context="me@a b")], F.STORAGE, "kubectl --context='me@a b' -n shop get pvc"),
    ("a model", [thing("InferenceService")], F.MODEL_REGRESSION,
     "kubectl --context=north -n shop logs -l serving.kserve.io/inferenceservice=web -c kserve-container --since=15m"),
    ("a model's release", [thing("InferenceService")], F.RELEASE_REGRESSION,
     "kubectl --context=north -n shop describe inferenceservice web"),
    ("another's pods", [thing("Pod", "cart-1")], F.DNS,
     "kubectl --context=north -n kube-system logs -l k8s-app=kube-dns --since=15m"),
    ("a process", [PROCESS], F.APPLICATION_ERROR, "supervisorctl tail web:web_0"),
    ("the process that is down", [PROCESS, DOWN, STDERR], F.DEPENDENCY_FAILURE, "supervisorctl tail web:web_1 stderr"),
    ("a process that ended", [DOWN], F.OUT_OF_MEMORY, "supervisorctl status web:web_1"),
    ("a process and a release", [PROCESS], F.RELEASE_REGRESSION, ""),
    ("a unit", [UNIT], F.APPLICATION_ERROR, f"journalctl -u web.service {SINCE}"),
    ("a unit that is full", [UNIT], F.CAPACITY_EXHAUSTED,
     "systemctl show web.service -p MemoryCurrent -p CPUUsageNSec -p TasksCurrent"),
    ("a unit by its journal", [JOURNAL], F.APPLICATION_ERROR, f"journalctl -u web {SINCE}"),
    ("an event of a pod", [said_by("test", "Pod", "Back-off")], F.APPLICATION_ERROR,
     "kubectl logs deploy/web --since=15m"),
    ("an event of a database", [said_by("test", "Database", "failover")], F.APPLICATION_ERROR, ""),
    ("an event of a simulated world", [said_by("events", "", "OOMKilled")], F.APPLICATION_ERROR, ""),
    ("nothing", [], F.APPLICATION_ERROR, ""),
    ("a log of nobody knows what", [log("web", "no")], F.APPLICATION_ERROR, ""),
    ("a process of another", [replace(PROCESS, entity="cart")], F.APPLICATION_ERROR, ""),
    ("a certificate", [], F.CERTIFICATE,
     "openssl s_client -connect web:443 -servername web </dev/null | openssl x509 -noout -dates"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "evidence", "fault", "command"), COMMANDS, ids=[row[0] for row in COMMANDS])
def test_a_command_is_one_of_the_system_in_which_it_was_found(
    found: str, evidence: list[Any], fault: F, command: str
) -> None:
    assert find_check(case(*evidence), "web", fault).command == command


def test_without_a_system_it_is_said_what_to_look_at() -> None:
    check = find_check(case(), "web", F.APPLICATION_ERROR)
    assert check.text == "look at the log of web — the first error after the onset names the cause"
    assert check.request == "Look at the log of web: the first error after the onset names the cause."
    known = Check("journalctl -u web", "the log of web", "it says why")
    assert (known.text, known.request) == (
        "journalctl -u web — it says why", "Run `journalctl -u web`: it says why.")  # fmt: skip


def test_the_labels_of_an_alert_tell_of_a_cluster() -> None:
    plain = case()
    alert = replace(plain.group.lead, labels={"namespace": "shop", "pod": "web-1"})
    told = Case(replace(plain.group, alerts=(alert,)), plain.signal, plain.evidence, plain.now)
    assert find_check(told, "web", F.APPLICATION_ERROR).command == "kubectl -n shop logs deploy/web --since=15m"


@pytest.mark.parametrize("text", ["$(touch x) is active", "-o runs", " runs", "web;rm runs"])
def test_a_process_whose_name_is_none_is_not_put_into_a_command(text: str) -> None:
    for source, kind in (("supervisor", "Process"), ("systemd", "Unit")):
        command = find_check(case(said_by(source, kind, text)), "web", F.OUT_OF_MEMORY).command
        assert command.endswith("status NAME")
